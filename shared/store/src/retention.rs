//! How long things are kept, as settings say it: by age, and by how many there are.

use crate::config;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp};

/// Who forgets what is old, where people's names are; no user's name holds a colon.
pub const BY: &str = "clock:retention";

/// What the settings keep of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What is from before this moment goes.
    pub since: Option<Timestamp>,
    /// What has so many newer ones goes.
    pub most: Option<i64>,
}

impl Kept {
    /// What two settings say: a number of days, and a number of things. 0 is for ever.
    pub async fn read(db: &impl Db, days: &str, count: &str, now: Timestamp) -> Result<Self> {
        let count = config::integer(db, count).await?;
        Ok(Self {
            since: since(db, days, now).await?,
            most: count.filter(|count| *count > 0),
        })
    }

    /// Whether anything may be too old.
    pub const fn is_limited(self) -> bool {
        self.since.is_some() || self.most.is_some()
    }
}

/// Since when something is kept that a setting keeps for a number of days; nothing where it is for ever.
pub async fn since(db: &impl Db, days: &str, now: Timestamp) -> Result<Option<Timestamp>> {
    let days = config::integer(db, days).await?.filter(|days| *days > 0);
    Ok(days.map(|days| now.plus_seconds(days.saturating_mul(-86_400))))
}
