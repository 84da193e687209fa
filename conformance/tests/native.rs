//! The suite on this machine, over every arena system that there is here.
//!
//! Cases that must fault run in a process of their own: this program, started again with the names
//! of a subject and a case. It tells the address it is about to touch, and must then die there.
#![cfg(unix)]

#[path = "native/bench.rs"]
mod bench;
#[path = "native/heap.rs"]
mod heap;
#[path = "native/subjects.rs"]
mod subjects;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode};
use std::time::Instant;

use conformance::{Case, Ends, Subject, run_case, run_named};
use subjects::{Fresh, Visitor};

/// The first argument of a child; then follow the names of the subject and the case.
const CHILD: &str = "--touch";
const SEGMENTATION_FAULT: i32 = 11;
const BUS_ERROR: i32 = 7;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, subject, case] = &arguments[..]
        && first == CHILD
    {
        return touch(subject, case);
    }
    let filter = arguments.into_iter().find(|word| !word.starts_with('-'));
    let mut suite = Suite {
        filter,
        passed: 0,
        failed: 0,
        not_applicable: 0,
    };
    subjects::visit_all(&mut suite);
    println!(
        "{} cases did not apply to their subject",
        suite.not_applicable
    );
    println!("{} passed, {} failed", suite.passed, suite.failed);
    if suite.failed == 0 && suite.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Suite {
    filter: Option<String>,
    passed: usize,
    failed: usize,
    not_applicable: usize,
}

impl Visitor for Suite {
    fn visit<P: Fresh>(&mut self, subject: &P) {
        for case in conformance::cases::<P>() {
            let name = format!("{}: {}", subject.name(), case.name);
            if self
                .filter
                .as_ref()
                .is_some_and(|wanted| !name.contains(wanted))
            {
                continue;
            }
            if !case.applies_to(subject) {
                self.not_applicable += 1;
                continue;
            }
            let start = Instant::now();
            let verdict = match case.ends {
                Ends::Returns => run_case(subject, &case).map_err(|failure| failure.to_string()),
                Ends::Faults => dies_of_it(subject, &case),
            };
            let milliseconds = start.elapsed().as_millis();
            match &verdict {
                Ok(()) if milliseconds > 100 => println!("{name} … ok ({milliseconds} ms)"),
                Ok(()) => println!("{name} … ok"),
                Err(why) => println!("{name} … FAILED ({}): {why}", case.shows),
            }
            if case.loses_memory {
                subject.start_over();
            }
            match verdict {
                Ok(()) => self.passed += 1,
                Err(_) => self.failed += 1,
            }
        }
    }
}

/// Runs a case in a child, which must die of the very access it announced.
fn dies_of_it<P: Subject>(subject: &P, case: &Case<P>) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new(program)
        .args([CHILD, subject.name(), case.name])
        .output()
        .map_err(|error| error.to_string())?;
    let output = String::from_utf8_lossy(&child.stdout);
    let errors = String::from_utf8_lossy(&child.stderr);
    if !output.contains("about to touch") {
        return Err(format!(
            "it never got there: {:?} {output} {errors}",
            child.status
        ));
    }
    match child.status.signal() {
        Some(SEGMENTATION_FAULT | BUS_ERROR) => Ok(()),
        _ => Err(format!("it survived: {:?} {output} {errors}", child.status)),
    }
}

/// The child: runs the case, which is not expected to return.
fn touch(subject: &str, case: &str) -> ExitCode {
    struct Child<'a> {
        subject: &'a str,
        case: &'a str,
    }
    impl Visitor for Child<'_> {
        fn visit<P: Fresh>(&mut self, subject: &P) {
            if subject.name() == self.subject {
                match run_named(subject, self.case) {
                    Some(Err(failure)) => println!("{failure}"),
                    Some(Ok(())) => println!("the case returned"),
                    None => println!("no such case here"),
                }
            }
        }
    }
    subjects::visit_all(&mut Child { subject, case });
    ExitCode::SUCCESS
}
