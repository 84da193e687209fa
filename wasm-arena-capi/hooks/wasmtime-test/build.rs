//! Compiles the hook and the C program against the headers that Wasmtime's C API installed.

use std::env;

fn main() {
    let crate_folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let headers = env::var("DEP_WASMTIME_C_API_INCLUDE").expect("wasmtime-c-api-impl says where");
    let sources = ["hooks/wasm_arena_wasmtime.c", "tests/c/wasmtime.c"];
    let mut build = cc::Build::new();
    build
        .std("c99")
        .warnings_into_errors(true)
        .extra_warnings(true)
        .include(format!("{crate_folder}/include"))
        .include(format!("{crate_folder}/tests/c"))
        // Theirs are not ours to warn about.
        .flag("-isystem")
        .flag(&headers);
    for source in sources {
        let source = format!("{crate_folder}/{source}");
        println!("cargo::rerun-if-changed={source}");
        build.file(source);
    }
    build.compile("hook_test");
}
