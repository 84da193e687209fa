//! Runs cases, and looks after each what it left behind.
#![forbid(unsafe_code)]

use core::fmt;

use crate::failure::{ensure, ensure_eq};
use crate::{Case, Ends, Failure, Observer, Subject, Verdict, cases};

/// How a run of the suite went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Cases that passed.
    pub passed: usize,
    /// Cases that failed.
    pub failed: usize,
    /// Cases not run because nobody watches.
    pub unobserved: usize,
    /// Cases not run here because they end in a fault: a runner with processes runs them by name.
    pub faulting: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.unobserved > 0 {
            write!(f, ", {} not run without a bench", self.unobserved)?;
        }
        if self.faulting > 0 {
            write!(f, ", {} left to a runner with processes", self.faulting)?;
        }
        Ok(())
    }
}

/// Runs every case that returns, and reports each as it ends.
pub fn run_all<P: Subject>(subject: &P, report: &mut dyn FnMut(&Case<P>, Verdict)) -> Tally {
    let mut tally = Tally::default();
    for case in cases::<P>() {
        if case.ends == Ends::Faults {
            tally.faulting += 1;
            continue;
        }
        if !case.applies_to(subject) {
            tally.unobserved += 1;
            continue;
        }
        let verdict = run_case(subject, &case);
        match verdict {
            Ok(()) => tally.passed += 1,
            Err(_) => tally.failed += 1,
        }
        report(&case, verdict);
    }
    tally
}

/// Runs one case by its name, whether it returns or not; `None` if there is none of that name, or
/// it [does not apply](Case::applies_to) to the subject.
pub fn run_named<P: Subject>(subject: &P, name: &str) -> Option<Verdict> {
    cases::<P>()
        .find(|case| case.name == name)
        .filter(|case| case.applies_to(subject))
        .map(|case| run_case(subject, &case))
}

/// Runs one case. Where somebody watches, it has failed if the bench was misused or something was
/// left behind, too.
///
/// # Errors
/// The first check that failed.
pub fn run_case<P: Subject>(subject: &P, case: &Case<P>) -> Verdict {
    let Some(observer) = subject.observer() else {
        return (case.run)(subject);
    };
    let before = Balance::of(observer);
    let verdict = (case.run)(subject);
    observer.refuse_nth(0);
    verdict?;
    before.check(observer, case.loses_memory)
}

/// What a bench knows that a case must leave as it was.
struct Balance {
    held_bytes: usize,
    locked_bytes: usize,
    complaints: usize,
}

impl Balance {
    fn of(observer: &dyn Observer) -> Self {
        Self {
            held_bytes: observer.held_bytes(),
            locked_bytes: observer.locked_bytes(),
            complaints: observer.complaints(),
        }
    }

    fn check(&self, observer: &dyn Observer, lost_on_purpose: bool) -> Verdict {
        let complaints = observer.complaints();
        if complaints > self.complaints {
            let first = observer.complaint(self.complaints);
            return Err(Failure::here(
                first,
                complaints as u64,
                self.complaints as u64,
            ));
        }
        if lost_on_purpose {
            ensure!(
                observer.held_bytes() >= self.held_bytes,
                "no more is given back than was taken"
            );
            return Ok(());
        }
        ensure_eq!(
            observer.held_bytes(),
            self.held_bytes,
            "as many bytes are held after the case as before"
        );
        ensure_eq!(
            observer.locked_bytes(),
            self.locked_bytes,
            "as many bytes are locked after the case as before"
        );
        Ok(())
    }
}
