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

/// What an instance remembers of one credential.
pub struct Memory {
    key: [u8; 32],
    version: i64,
}

impl Memory {
    /// Of the credential with this key, while identity has this version.
    pub fn new(key: [u8; 32], version: i64) -> Self {
        Self { key, version }
    }

    /// The caller that was recognised by this credential, if nothing has changed since.
    pub fn recall(&self) -> Option<Identified> {
        KNOWN.with_borrow(|known| {
            known
                .get(&self.key)
                .filter(|found| found.counts(self.version))
                .map(|found| found.identified.clone())
        })
    }

    /// Remembers a caller until the credential ends.
    pub fn keep(self, identified: Identified, until: Option<Timestamp>) {
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= CAPACITY {
                known.clear();
            }
            let remembered = Remembered {
                identified,
                version: self.version,
                since: Instant::now(),
                until,
            };
            known.insert(self.key, remembered);
        });
    }
}
