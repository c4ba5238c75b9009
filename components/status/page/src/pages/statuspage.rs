//! `/api/v2/summary.json` and `/api/v2/status.json`: the status page in the form of Statuspage's API, which
//! dashboards, chat bots and browser extensions read.
//!
//! Its words are fewer: an impact is `minor`, `major` or `critical` there, and of a component that is partly
//! down it says `partial_outage`.

use super::home::headline;
use super::page_cache::remembered;
use crate::view;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Response, Result, Scope, Timestamp};
use windlass_delivery::public_url;
use windlass_status::notices::texts;
use windlass_status::overview::{self, Current, Event, Listed, Stage, State};

/// What the page is called where every object names its page.
const PAGE: &str = "windlass";

/// `GET /api/v2/summary.json`: the page, how it is, its components, open incidents, and maintenances that
/// are planned or under way. Pages of any origin may read it.
pub async fn summary(ctx: &Context<impl Db>) -> Result<Response> {
    remembered(ctx, "statuspage summary".to_owned(), async |now| {
        let components = overview::components(&ctx.db).await?;
        let current = overview::current(&ctx.db, &Scope::public(), now).await?;
        let base = public_url().await;
        let scheduled = current.maintenances.iter().chain(&current.planned);
        let scheduled = scheduled.filter(|event| event.state().is_some());
        answer(&json!({
            "page": page(&base, now),
            "status": status(&current),
            "components": shown(&components, &current, now),
            "incidents": current.incidents.iter()
                .map(|event| incident(event, &components, &base, now)).collect::<Vec<_>>(),
            "scheduled_maintenances": scheduled
                .map(|event| maintenance(event, &components, &base, now)).collect::<Vec<_>>(),
        }))
    })
    .await
}

/// `GET /api/v2/status.json`: how everything is, alone.
pub async fn status_only(ctx: &Context<impl Db>) -> Result<Response> {
    remembered(ctx, "statuspage status".to_owned(), async |now| {
        let current = overview::current(&ctx.db, &Scope::public(), now).await?;
        let base = public_url().await;
        answer(&json!({ "page": page(&base, now), "status": status(&current) }))
    })
    .await
}

fn answer(body: &Value) -> Result<Response> {
    Ok(Response::json(200, body)?
        .header("cache-control", "no-cache")
        .header("x-content-type-options", "nosniff")
        .header("access-control-allow-origin", "*"))
}

fn page(base: &str, now: Timestamp) -> Value {
    json!({ "id": PAGE, "name": view::brand::brand().name, "url": format!("{base}/status"),
        "time_zone": "Etc/UTC", "updated_at": now })
}

fn status(current: &Current) -> Value {
    let indicator = match current.overall() {
        State::Available => "none",
        State::Maintenance => "maintenance",
        state => impact(state),
    };
    json!({ "indicator": indicator, "description": headline(current) })
}

/// How bad something is, in Statuspage's words.
const fn impact(state: State) -> &'static str {
    match state {
        State::Available => "none",
        State::Maintenance => "maintenance",
        State::Minor => "minor",
        State::Major => "major",
        State::Outage => "critical",
    }
}

/// How a component is, in Statuspage's words.
const fn word(state: State) -> &'static str {
    match state {
        State::Available => "operational",
        State::Maintenance => "under_maintenance",
        State::Minor => "degraded_performance",
        State::Major => "partial_outage",
        State::Outage => "major_outage",
    }
}

/// The components, each category before its own: a group is a component there too.
fn shown(components: &[Listed], current: &Current, now: Timestamp) -> Vec<Value> {
    let states = current.states();
    let state = |id: i64| states.get(&id).copied().unwrap_or(State::Available);
    let mut categories: Vec<&str> = Vec::new();
    for category in components.iter().filter_map(|c| c.category.as_deref()) {
        if !categories.contains(&category) {
            categories.push(category);
        }
    }
    let group_id = |category: &str| format!("group-{category}");
    let groups = categories.iter().enumerate().map(|(position, category)| {
        let members = || {
            components
                .iter()
                .filter(|c| c.category.as_deref() == Some(*category))
        };
        let worst = members().map(|c| state(c.id)).max();
        let ids: Vec<String> = members().map(|c| c.id.to_string()).collect();
        json!({ "id": group_id(category), "name": category, "group": true, "group_id": null,
            "status": word(worst.unwrap_or(State::Available)), "position": position + 1,
            "components": ids, "description": null, "page_id": PAGE, "showcase": false,
            "only_show_if_degraded": false, "start_date": null,
            "created_at": members().map(|c| c.created_at).min(), "updated_at": now })
    });
    let each = components.iter().enumerate().map(|(position, c)| {
        let place = [
            ("position", json!(position + 1)),
            ("group_id", json!(c.category.as_deref().map(group_id))),
        ];
        with(component(c, state(c.id), now), place)
    });
    groups.chain(each).collect()
}

fn component(listed: &Listed, state: State, now: Timestamp) -> Value {
    let name = match &listed.region {
        Some(region) => format!("{} ({region})", listed.name),
        None => listed.name.clone(),
    };
    json!({ "id": listed.id.to_string(), "name": name, "status": word(state), "group": false,
        "group_id": null, "position": null, "description": null, "page_id": PAGE, "showcase": true,
        "only_show_if_degraded": false, "start_date": listed.created_at.format("%Y-%m-%d"),
        "created_at": listed.created_at, "updated_at": now })
}

