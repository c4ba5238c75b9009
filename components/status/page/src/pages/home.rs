//! `/status`: how everything is now.

use super::components::{Past, groups};
use super::page_cache::remembered;
use crate::view::{self, Picture, Section};
use maud::{Markup, html};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Scope, Timestamp};
use windlass_status::overview::{self, Current, Event, Listed, State};

/// How many open incidents get a box; of those beyond there is the title.
const BOXES: usize = 20;

/// How the catalogue is stored for the first time.
const EXAMPLE: &str = r#"curl -X PUT -u admin:PASSWORD -H 'Content-Type: application/json' HOST/api/v1/catalogue \
  -d '{"components": [{"name": "Volumes", "attributes": {"region": "EU-DE", "category": "Storage"}}]}'"#;

/// `GET /status`: the status page, of all regions or of one.
pub async fn status(ctx: &Context<impl Db>) -> Result<Response> {
    let region = super::region_of(ctx);
    let key = format!("status {}", region.unwrap_or_default());
    remembered(ctx, key, async |now| {
        let components = overview::components(&ctx.db).await?;
        let regions = super::regions(&components);
        if let Some(region) = region.filter(|region| !regions.contains(region)) {
            return Ok(super::no_region(region));
        }
        let current = overview::current(&ctx.db, &Scope::public(), now).await?;
        let past = Past::read(&ctx.db, now).await?;
        let title = match region {
            Some(region) => format!("{} · {region}", headline(&current)),
            None => headline(&current),
        };
        let body = html! {
            (banner(&current, &components, now))
            (maintenances("under-way", "Maintenance under way", &current.maintenances, now))
            @if components.is_empty() {
                (nothing_yet())
            } @else {
                (super::tabs("/status", &regions, region))
                (groups(&components, region, &current, &past, now))
                (view::legend())
            }
            (maintenances("planned", "Planned", &current.planned, now))
            (feeds(&regions, region))
        };
        Ok(view::page(200, Section::Status, &title, &body))
    })
    .await
}

/// How everything is, in a few words.
pub fn headline(current: &Current) -> String {
    match (current.overall(), current.incidents.len()) {
        (State::Maintenance, _) => "Maintenance under way".to_owned(),
        (_, 0) => "All systems running".to_owned(),
        (State::Outage, _) => "Service outage".to_owned(),
        (worst, _) => view::label(worst).to_owned(),
    }
}

fn banner(current: &Current, components: &[Listed], now: Timestamp) -> Markup {
    let overall = current.overall();
    html! {
        section.banner.(overall.name()) aria-labelledby="overall" {
            (view::icon(Picture::Is(overall)))
            div {
                h1 #overall { (headline(current)) }
                @if !components.is_empty() { p { (extent(current, components)) } }
            }
        }
        @for event in current.incidents.iter().take(BOXES).chain(&current.information) {
            (view::article(event, now, 2))
        }
        @if current.incidents.len() > BOXES {
            section.card aria-labelledby="more" {
                h2 #more { (current.incidents.len() - BOXES) " more open incidents" }
                ul { @for event in current.incidents.iter().skip(BOXES) { (line(event)) } }
            }
        }
    }
}

/// How much of it is touched, and by what.
fn extent(current: &Current, components: &[Listed]) -> String {
    let states = current.states();
    let all = components.len();
    let in_state = |is_counted: fn(State) -> bool| {
        let states = components.iter().filter_map(|c| states.get(&c.id));
        states.filter(|state| is_counted(**state)).count()
    };
    let maintained = in_state(|state| state == State::Maintenance);
    let hit = in_state(|state| state > State::Maintenance);
    let mut parts = Vec::new();
    match current.incidents.len() {
        0 => {}
        1 => parts.push(format!(
            "1 open incident, {hit} of {all} components affected"
        )),
        open => parts.push(format!(
            "{open} open incidents, {hit} of {all} components affected"
        )),
    }
    if maintained > 0 {
        parts.push(format!(
            "{maintained} of {all} components under maintenance"
        ));
    }
    match (parts.is_empty(), all) {
        (true, 1) => "The one component is available.".to_owned(),
        (true, all) => format!("All {all} components are available."),
        (false, _) => format!("{}.", parts.join("; ")),
    }
}

fn line(event: &Event) -> Markup {
    html! { li { a href={ "/incidents/" (event.id) } { bdi { (event.title) } } } }
}

/// Maintenances, and what else is announced, with a heading of their own; nothing where there are none.
fn maintenances(id: &str, heading: &str, events: &[Event], now: Timestamp) -> Markup {
    html! {
        @if !events.is_empty() {
            section.group aria-labelledby=(id) {
                h2 id=(id) { (heading) }
                @for event in events {
                    (view::article(event, now, 3))
                }
            }
        }
    }
}

fn feeds(regions: &[&str], selected: Option<&str>) -> Markup {
    let shown = regions
        .iter()
        .filter(|region| selected.is_none_or(|s| s == **region));
    html! {
        section.feeds aria-labelledby="feeds" {
            h2 #feeds { "Stay informed" }
            ul {
                li { a href="/status/subscribe" { "Subscribe by e-mail or webhook" } }
                li { a href="/status/calendar.ics" { "Calendar of maintenances" } }
                li { a href="/rss/" { "RSS feed of everything" } }
                @for region in shown {
                    li { a href={ "/rss/?mt=" (view::in_query(region)) } { "RSS feed of " bdi { (region) } } }
                }
            }
        }
    }
}

fn nothing_yet() -> Markup {
    html! {
        section.card aria-labelledby="nothing" {
            h2 #nothing { "No components yet" }
            p { "The catalogue of components is empty. An operator stores it with:" }
            pre tabindex="0" { (EXAMPLE) }
        }
    }
}
