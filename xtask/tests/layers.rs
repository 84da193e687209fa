//! The layers point down only, and the libraries depend on next to nothing: read from what cargo
//! knows of the workspace.
//!
//! ```text
//!   wasm-arena-cli  ──▶  wasm-arena-wasmtime  ──▶  wasm-arena  ──▶  arena-heap  ──▶  wasm-arena-os
//! ```

#![allow(clippy::std_instead_of_alloc, reason = "a test has std")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Bottom to top. Adapters are one layer: none may use another.
const LAYERS: [&[&str]; 5] = [
    &["wasm-arena-os"],
    &["arena-heap"],
    &["wasm-arena"],
    &[
        "wasm-arena-wasmtime",
        "wasm-arena-wasmtime-platform",
        "wasm-arena-wasmi",
        "wasm-arena-spacewasm",
        "wasm-arena-capi",
    ],
    &["wasm-arena-cli"],
];

/// Beside the layers: they build and check them and are used by none.
const TOOLS: [&str; 5] = [
    "wasm-arena-conformance",
    "qnx-libc-stand-in",
    "wasm-arena-benches",
    "wasm-arena-spec",
    "xtask",
];

/// Judges the layers, and so must know nothing of them.
const JUDGE: &str = "qnx-libc-stand-in";

/// What each library may use of other people's code, directly or not.
const LIBRARIES: [(&str, &[&str]); 4] = [
    ("wasm-arena-os", &["libc", "lock_api", "scopeguard"]),
    ("arena-heap", &["libc", "lock_api", "scopeguard"]),
    (
        "wasm-arena",
        &[
            "libc",
            "lock_api",
            "scopeguard",
            "crc",
            "crc-catalog",
            "cpufeatures",
        ],
    ),
    (
        "wasm-arena-wasmtime-platform",
        &["libc", "lock_api", "scopeguard"],
    ),
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .other_options(["--locked".to_owned(), "--all-features".to_owned()])
        .exec()
        .unwrap()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

/// Direct dependencies of a kind that ends up in users' programs.
fn normal_dependencies(metadata: &Metadata) -> BTreeMap<&PackageId, Vec<&PackageId>> {
    let graph = metadata.resolve.as_ref().unwrap();
    graph
        .nodes
        .iter()
        .map(|node| {
            let normal = node.deps.iter().filter(|dependency| {
                let kinds = &dependency.dep_kinds;
                kinds
                    .iter()
                    .any(|kind| kind.kind != DependencyKind::Development)
            });
            (&node.id, normal.map(|dependency| &dependency.pkg).collect())
        })
        .collect()
}

#[test]
fn every_member_has_a_place() {
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let placed: BTreeSet<&str> = LAYERS
        .iter()
        .copied()
        .flatten()
        .chain(&TOOLS)
        .copied()
        .collect();
    assert_eq!(members, placed);
}

#[test]
fn layers_point_down_only() {
    let metadata = metadata();
    let graph = normal_dependencies(&metadata);
    let mut edges = 0;
    for package in metadata.workspace_packages() {
        for &below in &graph[&package.id] {
            let below = &metadata[below].name;
            let Some(lower) = layer(below) else {
                assert!(
                    !TOOLS.contains(&below.as_str()),
                    "{} uses {below}",
                    package.name
                );
                continue;
            };
            assert!(package.name != JUDGE, "{JUDGE} must not use {below}");
            if TOOLS.contains(&package.name.as_str()) {
                continue;
            }
            edges += 1;
            let upper = layer(&package.name);
            assert!(upper > Some(lower), "{} must not use {below}", package.name);
        }
    }
    // One for each step of the picture, at the least.
    assert!(
        edges >= LAYERS.len() - 1,
        "{edges} dependencies between layers"
    );
}

#[test]
fn libraries_use_only_what_is_named() {
    let metadata = metadata();
    let graph = normal_dependencies(&metadata);
    let members = &metadata.workspace_members;
    for (library, allowed) in LIBRARIES {
        let packages = metadata.workspace_packages();
        let root = packages
            .iter()
            .find(|package| package.name == library)
            .unwrap();
        let mut reached = BTreeSet::new();
        let mut left = vec![&root.id];
        while let Some(id) = left.pop() {
            if reached.insert(id) {
                left.extend(&graph[id]);
            }
        }
        for id in reached {
            let name = metadata[id].name.as_str();
            assert!(
                members.contains(id) || allowed.contains(&name),
                "{library} uses {name}"
            );
        }
    }
}

#[test]
fn no_library_turns_on_features_of_another_by_default() {
    let metadata = metadata();
    for (library, _) in LIBRARIES {
        let packages = metadata.workspace_packages();
        let package = packages
            .iter()
            .find(|package| package.name == library)
            .unwrap();
        let default = package
            .features
            .get("default")
            .map_or(&[][..], Vec::as_slice);
        assert!(default.is_empty(), "{library}: {default:?}");
    }
}
