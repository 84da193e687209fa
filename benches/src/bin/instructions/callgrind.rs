//! Starts this program again under valgrind, and reads what it counted.
#![forbid(unsafe_code)]

use std::env;
use std::fs;
use std::process::{self, Command};

/// The argument that says: you are being watched.
pub(crate) const INSIDE: &str = "--inside";

/// The labels of all calls of `measured`, each with its instructions, in order.
pub(crate) fn counts() -> Result<Vec<(String, u64)>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let file = env::temp_dir().join(format!("instructions-{}.callgrind", process::id()));
    let output = Command::new("valgrind")
        .args([
            "--quiet",
            "--tool=callgrind",
            "--collect-atstart=no",
            "--toggle-collect=*measured*",
            "--dump-after=bench_instructions::measured*",
            "--combine-dumps=yes",
        ])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .arg(INSIDE)
        .output()
        .map_err(|error| format!("valgrind could not be started: {error}"))?;
    if !output.status.success() {
        let problem = String::from_utf8_lossy(&output.stderr);
        return Err(format!("valgrind: {}: {problem}", output.status));
    }
    let profile = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()));
    // Left behind, it would only lie about.
    let _removed = fs::remove_file(&file);
    pair(&String::from_utf8_lossy(&output.stdout), &profile?)
}

/// Labels are lines; counts are the totals of the parts of a profile, of which the last is what was
/// collected after the last call.
fn pair(labels: &str, profile: &str) -> Result<Vec<(String, u64)>, String> {
    let totals: Option<Vec<u64>> = profile
        .lines()
        .filter_map(|line| line.strip_prefix("totals:"))
        .map(|total| total.trim().parse().ok())
        .collect();
    let mut totals = totals.ok_or("a total that is no number")?;
    let rest = totals.pop();
    let labels: Vec<&str> = labels.lines().collect();
    if rest != Some(0) || totals.len() != labels.len() || totals.contains(&0) {
        return Err(format!(
            "{} calls, {} counts, {rest:?} instructions outside of calls",
            labels.len(),
            totals.len()
        ));
    }
    let labels = labels.into_iter().map(str::to_owned);
    Ok(labels.zip(totals).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_its_count_or_the_profile_is_refused() {
        let profile = "part: 1\nsummary: 60\ntotals: 60\npart: 2\ntotals: 510\ntotals: 0\n";
        let expected = vec![("a|1".to_owned(), 60), ("b|2".to_owned(), 510)];
        assert_eq!(pair("a|1\nb|2\n", profile), Ok(expected));
        for (labels, profile) in [
            ("a|1\n", profile),
            ("a|1\nb|2\n", "totals: 60\ntotals: 510\n"),
            ("a|1\nb|2\n", "totals: 60\ntotals: 0\ntotals: 0\n"),
            ("a|1\nb|2\n", ""),
        ] {
            assert!(pair(labels, profile).is_err(), "{labels} {profile}");
        }
    }
}
