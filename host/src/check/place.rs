//! Where the application runs: its folders and files, the disk, the environment.

use super::Found;
use std::path::Path;
use windlass_host::HostOptions;

/// Less room than this on the disk is too little: soon after, nothing can be written any more.
const LEAST_ROOM: u64 = 64 << 20;

/// What the environment's names of settings begin with.
const PREFIX: &str = "SPIN_VARIABLE_";

/// Looks at all of it.
pub fn look(options: &HostOptions) -> Vec<Found> {
    let mut found = vec![state(&options.state_dir), room(&options.state_dir)];
    if others_may(&options.cache_dir, 0o022) {
        let folder = options.cache_dir.display();
        let text = format!(
            "{folder} can be written by others, and what is in it is run: chmod go-w {folder}"
        );
        found.push(Found::wrong("cache", text));
    }
    match windlass_host::wants(&options.manifest) {
        Ok(wants) => {
            found.extend(components(&wants.missing));
            let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            let unknown = names.filter(|name| {
                let setting = name.strip_prefix(PREFIX).map(str::to_ascii_lowercase);
                setting.is_some_and(|setting| !wants.variables.contains(&setting))
            });
            found.extend(unknown.map(|name| {
                let text =
                    format!("{name} is in the environment, and spin.toml has no such variable");
                Found::wrong("settings", text)
            }));
        }
        Err(error) => found.push(Found::wrong("manifest", format!("{error:#}"))),
    }
    found
}

/// Whether others on this machine can read the state.
fn state(folder: &Path) -> Found {
    let shown = folder.display();
    match others_may(folder, 0o077) {
        true => Found::wrong(
            "state",
            format!(
                "{shown} can be read by others, and passwords and keys are in it: chmod 700 {shown}"
            ),
        ),
        false => Found::good("state", format!("{shown} is for its owner alone")),
    }
}

fn room(folder: &Path) -> Found {
    match windlass_host::free_bytes(folder) {
        Some(free) if free < LEAST_ROOM => Found::wrong(
            "room",
            format!("only {} MB are free on its disk", free / 1_000_000),
        ),
        Some(free) => Found::good("room", format!("{} MB are free", free / 1_000_000)),
        None => Found::wrong(
            "room",
            format!("the disk of {} does not answer", folder.display()),
        ),
    }
}

fn components(missing: &[(String, std::path::PathBuf)]) -> Vec<Found> {
    if missing.is_empty() {
        return vec![Found::good("components", "all are there".to_owned())];
    }
    let wrong = missing
        .iter()
        .map(|(id, file)| Found::wrong("components", format!("{id} has no {}", file.display())));
    wrong.collect()
}

#[cfg(unix)]
fn others_may(folder: &Path, bits: u32) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(folder);
    found.is_ok_and(|found| found.permissions().mode() & bits != 0)
}

#[cfg(not(unix))]
fn others_may(_folder: &Path, _bits: u32) -> bool {
    false
}
