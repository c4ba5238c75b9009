//! `POST /snapshots/{execution_id}/carry-out`: makes or restores the snapshot of an execution. The scheduler
//! calls it for a row of the queue that it holds.
//!
//! It answers when the work is done, or after a while; what is not done by then goes on in the background.
//! Whoever works renews the row's lease, so when an instance goes away with its work, the row becomes due
//! again and the work begins anew: until its last transaction it has changed nothing.

use serde_json::json;
use std::pin::pin;
use std::time::Duration;
use windlass_core::db::Db;
use windlass_core::platform::{self, TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Body, Context, Error, Response, Result, Timestamp};
use windlass_snapshot::executions::Task;
use windlass_store::queue;

/// How long a lease holds without a sign of life, and how often one is given.
const LEASE_MILLIS: i64 = 10_000;
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How long the scheduler is kept waiting.
#[cfg(target_arch = "wasm32")]
const WAITED_FOR: Duration = Duration::from_secs(20);

/// A row of the queue that was lent to us.
#[derive(Clone, Debug)]
struct Lent {
    holder: String,
    key: i64,
}

/// `POST /snapshots/{execution_id}/carry-out`. No caller and no permission: the scheduler has the tick's
/// token.
pub async fn carry_out(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let body = Body::from(ctx.json_object()?);
    let key = body.integer("key")?;
    let lent = Lent {
        holder: body.required_text("holder")?.to_owned(),
        key: key.ok_or_else(|| Error::bad_parameters("Missing key in json request body"))?,
    };
    let is_done = work_for_a_while(&ctx.db, lent).await?;
    Response::json(200, &json!({ "is_done": is_done }))
}

/// Works until it is done, or goes on in the background.
#[cfg(target_arch = "wasm32")]
async fn work_for_a_while(_db: &impl Db, lent: Lent) -> Result<bool> {
    use futures_util::future::{Either, select};
    let work = Box::pin(async move { work(&windlass_core::db::SpinDb, &lent).await });
    match select(work, pin!(platform::sleep(WAITED_FOR))).await {
        Either::Left((result, _)) => result.map(|()| true),
        Either::Right((_, work)) => {
            platform::spawn(async {
                if let Err(error) = work.await {
                    windlass_core::log::error("a snapshot will be tried again", &error);
                }
            });
            Ok(false)
        }
    }
}

/// Natively nothing goes on in the background.
#[cfg(not(target_arch = "wasm32"))]
async fn work_for_a_while(db: &impl Db, lent: Lent) -> Result<bool> {
    work(db, &lent).await.map(|()| true)
}

/// Does the work, and says meanwhile that somebody does. While a restoration writes, that cannot be said,
/// and nobody can take the row either.
async fn work(db: &impl Db, lent: &Lent) -> Result<()> {
    use futures_util::future::{Either, select};
    let mut work = pin!(go_on(db, lent));
    loop {
        let alarm = pin!(platform::sleep(SIGN_OF_LIFE));
        match select(work.as_mut(), alarm).await {
            Either::Left((result, _)) => return result,
            Either::Right(_) => {
                let (keys, now) = ([lent.key], Timestamp::now());
                let renewing = queue::renew(db, &lent.holder, &keys, LEASE_MILLIS, now);
                match select(work.as_mut(), pin!(renewing)).await {
                    Either::Left((result, _)) => return result,
                    Either::Right((ours, _)) if ours.as_ref().is_ok_and(Vec::is_empty) => {
                        return Ok(());
                    }
                    // A database that is busy does not take the row away.
                    Either::Right(_) => {}
                }
            }
        }
    }
}

async fn go_on(db: &impl Db, lent: &Lent) -> Result<()> {
    match Task::find(db, &lent.holder, lent.key).await? {
        Some(task) => task.run(db).await,
        // Its execution was cancelled for good: there is nothing left to do.
        None => queue::finish(db, &lent.holder, &[lent.key]).await.map(drop),
    }
}
