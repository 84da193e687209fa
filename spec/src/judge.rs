//! Who runs the directives of a file, one after the other, all of them, and says what came of each.
#![forbid(unsafe_code)]

use crate::script::Directive;

/// What came of a directive: nothing to say, or why it failed.
pub type Outcome = Result<(), String>;

/// An engine with memories.
pub trait Judge: Send + Sync {
    /// What came of each directive, in order. Instances live from one to the next, and end with the
    /// last.
    ///
    /// # Errors
    /// Not even the module that every file may import from could be made.
    fn run(&self, directives: &[Directive<'_>]) -> Result<Vec<Outcome>, String>;
}
