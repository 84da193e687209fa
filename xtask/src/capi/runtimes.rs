//! The hooks, driven by the runtimes themselves: wasm3 and WAMR from the C sources that packages of
//! theirs bring, Wasmtime from its crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::programs::{C_FLAGS, compiler, folder, run, source};
use crate::{command, place};

/// A runtime that is compiled from a package's C sources.
struct Runtime {
    /// The program that drives it.
    name: &'static str,
    package: &'static str,
    /// Where the sources are in the package.
    folder: &'static str,
    /// Below that folder.
    includes: &'static [&'static str],
    files: &'static [&'static str],
    flags: &'static [&'static str],
    /// The file that takes memory, and the header that puts it on arenas.
    hooked: Option<(&'static str, &'static str)>,
    /// The runtime's own headers, as the program includes them.
    shown: &'static str,
}

const WASM3: Runtime = Runtime {
    name: "wasm3",
    package: "wasm3-sys",
    folder: "wasm3/source",
    includes: &["."],
    files: &[
        "m3_bind.c",
        "m3_code.c",
        "m3_compile.c",
        "m3_core.c",
        "m3_emit.c",
        "m3_env.c",
        "m3_exec.c",
        "m3_info.c",
        "m3_module.c",
        "m3_optimize.c",
        "m3_parse.c",
    ],
    flags: &["-Dd_m3LogOutput=0"],
    hooked: Some(("m3_core.c", "wasm_arena_wasm3.h")),
    shown: ".",
};

const WAMR: Runtime = Runtime {
    name: "wamr",
    package: "wamr-sys",
    folder: "wasm-micro-runtime/core",
    includes: &[
        ".",
        "iwasm/include",
        "iwasm/common",
        "iwasm/interpreter",
        "shared/include",
        "shared/utils",
        "shared/mem-alloc",
        "shared/platform/include",
        "shared/platform/linux",
    ],
    files: &[
        "iwasm/common/arch/invokeNative_em64.s",
        "iwasm/common/wasm_exec_env.c",
        "iwasm/common/wasm_memory.c",
        "iwasm/common/wasm_native.c",
        "iwasm/common/wasm_runtime_common.c",
        "iwasm/interpreter/wasm_interp_classic.c",
        "iwasm/interpreter/wasm_loader.c",
        "iwasm/interpreter/wasm_runtime.c",
        "iwasm/libraries/libc-builtin/libc_builtin_wrapper.c",
        "shared/mem-alloc/ems/ems_alloc.c",
        "shared/mem-alloc/ems/ems_hmu.c",
        "shared/mem-alloc/ems/ems_kfc.c",
        "shared/mem-alloc/mem_alloc.c",
        "shared/platform/common/posix/posix_malloc.c",
        "shared/platform/common/posix/posix_memmap.c",
        "shared/platform/common/posix/posix_thread.c",
        "shared/platform/common/posix/posix_time.c",
        "shared/platform/linux/platform_init.c",
        "shared/utils/bh_assert.c",
        "shared/utils/bh_common.c",
        "shared/utils/bh_hashmap.c",
        "shared/utils/bh_list.c",
        "shared/utils/bh_log.c",
        "shared/utils/bh_vector.c",
        "shared/utils/runtime_timer.c",
    ],
    flags: &[
        "-D_GNU_SOURCE",
        "-DBH_PLATFORM_LINUX",
        "-DBUILD_TARGET_X86_64",
        "-DBUILD_TARGET=\"X86_64\"",
        "-DWASM_ENABLE_INTERP=1",
        "-DWASM_ENABLE_LIBC_BUILTIN=1",
        "-DBH_MALLOC=wasm_runtime_malloc",
        "-DBH_FREE=wasm_runtime_free",
    ],
    hooked: None,
    shown: "iwasm/include",
};

/// Drives the hooks for wasm3 and WAMR by these, with the library as it is installed, and the hook for
/// Wasmtime by its callbacks and by Wasmtime itself.
///
/// # Errors
/// Something does not compile, or fails.
pub(crate) fn run_all() -> Result<(), String> {
    let prefix = place::target().join("capi-installed");
    super::install::install(&prefix)?;
    let packages = packages("sources")?;
    for runtime in [WASM3, WAMR] {
        let program = runtime.build(&packages, &prefix)?;
        run(&mut Command::new(program), runtime.name)?;
    }
    wasmtime_callbacks(&prefix)?;
    run_wasmtime()
}

