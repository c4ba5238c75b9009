//! Finds the stories, so that a new one is a file and nothing else.
//!
//! A family's stories are the files of a folder, `tests/<family>/*.rs`; what is about all families lies
//! beside the folders. The tree of modules is written to `$OUT_DIR/stories.rs` and included by
//! `stories.rs`. What `Cargo.toml` names by its path is left out: the library and the roots of test
//! binaries. A folder that is called like a file beside it belongs to that file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Says at compile time whether the stories run on the embedded host: what needs its faults is ignored
/// elsewhere, and the report says why.
fn tell_the_host() {
    println!("cargo:rerun-if-env-changed=WINDLASS_HOST");
    println!("cargo:rustc-check-cfg=cfg(embedded_host)");
    let is_embedded = env::var_os("WINDLASS_HOST").is_none_or(|host| {
        let asked = std::process::Command::new(host).arg("--version").output();
        asked.is_ok_and(|told| told.stdout.starts_with(b"windlass-host"))
    });
    if is_embedded {
        println!("cargo:rustc-cfg=embedded_host");
    }
}

fn main() {
    tell_the_host();
    let tests = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    // Any new file or folder may be a story. The list has whole paths, so it is also made again when
    // the repository has moved: then the path of before is gone.
    println!("cargo:rerun-if-changed=.");
    println!("cargo:rerun-if-changed={}", tests.display());
    let taken = taken(&tests);
    let is_free = |path: &PathBuf| !taken.contains(&name_of(path));
    let mut source = String::new();
    let is_family =
        |path: &PathBuf| is_free(path) && path.is_dir() && !path.with_extension("rs").exists();
    for family in entries(&tests).filter(is_family) {
        let stories: String = entries(&family)
            .filter(|path| is_rust(path))
            .map(declared)
            .collect();
        if !stories.is_empty() {
            source.push_str(&format!("mod {} {{\n{stories}}}\n", name_of(&family)));
        }
    }
    source.extend(
        entries(&tests)
            .filter(is_free)
            .filter(|path| is_rust(path))
            .map(declared),
    );
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("stories.rs"), source).expect("the folder is writable");
}

/// What is in a folder, sorted by name.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of the tests can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a path").path()).collect();
    paths.sort();
    paths.into_iter()
}

/// The names that `Cargo.toml` has given away: `src` for `path = "src/lib.rs"`.
fn taken(tests: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(tests.join("Cargo.toml")).expect("a package has one");
    let paths = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    let first = |path: &str| path.split('/').next().map(|name| name.replace(".rs", ""));
    paths.filter_map(first).chain(["build".into()]).collect()
}

fn is_rust(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|end| end == "rs")
}

fn name_of(path: &Path) -> String {
    let stem = path.file_stem().expect("entries of folders have names");
    stem.to_string_lossy().into_owned()
}

/// The line that makes a file a module.
fn declared(story: PathBuf) -> String {
    format!("#[path = {story:?}]\nmod {};\n", name_of(&story))
}
