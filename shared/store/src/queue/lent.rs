//! Work that the scheduler lends to a component: a request with a row of the queue that it holds.
//!
//! The component answers when the work is done, or after a while; what is not done by then goes on in the
//! background. Whoever works renews the row's lease, so when an instance goes away with its work, the row
//! becomes due again and somebody else takes it.

use super::renew;
use futures_util::future::{Either, select};
use serde_json::json;
use std::pin::pin;
use std::time::Duration;
use windlass_core::db::{Db, KeptDb};
use windlass_core::platform::{self, TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::{Body, Context, Error, Response, Result, Timestamp};

/// How long a lease holds without a sign of life, and how often one is given.
const LEASE_MILLIS: i64 = 10_000;
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// How long the scheduler is kept waiting.
#[cfg(target_arch = "wasm32")]
const WAITED_FOR: Duration = Duration::from_secs(20);

/// A row of the queue that was lent.
#[derive(Clone, Debug)]
pub struct Lent {
    /// Who holds its lease.
    pub holder: String,
    /// The row.
    pub key: i64,
}

impl Lent {
    /// What the scheduler says. No caller and no permission: it has the tick's token.
    ///
    /// # Errors
    /// 401 without the token; 400 for a body that names no row.
    async fn read(ctx: &Context<impl Db>) -> Result<Self> {
        demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
        let body = Body::from(ctx.json_object()?);
        let key = body.integer("key")?;
        Ok(Self {
            holder: body.required_text("holder")?.to_owned(),
            key: key.ok_or_else(|| Error::bad_parameters("Missing key in json request body"))?,
        })
    }

    /// Does the work, and says meanwhile that somebody does. While the work writes, that cannot be said, and
    /// nobody can take the row either. Given up once the row is somebody else's.
    async fn keep<D: Db>(
        &self,
        db: &D,
        work: impl AsyncFnOnce(&D, &Self) -> Result<()>,
    ) -> Result<()> {
        let mut work = pin!(work(db, self));
        loop {
            let alarm = pin!(platform::sleep(SIGN_OF_LIFE));
            if let Either::Left((result, _)) = select(work.as_mut(), alarm).await {
                return result;
            }
            let keys = [self.key];
            let renewing = renew(db, &self.holder, &keys, LEASE_MILLIS, Timestamp::now());
            match select(work.as_mut(), pin!(renewing)).await {
                Either::Left((result, _)) => return result,
                Either::Right((ours, _)) if ours.as_ref().is_ok_and(Vec::is_empty) => return Ok(()),
                // A database that is busy does not take the row away.
                Either::Right(_) => {}
            }
        }
    }
}

/// Answers the scheduler, who lent a row: does the work, or goes on with it in the background. `told` is what
/// the log says of work that failed there and will be tried again.
///
/// # Errors
/// 400 and 401 as the request deserves; of the work.
pub async fn answer<D: KeptDb>(
    ctx: &Context<D>,
    told: &'static str,
    work: impl AsyncFnOnce(&D, &Lent) -> Result<()> + 'static,
) -> Result<Response> {
    let lent = Lent::read(ctx).await?;
    let db = ctx.db.clone();
    let work = async move { lent.keep(&db, work).await };
    let is_done = for_a_while(told, work).await?;
    Response::json(200, &json!({ "is_done": is_done }))
}

/// Works until it is done, or goes on in the background.
#[cfg(target_arch = "wasm32")]
async fn for_a_while(
    told: &'static str,
    work: impl Future<Output = Result<()>> + 'static,
) -> Result<bool> {
    match select(Box::pin(work), pin!(platform::sleep(WAITED_FOR))).await {
        Either::Left((result, _)) => result.map(|()| true),
        Either::Right((_, work)) => {
            platform::spawn(async move {
                if let Err(error) = work.await {
                    windlass_core::log::error(told, &error);
                }
            });
            Ok(false)
        }
    }
}

/// Natively nothing goes on in the background.
#[cfg(not(target_arch = "wasm32"))]
async fn for_a_while(_: &str, work: impl Future<Output = Result<()>>) -> Result<bool> {
    work.await.map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{Work, finish, push};
    use serde_json::Value;
    use std::cell::Cell;
    use std::future::{pending, poll_fn};
    use std::task::Poll;
    use windlass_core::db::NativeDb;
    use windlass_core::http::Method;
    use windlass_core::platform::{TICK_TOKEN_KEY, kv};
    use windlass_core::{Family, Request, params};

    /// A row that `me` holds until a second after 1970.
    async fn fresh() -> NativeDb {
        let db = NativeDb::in_memory();
        crate::migrations::apply(&db).await.unwrap();
        let now = Timestamp::now();
        push(&db, Work::Snapshot, "e1", &Value::Null, now, now)
            .await
            .unwrap();
        let held = "update queue set lease_holder = 'me', lease_until = 1000";
        db.execute(held, &[]).await.unwrap();
        db
    }

    async fn key_of(db: &NativeDb) -> i64 {
        let row = db.first("select key from queue", &[]).await.unwrap();
        row.unwrap().integer(0).unwrap()
    }

    async fn ask(db: &NativeDb, token: &str, body: Value) -> Result<Response> {
        kv::set(TICK_TOKEN_KEY, b"secret").await.unwrap();
        let mut request = Request::new(Method::POST, "/x").header(TICK_TOKEN_HEADER, token);
        request.body = body.to_string().into_bytes();
        let nobody = Err(Error::unauthorized("nobody"));
        let (family, id) = (Family::Conductor, String::new());
        let ctx = Context::new(db.clone(), family, request, "/x", Vec::new(), id, nobody);
        let work = async |db: &NativeDb, lent: &Lent| {
            finish(db, &lent.holder, &[lent.key]).await.map(drop)
        };
        answer(&ctx, "again", work).await
    }

    #[test]
    fn only_the_scheduler_lends_and_it_names_a_row() {
        pollster::block_on(async {
            let db = fresh().await;
            let key = key_of(&db).await;
            let whole = json!({ "holder": "me", "key": key });
            assert!(ask(&db, "secre", whole.clone()).await.is_err());
            for lacking in [json!({ "holder": "me" }), json!({ "key": key })] {
                let refused = ask(&db, "secret", lacking).await.unwrap_err();
                assert_eq!(refused.kind().wire().0, 400);
            }
            let done = ask(&db, "secret", whole).await.unwrap();
            assert_eq!(done.body, br#"{"is_done":true}"#);
            let left = db.first("select 1 from queue", &[]).await.unwrap();
            assert!(left.is_none(), "the work was done");
        });
    }

    #[test]
    fn a_lease_is_kept_while_the_work_goes_on_and_the_work_is_given_up_with_it() {
        pollster::block_on(async {
            let db = fresh().await;
            let (holder, key) = ("me".to_owned(), key_of(&db).await);
            let lent = Lent { holder, key };
            let turns = Cell::new(0);
            let slow = async |_: &NativeDb, _: &Lent| {
                poll_fn(|context| {
                    turns.set(turns.get() + 1);
                    context.waker().wake_by_ref();
                    match turns.get() {
                        9 => Poll::Ready(Ok(())),
                        _ => Poll::Pending,
                    }
                })
                .await
            };
            lent.keep(&db, slow).await.unwrap();
            let until = "select lease_until from queue where key = ?1";
            let row = db.first(until, params![key]).await.unwrap().unwrap();
            assert!(row.integer(0).unwrap() > Timestamp::now().millis());
            let other = "update queue set lease_holder = 'somebody'";
            db.execute(other, &[]).await.unwrap();
            lent.keep(&db, async |_, _| pending().await).await.unwrap();
        });
    }
}
