//! Turns the guests that are text into binary form.

use std::path::Path;

fn main() {
    let folder = Path::new("../guests");
    println!("cargo::rerun-if-changed={}", folder.display());
    let module = wat::parse_file(folder.join("memories.wat")).expect("the guest is text");
    let output = std::env::var_os("OUT_DIR").expect("cargo names a folder");
    std::fs::write(Path::new(&output).join("memories.wasm"), module).expect("the folder is there");
}
