//! `cargo xtask fuzz`: libFuzzer on the targets in `fuzz/`, with AddressSanitizer.
//!
//! ```text
//!   seeds made here ──▶ fuzz/corpus/TARGET ──▶ target ──▶ new inputs, kept there
//!                                                 └─ a crash ──▶ fuzz/artifacts/TARGET/crash-…
//! ```
//!
//! The seeds and the fuzzer's own random numbers are the same every time; how far it gets in its
//! time is not. Inputs that crashed are run first the next time.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{command, place};

/// A program in `fuzz/targets`.
pub(crate) struct Target {
    name: &'static str,
    max_len: usize,
    seeds: fn() -> Vec<Vec<u8>>,
}

const TARGETS: [Target; 3] = [
    Target {
        name: "heap",
        max_len: 4096,
        seeds: programs,
    },
    Target {
        name: "allocator",
        max_len: 512,
        seeds: programs,
    },
    Target {
        name: "environment",
        max_len: 256,
        seeds: environments,
    },
];

const DEFAULT_SECONDS: u32 = 20;

/// One input may take this long before it counts as a hang.
const HANG_SECONDS: u32 = 30;

/// What makes the fuzzer see which code an input reaches, and the sanitizer look at every access.
const FLAGS: &str = "-Zsanitizer=address --cfg fuzzing -Ccodegen-units=1 \
    -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Builds the targets and runs each for so many seconds.
///
/// # Errors
/// A crash, with the file that holds its input; a target that does not build.
pub(crate) fn run(targets: &[&Target], seconds: u32) -> Result<(), String> {
    command::run(cargo("build").args(["--bins"]))?;
    targets.iter().try_for_each(|target| fuzz(target, seconds))
}

/// The lints on the targets' code, then every target for its default time.
///
/// # Errors
/// As [`run`].
pub(crate) fn check() -> Result<(), String> {
    command::run(cargo("clippy").args(["--", "--deny", "warnings"]))?;
    run(&TARGETS.each_ref(), DEFAULT_SECONDS)
}

fn cargo(subcommand: &str) -> Command {
    let mut cargo = command::cargo(subcommand);
    cargo
        .args(["--release", "--locked", "--target", command::HOST])
        .arg("--manifest-path")
        .arg(place::root().join("fuzz/Cargo.toml"))
        .env("CARGO_TARGET_DIR", place::sanitizer_target())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", FLAGS);
    cargo
}

/// Reads the words behind `fuzz`: which targets, and for how long.
///
/// # Errors
/// They are not understood.
pub(crate) fn parse(words: &[String]) -> Result<(Vec<&'static Target>, u32), String> {
    let (mut targets, mut seconds) = (Vec::new(), DEFAULT_SECONDS);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--seconds" {
            let number = words.next().and_then(|number| number.parse().ok());
            seconds = number
                .filter(|&seconds| seconds > 0)
                .ok_or("--seconds takes a number of seconds, at least 1")?;
        } else {
            let known = TARGETS.iter().find(|target| target.name == word);
            targets.push(known.ok_or(format!("no fuzz target is called `{word}`"))?);
        }
    }
    if targets.is_empty() {
        targets.extend(&TARGETS);
    }
    Ok((targets, seconds))
}

fn fuzz(target: &Target, seconds: u32) -> Result<(), String> {
    let corpus = place::root().join("fuzz/corpus").join(target.name);
    let artifacts = place::root().join("fuzz/artifacts").join(target.name);
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    for (number, seed) in (target.seeds)().iter().enumerate() {
        let file = corpus.join(format!("seed-{number:02}"));
        fs::write(&file, seed).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let program = place::sanitizer_target()
        .join(command::HOST)
        .join("release")
        .join(target.name);
    let result = command::run(
        Command::new(program)
            .args(["-seed=1", "-verbosity=0"])
            .arg("-use_value_profile=1")
            .arg("-print_final_stats=1")
            .arg(format!("-max_len={}", target.max_len))
            .arg(format!("-timeout={HANG_SECONDS}"))
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args([&corpus, &artifacts]),
    );
    result.map_err(|problem| format!("{problem}\n{}", newest(&artifacts)))
}

/// The file the fuzzer wrote last.
fn newest(artifacts: &Path) -> String {
    let files = fs::read_dir(artifacts).into_iter().flatten().flatten();
    let newest = files.max_by_key(|file| file.metadata().and_then(|data| data.modified()).ok());
    match newest {
        Some(file) => format!("the input that did it: {}", file.path().display()),
        None => format!("nothing was left in {}", artifacts.display()),
    }
}

/// Programs of random operations, short ones and long ones.
fn programs() -> Vec<Vec<u8>> {
    (0..12_u64)
        .map(|seed| random_bytes(seed, 24 << (seed % 5)))
        .collect()
}

fn random_bytes(seed: u64, count: usize) -> Vec<u8> {
    // A multiplicative congruential generator, by the multiplier of Knuth's MMIX.
    let mut state = seed.wrapping_mul(2) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state.to_be_bytes()[0]
    };
    (0..count).map(|_| next()).collect()
}

/// Variables as one would set them: a line each, as the target reads them.
fn environments() -> Vec<Vec<u8>> {
    [
        "MALLOC_ARENA_SIZE=65536\nMALLOC_ARENA_CACHE_MAXBLK=8\nMALLOC_FREE_LIFO=\n",
        "MALLOC_BAND_CONFIG_STR=3:16,64,0:32,64,1:64,32,0\n",
        "MALLOC_MEMORY_HOLD=1\nMALLOC_ARENA_CACHE_MAXSZ=262144\n",
        "MALLOC_MEMORY_PREALLOCATE=1048576\nMALLOC_OPTIONS=vr\n",
        "MALLOC_BAND_CONFIG_STR=1:8,1,1:\nMALLOC_ARENA_SIZE=64K\n",
        "MALLOC_ARENA_SIZE=-1\nMALLOC_MEMORY_PREALLOCATE=99999999999999999999\n",
        "MALLOC_MMAP_NOZERO=1\nMALLOC_MEMORY_BANDCONFIG=1\nMALLOC_OPTIONS=VRx\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<(Vec<&'static str>, u32), String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let (targets, seconds) = parse(&words)?;
        Ok((targets.iter().map(|target| target.name).collect(), seconds))
    }

    #[test]
    fn words_choose_targets_and_time() {
        let all = vec!["heap", "allocator", "environment"];
        assert_eq!(parsed(""), Ok((all.clone(), 20)));
        assert_eq!(parsed("--seconds 3"), Ok((all, 3)));
        assert_eq!(parsed("heap --seconds 5"), Ok((vec!["heap"], 5)));
        for wrong in ["heapp", "--seconds", "--seconds 0", "--seconds x", "--help"] {
            parsed(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn seeds_are_the_same_every_time_and_differ_from_each_other() {
        for target in &TARGETS {
            let seeds = (target.seeds)();
            assert_eq!(seeds, (target.seeds)());
            assert!(seeds.iter().all(|seed| seed.len() <= target.max_len));
            for (index, seed) in seeds.iter().enumerate() {
                assert!(!seeds[..index].contains(seed));
            }
        }
    }
}
