//! `/internal/tick`: one tick of the queue, for those who have its token.

use crate::platform::{Network, SystemClock};
use crate::work::Workers;
use windlass_core::db::Db;
use windlass_core::platform::{TICK_TOKEN_HEADER, demand_tick_token, variable};
use windlass_core::{Context, Response, Result};
use windlass_engine::TickOptions;

/// `POST /internal/tick`: work on what is due. No caller and no permission: the token is all that
/// a clock can have.
pub async fn run(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let options = options().await;
    let report = windlass_engine::tick(&ctx.db, &Network, &SystemClock, &Workers, &options).await?;
    let idle = report.ran == 0;
    let response = ctx.ok(report)?;
    // A clock ticks every second, mostly for nothing.
    Ok(if idle { response.quiet() } else { response })
}

/// The operator's settings over the standard ones.
async fn options() -> TickOptions {
    let mut options = TickOptions::default();
    let lease = variable("queue_lease_seconds").await;
    if let Some(seconds) = lease.and_then(|text| text.trim().parse::<i64>().ok()) {
        options.lease_millis = seconds.clamp(1, 600) * 1000;
    }
    if let Some(allow) = variable("outbound_allow_private").await {
        options.allow_private = matches!(allow.trim(), "true" | "1" | "yes");
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
