//! What a run leaves behind, and how two of them are compared.

use core::time::Duration;

/// Initial, final and peak size of one memory, in Wasm pages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pages {
    pub(super) initial: u64,
    pub(super) last: u64,
    pub(super) peak: u64,
}

/// All that a run leaves behind.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) exit_code: Option<i32>,
    /// Name and contents, in the order of names.
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) memories: Vec<Pages>,
    pub(super) elapsed: Duration,
}

impl Outcome {
    pub(super) fn file(&self, name: &str) -> Result<&[u8], String> {
        let found = self.files.iter().find(|(known, _)| known == name);
        found
            .map(|(_, bytes)| bytes.as_slice())
            .ok_or_else(|| format!("{name} was not written"))
    }

    /// Ok if `other` equals this reference; otherwise every difference.
    pub(super) fn compare(&self, other: &Self) -> Result<(), String> {
        let mut differences = Vec::new();
        if self.exit_code != other.exit_code {
            differences.push(format!(
                "exit code {:?}, not {:?}",
                other.exit_code, self.exit_code
            ));
        }
        differences.extend(difference("stdout", &self.stdout, &other.stdout));
        differences.extend(difference("stderr", &self.stderr, &other.stderr));
        let names = |outcome: &Self| -> Vec<String> {
            outcome.files.iter().map(|(name, _)| name.clone()).collect()
        };
        if names(self) != names(other) {
            differences.push(format!("files {:?}, not {:?}", names(other), names(self)));
        } else {
            for ((name, expected), (_, found)) in self.files.iter().zip(&other.files) {
                differences.extend(difference(name, expected, found));
            }
        }
        if self.memories != other.memories {
            differences.push(format!(
                "pages {:?}, not {:?}",
                other.memories, self.memories
            ));
        }
        if differences.is_empty() {
            Ok(())
        } else {
            Err(differences.join("; "))
        }
    }

    /// Sizes and pages, for the line that is printed.
    pub(super) fn summary(&self) -> String {
        let exit_code = self
            .exit_code
            .map_or("none".to_owned(), |code| code.to_string());
        let mut line = format!("exit {exit_code}, stdout {} bytes", self.stdout.len());
        line += &format!(", stderr {} bytes", self.stderr.len());
        for (name, bytes) in &self.files {
            line += &format!(", {name} {} bytes", bytes.len());
        }
        for Pages {
            initial,
            last,
            peak,
        } in &self.memories
        {
            line += &format!(", {initial} to {last} pages (peak {peak})");
        }
        line + &format!(", {:.1} s", self.elapsed.as_secs_f64())
    }
}

/// The pages of every memory in a JSON report; a report that names none is refused.
pub(super) fn pages_of(report: &[u8]) -> Result<Vec<Pages>, String> {
    let report: serde_json::Value =
        serde_json::from_slice(report).map_err(|error| format!("the report: {error}"))?;
    let memories = report["memories"]
        .as_array()
        .filter(|memories| !memories.is_empty());
    let memories = memories.ok_or("the report names no memory")?;
    let number = |memory: &serde_json::Value, key: &str| {
        memory[key]
            .as_u64()
            .ok_or_else(|| format!("the report has no number {key}"))
    };
    memories
        .iter()
        .map(|memory| {
            Ok(Pages {
                initial: number(memory, "initial_pages")?,
                last: number(memory, "final_pages")?,
                peak: number(memory, "peak_pages")?,
            })
        })
        .collect()
}

/// Where two byte strings differ first, if they do.
fn difference(what: &str, expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    let offset = expected
        .iter()
        .zip(found)
        .take_while(|(left, right)| left == right)
        .count();
    let (found, expected) = (found.len(), expected.len());
    Some(format!(
        "{what} differs from byte {offset} on ({found} bytes, not {expected})"
    ))
}

#[cfg(test)]
mod tests {
    //! The comparison must notice each kind of difference by itself.

    use super::{Outcome, Pages, difference, pages_of};
    use core::time::Duration;

    fn outcome() -> Outcome {
        Outcome {
            stdout: b"sat\n (_ bv1000003 20)\n (_ bv1000033 20)\n".to_vec(),
            stderr: b"note".to_vec(),
            exit_code: Some(10),
            files: vec![("a".to_owned(), vec![1, 2, 3])],
            memories: vec![Pages {
                initial: 3,
                last: 9,
                peak: 9,
            }],
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn equal_outcomes_compare_equal_whatever_time_they_took() {
        let slower = Outcome {
            elapsed: Duration::from_secs(1),
            ..outcome()
        };
        assert_eq!(outcome().compare(&slower), Ok(()));
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        type Change = fn(&mut Outcome);
        let changes: [(&str, Change); 8] = [
            ("exit code", |other| other.exit_code = Some(0)),
            ("exit code", |other| other.exit_code = None),
            ("stdout", |other| other.stdout[5] ^= 1),
            ("stderr", |other| other.stderr.clear()),
            ("a differs from byte 2", |other| other.files[0].1[2] = 9),
            ("files", |other| other.files.clear()),
            ("pages", |other| other.memories[0].peak += 1),
            ("pages", |other| other.memories.clear()),
        ];
        for (named, change) in changes {
            let mut other = outcome();
            change(&mut other);
            let found = outcome().compare(&other).expect_err(named);
            assert!(found.contains(named), "{found}");
            assert!(!found.contains("; "), "one change, one difference: {found}");
        }
    }

    #[test]
    fn a_longer_output_differs_where_the_shorter_ends() {
        let found = difference("stdout", b"abc", b"abcd").expect("they differ");
        assert!(found.contains("byte 3 on (4 bytes, not 3)"), "{found}");
        assert_eq!(difference("stdout", b"abc", b"abc"), None);
    }

    #[test]
    fn pages_are_read_from_a_report_and_a_report_without_them_is_refused() {
        let report = br#"{"memories":[{"initial_pages":1,"final_pages":2,"peak_pages":3,"x":0}]}"#;
        assert_eq!(
            pages_of(report),
            Ok(vec![Pages {
                initial: 1,
                last: 2,
                peak: 3
            }])
        );
        let refused: [&[u8]; 4] = [
            b"",
            b"{}",
            br#"{"memories":[]}"#,
            br#"{"memories":[{"initial_pages":1,"final_pages":2}]}"#,
        ];
        for report in refused {
            pages_of(report).expect_err("a report without pages");
        }
    }
}
