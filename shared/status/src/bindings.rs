//! Bindings: components whose state follows a deployment's executions or a pipeline's runs.
//!
//! A run that fails is reported as a monitor would report it, by the same rules. A later one that
//! succeeds takes the component out of the incident that the failure put it in, unless a person has
//! touched that incident: then it is theirs to end.

use super::incidents::{self, NewUpdate, SYSTEM};
use super::reports::{self, Report};
use super::{TENANT, components::Component};
use serde::Serialize;
use serde_json::Value;
use windlass_core::db::{Db, Row};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// An execution of a bound deployment ended: queued by a trigger on `executions`. Subject: its id and
/// the time.
pub const RUN: &str = "status_run";

/// The longest error that an update repeats, in characters.
const ERROR: usize = 300;

/// What a component can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A Conductor deployment, and the workflow that was run on it.
    Deployment {
        /// Its tenant.
        tenant: &'a str,
        /// Its id.
        id: &'a str,
        /// The workflow.
        workflow: &'a str,
    },
    /// An Opsera pipeline.
    Pipeline {
        /// Its id.
        id: &'a str,
    },
}

impl<'a> Subject<'a> {
    /// Kind, tenant, and id, as the table has them.
    const fn key(self) -> (&'static str, &'a str, &'a str) {
        match self {
            Self::Deployment { tenant, id, .. } => ("deployment", tenant, id),
            Self::Pipeline { id } => ("pipeline", "", id),
        }
    }

    /// What is told of it, such as `Workflow install of the deployment shop`.
    fn described(self) -> String {
        match self {
            Self::Deployment { id, workflow, .. } => {
                format!("Workflow {workflow} of the deployment {id}")
            }
            Self::Pipeline { id } => format!("A run of the pipeline {id}"),
        }
    }
}

/// How a run ended. One that was cancelled says nothing about its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Well.
    Succeeded,
    /// With an error.
    Failed(&'a str),
}

/// A binding as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Binding {
    /// The component.
    pub component_id: i64,
    /// `deployment` or `pipeline`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The tenant of a deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    /// The deployment's or the pipeline's id.
    pub id: String,
    /// How bad a failure is, 1 to 3.
    pub impact: i64,
    /// When it was made.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// The open incident that the last failure led to.
    pub incident_id: Option<i64>,
    #[serde(skip)]
    run_ended_at: Option<String>,
}

const COLUMNS: &str = "component_id, kind, tenant_name, target, impact, created_at, created_by,
    incident_id, run_ended_at";

fn from_row(row: &Row) -> Result<Binding> {
    let tenant = row.text(2)?;
    Ok(Binding {
        component_id: row.integer(0)?,
        kind: row.text(1)?.to_owned(),
        tenant_name: (!tenant.is_empty()).then(|| tenant.to_owned()),
        id: row.text(3)?.to_owned(),
        impact: row.integer(4)?,
        created_at: row.text(5)?.to_owned(),
        created_by: row.text(6)?.to_owned(),
        incident_id: row.optional_integer(7)?,
        run_ended_at: row.optional_text(8)?.map(str::to_owned),
    })
}

/// The binding of a component.
///
/// # Errors
/// 404 when the component is not bound.
pub async fn find(db: &impl Db, component: i64) -> Result<Binding> {
    let sql = format!("select {COLUMNS} from status_bindings where component_id = ?1");
    match db.first(&sql, params![component]).await? {
        Some(row) => from_row(&row),
        None => Err(Error::not_found("Binding of the component", component)),
    }
}

/// Binds a component, whatever it was bound to before. What ended before does not count.
pub async fn save(
    db: &impl Db,
    scope: &Scope,
    component: i64,
    subject: Subject<'_>,
    impact: i64,
    now: Timestamp,
) -> Result<()> {
    let (kind, tenant, target) = subject.key();
    db.execute(
        "insert into status_bindings
             (component_id, kind, tenant_name, target, impact, created_at, created_by, run_ended_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6)
         on conflict (component_id) do update set impact = excluded.impact,
             created_at = excluded.created_at, created_by = excluded.created_by,
             run_ended_at = excluded.run_ended_at,
             incident_id = iif((kind, tenant_name, target)
                 = (excluded.kind, excluded.tenant_name, excluded.target), incident_id, null),
             kind = excluded.kind, tenant_name = excluded.tenant_name, target = excluded.target",
        params![
            component,
            kind,
            tenant,
            target,
            impact,
            now,
            scope.username()
        ],
    )
    .await?;
    let component = component.to_string();
    audit::insert(db, scope, "status_binding_set", "Component", &component).await
}

/// Ends the binding of a component. An incident that it opened stays as it is.
///
/// # Errors
/// 404 when the component is not bound.
pub async fn delete(db: &impl Db, scope: &Scope, component: i64) -> Result<()> {
    let sql = "delete from status_bindings where component_id = ?1 returning component_id";
    if db.first(sql, params![component]).await?.is_none() {
        return Err(Error::not_found("Binding of the component", component));
    }
    let component = component.to_string();
    audit::insert(db, scope, "status_binding_delete", "Component", &component).await
}

/// Does what a row of the kind [`RUN`] says.
pub async fn run_queued(db: &impl Db, payload: &Value) -> Result<()> {
    let text = |name: &str| payload[name].as_str().unwrap_or_default();
    let subject = Subject::Deployment {
        tenant: text("tenant"),
        id: text("deployment"),
        workflow: text("workflow"),
    };
    let outcome = match payload["error"].as_str() {
        Some(error) => Outcome::Failed(error),
        None => Outcome::Succeeded,
    };
    let at = Timestamp::parse("at", text("at"))?;
    run_ended(db, subject, outcome, at).await
}

