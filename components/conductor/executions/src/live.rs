//! `/executions/{execution_id}/events/stream` and `/events/stream`: events while they happen.
//!
//! The answer is a stream of server-sent events, which browsers and many clients read by themselves. Each
//! has the number of its row as id; who was cut off names the last one in `Last-Event-ID` and goes on
//! behind it. A stream ends by itself after some minutes, so that permissions are looked at again.
//!
//! Nobody who follows holds a connection to the database or a place while nothing happens: a follower
//! sleeps, and when it wakes up it looks at what the instance knows. See [`crate::news`].

use crate::news;
use serde_json::json;
use std::time::Duration;
use windlass_core::db::{Db, KeptDb};
use windlass_core::{
    Context, Error, NextPart, Parts, Permission, Response, Result, Scope, Timestamp, platform,
};
use windlass_store::events::{self, EventQuery, Followed, Standing, Told};
use windlass_store::{deployments, executions};

/// How long a stream may go on, in seconds. Servers and proxies end answers that take longer.
const LONGEST: i64 = 240;

/// After how many milliseconds without anything a comment tells that the stream lives.
const HEARTBEAT: i64 = 15_000;

/// How often it is looked whether what is followed is over, in milliseconds. It is looked at after every
/// event, too; some ends tell of themselves by none.
const LOOK: i64 = 2_000;

/// What a stream begins with: after how many milliseconds who is cut off asks again.
const BEGINNING: &[u8] = b"retry: 1000\n\n";

/// How many rows are sent in one part.
const AT_ONCE: usize = 100;

/// How many numbers of rows a follower that is behind asks for at a time.
const BEHIND: usize = 5_000;

/// `GET /executions/{execution_id}/events/stream`: the events of an execution from its beginning to its
/// end.
pub async fn follow_execution(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::EventList)?;
    let asked = Asked::read(ctx)?;
    let execution = executions::find(&ctx.db, &scope, ctx.path("execution_id")).await?;
    let from = asked.from.unwrap_or(0);
    Ok(asked.respond(ctx, scope, Followed::Execution(execution.key), from))
}

/// `GET /events/stream`: the events of all executions of a deployment, from now on.
pub async fn follow_deployment(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow(Permission::EventList)?;
    let asked = Asked::read(ctx)?;
    let id = ctx.request.query_value("deployment_id").unwrap_or_default();
    if id.is_empty() {
        return Err(Error::bad_parameters(
            "Missing required param: deployment_id",
        ));
    }
    let deployment = deployments::find(&ctx.db, &scope, id).await?;
    let from = match asked.from {
        Some(from) => from,
        None => events::newest_id(&ctx.db).await?,
    };
    Ok(asked.respond(ctx, scope, Followed::Deployment(deployment.key), from))
}

/// What a follower asks for.
struct Asked {
    query: EventQuery,
    /// The row behind which it goes on.
    from: Option<i64>,
    /// For how many seconds.
    seconds: i64,
}

impl Asked {
    /// Reads filters as those of the list, `_timeout` and `Last-Event-ID`.
    fn read(ctx: &Context<impl Db>) -> Result<Self> {
        let query = EventQuery::parse(&ctx.request, EventQuery::kinds(&ctx.request)?)?;
        let from = match ctx.request.get_header("last-event-id") {
            None | Some("") => None,
            Some(text) => Some(number("Last-Event-ID", text, i64::MAX)?),
        };
        let seconds = match ctx.request.query_value("_timeout") {
            None => LONGEST,
            Some(text) => number("_timeout", text, LONGEST)?,
        };
        Ok(Self {
            query,
            from,
            seconds,
        })
    }

    fn respond(
        self,
        ctx: &Context<impl KeptDb>,
        scope: Scope,
        followed: Followed,
        from: i64,
    ) -> Response {
        let now = Timestamp::now().millis();
        let stream = Following {
            db: ctx.db.clone(),
            scope,
            query: self.query,
            followed,
            last: from,
            behind: true,
            due: Vec::new(),
            ends: now + self.seconds * 1000,
            told: now,
            looked: 0,
            has_begun: false,
            is_over: false,
        };
        Response::live(200, "text/event-stream", stream)
            .header("cache-control", "no-store")
            .header("x-accel-buffering", "no")
    }
}

fn number(name: &str, text: &str, most: i64) -> Result<i64> {
    let number = text.trim().parse().ok();
    number
        .filter(|number| (0..=most).contains(number))
        .ok_or_else(|| Error::bad_parameters(format!("{name} must be a number from 0 to {most}")))
}

