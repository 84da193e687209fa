//! Where and of what a measurement was taken: without it, a figure is hearsay.

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::process;

/// A machine, the state it is in, and what runs on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model, as it names itself.
    pub processor: String,
    /// Processors the system has.
    pub processors: usize,
    /// How the processor's frequency is governed; none if the system does not say.
    pub governor: Option<String>,
    /// The kernel's release.
    pub kernel: String,
    /// Runnable tasks, averaged over a minute, before the measurement.
    pub load_before: f64,
    /// The same after it. With other work on the machine, absolute times are too high.
    pub load_after: f64,
    /// The compiler.
    pub rustc: String,
    /// The commit measured; `+` behind it: with changes that were not committed. `unknown` outside
    /// of a repository.
    pub commit: String,
    /// When it began: UTC, as in ISO 8601.
    pub began: String,
}

impl Machine {
    /// This machine, now. Starts `rustc` and `git` to ask for their answers.
    ///
    /// # Errors
    /// What could not be found out.
    pub fn here() -> Result<Self, String> {
        let load = load()?;
        Ok(Self {
            processor: processor()?,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            governor: fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
                .ok()
                .map(|governor| governor.trim().to_owned()),
            kernel: process::read("/proc/sys/kernel/osrelease")?
                .trim()
                .to_owned(),
            load_before: load,
            load_after: load,
            rustc: said("rustc", &["--version"])?,
            commit: commit().unwrap_or_else(|_| "unknown".to_owned()),
            began: utc(SystemTime::now()),
        })
    }

    /// Notes the load after the measurement.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn finish(&mut self) -> Result<(), String> {
        self.load_after = load()?;
        Ok(())
    }
}

fn load() -> Result<f64, String> {
    let text = process::read("/proc/loadavg")?;
    let first = text.split(' ').next().and_then(|load| load.parse().ok());
    first.ok_or_else(|| format!("/proc/loadavg: no number in `{text}`"))
}

fn processor() -> Result<String, String> {
    let text = process::read("/proc/cpuinfo")?;
    let named = ["model name", "Model", "CPU part"].iter().find_map(|key| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    Ok(named.unwrap_or_else(|| "unknown".to_owned()))
}

fn commit() -> Result<String, String> {
    let commit = said("git", &["rev-parse", "--short=10", "HEAD"])?;
    // Results that a run before this one wrote change nothing that is measured.
    let changes = said(
        "git",
        &[
            "status",
            "--porcelain",
            "--untracked-files=no",
            "--",
            ":/",
            ":!/benches/results",
            ":!/docs",
        ],
    )?;
    let mark = if changes.is_empty() { "" } else { "+" };
    Ok(format!("{commit}{mark}"))
}

fn said(program: &str, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(words)
        .output()
        .map_err(|error| format!("{program} could not be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} {}: {}", words.join(" "), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A point in time, to the minute.
fn utc(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (mut day, minute) = (seconds / 86_400, seconds / 60 % 1_440);
    let mut year = 1970;
    while day >= year_length(year) {
        day -= year_length(year);
        year += 1;
    }
    let february = year_length(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute) = (minute / 60, minute % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}Z", day + 1)
}

const fn year_length(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00Z"),
            (951_782_399, "2000-02-28T23:59Z"),
            (951_782_400, "2000-02-29T00:00Z"),
            (951_868_800, "2000-03-01T00:00Z"),
            (1_798_761_599, "2026-12-31T23:59Z"),
            (4_107_542_400, "2100-03-01T00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), date);
        }
    }

    #[test]
    fn this_machine_names_itself() {
        let machine = Machine::here().unwrap();
        assert!(machine.rustc.starts_with("rustc 1."), "{machine:?}");
        assert!(machine.commit.len() >= 7, "{machine:?}");
        assert!(machine.processors > 0 && !machine.processor.is_empty());
    }
}
