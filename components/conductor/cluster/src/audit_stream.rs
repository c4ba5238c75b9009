//! `/audit/stream`: the trail while it is written, a line of JSON for each entry.
//!
//! Whoever follows holds a place in an instance, which has few. So there are at most so many at a time,
//! and none stays for ever; clients begin again where they stopped, with `since`.

use crate::audit::filter;
use std::cell::Cell;
use std::time::{Duration, Instant};
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Context, Error, Kind, NextPart, Parts, Permission, Response, Result, Scope, platform,
};
use windlass_store::audit::{self, Filter};

/// The most that follow in one instance.
const FOLLOWERS: usize = 6;
/// How long one may stay.
const STAY: Duration = Duration::from_secs(15 * 60);
/// How often is looked for new entries.
const EVERY: Duration = Duration::from_millis(500);
/// After so long without an entry an empty line says that there was none.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How many entries are sent at once.
const AT_ONCE: i64 = 200;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
}

/// `GET /audit/stream`: entries from `since` on, or new ones alone, as they come, for `timeout` seconds or
/// as long as anybody may stay.
pub async fn follow(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::AuditLogView)?;
    let filter = filter(&ctx.request)?;
    let stay = stay(ctx.request.query_value("timeout"))?;
    let seat = Seat::take()?;
    let place = match filter.since {
        Some(_) => 0,
        None => audit::newest(&ctx.db, &scope).await?,
    };
    // A field that is none is told before anything is sent.
    audit::after(&ctx.db, &scope, &filter, i64::MAX, 1).await?;
    let following = Following {
        db: ctx.db.clone(),
        scope,
        filter,
        place,
        has_begun: false,
        until: Instant::now() + stay,
        _seat: seat,
    };
    Ok(Response::live(200, "text/event-stream", following))
}

fn stay(seconds: Option<&str>) -> Result<Duration> {
    let Some(text) = seconds.filter(|text| !text.is_empty()) else {
        return Ok(STAY);
    };
    let refused = || Error::bad_parameters(format!("timeout: `{text}` is no number of seconds"));
    let seconds = text.parse().map_err(|_| refused())?;
    let stay = Duration::try_from_secs_f64(seconds).map_err(|_| refused())?;
    Ok(stay.min(STAY))
}

/// A place among those who follow, given back when its owner goes.
struct Seat;

impl Seat {
    fn take() -> Result<Self> {
        if NOW.get() >= FOLLOWERS {
            let text = "Too many clients follow the audit log, try again";
            return Err(Error::new(Kind::Unavailable, text).retry_after(5));
        }
        NOW.set(NOW.get() + 1);
        Ok(Self)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        NOW.set(NOW.get().saturating_sub(1));
    }
}

struct Following<D> {
    db: D,
    scope: Scope,
    filter: Filter,
    place: i64,
    has_begun: bool,
    until: Instant,
    _seat: Seat,
}

impl<D: Db> Parts for Following<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Following<D> {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        let quiet_until = Instant::now() + SIGN_OF_LIFE;
        loop {
            let (db, scope, filter) = (&self.db, &self.scope, &self.filter);
            let (entries, place) = audit::after(db, scope, filter, self.place, AT_ONCE).await?;
            self.place = place;
            if !entries.is_empty() {
                self.has_begun = true;
                let lines = entries.iter().map(|entry| format!("{entry}\n"));
                return Ok(Some(lines.collect::<String>().into_bytes()));
            }
            let now = Instant::now();
            if now >= self.until {
                return Ok(None);
            }
            // The first line makes the head leave, before there is anything to tell.
            if !self.has_begun || now >= quiet_until {
                self.has_begun = true;
                return Ok(Some(b"\n".to_vec()));
            }
            platform::sleep(EVERY).await;
        }
    }
}
