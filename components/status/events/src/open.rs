//! `POST /events`: people open incidents and plan maintenances, monitors report incidents.

use crate::fields;
use crate::roles::{self, Role};
use crate::templates;
use serde_json::json;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Response, Result, Scope, Timestamp, platform};
use windlass_status::components::list;
use windlass_status::events::{self, EventKind, NewEvent, Opened, Placed};
use windlass_status::lifecycle::{
    check_contact, check_description, check_new, check_system_title, check_title,
};
use windlass_status::reports::{self, Outcome, Report, Subject};

/// `POST /events`: tell of something new, perhaps by a template. Answers where each of its components is told of now.
pub async fn open(ctx: &Context<impl Db>) -> Result<Response> {
    let (scope, role) = roles::reporter(ctx)?;
    let body = templates::filled(ctx, &scope).await?;
    let is_system = body.boolean("system")?.unwrap_or(false);
    if role == Role::Reporter && !is_system {
        return Err(Error::forbidden(
            "monitors may create system incidents only",
        ));
    }
    let now = Timestamp::now();
    let components = fields::components(&body)?;
    let new = read(&body, &components, is_system, now)?;
    if is_system {
        return report(ctx, &scope, &new).await;
    }
    let opened = ctx
        .db
        .transaction(async |tx| {
            // Whoever had to wait for others begins after them.
            let now = Timestamp::now();
            events::open(tx, &scope, &new, role == Role::Operator, now).await
        })
        .await?;
    match opened {
        Opened::Taken(placed) => {
            if new.kind != EventKind::Incident && new.started_at <= now {
                platform::nudge();
            }
            answer(200, &placed)
        }
        Opened::UnderMaintenance(placed) => answer(409, &placed),
    }
}

/// What the body says, checked in the order that the API documents.
fn read<'b>(
    body: &'b Body,
    components: &'b [i64],
    is_system: bool,
    now: Timestamp,
) -> Result<NewEvent<'b>> {
    let title = body.required_text("title")?;
    let kind = EventKind::named(body.required_text("type")?).ok_or_else(|| {
        Error::bad_parameters("event type is invalid, must be 'maintenance' 'info' or 'incident'")
    })?;
    let impact = fields::required_integer(body, "impact")?;
    let start = fields::time(body, "start_date")?.ok_or_else(|| Error::missing("start_date"))?;
    let ended_at = fields::time(body, "end_date")?;
    let description = body.filled_text("description")?;
    let contact_email = body.filled_text("contact_email")?;
    if is_system {
        if kind != EventKind::Incident {
            return Err(Error::bad_parameters(
                "system incident must be of type 'incident'",
            ));
        }
        check_system_title(title)?;
    } else {
        check_title(title)?;
    }
    check_description(kind, description)?;
    let started_at = check_new(kind, impact, start, ended_at, now)?;
    check_contact(kind, contact_email)?;
    if body
        .list("updates")?
        .is_some_and(|updates| !updates.is_empty())
    {
        return Err(Error::bad_parameters("event updates should be empty"));
    }
    Ok(NewEvent {
        kind,
        title: title.trim(),
        description,
        impact,
        started_at,
        ended_at,
        contact_email,
        components,
    })
}

/// What a monitor says of several components is taken as its reports on each.
async fn report(ctx: &Context<impl Db>, scope: &Scope, new: &NewEvent<'_>) -> Result<Response> {
    let placed = ctx
        .db
        .transaction(async |tx| {
            list::find_all(tx, new.components).await?;
            let mut placed = Vec::with_capacity(new.components.len());
            for component in new.components.iter().copied() {
                let report = Report {
                    subject: Subject::Id(component),
                    impact: new.impact,
                    text: new.title,
                };
                placed.push(match reports::report(tx, scope, &report).await? {
                    Outcome::Taken(id) => Placed::on(component, id),
                    Outcome::Known { incident, .. } => Placed::on(component, incident),
                    Outcome::UnderMaintenance(id) => Placed::under_maintenance(component, id),
                });
            }
            Ok(placed)
        })
        .await?;
    // The others are told of all the same.
    let is_refused = placed.iter().any(|placed| placed.error.is_some());
    answer(if is_refused { 409 } else { 200 }, &placed)
}

fn answer(status: u16, placed: &[Placed]) -> Result<Response> {
    Response::json(status, &json!({ "result": placed }))
}