/// What incidents and maintenances have in common.
fn event(event: &Event, components: &[Listed], base: &str, word: &str, now: Timestamp) -> Value {
    let state = event.state().unwrap_or(State::Available);
    let affected: Vec<Value> = event
        .components
        .iter()
        .filter_map(|of| components.iter().find(|listed| listed.id == of.id))
        .map(|listed| component(listed, state, now))
        .collect();
    let id = event.id.to_string();
    let updates: Vec<Value> = event
        .updates
        .iter()
        .map(|update| {
            // What was made here is markup, and its tags are no text.
            let body = texts::plain(&update.text, update.is_markup);
            json!({ "id": format!("{id}-{}", update.at.millis()), "incident_id": id, "status": word,
                "body": body, "created_at": update.at, "display_at": update.at,
                "updated_at": update.at, "affected_components": null })
        })
        .collect();
    let updated = event
        .updates
        .first()
        .map_or(event.started_at, |update| update.at);
    json!({ "id": id, "name": event.title, "status": word, "impact": impact(state),
        "page_id": PAGE, "shortlink": format!("{base}/incidents/{id}"),
        "created_at": event.started_at, "started_at": event.started_at, "updated_at": updated,
        "monitoring_at": null, "resolved_at": null, "incident_updates": updates,
        "components": affected })
}

fn incident(of: &Event, components: &[Listed], base: &str, now: Timestamp) -> Value {
    let word = match of.status.as_str() {
        "fixing" => "identified",
        "observing" => "monitoring",
        "resolved" => "resolved",
        _ => "investigating",
    };
    event(of, components, base, word, now)
}

fn maintenance(of: &Event, components: &[Listed], base: &str, now: Timestamp) -> Value {
    let word = match of.stage(now) {
        Stage::Planned => "scheduled",
        Stage::Active => "in_progress",
        Stage::Over => "completed",
    };
    let times = [
        ("scheduled_for", json!(of.started_at)),
        ("scheduled_until", json!(of.ended_at)),
    ];
    with(event(of, components, base, word, now), times)
}

/// An object with these fields set.
fn with<const N: usize>(mut object: Value, fields: [(&str, Value); N]) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_status::events::EventKind;
    use windlass_status::overview::{Affected, Update};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse("at", text).unwrap()
    }

    fn listed(id: i64, name: &str, region: Option<&str>, category: Option<&str>) -> Listed {
        Listed {
            id,
            name: name.into(),
            region: region.map(str::to_owned),
            category: category.map(str::to_owned),
            attributes: Vec::new(),
            created_at: at("2026-01-01T00:00:00Z"),
        }
    }

    fn happening(kind: EventKind, impact: i64) -> Event {
        Event {
            id: 7,
            kind,
            title: "Slow disks".into(),
            description: None,
            impact,
            started_at: at("2026-05-01T10:00:00Z"),
            ended_at: None,
            status: "fixing".into(),
            components: vec![Affected {
                id: 2,
                name: "Volumes".into(),
                region: Some("EU".into()),
            }],
            updates: vec![Update {
                status: "fixing".into(),
                text: "A disk <b> is exchanged".into(),
                is_markup: false,
                at: at("2026-05-01T10:05:00Z"),
            }],
        }
    }

    #[test]
    fn incidents_and_components_are_told_in_the_words_of_statuspage() {
        let now = at("2026-05-01T11:00:00Z");
        let components = [
            listed(1, "Portal", None, None),
            listed(2, "Volumes", Some("EU"), Some("Storage")),
        ];
        let current = Current {
            incidents: vec![happening(EventKind::Incident, 3)],
            ..Current::default()
        };
        assert_eq!(status(&current)["indicator"], "critical");
        let shown = shown(&components, &current, now);
        let told: Vec<_> = shown
            .iter()
            .map(|c| (c["name"].as_str().unwrap(), c["status"].as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("Storage", "major_outage"),
                ("Portal", "operational"),
                ("Volumes (EU)", "major_outage")
            ]
        );
        assert_eq!(shown[2]["group_id"], shown[0]["id"]);
        let incident = incident(&current.incidents[0], &components, "https://s.example", now);
        assert_eq!(incident["status"], "identified");
        assert_eq!(incident["impact"], "critical");
        assert_eq!(incident["shortlink"], "https://s.example/incidents/7");
        assert_eq!(
            incident["incident_updates"][0]["body"],
            "A disk <b> is exchanged"
        );
        assert_eq!(incident["components"][0]["id"], "2");
    }

    #[test]
    fn maintenances_say_when_they_are() {
        let now = at("2026-04-01T11:00:00Z");
        let planned = Event {
            ended_at: Some(at("2026-05-01T12:00:00Z")),
            ..happening(EventKind::Maintenance, 0)
        };
        let told = maintenance(&planned, &[], "", now);
        assert_eq!(told["status"], "scheduled");
        assert_eq!(told["impact"], "maintenance");
        assert_eq!(told["scheduled_until"], "2026-05-01T12:00:00.000Z");
        let later = maintenance(&planned, &[], "", at("2026-05-01T11:00:00Z"));
        assert_eq!(later["status"], "in_progress");
        assert_eq!(status(&Current::default())["indicator"], "none");
    }
}
