//! A case: a name that says what it shows, and the function that shows it.
#![forbid(unsafe_code)]

use core::fmt;

use wasm_arena::ArenaSystem;

use crate::{Subject, Verdict};

/// How a case ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// It returns, and says whether it passed.
    Returns,
    /// The process dies of an access violation. A case that returns has failed.
    Faults,
}

/// One case of the suite.
pub struct Case<P: Subject> {
    /// A sentence, its words joined by underscores. No two cases share one.
    pub name: &'static str,
    /// What is shown, for the report.
    pub shows: &'static str,
    /// How it ends.
    pub ends: Ends,
    /// It looks through the bench, and cannot run without one.
    pub needs_observer: bool,
    /// It tries everything there is to try, of something that no arena system has a part in: where
    /// time is short, one system is enough.
    pub exhaustive: bool,
    /// Regions are lost on purpose; the case itself checks that no others are.
    pub loses_memory: bool,
    /// Runs it.
    pub run: fn(&P) -> Verdict,
}

impl<P: Subject> Case<P> {
    pub(crate) const fn new(
        name: &'static str,
        shows: &'static str,
        run: fn(&P) -> Verdict,
    ) -> Self {
        Self {
            name,
            shows,
            ends: Ends::Returns,
            needs_observer: false,
            exhaustive: false,
            loses_memory: false,
            run,
        }
    }

    pub(crate) const fn observed(mut self) -> Self {
        self.needs_observer = true;
        self
    }

    pub(crate) const fn faulting(mut self) -> Self {
        self.ends = Ends::Faults;
        self
    }

    pub(crate) const fn exhaustive(mut self) -> Self {
        self.exhaustive = true;
        self
    }

    pub(crate) const fn losing(mut self) -> Self {
        self.loses_memory = true;
        self
    }

    /// Whether it can be run on `subject`: where nothing can fault no case ends that way, and what
    /// needs a bench needs one.
    pub fn applies_to(&self, subject: &P) -> bool {
        let observed = !self.needs_observer || subject.observer().is_some();
        let faults = self.ends == Ends::Returns || subject.system().facts().pages.can_protect;
        observed && faults
    }
}

impl<P: Subject> fmt::Debug for Case<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("ends", &self.ends)
            .field("needs_observer", &self.needs_observer)
            .field("exhaustive", &self.exhaustive)
            .field("loses_memory", &self.loses_memory)
            .finish_non_exhaustive()
    }
}

/// A case named after the function that runs it.
macro_rules! case {
    ($function:ident, $shows:literal) => {
        $crate::Case::new(stringify!($function), $shows, $function::<P>)
    };
}

pub(crate) use case;
