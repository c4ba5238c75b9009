//! The sources themselves: what every component needs in `spin.toml`, what `cargo fmt` does not see, which
//! libraries there may be, and what operators copy.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};
use windlass_tests::repository;

/// What a component with a database is given: the first of them to run makes the administrator, each asks
/// who calls, and each may have to nudge the scheduler.
const VARIABLES: [&str; 5] = [
    "admin_password",
    "encryption_key",
    "old_encryption_keys",
    "trust_forwarded_for",
    "tick_token",
];
/// Where each may have to send a request: to the scheduler, and to the one component that asks a directory.
const HOSTS: [&str; 2] = [
    "http://scheduler.spin.internal",
    "http://conductor-identity.spin.internal",
];

fn manifest(path: &str) -> Table {
    let text = fs::read_to_string(repository().join(path)).expect("it is in the repository");
    text.parse()
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

#[test]
fn every_component_has_what_all_of_them_need() {
    let application = manifest("spin.toml");
    let declared = application["variables"].as_table().expect("a table");
    let mut wrong = Vec::new();
    for (name, component) in application["component"].as_table().expect("a table") {
        let variables = component["variables"].as_table().expect("a table");
        for (variable, value) in variables {
            if !declared.contains_key(variable) {
                wrong.push(format!("{name}: no variable {variable} is declared"));
            }
            if value.as_str() != Some(&format!("{{{{ {variable} }}}}")) {
                wrong.push(format!("{name}: {variable} is given as {value}"));
            }
        }
        // What has no database knows no callers: it only calls.
        if component.get("sqlite_databases").is_none() {
            continue;
        }
        for variable in VARIABLES {
            if !variables.contains_key(variable) {
                wrong.push(format!("{name} lacks the variable {variable}"));
            }
        }
        let hosts = texts(&component["allowed_outbound_hosts"]);
        let goes_anywhere = hosts.contains(&"http://*:*") || hosts.contains(&"*://*:*");
        for host in HOSTS {
            if !goes_anywhere && !hosts.contains(&host) {
                wrong.push(format!("{name} must be allowed to call {host}"));
            }
        }
        for store in ["sqlite_databases", "key_value_stores"] {
            if component.get(store).map(texts) != Some(vec!["default"]) {
                wrong.push(format!("{name} has not just the default in {store}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_component_is_built_from_its_own_folder() {
    let application = manifest("spin.toml");
    let workspace = manifest("Cargo.toml");
    let mut members: BTreeSet<&str> = texts(&workspace["workspace"]["members"])
        .into_iter()
        .filter(|member| member.starts_with("components/"))
        .collect();
    for (name, component) in application["component"].as_table().expect("a table") {
        let build = component["build"].as_table().expect("a table");
        let command = build["command"].as_str().expect("a command");
        let package = command.rsplit(' ').next().expect("its last word");
        let source = component["source"].as_str().expect("a file");
        let file = format!("/{}.wasm", package.replace('-', "_"));
        assert!(source.ends_with(&file), "{name}: {source} of {package}");
        let profile = command.split("--profile ").nth(1).expect("a profile");
        let profile = profile.split(' ').next().expect("a name");
        assert!(
            source.contains(&format!("/{profile}/")),
            "{name}: {source} is not what `{command}` makes"
        );
        let folder = format!("components/{}", package.replacen('-', "/", 1));
        assert!(
            members.remove(folder.as_str()),
            "{name}: {folder} is no member of the workspace"
        );
        let watched = texts(&build["watch"]);
        assert!(
            watched.contains(&format!("{folder}/src/**/*.rs").as_str()),
            "{name} does not watch {folder}"
        );
    }
    assert!(members.is_empty(), "not in spin.toml: {members:?}");
}

/// The libraries of `Cargo.lock`: name, version, and where each comes from unless it is ours.
fn libraries(lock: &Table) -> Vec<(&str, &str, Option<&str>)> {
    let packages = lock["package"].as_array().expect("a list");
    packages.iter().map(library).collect()
}

fn library(package: &Value) -> (&str, &str, Option<&str>) {
    let text = |name: &str| package.get(name).and_then(Value::as_str);
    let named = |name: &str| text(name).expect("each has a name and a version");
    (named("name"), named("version"), text("source"))
}

#[test]
fn libraries_are_there_twice_only_where_it_is_known() {
    let (lock, policy) = (manifest("Cargo.lock"), manifest("deny.toml"));
    let known: BTreeSet<&str> = texts(&policy["bans"]["skip"]).into_iter().collect();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version, _) in libraries(&lock) {
        let version = version.split('+').next().unwrap_or(version);
        versions.entry(name).or_default().push(version);
    }
    let numbers = |version: &&str| -> Vec<u32> {
        let parts = version.split('.');
        parts.map(|part| part.parse().unwrap_or(0)).collect()
    };
    let mut older = BTreeSet::new();
    for (name, mut all) in versions {
        all.sort_by_key(numbers);
        all.pop();
        older.extend(all.into_iter().map(|version| format!("{name}@{version}")));
    }
    let older: BTreeSet<&str> = older.iter().map(String::as_str).collect();
    assert_eq!(
        older, known,
        "the older ones stand in deny.toml, with a reason"
    );
}

#[test]
fn every_library_comes_from_where_the_policy_says() {
    let (lock, policy) = (manifest("Cargo.lock"), manifest("deny.toml"));
    let allowed = texts(&policy["sources"]["allow-registry"]);
    let libraries = libraries(&lock);
    assert!(libraries.len() > 100, "only {}", libraries.len());
    for (name, version, source) in libraries {
        let place = source.map(|source| source.strip_prefix("registry+").unwrap_or(source));
        assert!(
            place.is_none_or(|place| allowed.contains(&place)),
            "{name} {version} comes from {source:?}"
        );
    }
}

#[test]
fn other_sites_may_read_what_is_public_and_nothing_else() {
    let mut folders = vec![repository().join("components"), repository().join("shared")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a name").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).expect("it is text");
                if text.contains("access-control-") {
                    assert!(
                        !text.contains("access-control-allow-credentials"),
                        "{path:?}"
                    );
                    let path = path.strip_prefix(repository()).expect("it is in there");
                    found.insert(path.display().to_string());
                }
            }
        }
    }
    // The description of the API, and pictures and sums of the status page.
    let public = [
        "components/conductor/cluster/src/reference.rs",
        "components/status/page/src/pages/badge.rs",
        "components/status/page/src/pages/response_times.rs",
        "components/status/page/src/pages/statuspage.rs",
        "components/status/page/src/pages/summary.rs",
    ];
    assert_eq!(found, public.map(String::from).into());
}

#[test]
fn the_example_of_a_proxy_asks_for_tls_and_logs_no_addresses() {
    let text = fs::read_to_string(repository().join("deploy/nginx.conf")).expect("it is there");
    for line in [
        "listen 443 ssl http2;",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "add_header Strict-Transport-Security \"max-age=31536000\" always;",
        "access_log off;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    ] {
        let is_there = text.lines().any(|known| known.trim() == line);
        assert!(is_there, "{line}");
    }
    let closed = text.split("location /internal/ {").nth(1).expect("a place");
    assert!(closed.trim_start().starts_with("return 404;"), "{closed}");
}

#[test]
fn every_story_is_formatted() {
    // rustfmt follows `mod` lines, and stories have none.
    let tests = repository().join("tests");
    let mut files = rust_files(&tests);
    for entry in fs::read_dir(&tests).expect("a folder") {
        let folder = entry.expect("a name").path();
        if folder.is_dir() {
            files.extend(rust_files(&folder));
        }
    }
    assert!(files.len() > 20, "only {} files", files.len());
    let done = Command::new("rustfmt")
        .arg("--check")
        .arg("--config-path")
        .arg(repository())
        .args(&files)
        .output()
        .expect("rustfmt is part of the toolchain");
    assert!(
        done.status.success(),
        "`rustfmt tests/*.rs tests/*/*.rs` would change:\n{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("a name").path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}
