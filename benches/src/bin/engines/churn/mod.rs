//! `churn…`: a guest comes, writes some of its memory, and goes.

pub(crate) mod data;
mod guest;
pub(crate) mod heavy;
pub(crate) mod shapes;
pub(crate) mod space;
pub(crate) mod threads;

use benches::Contender;

use crate::peers::Runtime;
use guest::{Floor, Guest};

/// The contender that every ratio is to.
const FLOOR: &str = "floor";

/// A contender that makes guests, and has them touch so many bytes.
fn contender<'g>(runtime: &Runtime, guest: &'g Guest, touched: u32) -> Contender<'g> {
    let contender = Contender::new(runtime.kind.name(), move |cycles| {
        benches::timed(cycles, || guest.cycle(touched))
    });
    match runtime.calls() {
        Some(calls) => contender.counting(calls),
        None => contender,
    }
}

fn floor(floor: &mut Floor, touched: u32) -> Contender<'_> {
    Contender::new(FLOOR, move |cycles| {
        benches::timed(cycles, || floor.cycle(touched))
    })
}
