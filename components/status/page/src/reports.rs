//! `POST /api/v1/component_status`: what monitors report.

mod request;

use request::Posted;
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Response, Result, Scope};
use windlass_status::TENANT;
use windlass_status::events::{BAD, monitor_list};
use windlass_status::reports::{self, Outcome, Report, Subject};

/// `POST /api/v1/component_status`: a component is not well. Answers the incident that it is on now.
pub async fn report(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = reporter(ctx)?;
    let posted = Posted::read(&ctx.request)?;
    // A maintenance is announced by people.
    if !BAD.contains(&posted.impact) {
        return Err(Error::bad_parameters(
            "Incident impact is not allowed by configuration",
        ));
    }
    let report = Report {
        subject: Subject::Named(&posted.name, &posted.attributes),
        impact: posted.impact,
        text: &posted.text,
    };
    match reports::report(&ctx.db, &scope, &report).await? {
        Outcome::Taken(id) | Outcome::UnderMaintenance(id) => {
            let incident = monitor_list::find_json(&ctx.db, &scope, id).await?;
            Ok(Response::json_text(201, incident))
        }
        // The odd wording is the original's, which clients compare.
        Outcome::Known {
            incident,
            title,
            component,
        } => Err(
            Error::conflict("Incident with this the component already exists")
                .extra("targetComponent", component)
                .extra("existingIncidentId", incident)
                .extra("existingIncidentTitle", title)
                .extra("details", "Check your request parameters"),
        ),
    }
}

/// Monitors report by what they signed, people and their tools by a permission.
fn reporter(ctx: &Context<impl Db>) -> Result<Scope> {
    match ctx.caller()?.monitor() {
        Some(_) => ctx.allow_everybody(),
        None => ctx.allow_in(TENANT, Permission::StatusReport),
    }
}
