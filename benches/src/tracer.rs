//! The process that counts another one's system calls, by `ptrace`.
//!
//! It stops every thread of the other at each entry into the kernel, looks up which call that is, and
//! lets it go on. What is to be counted lies between two marks: writes to the pipe that the other
//! holds the end of and nobody reads. When the other closes that pipe, everything has been counted.
//!
//! The kernel lets go of the threads as soon as whoever traced them is gone, whatever became of it.

use std::fs;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::thread;

use nix::errno::Errno;
use nix::libc::PTRACE_SYSCALL_INFO_ENTRY;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use syscalls::Sysno;

use crate::system_calls::{Counts, READY, REFUSED};

/// Runs as that process: reads `PROCESS PIPE` from standard input, the other's identity and the number
/// that the pipe has there, answers whether it may trace, and in the end what it counted.
pub(crate) fn main() -> ExitCode {
    // Whoever traces is a thread, not a process: with the end of this one nobody is stopped any longer,
    // and the answer may be as long as it likes.
    let counted = thread::spawn(run).join();
    let counted = counted.unwrap_or_else(|_| Err(Problem::Broken("a panic".to_owned())));
    let told = counted.and_then(|stretches| {
        let text = serde_json::to_string(&stretches);
        text.map_err(|error| Problem::Broken(error.to_string()))
    });
    match told {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(Problem::Refused(why)) => {
            println!("{REFUSED}{why}");
            ExitCode::FAILURE
        }
        Err(Problem::Broken(why)) => {
            eprintln!("counting system calls: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Why nothing was counted.
enum Problem {
    /// The system does not let us.
    Refused(String),
    /// Something that should work does not.
    Broken(String),
}

impl Problem {
    fn broken(what: &str, why: impl core::fmt::Display) -> Self {
        Self::Broken(format!("{what}: {why}"))
    }
}

fn run() -> Result<Vec<Counts>, Problem> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Problem::broken("standard input", error))?;
    let words = line.trim().split_once(' ');
    let parsed = words.and_then(|(process, pipe)| Some((process.parse().ok()?, pipe.to_owned())));
    let (process, pipe) = parsed.ok_or_else(|| Problem::broken("standard input", &line))?;
    let mut tracer = Tracer {
        process: Pid::from_raw(process),
        pipe: pipe
            .parse()
            .map_err(|error| Problem::broken("the pipe", error))?,
        current: None,
        stretches: Vec::new(),
    };
    tracer.attach()?;
    println!("{READY}");
    let flushed = io::stdout().flush();
    flushed.map_err(|error| Problem::broken("standard output", error))?;
    loop {
        match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(status) => {
                if !tracer.goes_on(status)? {
                    return Ok(tracer.stretches);
                }
            }
            Err(Errno::EINTR) => {}
            Err(error) => return Err(Problem::broken("the traced process", error)),
        }
    }
}

struct Tracer {
    process: Pid,
    /// The number of the pipe, in the traced process.
    pipe: u64,
    /// Calls since a mark that has no second one yet.
    current: Option<Counts>,
    /// What was called between two marks each.
    stretches: Vec<Counts>,
}

impl Tracer {
    /// Traces every thread there is. The one that could start others waits for our answer; those that
    /// are started later are traced from the start.
    fn attach(&mut self) -> Result<(), Problem> {
        let folder = format!("/proc/{}/task", self.process);
        let told = |error: io::Error| Problem::broken(&folder, error);
        for entry in fs::read_dir(&folder).map_err(told)? {
            let name = entry.map_err(told)?.file_name();
            let thread = name.to_str().and_then(|name| name.parse().ok());
            let thread = thread.ok_or_else(|| Problem::broken(&folder, name.display()))?;
            let thread = Pid::from_raw(thread);
            let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE;
            match ptrace::seize(thread, options) {
                Ok(()) => {}
                // It ended meanwhile.
                Err(Errno::ESRCH) => continue,
                Err(error @ (Errno::EPERM | Errno::EACCES | Errno::ENOSYS)) => {
                    return Err(Problem::Refused(format!("ptrace: {error}")));
                }
                Err(error) => return Err(Problem::broken("PTRACE_SEIZE", error)),
            }
            // Calls are seen of a thread that was stopped once and told to go on to the next call.
            let stopped =
                ptrace::interrupt(thread).and_then(|()| waitpid(thread, Some(WaitPidFlag::__WALL)));
            let status = stopped.map_err(|error| Problem::broken("PTRACE_INTERRUPT", error))?;
            // What will be asked at every call is asked once before we say that we can count.
            if let Err(error) = ptrace::syscall_info(thread) {
                // Before Linux 5.3.
                return Err(Problem::Refused(format!(
                    "PTRACE_GET_SYSCALL_INFO: {error}"
                )));
            }
            if let Err(error) = current_call(self.process, thread) {
                return Err(Problem::Refused(format!(
                    "/proc/PID/task/TID/syscall: {error}"
                )));
            }
            self.goes_on(status)?;
        }
        Ok(())
    }

    /// Takes note of a stop and ends it; false after the last.
    fn goes_on(&mut self, status: WaitStatus) -> Result<bool, Problem> {
        let (thread, signal) = match status {
            WaitStatus::PtraceSyscall(thread) => {
                if !self.note(thread)? {
                    return Ok(false);
                }
                (thread, None)
            }
            // A signal on its way to its handler, as the faults that `os::WindowedPages` serves.
            WaitStatus::Stopped(thread, signal) => (thread, Some(signal)),
            // A thread was started, or is new.
            WaitStatus::PtraceEvent(thread, ..) => (thread, None),
            _ => return Ok(true),
        };
        match ptrace::syscall(thread, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(true),
            Err(error) => Err(Problem::broken("PTRACE_SYSCALL", error)),
        }
    }

    /// Counts the call that a thread is about to make, or has made; false if it closes the pipe.
    fn note(&mut self, thread: Pid) -> Result<bool, Problem> {
        let info = match ptrace::syscall_info(thread) {
            Ok(info) => info,
            // Killed while it was stopped.
            Err(Errno::ESRCH) => return Ok(true),
            Err(error) => return Err(Problem::broken("PTRACE_GET_SYSCALL_INFO", error)),
        };
        if info.op != PTRACE_SYSCALL_INFO_ENTRY {
            return Ok(true);
        }
        let text = current_call(self.process, thread)
            .map_err(|error| Problem::broken("the call of a thread", error))?;
        let (number, first) =
            parse(&text).ok_or_else(|| Problem::broken("the call of a thread", &text))?;
        let name = Sysno::new(number);
        // A descriptor is an `int`: the upper half of its register may hold anything.
        let is_pipe = first & u64::from(u32::MAX) == self.pipe;
        if is_pipe && name == Some(Sysno::close) {
            return Ok(false);
        }
        if is_pipe && name == Some(Sysno::write) {
            match self.current.take() {
                None => self.current = Some(Counts::new()),
                Some(counts) => self.stretches.push(counts),
            }
        } else if let Some(counts) = &mut self.current {
            let name = name.map_or_else(|| format!("call {number}"), |name| name.to_string());
            *counts.entry(name).or_default() += 1;
        }
        Ok(true)
    }
}

/// What the system says of the call at which a thread is stopped: its number and arguments.
fn current_call(process: Pid, thread: Pid) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{process}/task/{thread}/syscall"))
}

/// The number of a call, and its first argument.
fn parse(text: &str) -> Option<(usize, u64)> {
    let mut fields = text.split(' ');
    let number = fields.next()?.parse().ok()?;
    let first = fields.next()?.strip_prefix("0x")?;
    Some((number, u64::from_str_radix(first, 16).ok()?))
}
