//! What an instance remembers of the callers it has recognised.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use windlass_core::context::Identified;

/// How long a recognised caller counts without being looked up again. A token that expires in
/// between is refused at most this much later.
const LIFETIME: Duration = Duration::from_secs(60);

/// How many callers an instance remembers. Beyond that it forgets all and starts over.
const CAPACITY: usize = 1024;

struct Remembered {
    identified: Identified,
    version: i64,
    since: Instant,
}

thread_local! {
    static KNOWN: RefCell<HashMap<[u8; 32], Remembered>> = RefCell::new(HashMap::new());
}

/// The caller that was recognised by this credential, if nothing has changed since.
pub fn recall(key: &[u8; 32], version: i64) -> Option<Identified> {
    KNOWN.with_borrow(|known| {
        known
            .get(key)
            .filter(|found| found.version == version && found.since.elapsed() < LIFETIME)
            .map(|found| found.identified.clone())
    })
}

/// Remembers a caller, recognised when identity had this version.
pub fn remember(key: [u8; 32], identified: Identified, version: i64) {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(
            key,
            Remembered {
                identified,
                version,
                since: Instant::now(),
            },
        );
    });
}
