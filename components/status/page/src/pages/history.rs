//! `/history`: what is over, by the month it ended in.

use super::page_cache::remembered;
use crate::view::{self, Section};
use maud::{Markup, html};
use windlass_core::db::Db;
use windlass_core::time::Month;
use windlass_core::{Context, Response, Result, Scope, Timestamp};
use windlass_status::overview::{self, Event, PAGE};

/// The last page of a month that can be asked for.
const LAST_PAGE: i64 = 10_000;

/// `GET /history`: the events of a month, the newest first; without one, of the last month in which
/// something ended.
pub async fn history(ctx: &Context<impl Db>) -> Result<Response> {
    view::brand::load().await;
    let month = ctx.request.query_value("month").map(Month::parse);
    let month = match month.transpose() {
        Ok(month) => month,
        Err(error) => return Ok(view::error_page(400, "No such month", error.message())),
    };
    let page = ctx.request.query_value("page").unwrap_or("1");
    let Some(page) = page
        .parse()
        .ok()
        .filter(|page| (1..=LAST_PAGE).contains(page))
    else {
        let text = format!("page: `{page}` is no number from 1 to {LAST_PAGE}");
        return Ok(view::error_page(400, "No such page", &text));
    };
    let asked = month.map_or(String::new(), |month| month.to_string());
    remembered(ctx, format!("history {asked} {page}"), async |now| {
        Ok(match Shown::read(&ctx.db, month, page, now).await? {
            Some(shown) => shown.page(now),
            None => view::page(200, Section::History, "History", &nothing_yet()),
        })
    })
    .await
}

/// A page of a month, and which months are beside it.
struct Shown {
    month: Month,
    page: i64,
    events: Vec<Event>,
    are_more: bool,
    older: Option<Month>,
    newer: Option<Month>,
}

impl Shown {
    /// Nothing when nothing ever ended and no month was asked for.
    async fn read(
        db: &impl Db,
        month: Option<Month>,
        page: i64,
        now: Timestamp,
    ) -> Result<Option<Self>> {
        let month = match month {
            Some(month) => month,
            None => {
                // Up to now, and the millisecond of now itself.
                let end = now.plus_millis(1);
                let (last, _) = overview::ends_around(db, &Scope::public(), end, end, now).await?;
                let Some(last) = last else {
                    return Ok(None);
                };
                Month::of(last)
            }
        };
        let (begin, end) = (month.begin(), month.end());
        let skipped = (page - 1) * i64::try_from(PAGE).unwrap_or_default();
        let (events, are_more) =
            overview::ended(db, &Scope::public(), begin, end, now, skipped).await?;
        let (older, newer) = overview::ends_around(db, &Scope::public(), begin, end, now).await?;
        Ok(Some(Self {
            month,
            page,
            events,
            are_more,
            older: older.map(Month::of),
            newer: newer.map(Month::of),
        }))
    }

    fn page(&self, now: Timestamp) -> Response {
        let body = html! {
            h1 { "History" }
            section.group aria-labelledby="month" {
                h2 #month { (self.month.format("%B %Y")) }
                @if self.events.is_empty() {
                    @if self.older.is_none() && self.newer.is_none() {
                        p.none { "No incidents yet." }
                    } @else {
                        p.none { "No incidents in " (self.month.format("%B %Y")) @if self.page > 1 { " on this page" } "." }
                    }
                }
                @for event in &self.events { (view::article(event, now, 3)) }
            }
            (self.ways_on())
        };
        let title = format!("History · {}", self.month.format("%B %Y"));
        view::page(200, Section::History, &title, &body)
    }

    fn ways_on(&self) -> Markup {
        let in_month = |page: i64| match page {
            1 => format!("/history?month={}", self.month),
            page => format!("/history?month={}&page={page}", self.month),
        };
        let of_month = |month: Month| format!("/history?month={month}");
        html! {
            nav.pager aria-label="Months" {
                @if self.page > 1 {
                    a href=(in_month(self.page - 1)) rel="prev" { "← Later in " (self.month.format("%B %Y")) }
                } @else if let Some(newer) = self.newer {
                    a href=(of_month(newer)) rel="prev" { "← " (newer.format("%B %Y")) }
                }
                @if self.are_more {
                    a.next href=(in_month(self.page + 1)) rel="next" { "Earlier in " (self.month.format("%B %Y")) " →" }
                } @else if let Some(older) = self.older {
                    a.next href=(of_month(older)) rel="next" { (older.format("%B %Y")) " →" }
                }
            }
        }
    }
}

fn nothing_yet() -> Markup {
    html! {
        h1 { "History" }
        p.none { "No incidents yet." }
    }
}
