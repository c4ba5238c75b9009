//! `/status/response-times.svg`: how long a component's answers took in the last day, as a chart.
//!
//! A picture of its own rather than a part of the page: each check would change the page for everybody.

use maud::{Markup, html};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Response, Result, Timestamp};
use windlass_status::components::list;
use windlass_status::probes::{self, Slot, slot_of};

/// How many quarters of an hour are shown: a day of them.
const SLOTS: i64 = 96;
/// The width of a bar with its gap, and the height of the chart.
const STEP: i64 = 4;
const HEIGHT: i64 = 40;

/// `GET /status/response-times.svg?component=ID`: the chart of a component.
pub async fn response_times(ctx: &Context<impl Db>) -> Result<Response> {
    let id = ctx.request.query_value("component").unwrap_or_default();
    let number: Option<i64> = id.parse().ok();
    let number = number.ok_or_else(|| Error::not_found("Component", id))?;
    let component = list::find(&ctx.db, number).await?;
    let now = Timestamp::now();
    let slots = probes::history(&ctx.db, component.id, SLOTS, now).await?;
    let picture = picture(&slots, slot_of(now)).into_string();
    Ok(Response::bytes(200, "image/svg+xml", picture.into_bytes())
        .header("cache-control", "public, max-age=60")
        .header("x-content-type-options", "nosniff")
        .header("content-security-policy", "default-src 'none'")
        .header("access-control-allow-origin", "*"))
}

/// A bar for each quarter of an hour: as high as answers took long, red and full where one failed.
fn picture(slots: &[Slot], last: i64) -> Markup {
    let longest = slots.iter().filter_map(|slot| slot.average_millis).max();
    let longest = longest.unwrap_or(1).max(1);
    let bars = slots.iter().map(|slot| {
        let x = (slot_of(slot.begin) - (last - SLOTS + 1)) * STEP;
        let height = match slot.average_millis {
            Some(millis) if slot.failures == 0 => (millis * (HEIGHT - 4) / longest).max(2),
            _ => HEIGHT,
        };
        let colour = if slot.failures > 0 {
            "#d64550"
        } else {
            "#5b7fd6"
        };
        (x, height, colour)
    });
    html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img"
            viewBox={ "0 0 " (SLOTS * STEP) " " (HEIGHT) } width=(SLOTS * STEP) height=(HEIGHT) {
            title { (in_words(slots)) }
            @for (x, height, colour) in bars {
                rect x=(x) y=(HEIGHT - height) width=(STEP - 1) height=(height) fill=(colour) {}
            }
        }
    }
}

/// `120 ms on average over the last 24 hours, 2 of 1440 checks failed`.
fn in_words(slots: &[Slot]) -> String {
    let (mut checks, mut failures, mut total) = (0, 0, 0);
    for slot in slots {
        checks += slot.checks;
        failures += slot.failures;
        total += slot.average_millis.unwrap_or(0) * (slot.checks - slot.failures);
    }
    let failed = format!("{failures} of {checks} checks failed");
    match checks - failures {
        _ if checks == 0 => "Nothing was measured in the last 24 hours".to_owned(),
        0 => failed,
        good => format!(
            "{} ms on average over the last 24 hours, {failed}",
            total / good
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_status::probes::SLOT;

    fn slot(number: i64, checks: i64, failures: i64, average_millis: Option<i64>) -> Slot {
        Slot {
            begin: Timestamp::from_millis(number * SLOT),
            checks,
            failures,
            average_millis,
        }
    }

    #[test]
    fn the_last_quarter_is_the_rightmost_bar() {
        let slots = [
            slot(905, 15, 0, Some(100)),
            slot(999, 15, 15, None),
            slot(1000, 10, 0, Some(50)),
        ];
        let text = picture(&slots, 1000).into_string();
        for part in [
            r##"<rect x="0" y="4" width="3" height="36" fill="#5b7fd6">"##,
            r##"<rect x="376" y="0" width="3" height="40" fill="#d64550">"##,
            r##"<rect x="380" y="22" width="3" height="18" fill="#5b7fd6">"##,
            "<title>80 ms on average over the last 24 hours, 15 of 40 checks failed</title>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_was_not_measured_is_no_zero() {
        assert_eq!(in_words(&[]), "Nothing was measured in the last 24 hours");
        assert_eq!(in_words(&[slot(1, 2, 2, None)]), "2 of 2 checks failed");
    }
}
