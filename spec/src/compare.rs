//! Two runs of one file against each other: the reference, and memory to be judged.
#![forbid(unsafe_code)]

use crate::judge::Outcome;
use crate::script::Directive;

/// How the directives of one or many files came out, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Held on the reference, and held here.
    pub passed: usize,
    /// Of these, how many are assertions; the others make modules and call functions for them.
    pub assertions: usize,
    /// Failed on the reference, and failed here in the same words: nothing that memory decides.
    pub same_failure: usize,
    /// Everything else, each with its place and both outcomes.
    pub failures: Vec<String>,
}

impl Tally {
    /// Adds what another one counted.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.assertions += other.assertions;
        self.same_failure += other.same_failure;
        self.failures.extend_from_slice(&other.failures);
    }
}

/// Compares directive by directive.
#[must_use]
pub fn compare(
    file: &str,
    directives: &[Directive<'_>],
    reference: &[Outcome],
    judged: &[Outcome],
) -> Tally {
    let mut tally = Tally::default();
    if judged.len() != directives.len() || reference.len() != directives.len() {
        let (expected, found) = (directives.len(), judged.len());
        tally
            .failures
            .push(format!("{file}: {found} of {expected} directives ran"));
        return tally;
    }
    for ((directive, reference), judged) in directives.iter().zip(reference).zip(judged) {
        let told = |outcome: &Outcome| match outcome {
            Ok(()) => "holds".to_owned(),
            Err(problem) => problem.clone(),
        };
        match (reference, judged) {
            (Ok(()), Ok(())) => {
                tally.passed += 1;
                tally.assertions += usize::from(directive.is_assertion());
            }
            (Err(expected), Err(found)) if expected == found => tally.same_failure += 1,
            _ => tally.failures.push(format!(
                "{file}:{}: {}\n    on the reference: {}\n    here: {}",
                directive.line,
                directive.keyword,
                told(reference),
                told(judged)
            )),
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::directives;

    fn compared(reference: &[Outcome], judged: &[Outcome]) -> Tally {
        let text = "(module) (assert_return (invoke \"f\")) (assert_trap (invoke \"g\") \"\")";
        compare("file", &directives(text), reference, judged)
    }

    fn problem(text: &str) -> Outcome {
        Err(text.to_owned())
    }

    #[test]
    fn what_holds_on_both_is_passed_and_assertions_are_counted() {
        let all = [Ok(()), Ok(()), Ok(())];
        let tally = compared(&all, &all);
        assert_eq!((tally.passed, tally.assertions), (3, 2));
        assert_eq!((tally.same_failure, tally.failures.len()), (0, 0));
    }

    #[test]
    fn every_difference_is_a_failure_with_its_place() {
        let reference = [Ok(()), problem("a"), problem("b")];
        let tally = compared(&reference, &[problem("x"), problem("a"), problem("c")]);
        assert_eq!((tally.passed, tally.same_failure), (0, 1));
        assert!(tally.failures[0].starts_with("file:1: module\n"));
        assert!(tally.failures[1].contains("on the reference: b\n    here: c"));
        let tally = compared(&reference, &[Ok(()), Ok(()), problem("b")]);
        assert_eq!((tally.passed, tally.same_failure), (1, 1));
        assert_eq!(
            tally.failures.len(),
            1,
            "what holds here alone is a difference too"
        );
    }

    #[test]
    fn a_run_that_stopped_early_is_a_failure() {
        let all = [Ok(()), Ok(()), Ok(())];
        assert_eq!(compared(&all, &all[..2]).failures.len(), 1);
        assert_eq!(compared(&all[..2], &all).failures.len(), 1);
    }
}
