//! Copies of the state: made while the application runs, put back while it does not.
//!
//! Records and blobs belong together. A blob is written before the row that names it and deleted after it,
//! so the blobs of one moment hold all that the records of that moment name. Both databases are therefore
//! read as they were in one moment, in which nobody could write records; copying them takes its time then,
//! and nobody waits for that.

use crate::lock::Lock;
use crate::private::Private;
use anyhow::{Context, Result, bail, ensure};
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use windlass_host::{HostOptions, make_private};

/// The databases of a state folder: the records, then the blobs.
const DATABASES: [&str; 2] = ["sqlite_db.db", "sqlite_key_value.db"];

/// What tells a backup apart from any other folder.
const DESCRIPTION: &str = "backup.json";

/// How long a backup waits for who writes.
const BUSY: Duration = Duration::from_secs(30);

/// What is in a backup.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    /// When it was made.
    made_at: String,
    /// The version of the program that made it.
    version: String,
    /// The files and what they are.
    files: Vec<Described>,
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Described {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Copies the state of an application into a new folder and prints what is in it. The application may
/// run and goes on.
///
/// # Errors
/// When there is no state, the folder has something in it, a copy is not sound, or there is no room. The
/// folder is not there then.
pub fn backup(options: &HostOptions, to: &Path) -> Result<()> {
    let state = &options.state_dir;
    for name in DATABASES {
        let path = state.join(name);
        ensure!(
            path.is_file(),
            "{} is missing: is {} the folder of an application that was started?",
            path.display(),
            state.display()
        );
    }
    demand_free(to)?;
    let partial = sibling(to, "partial")?;
    private_folder(&partial)?;
    let made = copy(state, &partial).and_then(|description| {
        fs::rename(&partial, to)
            .with_context(|| format!("cannot make the folder {}", to.display()))?;
        Ok(description)
    });
    let description = made.inspect_err(|_| drop(fs::remove_dir_all(&partial)))?;
    for file in &description.files {
        println!("{}: {} bytes, sound", file.name, file.bytes);
    }
    println!("The backup is in {}", to.display());
    Ok(())
}

/// Puts a backup in the place of a state folder, which is kept beside it, and prints where.
///
/// # Errors
/// When the application runs, the backup is not what was made, or it is of a newer version. The state is
/// what it was then.
pub fn restore(options: HostOptions, from: &Path) -> Result<()> {
    let state = options.state_dir.clone();
    let description = verify(from)?;
    println!(
        "{}: made {} by version {}, sound",
        from.display(),
        description.made_at,
        description.version
    );
    if let Some(parent) = parent(&state) {
        private_folder(parent)?;
    }
    let is_there = state.is_dir();
    let lock = is_there.then(|| Lock::take(&state)).transpose()?;
    let coming = sibling(&state, "restoring")?;
    let _ = fs::remove_dir_all(&coming);
    let placed = place(options, from, &coming, &state, is_there);
    let kept = placed.inspect_err(|_| drop(fs::remove_dir_all(&coming)))?;
    drop(lock);
    if let Some(kept) = kept {
        println!("What was there before is in {}", kept.display());
    }
    println!("Restored to {}", state.display());
    Ok(())
}

/// Makes the new folder, tries it, and puts it in the place of the old one, which no moment is without.
/// Answers where the old one is: it gets that name in the same step, so nothing that fails or is killed
/// afterwards can take it for a copy that was not finished.
fn place(
    options: HostOptions,
    from: &Path,
    coming: &Path,
    state: &Path,
    is_there: bool,
) -> Result<Option<PathBuf>> {
    private_folder(coming)?;
    for name in DATABASES {
        let (from, to) = (from.join(name), coming.join(name));
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        File::open(&to)?.sync_all()?;
    }
    demand_known_schema(options, coming)?;
    sync_folder(coming)?;
    if !is_there {
        fs::rename(coming, state)
            .with_context(|| format!("cannot make the folder {}", state.display()))?;
        return Ok(None);
    }
    let kept = sibling(
        state,
        &format!("before-{}", moment().replace([':', '-'], "")),
    )?;
    demand_free(&kept)?;
    fs::rename(coming, &kept)
        .with_context(|| format!("cannot make the folder {}", kept.display()))?;
    let exchanged = exchange(&kept, state)
        .with_context(|| format!("cannot put anything into the place of {}", state.display()));
    if exchanged.is_err() {
        // It is the copy still.
        let _ = fs::remove_dir_all(&kept);
    }
    exchanged?;
    if let Some(parent) = parent(state) {
        sync_folder(parent)?;
    }
    Ok(Some(kept))
}

/// Has the application say whether it knows the schema of a restored database.
fn demand_known_schema(mut options: HostOptions, state: &Path) -> Result<()> {
    state.clone_into(&mut options.state_dir);
    let application = Private::start(options, "scheduler")?;
    let answer = application.ask("/internal/check", &json!({ "only": ["schema"] }));
    application.stop();
    let answer = answer?;
    let checks = answer.get("checks").and_then(serde_json::Value::as_array);
    for check in checks.context("the application told no checks")? {
        if check.get("ok") != Some(&true.into()) {
            bail!(
                "{}",
                check["text"].as_str().unwrap_or("the schema is not known")
            );
        }
    }
    // The log of a private host's own start is not a part of the backup.
    for name in DATABASES {
        let database = open(&state.join(name), false)?;
        database.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Copies both databases as they are in one moment.
fn copy(state: &Path, to: &Path) -> Result<Description> {
    let writer = open(&state.join(DATABASES[0]), false)?;
    writer
        .execute_batch("begin immediate")
        .context("the application writes without a pause")?;
    let sources = DATABASES.map(|name| snapshot(&state.join(name)));
    writer.execute_batch("rollback")?;
    drop(writer);
    let mut files = Vec::new();
    for (name, source) in DATABASES.iter().zip(sources) {
        let path = to.join(name);
        copy_database(&source?, &path).with_context(|| format!("cannot copy {name}"))?;
        demand_sound(&path)?;
        files.push(describe(&path, name)?);
    }
    let description = Description {
        made_at: moment(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        files,
    };
    let path = to.join(DESCRIPTION);
    fs::write(&path, serde_json::to_vec_pretty(&description)?)?;
    File::open(&path)?.sync_all()?;
    sync_folder(to)?;
    Ok(description)
}

/// A connection that reads a database as it is now, however long it takes.
fn snapshot(path: &Path) -> Result<Connection> {
    let connection = open(path, true)?;
    connection.execute_batch("begin; select count(*) from sqlite_master;")?;
    Ok(connection)
}

fn open(path: &Path, read_only: bool) -> Result<Connection> {
    let flags = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    let connection = Connection::open_with_flags(path, flags)
        .with_context(|| format!("cannot open {}", path.display()))?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}

fn copy_database(source: &Connection, to: &Path) -> Result<()> {
    let mut copy = Connection::open(to)?;
    Backup::new(source, &mut copy)?.run_to_completion(i32::MAX, Duration::from_millis(10), None)?;
    // The log of what was written becomes a part of the file.
    copy.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    copy.close().map_err(|(_, error)| error)?;
    File::open(to)?.sync_all()?;
    Ok(())
}

fn demand_sound(path: &Path) -> Result<()> {
    let connection = open(path, true)?;
    let found: String = connection
        .query_row("pragma integrity_check(1)", [], |row| row.get(0))
        .with_context(|| format!("{} is damaged", path.display()))?;
    ensure!(found == "ok", "{} is damaged: {found}", path.display());
    Ok(())
}

/// Whether a folder holds what was once copied.
fn verify(from: &Path) -> Result<Description> {
    let path = from.join(DESCRIPTION);
    let text = fs::read(&path)
        .with_context(|| format!("{} is no backup: it has no {DESCRIPTION}", from.display()))?;
    let description: Description = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not readable", path.display()))?;
    for name in DATABASES {
        let told = description.files.iter().find(|file| file.name == name);
        let told = told.with_context(|| format!("{} does not tell of {name}", path.display()))?;
        let path = from.join(name);
        let there = describe(&path, name)?;
        ensure!(
            *told == there,
            "{} is not what was copied: it has {} bytes with SHA-256 {}, not {} with {}",
            path.display(),
            there.bytes,
            there.sha256,
            told.bytes,
            told.sha256
        );
        demand_sound(&path)?;
    }
    Ok(description)
}

fn describe(path: &Path, name: &str) -> Result<Described> {
    let missing = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(missing)?;
    let mut hash = Sha256::new();
    let bytes = io::copy(&mut file, &mut hash).with_context(missing)?;
    let mut sha256 = String::new();
    for byte in hash.finalize() {
        write!(sha256, "{byte:02x}")?;
    }
    Ok(Described {
        name: name.to_owned(),
        bytes,
        sha256,
    })
}

/// A folder that is not there yet, or is empty.
fn demand_free(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            let is_empty = entries.next().is_none();
            ensure!(
                is_empty,
                "{} is not empty: name a new folder",
                folder.display()
            );
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", folder.display())),
    }
}

/// A folder beside another, on the same disk: `state` and `state.restoring`.
fn sibling(folder: &Path, what: &str) -> Result<PathBuf> {
    let name = folder.file_name();
    let name = name.with_context(|| format!("{} is no name of a folder", folder.display()))?;
    let mut name = name.to_owned();
    name.push(format!(".{what}"));
    Ok(folder.with_file_name(name))
}

fn parent(folder: &Path) -> Option<&Path> {
    folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
}

/// Gives two folders each other's names, in one step.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// The same where the system has no such step: for a moment there is no folder.
#[cfg(not(target_os = "linux"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let aside = other.with_extension("exchanging");
    fs::rename(other, &aside)?;
    fs::rename(one, other)?;
    fs::rename(aside, one)
}

fn private_folder(folder: &Path) -> Result<()> {
    make_private(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()?;
    Ok(())
}

fn moment() -> String {
    chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
