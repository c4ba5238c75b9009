//! Events: the boxes that tell of them, their updates, and what they are on.

use super::markup;
use super::states::{Picture, icon, label};
use super::times::{moment, period};
use maud::{Markup, html};
use windlass_core::Timestamp;
use windlass_status::events::{EventKind, SYSTEM};
use windlass_status::overview::{Affected, Event, Stage, State, Update};

/// How many components a box names before it counts the rest.
const NAMED: usize = 6;

/// What an event is, in a picture and words.
fn kind(event: &Event, stage: Stage) -> (Picture, &'static str) {
    match (event.kind, stage) {
        (_, Stage::Over) if event.status == "cancelled" => (Picture::Over, "Cancelled"),
        (EventKind::Incident, stage) => {
            let state = State::of_impact(event.impact);
            let picture = if stage == Stage::Over {
                Picture::Over
            } else {
                Picture::Is(state)
            };
            (picture, label(state))
        }
        (EventKind::Maintenance, Stage::Planned) => (Picture::Planned, "Maintenance planned"),
        (EventKind::Maintenance, Stage::Active) => {
            (Picture::Is(State::Maintenance), "Maintenance under way")
        }
        (EventKind::Maintenance, Stage::Over) => (Picture::Over, "Maintenance"),
        (EventKind::Info, Stage::Over) => (Picture::Over, "Information"),
        (EventKind::Info, _) => (Picture::Information, "Information"),
    }
}

/// The class of an event's colour: what is over has none.
pub fn class(event: &Event, now: Timestamp) -> &'static str {
    kind(event, event.stage(now)).0.class()
}

/// A box that tells what an event is about, with a link to all of it. `level` is that of its heading.
pub fn article(event: &Event, now: Timestamp, level: u8) -> Markup {
    let title = html! { a href={ "/incidents/" (event.id) } { (event.title) } };
    html! {
        article.event.(class(event, now)) {
            @if level == 2 { h2 dir="auto" { (title) } } @else { h3 dir="auto" { (title) } }
            (facts(event, now, NAMED))
            // What an announcement is about; of an incident the latest news says more.
            @if let Some(description) = &event.description
                && (event.kind != EventKind::Incident || event.updates.is_empty())
            {
                p.latest dir="auto" { (description) }
            }
            @if let Some(update) = event.updates.first() {
                p.latest { (said(update)) }
            }
        }
    }
}

/// What an event is, what it is on, and since or until when; all of it when `named` is large.
pub fn facts(event: &Event, now: Timestamp, named: usize) -> Markup {
    let stage = event.stage(now);
    let (picture, words) = kind(event, stage);
    html! {
        p.facts {
            span.s.(picture.class()) { (icon(picture)) (words) }
            @if !event.components.is_empty() {
                span { span.k { "Affects " } (affected(&event.components, named)) }
            }
            span { (when(event, stage)) }
        }
    }
}

fn when(event: &Event, stage: Stage) -> Markup {
    html! {
        @match (stage, event.kind, event.ended_at) {
            (Stage::Over | Stage::Planned, _, Some(end)) => { (period(event.started_at, end)) }
            (Stage::Active, EventKind::Maintenance | EventKind::Info, Some(end)) => {
                span.k { "Until " } (moment(end))
            }
            (Stage::Planned, _, None) => { span.k { "From " } (moment(event.started_at)) }
            _ => { span.k { "Began " } (moment(event.started_at)) }
        }
    }
}

/// The names of components, each in its own direction; those of one name are one, with their regions.
pub fn affected(components: &[Affected], named: usize) -> Markup {
    let mut names: Vec<(&str, Vec<&str>)> = Vec::new();
    for component in components {
        let region = component.region.as_deref();
        match names.iter_mut().find(|(name, _)| *name == component.name) {
            Some((_, regions)) => regions.extend(region),
            None => names.push((&component.name, region.into_iter().collect())),
        }
    }
    let more = names.len().saturating_sub(named);
    html! {
        @for (place, (name, regions)) in names.iter().take(named).enumerate() {
            @if place > 0 { ", " }
            bdi { (name) }
            @for (place, region) in regions.iter().enumerate() {
                @if place == 0 { " (" } @else { ", " }
                bdi { (region) }
            }
            @if !regions.is_empty() { ")" }
        }
        @if more > 0 { " and " (more) " more" }
    }
}

/// Everything that was told about an event, the latest first.
pub fn updates(updates: &[Update]) -> Markup {
    html! {
        ol.updates {
            @for update in updates {
                li { (said(update)) }
            }
        }
    }
}

fn said(update: &Update) -> Markup {
    html! {
        span.when {
            b { (status(&update.status)) } " "
            (moment(update.at))
        }
        span.text dir="auto" { (markup::text(&update.text, update.is_markup)) }
    }
}

/// Where an event stands, in words.
pub fn status(name: &str) -> String {
    let words = match name {
        SYSTEM => "Automatic",
        "analysing" | "analyzing" => "Analysing",
        "fixing" => "Fixing",
        "observing" => "Observing",
        "resolved" => "Resolved",
        "in_progress" | "in progress" => "In progress",
        "impact_changed" | "impact changed" => "Impact changed",
        other => {
            let mut letters = other.replace('_', " ").chars().collect::<Vec<char>>();
            if let Some(first) = letters.first_mut() {
                *first = first.to_ascii_uppercase();
            }
            return letters.into_iter().collect();
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, region: Option<&str>) -> Affected {
        Affected {
            id: 1,
            name: name.into(),
            region: region.map(str::to_owned),
        }
    }

    #[test]
    fn components_of_one_name_are_told_once_with_their_regions() {
        let components = [
            component("Volumes", Some("EU-DE")),
            component("Portal", None),
            component("Volumes", Some("EU-NL")),
        ];
        assert_eq!(
            affected(&components, 6).into_string(),
            "<bdi>Volumes</bdi> (<bdi>EU-DE</bdi>, <bdi>EU-NL</bdi>), <bdi>Portal</bdi>"
        );
        assert_eq!(
            affected(&components, 1).into_string(),
            "<bdi>Volumes</bdi> (<bdi>EU-DE</bdi>, <bdi>EU-NL</bdi>) and 1 more"
        );
    }

    #[test]
    fn a_status_is_told_in_words() {
        for (name, want) in [
            ("SYSTEM", "Automatic"),
            ("in_progress", "In progress"),
            ("reopened", "Reopened"),
            ("<b>", "<b>"),
            ("", ""),
        ] {
            assert_eq!(status(name), want);
        }
    }
}