/// What cargo knows of the packages with the sources, which it fetches for that.
fn packages(name: &str) -> Result<Value, String> {
    let manifest = place::root().join(format!("wasm-arena-capi/hooks/{name}/Cargo.toml"));
    let mut cargo = command::cargo("metadata");
    cargo.args(["--locked", "--format-version=1", "--manifest-path"]);
    let text = command::output(cargo.arg(manifest))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// The folder of a package.
fn package_folder<'p>(packages: &'p Value, name: &str) -> Result<&'p Path, String> {
    packages["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == name)
        .and_then(|package| Path::new(package["manifest_path"].as_str()?).parent())
        .ok_or_else(|| format!("there is no package {name}"))
}

/// Compiles the hook for Wasmtime against the headers of Wasmtime's C API, and drives its callbacks
/// as that does. The headers alone, made by cmake: nothing of Wasmtime is compiled.
fn wasmtime_callbacks(prefix: &Path) -> Result<(), String> {
    let packages = packages("wasmtime-test")?;
    let folder = folder("wasmtime-callbacks")?;
    let mut headers = Command::new("cmake");
    headers
        .current_dir(package_folder(&packages, "wasmtime-c-api-impl")?)
        .arg("-DWASMTIME_DISABLE_ALL_FEATURES=ON")
        .arg(format!("-DCMAKE_INSTALL_PREFIX={}", folder.display()))
        .args(["-P", "cmake/install-headers.cmake"]);
    command::run(&mut headers)?;
    let program = folder.join("program");
    let mut compile = Command::new(compiler());
    compile.args(["-std=c99", "-O1"]).args(C_FLAGS);
    compile.arg("-I").arg(prefix.join("include"));
    compile.arg("-isystem").arg(folder.join("include"));
    compile.arg("-o").arg(&program);
    compile.arg(source("wasmtime_callbacks"));
    compile.arg(place::root().join("wasm-arena-capi/hooks/wasm_arena_wasmtime.c"));
    compile
        .arg(prefix.join("lib/libwasm_arena.a"))
        .arg("-lpthread");
    command::run(&mut compile)?;
    run(&mut Command::new(&program), "wasmtime_callbacks")
}

impl Runtime {
    /// Compiles the runtime without a warning switched on, which would not be ours to mend, and
    /// links it with the program that drives it.
    fn build(&self, packages: &Value, prefix: &Path) -> Result<PathBuf, String> {
        let sources = package_folder(packages, self.package)?.join(self.folder);
        let folder = folder(self.name)?;
        let include = prefix.join("include");
        let mut objects = Vec::new();
        for file in self.files {
            let object = folder.join(file.replace('/', "-")).with_extension("o");
            let mut compile = Command::new(compiler());
            compile.args(["-std=gnu99", "-O2", "-w"]).args(self.flags);
            for include in self.includes {
                compile.arg("-I").arg(sources.join(include));
            }
            if let Some((_, header)) = self.hooked.filter(|(hooked, _)| hooked == file) {
                compile.arg("-I").arg(&include).args(["-include", header]);
            }
            compile.arg("-c").arg(sources.join(file));
            command::run(compile.arg("-o").arg(&object))?;
            objects.push(object);
        }
        let program = folder.join(self.name);
        let mut link = Command::new(compiler());
        link.args(["-std=c99", "-O1", "-z", "noexecstack"])
            .args(C_FLAGS);
        link.arg("-I").arg(&include);
        link.arg("-isystem").arg(sources.join(self.shown));
        link.arg("-o")
            .arg(&program)
            .arg(source(self.name))
            .args(&objects);
        link.arg(prefix.join("lib/libwasm_arena.a"));
        command::run(link.args(["-lpthread", "-lm"]))?;
        Ok(program)
    }
}

/// Builds Wasmtime's C API, which wants cmake for its headers, and runs the program that drives the
/// hook by it, with the library as a part of a program in Rust.
///
/// # Errors
/// As [`run_all`].
pub(crate) fn run_wasmtime() -> Result<(), String> {
    let manifest = place::root().join("wasm-arena-capi/hooks/wasmtime-test/Cargo.toml");
    let mut cargo = command::cargo("run");
    cargo
        .args(["--quiet", "--locked", "--manifest-path"])
        .arg(manifest);
    cargo.env("CARGO_TARGET_DIR", place::target());
    run(&mut cargo, "wasmtime")
}
