//! System calls of this process, counted from outside and told by name.
//!
//! Whoever makes them is counted: Wasmtime, which calls the kernel without libc, as well as an
//! allocator in C or a handler of signals. For that, a second process of the same program traces this
//! one while it works; see `tracer`. It works more slowly meanwhile, so no clock may run.
//!
//! ```text
//!   this process                                the one that counts
//!   begin ─────────── "PROCESS PIPE" ─────────▶ traces every thread
//!         ◀────────────── "tracing" ───────────
//!   mark (a write to the pipe)                  begins a stretch
//!   ... work ...                                counts
//!   mark                                        ends it
//!   end (closes the pipe) ────────────────────▶ lets go of us
//!         ◀──── counts of every stretch ───────
//! ```

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::parent_id;
use std::process::{self, Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::table::few;

/// The one argument of the process that counts.
const WORD: &str = "--count-system-calls";
/// What it answers if it traces us,
pub(crate) const READY: &str = "tracing";
/// and how it begins if the system does not let it.
pub(crate) const REFUSED: &str = "refused: ";

/// Calls by name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Runs as the process that counts, if this is one. The first thing in `main` of every program that
/// counts.
#[must_use]
pub fn counting_process() -> Option<ExitCode> {
    let mut words = env::args().skip(1);
    let is_one = words.next().as_deref() == Some(WORD) && words.next().is_none();
    is_one.then(run)
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn run() -> ExitCode {
    crate::tracer::main()
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn run() -> ExitCode {
    println!("{REFUSED}only on Linux, with glibc");
    ExitCode::FAILURE
}

/// Lets a process trace us that is no ancestor of ours.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn allow(tracer: &Child) {
    use rustix::process::{PTracer, Pid, set_ptracer};
    // It fails where no leave is needed (no Yama). Where leave is needed, the tracer will be told.
    let _refused = set_ptracer(PTracer::ProcessID(Pid::from_child(tracer)));
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn allow(_tracer: &Child) {}

/// This process is traced, until the end.
#[derive(Debug)]
pub struct Counting {
    tracer: Child,
    /// There until the end.
    pipe: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Of those that have an end.
    stretches: usize,
}

/// Why calls cannot be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotCounted {
    /// The system does not let one process trace another: a setting, or a container's.
    Refused(String),
    /// It should work and does not.
    Broken(String),
}

impl fmt::Display for NotCounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(why) | Self::Broken(why)) = self;
        write!(f, "system calls: not counted: {why}")
    }
}

impl From<NotCounted> for String {
    fn from(problem: NotCounted) -> Self {
        problem.to_string()
    }
}

