//! Draws `docs/pictures/GROUP.svg` from `benches/results/GROUP.json`, for every group that is kept, and
//! writes the figures of `docs/performance.md`.
#![forbid(unsafe_code)]
#![allow(clippy::std_instead_of_alloc, reason = "a program has std")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use benches::{Report, picture, results, with_figures};

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
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let pictures = docs.join("pictures");
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
    let reports: Result<Vec<_>, _> = kept.iter().map(|path| Report::load(path)).collect();
    let reports = reports?;
    for report in &reports {
        if let Some(svg) = picture(report) {
            let target = pictures.join(format!("{}.svg", report.group));
            fs::write(&target, svg).map_err(|error| told(&target, error))?;
            println!("docs/pictures/{}.svg", report.group);
        }
    }
    let page = docs.join("performance.md");
    let text = fs::read_to_string(&page).map_err(|error| told(&page, error))?;
    fs::write(&page, with_figures(&text, &reports)?).map_err(|error| told(&page, error))?;
    println!("docs/performance.md");
    Ok(())
}
