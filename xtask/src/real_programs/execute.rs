//! One run of one program through `wasm-arena run`, as a process with a time limit.

use core::time::Duration;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use super::outcome::{Outcome, pages_of};

/// The longest that one run may take; the usual is one to three seconds.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// What all runs share. Guests see `input` as `/in` and an output folder of their own as `/out`.
#[derive(Debug)]
pub(super) struct Runner<'a> {
    /// The `wasm-arena` binary.
    pub(super) program: &'a Path,
    /// Where the packages were installed.
    pub(super) installed: &'a Path,
    pub(super) input: &'a Path,
}

impl Runner<'_> {
    /// Runs `module` once, with `folder` for what it writes. Without a strategy, the program's
    /// default holds.
    pub(super) fn run(
        &self,
        module: &str,
        arguments: &[&str],
        folder: &Path,
        system: &str,
        strategy: Option<&str>,
    ) -> Result<Outcome, String> {
        let output = folder.join("out");
        fs::create_dir_all(&output).map_err(|error| format!("{}: {error}", output.display()))?;
        let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
        let report = folder.join("report.json");
        let create = |path: &Path| {
            File::create(path).map_err(|error| format!("{}: {error}", path.display()))
        };

        let mut command = Command::new(self.program);
        command.args(["run", "--system", system]);
        if let Some(strategy) = strategy {
            command.args(["--strategy", strategy]);
        }
        command
            .args(["--report", "json", "--report-file"])
            .arg(&report);
        command
            .arg("--dir")
            .arg(format!("{}::/in", self.input.display()));
        command
            .arg("--dir")
            .arg(format!("{}::/out", output.display()));
        command
            .arg(self.installed.join(module))
            .arg("--")
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(create(&stdout)?)
            .stderr(create(&stderr)?);

        let start = Instant::now();
        let child = command
            .spawn()
            .map_err(|error| format!("{} could not be started: {error}", self.program.display()))?;
        let status = wait(child, start)?;
        let elapsed = start.elapsed();
        let stderr = read(&stderr)?;
        let written = read(&report).map_err(|problem| {
            format!(
                "no report ({status}; {problem}): {}",
                String::from_utf8_lossy(&stderr).trim_end()
            )
        })?;
        Ok(Outcome {
            stdout: read(&stdout)?,
            stderr,
            exit_code: status.code(),
            files: read_folder(&output)?,
            memories: pages_of(&written)?,
            elapsed,
        })
    }
}

/// Waits for `child`, but no longer than the time limit; then it is killed.
fn wait(mut child: Child, start: Instant) -> Result<ExitStatus, String> {
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if start.elapsed() > TIME_LIMIT {
            child
                .kill()
                .map_err(|error| format!("could not be killed: {error}"))?;
            child.wait().map_err(|error| error.to_string())?;
            return Err(format!("still running after {} s", TIME_LIMIT.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_folder(folder: &Path) -> Result<Vec<(String, Vec<u8>)>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
        files.push((
            entry.file_name().to_string_lossy().into_owned(),
            read(&entry.path())?,
        ));
    }
    files.sort();
    Ok(files)
}
