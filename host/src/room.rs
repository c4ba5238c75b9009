//! Room on the disk: the last of it is kept for deletions.
//!
//! On a disk without any room SQLite cannot even delete: its log has to grow first. So the files of
//! the state stop growing while there are still [`RESERVE`] bytes: what would need a new page of the
//! database, or writes to the key-value store, gets SQLite's own "database or disk is full". A
//! transaction may still take [`FOR_DELETIONS`] pages from a deletion on, for what it tells the audit
//! log. What fits into pages that are free succeeds. When room is made, all goes on by itself.

use crate::faults::Faults;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// So many bytes are left for deletions: more than SQLite's log grows to before it is written back.
const RESERVE: u64 = 16 << 20;
/// Pages that deletions may take although nothing else may grow.
pub const FOR_DELETIONS: i64 = 512;
/// How long a look at the disk counts.
const LOOK: Duration = Duration::from_millis(250);

/// What SQLite says when there is no room.
pub const FULL: &str = "database or disk is full";

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The disk of a state directory.
pub struct Room {
    folder: PathBuf,
    is_low: AtomicBool,
    /// When it was looked at last, in milliseconds from the start; 0 before the first time.
    looked: AtomicU64,
    faults: Arc<Faults>,
}

impl Room {
    /// For the files in `folder`.
    pub fn of(folder: &Path, faults: Arc<Faults>) -> Arc<Self> {
        Arc::new(Self {
            folder: folder.to_owned(),
            is_low: AtomicBool::new(false),
            looked: AtomicU64::new(0),
            faults,
        })
    }

    /// Whether only the reserve is left.
    pub fn is_low(&self) -> bool {
        let now = u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX) + 1;
        let looked = self.looked.load(Relaxed);
        if looked == 0 || u128::from(now - looked.min(now)) >= LOOK.as_millis() {
            self.looked.store(now, Relaxed);
            self.is_low.store(self.look(), Relaxed);
        }
        self.is_low.load(Relaxed)
    }

    fn look(&self) -> bool {
        if self.faults.is_disk_full() {
            return true;
        }
        // A disk that cannot be asked has room: SQLite will say when it has not.
        free_bytes(&self.folder).is_some_and(|free| free < RESERVE)
    }
}

/// How much room is left on the disk of a folder, for who is not its administrator. Nothing when it cannot
/// be asked.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}
