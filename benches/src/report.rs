//! What a group reports: the figures as they are kept.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Machine, Measured, Spread, SystemCalls, Tail};

/// How seriously a report is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everything, in full length.
    Full,
    /// Few and short rounds: for a look.
    Quick,
    /// Every operation ran and was checked; the times mean nothing.
    Test,
}

/// One contender of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The contender.
    pub name: String,
    /// Nanoseconds per operation, over the rounds.
    pub time: Spread,
    /// How many times as long as the case's reference, round by round.
    pub ratio: Spread,
    /// The rare and dear operations, in nanoseconds.
    pub tail: Option<Tail>,
    /// Minor page faults of the process per operation.
    pub page_faults: f64,
    /// Calls made of the operating system per operation, by the contender's own account; none where it
    /// keeps none.
    pub calls: Option<f64>,
    /// System calls of the process per operation, as the kernel saw them; none where they were not
    /// counted.
    pub system_calls: Option<SystemCalls>,
    /// Operations behind the figures.
    pub operations: u64,
}

/// One thing done by several contenders.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// What is done.
    pub name: String,
    /// The contender that ratios are to.
    pub reference: String,
    /// The contenders.
    pub rows: Vec<Row>,
}

impl Case {
    /// A case of what a race measured.
    ///
    /// # Errors
    /// No contender is called `reference`.
    pub fn new(name: &str, reference: &str, measured: &[Measured]) -> Result<Self, String> {
        let base = measured
            .iter()
            .find(|one| one.name == reference)
            .ok_or_else(|| format!("{name}: no contender is called `{reference}`"))?;
        let rows = measured.iter().map(|one| Row {
            name: one.name.clone(),
            time: one.time(),
            ratio: one.ratio(base),
            tail: one.tail,
            page_faults: one.page_faults,
            calls: one.calls,
            system_calls: one.system_calls.clone(),
            operations: one.operations,
        });
        Ok(Self {
            name: name.to_owned(),
            reference: reference.to_owned(),
            rows: rows.collect(),
        })
    }
}

/// A figure that was aimed for, or simply a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    /// What the figure says.
    pub name: String,
    /// The figure; with its spread where it is taken from rounds.
    pub value: f64,
    /// Its quartiles.
    pub quartiles: Option<(f64, f64)>,
    /// Its unit; `×` for ratios.
    pub unit: String,
    /// What it is to be, and at which number that begins; none for what has no aim.
    pub limit: Option<Limit>,
}

/// The side of a number on which a figure is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// No more than that.
    AtMost(f64),
    /// No less than that.
    AtLeast(f64),
}

impl Aim {
    /// A figure without an aim.
    pub fn figure(name: impl Into<String>, value: f64, unit: &str) -> Self {
        Self {
            name: name.into(),
            value,
            quartiles: None,
            unit: unit.to_owned(),
            limit: None,
        }
    }

    /// A ratio of rounds.
    pub fn ratio(name: impl Into<String>, ratio: Spread) -> Self {
        Self {
            quartiles: Some((ratio.lower, ratio.upper)),
            ..Self::figure(name, ratio.median, "×")
        }
    }

    /// The figure is to be no more than that.
    #[must_use]
    pub fn at_most(self, limit: f64) -> Self {
        Self {
            limit: Some(Limit::AtMost(limit)),
            ..self
        }
    }

    /// The figure is to be no less than that.
    #[must_use]
    pub fn at_least(self, limit: f64) -> Self {
        Self {
            limit: Some(Limit::AtLeast(limit)),
            ..self
        }
    }

    /// Whether the figure is on the right side; none without an aim.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        self.limit.map(|limit| match limit {
            Limit::AtMost(most) => self.value <= most,
            Limit::AtLeast(least) => self.value >= least,
        })
    }
}

/// All figures of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The group's name.
    pub group: String,
    /// How it was run.
    pub mode: Mode,
    /// Where.
    pub machine: Machine,
    /// What is counted, and how: for whoever reads the figures alone.
    pub notes: Vec<String>,
    /// Timed cases.
    pub cases: Vec<Case>,
    /// Figures that are drawn from them or counted.
    pub aims: Vec<Aim>,
}

impl Report {
    /// Keeps the report as `GROUP.json` in a folder, which is made if it is missing.
    ///
    /// # Errors
    /// It could not be written.
    pub fn save(&self, folder: &Path) -> Result<(), String> {
        let path = folder.join(format!("{}.json", self.group));
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text + "\n"))
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads a report that was kept.
    ///
    /// # Errors
    /// It cannot be read, or is no report.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path);
        text.map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
            .map_err(|problem| format!("{}: {problem}", path.display()))
    }
}
