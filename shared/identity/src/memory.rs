//! What an instance remembers of the callers it has recognised.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use windlass_core::Timestamp;
use windlass_core::context::Identified;

/// How long a recognised caller counts without being looked up again.
const LIFETIME: Duration = Duration::from_secs(60);

/// How many callers an instance remembers. Beyond that it forgets all and starts over.
const CAPACITY: usize = 1024;

struct Remembered {
    identified: Identified,
    version: i64,
    since: Instant,
    until: Option<Timestamp>,
}

impl Remembered {
    fn counts(&self, version: i64) -> bool {
        self.version == version
            && self.since.elapsed() < LIFETIME
            && self.until.is_none_or(|end| Timestamp::now() < end)
    }
}

thread_local! {
    static KNOWN: RefCell<HashMap<[u8; 32], Remembered>> = RefCell::new(HashMap::new());
}

/// The caller that was recognised by this credential, if nothing has changed since.
pub fn recall(key: &[u8; 32], version: i64) -> Option<Identified> {
    KNOWN.with_borrow(|known| {
        known
            .get(key)
            .filter(|found| found.counts(version))
            .map(|found| found.identified.clone())
    })
}

/// Remembers a caller, recognised when identity had this version, until the credential ends.
pub fn remember(key: [u8; 32], identified: Identified, version: i64, until: Option<Timestamp>) {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= CAPACITY {
            known.clear();
        }
        let since = Instant::now();
        known.insert(
            key,
            Remembered {
                identified,
                version,
                since,
                until,
            },
        );
    });
}
