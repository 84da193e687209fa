//! The groups: what is measured.

pub(crate) mod churn;

use benches::Report;

use crate::Setting;

/// Measurements that are run and kept together.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// What is counted, and how.
    pub(crate) notes: &'static [&'static str],
    pub(crate) run: fn(&Setting, &mut Report) -> Result<(), String>,
}

pub(crate) const GROUPS: [Group; 6] = [
    churn::shapes::GROUP,
    churn::shapes::SWEEP,
    churn::heavy::GROUP,
    churn::threads::GROUP,
    churn::data::GROUP,
    churn::space::GROUP,
];

/// What one can say on the command line.
pub(crate) fn names() -> Vec<&'static str> {
    GROUPS.iter().map(|group| group.name).collect()
}
