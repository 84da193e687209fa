//! Guests started as commands on the linked program: what they print, and how they end.

use std::path::Path;
use std::process::Output;

use super::super::execute::{self, Tally};
use super::super::target::Target;

const CODES: [&str; 2] = ["pulley", "native"];

/// As the program reports a trap.
const TRAPPED: i32 = 134;

struct Scenario {
    /// The guest and its words.
    words: &'static [&'static str],
    status: i32,
    /// What the output has to hold.
    said: &'static [&'static str],
    /// It takes seconds on a processor that is emulated, and so is left to the other.
    long: bool,
}

/// What the documents of the guests say of them.
const SCENARIOS: [Scenario; 5] = [
    Scenario {
        words: &["word-index"],
        status: 0,
        said: &[
            "checksum  text 405e0da2, index f0743a29\n",
            "memory    2 pages at the start, 409 now, 405 growths\n",
            "check     index and scan agree (places compared: 7 661)\n",
            "linear memory from \"libc\": 131072 bytes at the start, 26804224 at its peak, 405 growths",
        ],
        long: true,
    },
    Scenario {
        words: &["word-index", "--words", "20000", "river", "harbour+lantern"],
        status: 0,
        said: &[
            "check     index and scan agree",
            "linear memory from \"libc\"",
        ],
        long: false,
    },
    Scenario {
        words: &["misbehave", "read-past-end", "4096"],
        status: TRAPPED,
        said: &["reading 1 byte at 0x21000", "out of bounds memory access"],
        long: false,
    },
    Scenario {
        words: &["misbehave", "recurse"],
        status: TRAPPED,
        said: &["call stack exhausted"],
        long: false,
    },
    Scenario {
        words: &["misbehave", "exit", "42"],
        status: 42,
        said: &["linear memory from \"libc\""],
        long: false,
    },
];

/// Plays them with both kinds of code.
pub(super) fn play(target: &Target, program: &Path) -> Result<Tally, String> {
    let mut tally = Tally::new(format!("{} commands", target.name));
    for scenario in &SCENARIOS {
        let mut before: Option<String> = None;
        for code in CODES {
            if scenario.long && target.emulator.is_some() && code == "pulley" {
                continue;
            }
            let mut words = vec!["run", code];
            words.extend(scenario.words);
            let output = execute::output(target, program, &words)?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let verdict = scenario.judge(&output, &text).and_then(|()| {
                let own = guests_own(&text);
                match before.replace(own.clone()) {
                    Some(other) if other != own => Err(format!("not as with {}", CODES[0])),
                    _ => Ok(()),
                }
            });
            tally.count(
                &words.join(" "),
                verdict.map_err(|why| format!("{why}\n{text}")),
            );
        }
    }
    println!("{tally}");
    Ok(tally)
}

/// What the guest printed, without what the program says of its memory.
fn guests_own(text: &str) -> String {
    let own = |line: &&str| {
        ![
            "linear memory",
            "objects of",
            "engine: ",
            "    ",
            "Caused by",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    };
    text.lines().filter(own).collect::<Vec<_>>().join("\n")
}

impl Scenario {
    fn judge(&self, output: &Output, text: &str) -> Result<(), String> {
        if output.status.code() != Some(self.status) {
            return Err(format!("{}, not {}", output.status, self.status));
        }
        match self.said.iter().find(|said| !text.contains(**said)) {
            Some(missing) => Err(format!("it does not say `{}`", missing.trim())),
            None => Ok(()),
        }
    }
}
