//! Which statements are slow: those run on a thread of their own instead of on the core that serves requests.
//!
//! Most statements take microseconds, and handing each to a thread would cost a quarter of the
//! throughput. So a statement runs inline until it was once seen to be slow. What a commit takes is
//! up to the disk, so commits have a running average of their own.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// What a statement may take inline.
pub const INLINE_LIMIT: Duration = Duration::from_millis(50);
/// What a commit may take inline, on average, in microseconds. Well above what an SSD needs: on a
/// busy machine a thread of its own makes commits slower, since it has to wait for a core.
const INLINE_COMMIT_MICROS: u64 = 20_000;
/// Statements remembered; when full, everything is forgotten and learned again.
const CAPACITY: usize = 1024;

/// The statements seen to be slow, by hash of their text.
#[derive(Default)]
pub struct SlowStatements {
    hasher: RandomState,
    count: AtomicUsize,
    known: RwLock<HashSet<u64>>,
    commit_micros: AtomicU64,
}

impl SlowStatements {
    /// Whether this statement was slow before.
    pub fn contains(&self, sql: &str) -> bool {
        self.count.load(Relaxed) > 0
            && self
                .known
                .read()
                .is_ok_and(|known| known.contains(&self.hasher.hash_one(sql)))
    }

    /// Remembers a statement as slow.
    pub fn insert(&self, sql: &str) {
        let Ok(mut known) = self.known.write() else {
            return;
        };
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(self.hasher.hash_one(sql));
        self.count.store(known.len(), Relaxed);
    }

    /// Whether commits are slow on this disk, lately.
    pub fn commits_are_slow(&self) -> bool {
        self.commit_micros.load(Relaxed) > INLINE_COMMIT_MICROS
    }

    /// Notes what a commit took.
    pub fn commit_took(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let average = self.commit_micros.load(Relaxed);
        // Two cores may overwrite each other's note; an average survives that.
        self.commit_micros
            .store(average - average / 8 + micros.min(1_000_000) / 8, Relaxed);
    }
}
