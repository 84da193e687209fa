//! Where the report goes: to stderr, or to a file that appears whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::options::{ReportFormat, RunOptions};
use super::report::{Report, to_text};
use crate::exit::Failure;

/// Where the report goes.
#[derive(Debug)]
pub(super) enum Destination {
    /// To stderr.
    Stderr,
    /// Written beside the path, then renamed over it.
    File { path: PathBuf, unfinished: PathBuf },
    /// A pipe or device: written as it is, since renaming would replace it.
    Stream(PathBuf),
}

impl Destination {
    /// Finds out before the guest runs whether the report can be written.
    ///
    /// # Errors
    /// It cannot.
    pub(super) fn prepare(options: &RunOptions) -> Result<Self, Failure> {
        let Some(path) = &options.report_file else {
            return Ok(Self::Stderr);
        };
        Self::prepare_file(path).map_err(|error| Failure::usage(refusal(path, &error)))
    }

    fn prepare_file(path: &Path) -> io::Result<Self> {
        let path = match fs::metadata(path) {
            Ok(known) if known.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder"));
            }
            Ok(known) if !known.is_file() => {
                OpenOptions::new().write(true).open(path)?;
                return Ok(Self::Stream(path.to_owned()));
            }
            // Through a link, so that the link stays one.
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_owned(),
        };
        let mut name = OsString::from(".");
        name.push(
            path.file_name()
                .ok_or_else(|| io::Error::other("is no file name"))?,
        );
        name.push(format!(".{}.unfinished", std::process::id()));
        let unfinished = path.with_file_name(name);
        File::create_new(&unfinished)?;
        fs::remove_file(&unfinished)?;
        Ok(Self::File { path, unfinished })
    }

    /// Writes the report in its form.
    ///
    /// # Errors
    /// It could not be written; nothing of it is left behind in a file.
    pub(super) fn write(&self, format: ReportFormat, report: &Report) -> Result<(), Failure> {
        let text = match format {
            ReportFormat::None => return Ok(()),
            ReportFormat::Text => to_text(report),
            ReportFormat::Json => serde_json::to_string_pretty(report)
                .map(|json| json + "\n")
                .map_err(Failure::not_written)?,
        };
        match self {
            Self::Stderr => {
                // Whoever closed stderr does not want the report.
                let _unheard = io::stderr().lock().write_all(text.as_bytes());
                Ok(())
            }
            Self::Stream(path) => OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|mut stream| stream.write_all(text.as_bytes()))
                .map_err(|error| Failure::not_written(refusal(path, &error))),
            Self::File { path, unfinished } => {
                let written =
                    fs::write(unfinished, text).and_then(|()| fs::rename(unfinished, path));
                written.map_err(|error| {
                    let _gone_or_never_there = fs::remove_file(unfinished);
                    Failure::not_written(refusal(path, &error))
                })
            }
        }
    }
}

fn refusal(path: &Path, error: &io::Error) -> String {
    format!(
        "the report cannot be written to {}: {error}",
        path.display()
    )
}
