//! `cargo xtask sanitize`: the libraries' tests, and the C programs, under AddressSanitizer.
//!
//! The compiler is the one of the workspace; the sanitizer is an unstable option of it. Documentation
//! tests are left out, every test in a file is in.

use crate::{capi, command, place};

/// Tests that cannot pass under the sanitizer, and why.
const EXCLUDED: &[(&str, &str)] = &[
    (
        "a_discarded_locked_page_stays_in_memory",
        "the sanitizer turns mlock into nothing, so no page is ever locked",
    ),
    ("readers_never_see_half_of_a_write", LOOM),
    ("writers_exclude_each_other", LOOM),
    ("a_reader_alone_needs_one_try", LOOM),
    ("without_the_release_fence_it_would_be_noticed", LOOM),
    ("without_the_acquire_fence_it_would_be_noticed", LOOM),
    ("without_the_second_look_it_would_be_noticed", LOOM),
    ("without_the_odd_number_it_would_be_noticed", LOOM),
];

const LOOM: &str = "loom switches stacks by itself, which the sanitizer does not follow";

/// Runs the tests.
///
/// # Errors
/// A test fails, or the sanitizer found something.
pub(crate) fn run() -> Result<(), String> {
    let mut cargo = command::cargo("test");
    cargo
        .args([
            "--locked",
            "--tests",
            "--no-fail-fast",
            "--target",
            command::HOST,
        ])
        .args(["--package", "wasm-arena-os"])
        .args(["--package", "arena-heap"])
        .args(["--package", "wasm-arena"])
        .env("CARGO_TARGET_DIR", place::sanitizer_target())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        // Guards are probed by children that must die of the plain signal.
        .env("ASAN_OPTIONS", "handle_segv=0:handle_sigbus=0")
        .arg("--");
    for (test, reason) in EXCLUDED {
        println!("left out: {test}, because {reason}");
        cargo.args(["--skip", test]);
    }
    command::run(&mut cargo)?;
    capi::run_sanitized()
}