impl Counting {
    /// Starts the process that counts, and has it trace all threads there are and will be.
    ///
    /// The program must begin with [`counting_process`].
    ///
    /// # Errors
    /// Why it cannot.
    pub fn begin() -> Result<Self, NotCounted> {
        let broken = |error: std::io::Error| NotCounted::Broken(error.to_string());
        let program = env::current_exe().map_err(broken)?;
        let mut tracer = Command::new(program)
            .arg(WORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(broken)?;
        allow(&tracer);
        let (pipe, answers) = tracer
            .stdin
            .take()
            .zip(tracer.stdout.take())
            .ok_or_else(|| NotCounted::Broken("no pipes".to_owned()))?;
        let number = pipe.as_raw_fd();
        let mut counting = Self {
            tracer,
            pipe: Some(pipe),
            answers: BufReader::new(answers),
            stretches: 0,
        };
        counting
            .write(format!("{} {number}\n", process::id()).as_bytes())
            .map_err(NotCounted::Broken)?;
        let mut answer = String::new();
        counting.answers.read_line(&mut answer).map_err(broken)?;
        match (answer.trim_end(), answer.trim_end().strip_prefix(REFUSED)) {
            (READY, _) => {
                // Threads that slept were woken to be traced, and look around before they sleep again.
                thread::sleep(Duration::from_millis(10));
                Ok(counting)
            }
            (_, Some(why)) => Err(NotCounted::Refused(why.to_owned())),
            (other, None) => Err(NotCounted::Broken(format!("answered `{other}`"))),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let pipe = self.pipe.as_mut().ok_or("the pipe is closed")?;
        pipe.write_all(bytes)
            .map_err(|error| format!("the process that counts system calls is gone: {error}"))
    }

    /// Counts what is called during some work, by whatever thread; returns the number of this stretch,
    /// from 0, and the outcome.
    ///
    /// # Errors
    /// Nobody counts any longer.
    pub fn stretch<R>(&mut self, work: impl FnOnce() -> R) -> Result<(usize, R), String> {
        self.write(b"(")?;
        let outcome = work();
        self.write(b")")?;
        self.stretches += 1;
        Ok((self.stretches - 1, outcome))
    }

    /// Nobody traces this process any longer. Returns what was called in every stretch, by name.
    ///
    /// # Errors
    /// Nobody counted.
    pub fn end(mut self) -> Result<Vec<BTreeMap<String, u64>>, String> {
        self.pipe = None;
        let mut text = String::new();
        let read = self.answers.read_to_string(&mut text);
        read.map_err(|error| format!("system calls: {error}"))?;
        let counts: Vec<Counts> = serde_json::from_str(&text)
            .map_err(|error| format!("system calls: `{text}`: {error}"))?;
        if counts.len() == self.stretches {
            Ok(counts)
        } else {
            let (found, wanted) = (counts.len(), self.stretches);
            Err(format!("system calls: {found} stretches, not {wanted}"))
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.pipe = None;
        // It has answered, or nobody waits for its answer; with it goes the tracing.
        drop(self.tracer.kill());
        drop(self.tracer.wait());
    }
}

/// Calls that the self-check makes on this thread and on another one.
const CHECKED: [u64; 2] = [5, 3];

/// Counts calls whose number is known; returns why that is refused, if it is.
///
/// # Errors
/// Calls are not counted although the system allows it, or not rightly.
pub fn check_counting() -> Result<Option<String>, String> {
    let mut counting = match Counting::begin() {
        Ok(counting) => counting,
        Err(refused @ NotCounted::Refused(_)) => return Ok(Some(refused.into())),
        Err(broken) => return Err(broken.into()),
    };
    let call = |times| (0..times).for_each(|_| _ = parent_id());
    let [here, there] = CHECKED;
    let (nothing, ()) = counting.stretch(|| ())?;
    let (own, ()) = counting.stretch(|| call(here))?;
    let (both, joined) = counting.stretch(|| {
        let other = thread::spawn(move || call(there));
        call(here);
        other.join()
    })?;
    joined.map_err(|_| "a thread panicked")?;
    let counts = counting.end()?;
    let own_calls = Counts::from([("getppid".to_owned(), here)]);
    let of_both = counts[both].get("getppid").copied();
    if counts[nothing].is_empty() && counts[own] == own_calls && of_both == Some(here + there) {
        Ok(None)
    } else {
        Err(format!("system calls are miscounted: {counts:?}"))
    }
}

/// System calls per operation, by name; empty if there are none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SystemCalls(BTreeMap<String, f64>);

/// So many names are shown.
const SHOWN: usize = 5;

impl SystemCalls {
    /// What `operations` more of them called more. What does not depend on their number (threads that
    /// are started, the answer to a first fault) cancels out; what is left of it below zero is chance,
    /// and counts as none.
    #[must_use]
    pub fn between(
        fewer: &BTreeMap<String, u64>,
        more: &BTreeMap<String, u64>,
        operations: u64,
    ) -> Self {
        let per_operation = more.iter().filter_map(|(name, &more)| {
            let fewer = fewer.get(name).copied().unwrap_or_default();
            let calls = more.checked_sub(fewer).filter(|&calls| calls > 0)?;
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let calls = calls as f64 / operations as f64;
            Some((name.clone(), calls))
        });
        Self(per_operation.collect())
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> f64 {
        // A sum of none would be -0.
        self.0.values().fold(0.0, |sum, calls| sum + calls)
    }
}

impl fmt::Display for SystemCalls {
    /// The names, the most frequent first; nothing if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut calls: Vec<_> = self.0.iter().collect();
        calls.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
        let shown = if calls.len() > SHOWN {
            SHOWN - 1
        } else {
            SHOWN
        };
        let rest: f64 = calls.iter().skip(shown).map(|(_, calls)| **calls).sum();
        let mut separator = "";
        for (name, calls) in calls.iter().take(shown) {
            write!(f, "{separator}{name} {}", count(**calls))?;
            separator = ", ";
        }
        if rest > 0.0 {
            write!(f, ", others {}", count(rest))?;
        }
        Ok(())
    }
}

/// A number of calls per operation: a whole one as such.
pub(crate) fn count(calls: f64) -> String {
    if calls.fract() == 0.0 {
        format!("{calls}")
    } else {
        few(calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts<const N: usize>(counts: [(&str, u64); N]) -> Counts {
        counts.map(|(name, count)| (name.to_owned(), count)).into()
    }

    #[test]
    fn what_does_not_depend_on_the_number_of_operations_cancels_out() {
        let fewer = counts([("clone3", 1), ("futex", 9), ("mprotect", 8), ("mmap", 2)]);
        let more = counts([("clone3", 1), ("futex", 7), ("mprotect", 16), ("munmap", 2)]);
        let calls = SystemCalls::between(&fewer, &more, 4);
        assert_eq!(calls.total(), 2.5);
        assert_eq!(calls.to_string(), "mprotect 2, munmap 0.500");
        assert_eq!(SystemCalls::between(&more, &more, 1).to_string(), "");
    }

    #[test]
    fn a_long_list_names_the_most_frequent() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let long: Counts = (1..)
            .zip(names)
            .map(|(n, name)| (name.to_owned(), n))
            .collect();
        let calls = SystemCalls::between(&Counts::new(), &long, 1);
        assert_eq!(calls.to_string(), "f 6, e 5, d 4, c 3, others 3");
    }
}
