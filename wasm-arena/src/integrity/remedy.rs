//! What is to be done about a block, from three sums and no memory: one decision for every kind of
//! checked memory.
#![forbid(unsafe_code)]

use super::table::Records;

/// What puts a block right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Block and records are whole. At most the second copy is wrong, and can be made anew.
    CopyToMirror,
    /// The data is vouched for by a record or by its copy: both records become this sum.
    Record(u32),
    /// The copy is vouched for by a record: it replaces the data, and both records become this sum.
    CopyFromMirror(u32),
    /// Nothing is left to put it right from.
    None,
}

/// Decides by the sum of the data, that of the second copy if there is one, and both records.
pub(super) fn remedy(computed: u32, of_mirror: Option<u32>, records: Records) -> Remedy {
    let recorded = |sum: u32| sum == records.first || sum == records.second;
    if records.agree() && computed == records.first {
        return Remedy::CopyToMirror;
    }
    if !records.agree() && (recorded(computed) || of_mirror == Some(computed)) {
        return Remedy::Record(computed);
    }
    match of_mirror {
        Some(sum) if recorded(sum) => Remedy::CopyFromMirror(sum),
        _ => Remedy::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_two_of_the_three_or_four_agree_on() {
        let remedies = |computed, of_mirror, first, second| {
            remedy(computed, of_mirror, Records { first, second })
        };
        for mirror in [None, Some(1), Some(2)] {
            assert_eq!(remedies(1, mirror, 1, 1), Remedy::CopyToMirror);
            assert_eq!(remedies(1, mirror, 1, 3), Remedy::Record(1));
            assert_eq!(remedies(1, mirror, 3, 1), Remedy::Record(1));
        }
        assert_eq!(remedies(1, Some(1), 3, 4), Remedy::Record(1));
        for (first, second) in [(1, 1), (1, 3), (3, 1)] {
            let remedy = remedies(2, Some(1), first, second);
            assert_eq!(remedy, Remedy::CopyFromMirror(1));
            assert_eq!(remedies(2, None, first, second), Remedy::None);
            assert_eq!(remedies(2, Some(4), first, second), Remedy::None);
        }
        // Two that were both changed by the same hand, and that no record knows.
        assert_eq!(remedies(2, Some(2), 1, 1), Remedy::None);
    }
}
