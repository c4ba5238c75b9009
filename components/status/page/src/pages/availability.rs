//! `/availability`: how available the components were in the last twelve months.

use super::page_cache::remembered;
use crate::view::{self, Section};
use maud::{Markup, html};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result};
use windlass_status::availability::{self as store, Availability, MonthlyAvailability};

/// Above this a month was good, and below that it was bad, in percent.
const GOOD: f64 = 99.95;
const BAD: f64 = 90.0;

/// `GET /availability`: a table of months, of all regions or of one.
pub async fn availability(ctx: &Context<impl Db>) -> Result<Response> {
    let region = super::region_of(ctx);
    let key = format!("availability {}", region.unwrap_or_default());
    remembered(ctx, key, async |now| {
        let components = store::by_component(&ctx.db, now).await?;
        let mut regions: Vec<&str> = Vec::new();
        for component in &components {
            if !component.region.is_empty() && !regions.contains(&component.region.as_str()) {
                regions.push(&component.region);
            }
        }
        if let Some(region) = region.filter(|region| !regions.contains(region)) {
            return Ok(super::no_region(region));
        }
        let shown: Vec<&Availability> = components
            .iter()
            .filter(|component| region.is_none_or(|region| component.region == region))
            .collect();
        let body = html! {
            h1 { "Availability" }
            @if shown.is_empty() {
                p.none { "No components yet." }
            } @else {
                p { "How much of each month a component was not in an outage, in percent. The current month counts up to now." }
                (super::tabs("/availability", &regions, region))
                (table(&shown, regions.len() > 1 && region.is_none()))
                ul.legend {
                    li.good { "more than 99.95 %" }
                    li.fair { "from 90 to 99.95 %" }
                    li.bad { "less than 90 %" }
                }
            }
        };
        let title = match region {
            Some(region) => format!("Availability · {region}"),
            None => "Availability".to_owned(),
        };
        Ok(view::page(200, Section::Availability, &title, &body))
    })
    .await
}

/// Narrow screens show a component's months below its name; the roles keep it a table for screen
/// readers even then.
fn table(components: &[&Availability], with_region: bool) -> Markup {
    let months = components.first().map_or(&[][..], |first| &first.months);
    html! {
        table.sla role="table" aria-label="Availability by month, in percent" {
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "Component" }
                    @for month in months { th scope="col" role="columnheader" { (column(month)) } }
                }
            }
            tbody role="rowgroup" {
                @for component in components {
                    tr role="row" {
                        th scope="row" role="rowheader" {
                            bdi { (component.name) }
                            @if with_region && !component.region.is_empty() {
                                " " span.tag dir="auto" { (component.region) }
                            }
                        }
                        @for month in &component.months {
                            (cell(month))
                        }
                    }
                }
            }
        }
    }
}

/// A month of a component. One in which it was not listed yet is no month without an outage.
fn cell(month: &MonthlyAvailability) -> Markup {
    html! {
        @match month.percentage {
            Some(percentage) => {
                td.(class(percentage)) role="cell" data-m=(short(month)) { (percent(percentage)) }
            }
            None => {
                td role="cell" data-m=(short(month)) { abbr title="not listed yet" { "–" } }
            }
        }
    }
}

/// `Nov`.
fn short(told: &MonthlyAvailability) -> String {
    told.month.format("%b")
}

/// `Nov 26`, read as the month and the whole year.
fn column(told: &MonthlyAvailability) -> Markup {
    html! { abbr title=(told.month.format("%B %Y")) { (told.month.format("%b %y")) } }
}

fn class(percentage: f64) -> &'static str {
    if percentage > GOOD {
        "good"
    } else if percentage < BAD {
        "bad"
    } else {
        "fair"
    }
}

/// At most three decimals, rounded down: what is not good never reads as if it were.
fn percent(percentage: f64) -> String {
    // The store rounds to five decimals; a little more than half a digit of those undoes what
    // the binary form of the number lost.
    let thousandths = (percentage * 1000.0 + 0.001).floor() / 1000.0;
    let text = format!("{thousandths:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::{Timestamp, time::Month};

    #[test]
    fn a_month_before_a_component_was_listed_has_no_number() {
        let month = Month::of(Timestamp::from_millis(0));
        let of = |percentage| cell(&MonthlyAvailability { month, percentage }).into_string();
        assert!(of(Some(100.0)).contains(">100</td>"));
        let unknown = of(None);
        assert!(unknown.contains("not listed yet"), "{unknown}");
        assert!(!unknown.contains("good"), "{unknown}");
    }

    #[test]
    fn a_months_colour_and_text_agree() {
        for (percentage, text, colour) in [
            (100.0, "100", "good"),
            (99.99999, "99.999", "good"),
            (99.951, "99.951", "good"),
            (99.95, "99.95", "fair"),
            (90.0, "90", "fair"),
            (89.99999, "89.999", "bad"),
            (0.0, "0", "bad"),
        ] {
            assert_eq!(percent(percentage), text);
            assert_eq!(class(percentage), colour, "{text}");
        }
    }
}
