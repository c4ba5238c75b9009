//! The rows that a tick holds: taken, kept, given back.

use super::TickOptions;
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Timestamp, log};
use windlass_store::queue::{self, Leased, Room};

/// In how many seconds what could not even be given up is looked at again.
const ASIDE: i64 = 300;

/// What a tick holds.
pub struct Leases<'a, D> {
    /// Where the queue is.
    pub db: &'a D,
    /// The tick's name.
    pub holder: &'a str,
    options: &'a TickOptions,
    /// Keys, and whether the work waits for others.
    held: Vec<(i64, bool)>,
    renewed: Timestamp,
}

/// What becomes of work that failed.
pub enum Fate {
    /// It went back to the queue.
    TriedAgain,
    /// It failed too often.
    GivenUp,
}

impl<'a, D: Db> Leases<'a, D> {
    /// Nothing yet.
    pub fn new(db: &'a D, holder: &'a str, options: &'a TickOptions, now: Timestamp) -> Self {
        Self {
            db,
            holder,
            options,
            held: Vec::new(),
            renewed: now,
        }
    }

    /// How long a holder may be silent before it says that it is still there, in milliseconds.
    pub fn sign_of_life(&self) -> i64 {
        self.options.lease_millis / 3
    }

    /// Whether a result says that the database was busy, so that trying again may help.
    pub fn is_busy<T>(result: &Result<T>) -> bool {
        matches!(result, Err(error) if error.kind() == Kind::Unavailable)
    }

    /// Takes as many due rows as there is room for.
    pub async fn take(&mut self, now: Timestamp) -> Result<Vec<Leased>> {
        let room = self.room();
        if (room.here, room.waiting) == (0, 0) || !queue::is_due(self.db, now).await? {
            return Ok(Vec::new());
        }
        let millis = self.options.lease_millis;
        let leased = queue::lease(self.db, self.holder, room, millis, now).await;
        if Self::is_busy(&leased) {
            // Others are faster with the same rows.
            return Ok(Vec::new());
        }
        let leased = leased?;
        let rows = leased.iter().map(|row| (row.key, row.work.waits()));
        self.held.extend(rows);
        Ok(leased)
    }

    /// What there is room for beside what is held.
    fn room(&self) -> Room {
        let all = self.options.room;
        let waiting = self.held.iter().filter(|(_, waits)| *waits).count();
        let here = self.held.len().saturating_sub(waiting);
        Room {
            here: all.here.saturating_sub(here),
            waiting: all.waiting.saturating_sub(waiting),
            ..all
        }
    }

    /// Why a row is not even tried: whoever held it was gone too often. What failed before is another
    /// matter, and its text is for operators only.
    pub fn why_hopeless(&self, row: &Leased) -> Option<&'static str> {
        (row.attempts > self.options.deaths).then_some("whoever worked on it never came back")
    }

    /// Forgets a row: it was finished, or is given back.
    pub fn release(&mut self, key: i64) {
        self.held.retain(|(held, _)| *held != key);
    }

    /// Says that the holder is still there, when it is time to. Answers what was lost meanwhile.
    pub async fn renew(&mut self, now: Timestamp) -> Result<Vec<i64>> {
        let age = now.millis() - self.renewed.millis();
        if age < self.sign_of_life() {
            return Ok(Vec::new());
        }
        self.renew_now(now).await
    }

    /// The same without looking at the time. What is lost stays held while its work goes on.
    pub async fn renew_now(&mut self, now: Timestamp) -> Result<Vec<i64>> {
        self.renewed = now;
        if self.held.is_empty() {
            return Ok(Vec::new());
        }
        let millis = self.options.lease_millis;
        let held: Vec<i64> = self.held.iter().map(|(key, _)| *key).collect();
        let ours = queue::renew(self.db, self.holder, &held, millis, now).await;
        if Self::is_busy(&ours) {
            return Ok(Vec::new());
        }
        let ours = ours?;
        Ok(held.into_iter().filter(|key| !ours.contains(key)).collect())
    }

    /// Gives a row back that was not begun.
    pub async fn return_unbegun(&mut self, row: &Leased, now: Timestamp) -> Result<()> {
        self.release(row.key);
        let why = row.last_error.as_deref();
        self.give_back(row, now, why, false).await
    }

    /// Gives a row back. Where the database is busy its lease runs out instead, within seconds.
    async fn give_back(
        &self,
        row: &Leased,
        later: Timestamp,
        why: Option<&str>,
        counts: bool,
    ) -> Result<()> {
        let given = queue::give_back(self.db, self.holder, row.key, later, why, counts).await;
        if Self::is_busy(&given) {
            return Ok(());
        }
        given
    }

    /// Puts a row back to be tried again, unless it failed too often.
    pub async fn failed(&self, row: &Leased, error: &Error, now: Timestamp) -> Result<Fate> {
        let why = error.for_log();
        let (later, counts) = if error.kind() == Kind::Unavailable {
            (now.plus_seconds(1), false)
        } else {
            let text = format!("{} {}: {why}", row.work, row.subject);
            log::error("queued work failed", &Error::internal(text));
            let failures = row.failures + 1;
            if failures >= self.options.failures {
                return Ok(Fate::GivenUp);
            }
            (now.plus_seconds(1_i64 << failures.clamp(0, 8)), true)
        };
        self.give_back(row, later, Some(&why), counts).await?;
        Ok(Fate::TriedAgain)
    }

    /// Puts a row aside that could not even be given up.
    pub async fn put_aside(&self, row: &Leased, error: &Error, now: Timestamp) -> Result<()> {
        let later = now.plus_seconds(ASIDE);
        let why = error.for_log();
        self.give_back(row, later, Some(&why), true).await
    }
}
