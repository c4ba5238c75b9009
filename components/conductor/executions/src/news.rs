//! What an instance knows of the newest events: asked for once for all who follow some.
//!
//! Whoever wakes up first asks for what is new, a range of the newest rows, and keeps for the others
//! whose they are. So the cost goes with the time and with what happens, not with how many follow. When
//! nothing has happened for a while it is asked for less often.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;
use windlass_core::db::Db;
use windlass_core::{Result, Timestamp};
use windlass_store::events::{self, Followed, News};

/// How often it is asked while something happens, in milliseconds.
const OFTEN: i64 = 40;

/// How often when nothing happens.
const SELDOM: i64 = 250;

/// How long ago something happened for it to be asked often, in milliseconds.
const LATELY: i64 = 30_000;

/// How many rows are kept: who is further behind asks by itself.
const KEPT: usize = 20_000;

/// How many rows are asked for at a time.
const AT_A_TIME: usize = 5_000;

/// The newest rows.
struct Known {
    rows: VecDeque<News>,
    /// All rows after this one and up to `seen` are in `rows`.
    from: i64,
    seen: i64,
    /// When it was asked, and when something was new, in milliseconds since 1970.
    asked: i64,
    happened: i64,
}

thread_local! {
    static KNOWN: RefCell<Known> = const {
        RefCell::new(Known {
            rows: VecDeque::new(),
            from: -1,
            seen: -1,
            asked: 0,
            happened: 0,
        })
    };
}

impl Known {
    fn interval(&self, now: i64) -> i64 {
        match (0..LATELY).contains(&(now - self.happened)) {
            true => OFTEN,
            false => SELDOM,
        }
    }

    /// Adds rows that were read behind `seen`, which others may have read in the meantime.
    fn add(&mut self, rows: Vec<News>, now: i64) {
        for row in rows {
            if row.id > self.seen {
                self.seen = row.id;
                self.happened = now;
                self.rows.push_back(row);
            }
        }
        while self.rows.len() > KEPT {
            if let Some(row) = self.rows.pop_front() {
                self.from = row.id;
            }
        }
    }
}

/// How long a follower sleeps before it looks again.
pub fn pause(now: i64) -> Duration {
    let millis = KNOWN.with_borrow(|known| known.interval(now));
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The numbers of the rows behind `last` that belong to what is followed, and up to which row is known.
/// None when what is known does not reach back to `last`.
pub async fn after(db: &impl Db, followed: Followed, last: i64) -> Result<Option<(Vec<i64>, i64)>> {
    refresh(db).await?;
    Ok(KNOWN.with_borrow(|known| {
        if last < known.from {
            return None;
        }
        let ids = known.rows.iter().rev();
        let ids = ids.take_while(|row| row.id > last);
        let mut ids: Vec<i64> = ids
            .filter(|row| row.is_of(followed))
            .map(|row| row.id)
            .collect();
        ids.reverse();
        Some((ids, known.seen))
    }))
}

/// Asks for what is new, unless somebody did just now.
async fn refresh(db: &impl Db) -> Result<()> {
    let now = Timestamp::now().millis();
    let (seen, is_due) = KNOWN.with_borrow_mut(|known| {
        let age = now - known.asked;
        let is_due = !(0..known.interval(now) / 2).contains(&age);
        if is_due {
            known.asked = now;
        }
        (known.seen, is_due)
    });
    if !is_due {
        return Ok(());
    }
    if seen < 0 {
        let newest = events::newest_id(db).await?;
        KNOWN.with_borrow_mut(|known| {
            if known.seen < 0 {
                (known.from, known.seen, known.happened) = (newest, newest, now);
            }
        });
        return Ok(());
    }
    let rows = events::news(db, seen, AT_A_TIME).await?;
    KNOWN.with_borrow_mut(|known| known.add(rows, now));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64) -> News {
        News {
            id,
            execution: id % 2,
            deployment: None,
        }
    }

    #[test]
    fn rows_are_known_once_and_the_oldest_are_forgotten() {
        let mut known = Known {
            rows: VecDeque::new(),
            from: 5,
            seen: 5,
            asked: 0,
            happened: 0,
        };
        known.add((6..=9).map(row).collect(), 100);
        // Two who asked at the same time.
        known.add((6..=10).map(row).collect(), 100);
        assert_eq!((known.rows.len(), known.seen, known.from), (5, 10, 5));
        assert_eq!(known.interval(200), OFTEN);
        assert_eq!(known.interval(100 + LATELY), SELDOM);
        known.add((11..=10 + KEPT as i64).map(row).collect(), 200);
        assert_eq!(known.rows.len(), KEPT);
        assert_eq!(known.from, 10);
    }
}
