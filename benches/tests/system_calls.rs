//! Calls are counted: by name, on every thread, and not where tracing is refused.
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::parent_id;
use std::process::ExitCode;
use std::thread;

use benches::{Contender, Counting, Effort, NotCounted, check_counting, counting_process, race};

/// What a contender of the race does so often in each operation.
const SEEKS: u64 = 3;

fn main() -> ExitCode {
    if let Some(code) = counting_process() {
        return code;
    }
    match check_counting().expect("calls with a known number") {
        // Nothing to be tested where no process may trace another.
        Some(refusal) => println!("{refusal}"),
        None => {
            calls_are_told_by_name_and_stretch();
            threads_that_are_started_later_are_counted();
            a_traced_process_cannot_be_traced_again();
            a_race_tells_what_one_operation_calls();
            println!("system calls are counted");
        }
    }
    ExitCode::SUCCESS
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

fn calls_are_told_by_name_and_stretch() {
    let mut file = File::open("/proc/self/exe").expect("this program");
    let mut counting = Counting::begin().expect("it was allowed before");
    let mut bytes = [0; 8];
    let (first, read) = counting.stretch(|| file.read_exact(&mut bytes)).unwrap();
    read.expect("the program is longer");
    // Between stretches nothing counts.
    file.rewind().unwrap();
    let (second, ()) = counting
        .stretch(|| {
            file.rewind().unwrap();
            file.rewind().unwrap();
            file.read_exact(&mut bytes).unwrap();
        })
        .unwrap();
    let counted = counting.end().unwrap();
    assert_eq!(counted.len(), 2);
    assert_eq!(counted[first], counts([("read", 1)]));
    assert_eq!(counted[second], counts([("lseek", 2), ("read", 1)]));
    assert_eq!(bytes[1..4], *b"ELF");
}

fn threads_that_are_started_later_are_counted() {
    let mut counting = Counting::begin().unwrap();
    let call = |times| (0..times).for_each(|_| _ = parent_id());
    let (stretch, ()) = counting
        .stretch(|| {
            thread::scope(|scope| {
                for times in [10, 20, 30] {
                    // From a thread of a thread.
                    scope.spawn(move || thread::spawn(move || call(times)).join().unwrap());
                }
            });
        })
        .unwrap();
    assert_eq!(counting.end().unwrap()[stretch]["getppid"], 60);
}

fn a_traced_process_cannot_be_traced_again() {
    let first = Counting::begin().unwrap();
    let refused = Counting::begin().unwrap_err();
    assert!(matches!(refused, NotCounted::Refused(_)), "{refused:?}");
    assert!(
        refused
            .to_string()
            .starts_with("system calls: not counted: ptrace: EPERM")
    );
    // Whoever does not wait for the answer lets go all the same.
    drop(first);
    assert_eq!(Counting::begin().unwrap().end(), Ok(Vec::new()));
}

fn a_race_tells_what_one_operation_calls() {
    let mut file = File::open("/proc/self/exe").unwrap();
    let seeking = Contender::new("seeks", |operations| {
        // Once for each batch, which is no operation's.
        let _ = parent_id();
        benches::timed(operations, || {
            (0..SEEKS).try_for_each(|_| file.rewind().map_err(|error| error.to_string()))
        })
    });
    let idle = Contender::new("calls nobody", |operations| {
        benches::timed(operations, || Ok(()))
    });
    let effort = Effort {
        counting: Some(core::time::Duration::from_millis(2)),
        ..Effort::TEST
    };
    let measured = race(&mut [seeking, idle], effort).unwrap();
    let calls = |index: usize| measured[index].system_calls.as_ref().unwrap();
    assert_eq!(calls(0).to_string(), format!("lseek {SEEKS}"));
    assert_eq!(
        (calls(1).total(), calls(1).to_string()),
        (0.0, String::new())
    );
    // Nobody asked for it.
    let idle = Contender::new("calls nobody", |_| Ok(core::time::Duration::ZERO));
    assert_eq!(
        race(&mut [idle], Effort::TEST).unwrap()[0].system_calls,
        None
    );
}
