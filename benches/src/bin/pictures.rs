//! Draws `docs/pictures/GROUP.svg` from `benches/results/GROUP.json`, for every group that is kept.
#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use benches::{Report, picture, results};

fn main() -> ExitCode {
    match draw() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn draw() -> Result<(), String> {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures");
    let told = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(&pictures).map_err(|error| told(&pictures, error))?;
    let folder = results();
    let mut kept: Vec<_> = fs::read_dir(&folder)
        .map_err(|error| told(&folder, error))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    kept.sort();
    for path in kept {
        let report = Report::load(&path)?;
        if let Some(svg) = picture(&report) {
            let target = pictures.join(format!("{}.svg", report.group));
            fs::write(&target, svg).map_err(|error| told(&target, error))?;
            println!("docs/pictures/{}.svg", report.group);
        }
    }
    Ok(())
}
