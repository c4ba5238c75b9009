//! One server on a state folder at a time. Two would each run the schedules and keep what they remember
//! of callers to themselves, and a restore would take the ground from under either.

use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// The file that is locked, in the state folder. It says who holds it.
const NAME: &str = "windlass.lock";

/// Whether a server runs on a state folder.
pub fn is_held(state_dir: &Path) -> bool {
    let file = File::open(state_dir.join(NAME));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// A state folder that is in use by this process, until it is dropped or the process ends in whatever
/// way.
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes a folder.
    ///
    /// # Errors
    /// When another process has it, naming that.
    pub fn take(state_dir: &Path) -> Result<Self> {
        let path = state_dir.join(NAME);
        windlass_host::make_private(state_dir)
            .with_context(|| format!("cannot make the folder {}", state_dir.display()))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot write to {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                bail!(
                    "the state folder {} is in use{}: stop that, or choose another with --state-dir",
                    state_dir.display(),
                    if holder.is_empty() {
                        holder
                    } else {
                        format!(" by {}", holder.trim())
                    },
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        let mut lock = Self { file };
        lock.tell("")?;
        Ok(lock)
    }

    /// Writes down who holds the folder, for who comes second.
    pub fn tell(&mut self, url: &str) -> Result<()> {
        let place = if url.is_empty() {
            String::new()
        } else {
            format!(", {url}")
        };
        self.file.rewind()?;
        self.file.set_len(0)?;
        write!(self.file, "process {}{place}", std::process::id())?;
        Ok(())
    }
}
