//! What the words of the command line ask for.

use core::ffi::c_int;

use conformance::{Case, Ends, Subject, Tally, Verdict, cases, run_case};
use wasm_arena::ArenaSystem;

use crate::arguments::Arguments;
use crate::output::say;
use crate::subjects::{ARENA, LIBC, Libc, MAPPED, OnQnx};

const HELP: &str = "usage: suite list | all | run SYSTEM CASE\n\
    SYSTEM is libc, arena or mapped. `run` ends with 0 if the case passed; a case that `list` calls\n\
    `faults` has passed if the process died of an access violation after it said so.\n";
#[cfg(feature = "stand-in")]
const HELP_WITH_STAND_IN: &str = "With the stand-in: `table` counts calls, `--profile N` is the \
    version it plays (650, 660,\n700, 710, 800), `--host-page N` the bytes of a page (4096, 16384, \
    65536).\n";

/// Does it; the result is the status of the program.
pub(crate) fn run(arguments: &Arguments) -> c_int {
    #[cfg(feature = "stand-in")]
    if !choose_profile(arguments) {
        return usage();
    }
    match arguments.get(1) {
        Some("list") => {
            list(&LIBC, cases());
            list(&LIBC, special_cases());
            list(&ARENA, cases());
            list(&MAPPED, cases());
            0
        }
        Some("all") => all(),
        Some("run") => match (arguments.get(2), arguments.get(3)) {
            (Some(system), Some(name)) => one(system, name),
            _ => usage(),
        },
        #[cfg(feature = "stand-in")]
        Some("table") => crate::table::print(),
        _ => usage(),
    }
}

fn usage() -> c_int {
    say(format_args!("{HELP}"));
    #[cfg(feature = "stand-in")]
    say(format_args!("{HELP_WITH_STAND_IN}"));
    2
}

#[cfg(feature = "stand-in")]
fn choose_profile(arguments: &Arguments) -> bool {
    let profile = match arguments.after("--profile") {
        Some(number) => number.parse().unwrap_or(0),
        None => crate::bench::native_profile(),
    };
    let host_page = match arguments.after("--host-page") {
        Some(number) => number.parse().unwrap_or(0),
        None => 4096,
    };
    crate::bench::start(profile, host_page)
}

/// Cases about the C library's heap, which need to look into it.
fn special_cases() -> impl Iterator<Item = Case<OnQnx<Libc>>> {
    #[cfg(feature = "stand-in")]
    return crate::cases::cases();
    #[cfg(not(feature = "stand-in"))]
    core::iter::empty()
}

fn list<S: ArenaSystem>(subject: &OnQnx<S>, cases: impl Iterator<Item = Case<OnQnx<S>>>) {
    for case in cases.filter(|case| case.applies_to(subject)) {
        let ends = match case.ends {
            Ends::Returns => "returns",
            Ends::Faults => "faults",
        };
        say(format_args!("{ends} {} {}\n", subject.name(), case.name));
    }
}

/// Runs one case on a C library that nobody used before.
fn fresh<S: ArenaSystem>(subject: &OnQnx<S>, case: &Case<OnQnx<S>>) -> Verdict {
    #[cfg(feature = "stand-in")]
    crate::bench::start_anew();
    run_case(subject, case)
}

fn run_each<S: ArenaSystem>(
    subject: &OnQnx<S>,
    cases: impl Iterator<Item = Case<OnQnx<S>>>,
    tally: &mut Tally,
) {
    let system = subject.name();
    for case in cases {
        let name = case.name;
        if !case.applies_to(subject) {
            tally.unobserved += 1;
        } else if case.ends == Ends::Faults {
            tally.faulting += 1;
        } else if let Err(failure) = fresh(subject, &case) {
            tally.failed += 1;
            say(format_args!("{system} {name} FAILED: {failure}\n"));
        } else {
            tally.passed += 1;
            say(format_args!("{system} {name} ok\n"));
        }
    }
}

fn all() -> c_int {
    let mut tally = Tally::default();
    run_each(&LIBC, cases(), &mut tally);
    run_each(&LIBC, special_cases(), &mut tally);
    // An emulator takes minutes for what is exhaustive.
    run_each(&ARENA, cases().filter(|case| !case.exhaustive), &mut tally);
    run_each(&MAPPED, cases().filter(|case| !case.exhaustive), &mut tally);
    say(format_args!("{tally}\n"));
    c_int::from(tally.failed > 0)
}

fn one(system: &str, name: &str) -> c_int {
    let verdict = match system {
        "libc" => named(&LIBC, cases(), name).or_else(|| named(&LIBC, special_cases(), name)),
        "arena" => named(&ARENA, cases(), name),
        "mapped" => named(&MAPPED, cases(), name),
        _ => None,
    };
    match verdict {
        None => {
            say(format_args!("{system} has no case `{name}`\n"));
            2
        }
        Some(Ok(())) => {
            say(format_args!("{system} {name} ok\n"));
            0
        }
        Some(Err(failure)) => {
            say(format_args!("{system} {name} FAILED: {failure}\n"));
            1
        }
    }
}

fn named<S: ArenaSystem>(
    subject: &OnQnx<S>,
    mut cases: impl Iterator<Item = Case<OnQnx<S>>>,
    name: &str,
) -> Option<Verdict> {
    let case = cases.find(|case| case.name == name && case.applies_to(subject))?;
    Some(fresh(subject, &case))
}
