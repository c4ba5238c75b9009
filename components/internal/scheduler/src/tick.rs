//! `/internal/tick`: one tick of the queue, for those who have its token.
//!
//! A tick whose calls take long answers after a while and goes on in the background, under its leases:
//! the clock has to tick again for everybody else, and whoever nudged has nothing to wait for.

use crate::chores;
use crate::platform::{Network, SystemClock};
use crate::work::Workers;
use std::ops::RangeInclusive;
use windlass_core::db::Db;
use windlass_core::outbound::address;
use windlass_core::platform::{TICK_TOKEN_HEADER, demand_tick_token};
use windlass_core::variables;
use windlass_core::{Context, Response, Result, Timestamp, log};
use windlass_engine::{TickOptions, TickReport};
use windlass_store::overview;

/// How long a lease may be (`queue_lease_seconds`).
pub const LEASE_SECONDS: RangeInclusive<i64> = 1..=600;

/// `POST /internal/tick`: work on what is due. No caller and no permission: the token is all that
/// a clock can have.
pub async fn run(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    // Also where nothing can be written any more, work goes on.
    if let Err(error) = overview::note_tick(&ctx.db, Timestamp::now()).await
        && !error.is_out_of_room()
    {
        log::error("a tick is not noted", &error);
    }
    chores::run(&ctx.db, Timestamp::now()).await;
    let options = options().await;
    let report = tick_for_a_while(&ctx.db, options).await?;
    let idle = report.ran == 0;
    let response = ctx.ok(report)?;
    // A clock ticks every second, mostly for nothing.
    Ok(if idle { response.quiet() } else { response })
}

/// How long whoever ticks is kept waiting: less than the clock waits.
#[cfg(target_arch = "wasm32")]
const WAITED_FOR: std::time::Duration = std::time::Duration::from_secs(3);

/// Ticks until nothing is left, or goes on in the background. The report of one that goes on says of
/// its work only that there is some.
#[cfg(target_arch = "wasm32")]
async fn tick_for_a_while(db: &impl Db, options: TickOptions) -> Result<TickReport> {
    use futures_util::future::{Either, select};
    use windlass_core::db::SpinDb;
    use windlass_core::platform;
    let tick = async move {
        windlass_engine::tick(&SpinDb, &Network, &SystemClock, &Workers, &options).await
    };
    let alarm = std::pin::pin!(platform::sleep(WAITED_FOR));
    match select(Box::pin(tick), alarm).await {
        Either::Left((report, _)) => report,
        Either::Right((_, tick)) => {
            platform::spawn(async {
                if let Err(error) = tick.await {
                    log::error("a tick ended before its work", &error);
                }
            });
            let next = windlass_store::queue::next_due(db).await?;
            let now = Timestamp::now().millis();
            Ok(TickReport {
                ran: 1,
                next_due: next.map(|next| next.saturating_sub(now).max(0)),
            })
        }
    }
}

/// Natively nothing goes on in the background.
#[cfg(not(target_arch = "wasm32"))]
async fn tick_for_a_while(db: &impl Db, options: TickOptions) -> Result<TickReport> {
    windlass_engine::tick(db, &Network, &SystemClock, &Workers, &options).await
}

/// The operator's settings over the standard ones.
async fn options() -> TickOptions {
    let mut options = TickOptions {
        allow_private: address::allows_private().await,
        ..TickOptions::default()
    };
    if let Some(seconds) = variables::number("queue_lease_seconds", LEASE_SECONDS).await {
        options.lease_millis = seconds * 1000;
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;
    use windlass_core::platform::{TICK_TOKEN_KEY, kv};
    use windlass_core::{Error, Family, Request};

    fn ask(token: Option<&str>) -> Result<Response> {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            windlass_store::migrations::apply(&db).await?;
            let mut request = Request::new(http::Method::POST, "/internal/tick");
            if let Some(token) = token {
                request = request.header(TICK_TOKEN_HEADER, token);
            }
            let nobody = Err(Error::unauthorized("nobody"));
            let id = String::new();
            let ctx = Context::new(
                db,
                Family::Conductor,
                request,
                "/tick",
                Vec::new(),
                id,
                nobody,
            );
            run(&ctx).await
        })
    }

    #[test]
    fn private_addresses_are_allowed_as_everywhere() {
        for value in ["", "true", "True", "1", "yes", "false", "perhaps"] {
            windlass_core::platform::set_variable("outbound_allow_private", value);
            pollster::block_on(async {
                let want = windlass_core::outbound::address::allows_private().await;
                assert_eq!(options().await.allow_private, want, "{value}");
            });
        }
    }

    #[test]
    fn only_the_token_ticks() {
        assert!(ask(Some("")).is_err(), "there is no token yet");
        pollster::block_on(kv::set(TICK_TOKEN_KEY, b"secret")).unwrap();
        for (token, allowed) in [
            (None, false),
            (Some(""), false),
            (Some("secre"), false),
            (Some("secrets"), false),
            (Some("Secret"), false),
            (Some("secret"), true),
        ] {
            assert_eq!(ask(token).is_ok(), allowed, "{token:?}");
        }
        let answer = ask(Some("secret")).unwrap();
        assert_eq!(answer.body, br#"{"ran":0,"next_due_ms":null}"#);
        assert!(answer.quiet, "an idle tick is not worth a line in the log");
    }
}
