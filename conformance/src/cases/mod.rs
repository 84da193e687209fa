//! The cases, by what they are about.

mod accounts;
mod addresses;
mod configuration;
mod faults;
mod growth;
mod guards;
mod integrity;
mod life;
mod model;
mod moving;
mod program;
mod protections;
mod refusals;
mod reuse;
mod safe_face;
mod scenario;
mod sealing;
mod sizes;
mod zeroing;

use crate::{Case, Subject};

/// Every case, in a fixed order.
pub fn cases<P: Subject>() -> impl Iterator<Item = Case<P>> {
    sizes::cases()
        .into_iter()
        .chain(life::cases())
        .chain(zeroing::cases())
        .chain(growth::cases())
        .chain(moving::cases())
        .chain(protections::cases())
        .chain(guards::cases())
        .chain(reuse::cases())
        .chain(sealing::cases())
        .chain(accounts::cases())
        .chain(configuration::cases())
        .chain(addresses::cases())
        .chain(safe_face::cases())
        .chain(integrity::cases())
        .chain(scenario::cases())
        .chain(refusals::cases())
        .chain(faults::cases())
}