/// A stream on its way.
struct Following<D> {
    db: D,
    scope: Scope,
    query: EventQuery,
    followed: Followed,
    /// The last row that was looked at.
    last: i64,
    /// Whether rows of before it began may be missing.
    behind: bool,
    /// The numbers of rows to be told.
    due: Vec<i64>,
    /// When it ends, in milliseconds since 1970, as the two that follow.
    ends: i64,
    /// When it sent something.
    told: i64,
    /// When it was looked whether it is over.
    looked: i64,
    /// Whether its first part was made, which makes the head leave.
    has_begun: bool,
    is_over: bool,
}

impl<D: Db> Parts for Following<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Following<D> {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        if !std::mem::replace(&mut self.has_begun, true) {
            return Ok(Some(BEGINNING.to_vec()));
        }
        while !self.is_over {
            let now = Timestamp::now().millis();
            // Looked at before the rows are read: what ended has all of its rows by then.
            let standing = match now - self.looked >= LOOK {
                true => self.look(now).await?,
                false => Standing::Open,
            };
            // What the instance knows may be older than that.
            self.behind |= standing != Standing::Open;
            if let Some(text) = self.tell().await? {
                self.told = now;
                // Its end may be among them.
                self.looked = 0;
                return Ok(Some(text));
            }
            if standing != Standing::Open {
                self.is_over = true;
                return Ok(Some(end(standing)));
            }
            if now >= self.ends {
                return Ok(None);
            }
            if now - self.told >= HEARTBEAT {
                self.told = now;
                return Ok(Some(b": still here\n\n".to_vec()));
            }
            let left = u64::try_from(self.ends - now).unwrap_or(0);
            let pause = news::pause(now).min(Duration::from_millis(left.max(1)));
            platform::sleep(pause).await;
        }
        Ok(None)
    }

    async fn look(&mut self, now: i64) -> Result<Standing> {
        self.looked = now;
        events::standing(&self.db, self.followed).await
    }

    /// The next rows that are wanted, if there are any by now.
    async fn tell(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if self.due.is_empty() {
                self.due = self.new_ids().await?;
            }
            if self.due.is_empty() {
                return Ok(None);
            }
            let rest = self.due.split_off(AT_ONCE.min(self.due.len()));
            let ids = std::mem::replace(&mut self.due, rest);
            self.last = ids.last().copied().unwrap_or(self.last);
            let rows = events::told(&self.db, &self.scope, &self.query, &ids).await?;
            if !rows.is_empty() {
                return Ok(Some(rows.iter().flat_map(sent).collect()));
            }
        }
    }

    /// The numbers of rows behind the last one: from what the instance knows, or from the table when
    /// that does not reach back so far.
    async fn new_ids(&mut self) -> Result<Vec<i64>> {
        if !self.behind {
            match news::after(&self.db, self.followed, self.last).await? {
                Some((ids, seen)) => {
                    if ids.is_empty() {
                        self.last = self.last.max(seen);
                    }
                    return Ok(ids);
                }
                None => self.behind = true,
            }
        }
        let newest = events::newest_id(&self.db).await?;
        // Few rows of everybody are less to read than all rows of what is followed.
        let missing = usize::try_from(newest - self.last).unwrap_or(0);
        if missing < BEHIND {
            let rows = events::news(&self.db, self.last, BEHIND).await?;
            self.behind = rows.len() == BEHIND;
            let seen = rows.last().map_or(self.last, |row| row.id);
            let own = rows.iter().filter(|row| row.is_of(self.followed));
            let ids: Vec<i64> = own.map(|row| row.id).collect();
            if ids.is_empty() {
                self.last = self.last.max(seen);
            }
            return Ok(ids);
        }
        let ids = events::ids_after(&self.db, self.followed, self.last, BEHIND).await?;
        if ids.len() < BEHIND {
            self.behind = false;
            if ids.is_empty() {
                self.last = self.last.max(newest);
            }
        }
        Ok(ids)
    }
}

/// A row as it is sent.
fn sent(row: &Told) -> Vec<u8> {
    let name: String = row.name.chars().filter(|c| !c.is_control()).collect();
    format!("id: {}\nevent: {name}\ndata: {}\n\n", row.id, row.item).into_bytes()
}

/// The last event of a stream.
fn end(standing: Standing) -> Vec<u8> {
    let status = match standing {
        Standing::Ended(status) => Some(status),
        Standing::Gone | Standing::Open => None,
    };
    format!("event: end\ndata: {}\n\n", json!({ "status": status })).into_bytes()
}