/// Tells the components bound to a subject how its run ended at `at`. Runs that are told out of their
/// order, or again, change nothing. To be called inside a transaction.
pub async fn run_ended(
    db: &impl Db,
    subject: Subject<'_>,
    outcome: Outcome<'_>,
    at: Timestamp,
) -> Result<()> {
    let (kind, tenant, target) = subject.key();
    let sql = format!(
        "select {COLUMNS} from status_bindings
         where kind = ?1 and tenant_name = ?2 and target = ?3 order by component_id"
    );
    let rows = db.query(&sql, params![kind, tenant, target]).await?;
    for row in &rows {
        let binding = from_row(row)?;
        if binding
            .run_ended_at
            .as_deref()
            .is_some_and(|last| last >= at.to_string().as_str())
        {
            continue;
        }
        let incident = match outcome {
            Outcome::Failed(error) => failed(db, &binding, subject, error).await?,
            Outcome::Succeeded => {
                succeeded(db, &binding, subject).await?;
                None
            }
        };
        db.execute(
            "update status_bindings set run_ended_at = ?2, incident_id = ?3 where component_id = ?1",
            params![binding.component_id, at, incident],
        )
        .await?;
    }
    Ok(())
}

/// Reports a failure. Answers the incident that the component is in because of it.
async fn failed(
    db: &impl Db,
    binding: &Binding,
    subject: Subject<'_>,
    error: &str,
) -> Result<Option<i64>> {
    let scope = Scope::system(&binding.created_by, TENANT);
    let was_in = open_incident_of(db, binding.component_id).await?;
    let was_ours = was_in.is_none() || was_in == binding.incident_id;
    let title = shortened(&format!("{} failed", subject.described()), 200);
    let report = Report {
        subject: reports::Subject::Id(binding.component_id),
        impact: binding.impact,
        text: &title,
    };
    let incident = match reports::report(db, &scope, &report).await {
        Ok(reports::Outcome::Taken(incident)) => incident,
        Ok(reports::Outcome::UnderMaintenance(_)) => return Ok(None),
        Ok(reports::Outcome::Known { .. }) => return Ok(was_in.filter(|_| was_ours)),
        // Components that are retired cannot be reported.
        Err(refusal) if refusal.kind() == windlass_core::Kind::BadParameters => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = format!("{} failed", subject.described());
    let error = shortened(error, ERROR);
    if !error.is_empty() {
        text.push_str(": ");
        text.push_str(&error);
    }
    tell(db, incident, &text, &binding.created_by).await?;
    Ok(was_ours.then_some(incident))
}

/// Takes the component out of the incident that a failure put it in, and ends the incident when it
/// was the last one in it.
async fn succeeded(db: &impl Db, binding: &Binding, subject: Subject<'_>) -> Result<()> {
    let Some(incident) = binding.incident_id else {
        return Ok(());
    };
    let now = Timestamp::now();
    let row = db
        .first(
            "select (select count(*) from status_incident_components o
                     where o.incident_id = i.id and o.component_id <> ?2)
             from status_incidents i join status_incident_components x on x.incident_id = i.id
             where i.id = ?1 and x.component_id = ?2 and i.is_system and i.ended_at is null",
            params![incident, binding.component_id],
        )
        .await?;
    let Some(row) = row else { return Ok(()) };
    let described = subject.described();
    if row.integer(0)? == 0 {
        let text = format!("{described} succeeded. Closed by system");
        tell(db, incident, &text, &binding.created_by).await?;
        incidents::close(db, incident, now, now).await?;
    } else {
        let sql = format!(
            "select {} from status_components c where c.id = ?1",
            Component::COLUMNS
        );
        let row = db.first(&sql, params![binding.component_id]).await?;
        let component = row
            .as_ref()
            .map(Component::from_row)
            .transpose()?
            .ok_or_else(|| Error::internal("a binding is of a component"))?;
        let text = format!(
            "{described} succeeded. {} left the incident",
            component.label()
        );
        tell(db, incident, &text, &binding.created_by).await?;
        incidents::remove_component(db, incident, binding.component_id).await?;
    }
    let scope = Scope::system(&binding.created_by, TENANT);
    let id = incident.to_string();
    audit::insert(db, &scope, "status_report", "Incident", &id).await
}

async fn open_incident_of(db: &impl Db, component: i64) -> Result<Option<i64>> {
    let row = db
        .first(
            "select i.id from status_incidents i
             join status_incident_components x on x.incident_id = i.id
             where x.component_id = ?1 and i.ended_at is null and i.kind = 'incident'
                 and i.is_system order by i.id limit 1",
            params![component],
        )
        .await?;
    row.map(|row| row.integer(0)).transpose()
}

async fn tell(db: &impl Db, incident: i64, text: &str, by: &str) -> Result<()> {
    let now = Timestamp::now();
    let update = NewUpdate {
        status: SYSTEM,
        text,
        is_markup: false,
        at: now,
    };
    incidents::add_update(db, incident, &update, by, now)
        .await
        .map(drop)
}

/// A text on one line, cut where it is longer than so many characters.
fn shortened(text: &str, characters: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= characters {
        return text;
    }
    let mut short: String = text.chars().take(characters.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests;
