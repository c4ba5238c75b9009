//! Bindings: components whose state follows a deployment's executions or a pipeline's runs.
//!
//! A run that fails is reported as a monitor would report it, by the same rules. A later one that
//! succeeds takes the component out of the incident that the failure put it in, unless a person has
//! touched that incident: then it is theirs to end.
//!
//! The public is told that a run failed. What went wrong in it names addresses and programs of the
//! inside: it is kept with the binding for operators, and published only where they ask for that.

use super::TENANT;
use super::components::Component;
use super::events::{self, EventRef, NewUpdate, SYSTEM, is_insider};
use super::reports::{self, Report};
use super::signals;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// The longest error that a binding keeps and an update repeats, in characters.
const ERROR: usize = 300;

windlass_core::named_enum! {
    /// What kind of thing a component is bound to.
    pub enum SubjectKind {
        /// A Conductor deployment.
        Deployment = "deployment",
        /// An Opsera pipeline.
        Pipeline = "pipeline",
    }
}

/// What a component can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A Conductor deployment, and the workflow that was run on it.
    Deployment {
        /// The tenant that the deployment is in.
        tenant: &'a str,
        /// The deployment's id.
        id: &'a str,
        /// The workflow that was run, for the text of an update.
        workflow: &'a str,
    },
    /// An Opsera pipeline.
    Pipeline {
        /// The pipeline's id.
        id: &'a str,
    },
}

impl<'a> Subject<'a> {
    /// Kind, tenant, and id, as the table has them.
    const fn key(self) -> (SubjectKind, &'a str, &'a str) {
        match self {
            Self::Deployment { tenant, id, .. } => (SubjectKind::Deployment, tenant, id),
            Self::Pipeline { id } => (SubjectKind::Pipeline, "", id),
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
    /// The run ended well.
    Succeeded,
    /// The run ended with this error.
    Failed(&'a str),
}

/// A binding as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The number of the component that is bound.
    pub component_id: i64,
    /// What it follows.
    #[serde(rename = "type")]
    pub kind: SubjectKind,
    /// The tenant of a deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_name: Option<String>,
    /// The deployment's or the pipeline's id.
    pub id: String,
    /// How bad a failure is, 1 to 3.
    pub impact: i64,
    /// Whether the public reads what went wrong.
    pub publish_errors: bool,
    /// What went wrong in the last run; none when it went well.
    pub last_error: Option<String>,
    /// When it was bound.
    pub created_at: Timestamp,
    /// Who bound it.
    pub created_by: String,
    /// The open incident that the last failure led to.
    pub incident_id: Option<i64>,
    /// When the last run ended that was told.
    #[serde(skip_serializing)]
    run_ended_at: Option<Timestamp>,
}

/// A binding of `status_bindings` as JSON, which [`Binding`] is read from.
const JSON: &str = "json_object('component_id', component_id, 'type', kind,
    'tenant_name', nullif(tenant_name, ''), 'id', target, 'impact', impact,
    'publish_errors', json(iif(publish_errors, 'true', 'false')), 'last_error', last_error,
    'created_at', created_at, 'created_by', created_by, 'incident_id', incident_id,
    'run_ended_at', run_ended_at)";

/// The binding of a component. The public sees none.
///
/// # Errors
/// 404 when the component is not bound.
pub async fn find(db: &impl Db, scope: &Scope, component: i64) -> Result<Binding> {
    let sql = format!("select {JSON} from status_bindings where component_id = ?1 and ?2");
    let found = db
        .first_json(&sql, params![component, is_insider(scope)])
        .await?;
    found.ok_or_else(|| Error::not_found("Binding of the component", component))
}

/// What a failure of a bound component means for the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How bad it is, 1 to 3.
    pub impact: i64,
    /// Whether the public reads what went wrong.
    pub publish_errors: bool,
}

/// Binds a component, whatever it was bound to before. What ended before does not count.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    component: &Component,
    subject: Subject<'_>,
    failure: Failure,
    now: Timestamp,
) -> Result<()> {
    let (kind, tenant, target) = subject.key();
    tx.execute(
        "insert into status_bindings
             (component_id, kind, tenant_name, target, impact, created_at, created_by, run_ended_at,
              publish_errors)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?8)
         on conflict (component_id) do update set impact = excluded.impact,
             publish_errors = excluded.publish_errors, last_error = null,
             created_at = excluded.created_at, created_by = excluded.created_by,
             run_ended_at = excluded.run_ended_at,
             incident_id = iif((kind, tenant_name, target)
                 = (excluded.kind, excluded.tenant_name, excluded.target), incident_id, null),
             kind = excluded.kind, tenant_name = excluded.tenant_name, target = excluded.target",
        params![
            component.id,
            kind,
            tenant,
            target,
            failure.impact,
            now,
            scope.username(),
            failure.publish_errors
        ],
    )
    .await?;
    let target = component.id.to_string();
    audit::insert(tx, scope, "status_binding_set", "Component", &target).await
}

/// Ends a binding. An incident that it opened stays as it is.
pub async fn delete(tx: &impl Tx, scope: &Scope, binding: &Binding) -> Result<()> {
    tx.execute(
        "delete from status_bindings where component_id = ?1",
        params![binding.component_id],
    )
    .await?;
    let target = binding.component_id.to_string();
    audit::insert(tx, scope, "status_binding_delete", "Component", &target).await
}

/// How a run of a deployment ended, as the trigger on `executions` writes it.
#[derive(Deserialize)]
struct DeploymentRun {
    tenant: String,
    deployment: String,
    workflow: String,
    error: Option<String>,
    at: Timestamp,
}

/// Does what a row about an ended execution says.
pub(crate) async fn run_queued(tx: &impl Tx, payload: &Value) -> Result<()> {
    let run = DeploymentRun::deserialize(payload).map_err(Error::internal)?;
    let subject = Subject::Deployment {
        tenant: &run.tenant,
        id: &run.deployment,
        workflow: &run.workflow,
    };
    let outcome = match &run.error {
        Some(error) => Outcome::Failed(error),
        None => Outcome::Succeeded,
    };
    run_ended(tx, subject, outcome, run.at).await
}

/// Tells the components bound to a subject how its run ended at `at`. Runs that are told out of their
/// order, or again, change nothing.
pub async fn run_ended(
    tx: &impl Tx,
    subject: Subject<'_>,
    outcome: Outcome<'_>,
    at: Timestamp,
) -> Result<()> {
    let (kind, tenant, target) = subject.key();
    let sql = format!(
        "select json_group_array(json(binding)) from (
             select {JSON} as binding from status_bindings
             where kind = ?1 and tenant_name = ?2 and target = ?3 order by component_id)"
    );
    let found: Option<Vec<Binding>> = tx.first_json(&sql, params![kind, tenant, target]).await?;
    for binding in found.unwrap_or_default() {
        // The table has milliseconds, so what is compared with it must not be finer.
        let is_told = |last: Timestamp| last.millis() >= at.millis();
        if binding.run_ended_at.is_some_and(is_told) {
            continue;
        }
        let incident = match outcome {
            Outcome::Failed(error) => failed(tx, &binding, subject, error).await?,
            Outcome::Succeeded => {
                let_go(tx, &binding).await?;
                succeeded(tx, &binding, subject).await?;
                None
            }
        };
        let error = match outcome {
            Outcome::Failed(error) => Some(shortened(error, ERROR)),
            Outcome::Succeeded => None,
        };
        tx.execute(
            "update status_bindings set run_ended_at = ?2, incident_id = ?3, last_error = ?4
             where component_id = ?1",
            params![binding.component_id, at, incident, error],
        )
        .await?;
    }
    Ok(())
}

/// Forgets which incident the component is in because of the binding: it is no reason any more.
async fn let_go(tx: &impl Tx, binding: &Binding) -> Result<()> {
    tx.execute(
        "update status_bindings set incident_id = null where component_id = ?1",
        params![binding.component_id],
    )
    .await
}

/// Reports a failure. Answers the incident that the component is in because of it.
async fn failed(
    tx: &impl Tx,
    binding: &Binding,
    subject: Subject<'_>,
    error: &str,
) -> Result<Option<i64>> {
    let scope = Scope::system(&binding.created_by, TENANT);
    let component = binding.component_id;
    let was_in = signals::open_incident_of(tx, component).await?;
    let was_ours = match was_in {
        Some(incident) => signals::is_held(tx, component, incident).await?,
        None => true,
    };
    let title = shortened(&format!("{} failed", subject.described()), 200);
    let report = Report {
        subject: reports::Subject::Id(binding.component_id),
        impact: binding.impact,
        text: &title,
    };
    let incident = match reports::report(tx, &scope, &report).await {
        Ok(reports::Outcome::Taken(incident)) => incident,
        Ok(reports::Outcome::UnderMaintenance(_)) => return Ok(was_in.filter(|_| was_ours)),
        Ok(reports::Outcome::Known { .. }) => return Ok(was_in.filter(|_| was_ours)),
        // Components that are retired cannot be reported.
        Err(refusal) if refusal.kind() == windlass_core::Kind::BadParameters => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = format!("{} failed", subject.described());
    let error = shortened(error, ERROR);
    if binding.publish_errors && !error.is_empty() {
        text.push_str(": ");
        text.push_str(&error);
    }
    let event = events::find(tx, &Scope::engine(), incident).await?;
    tell(tx, &event.reference, &text, &binding.created_by).await?;
    if let Some(from) = was_in
        && was_ours
    {
        signals::follow(tx, component, from, incident).await?;
    }
    Ok(was_ours.then_some(incident))
}

/// Takes the component out of the incident that a failure put it in, unless a signal says that it still is
/// not well.
async fn succeeded(tx: &impl Tx, binding: &Binding, subject: Subject<'_>) -> Result<()> {
    let Some(incident) = binding.incident_id else {
        return Ok(());
    };
    let component = binding.component_id;
    if signals::is_held(tx, component, incident).await? {
        return Ok(());
    }
    let why = format!("{} succeeded", subject.described());
    let scope = Scope::system(&binding.created_by, TENANT);
    let now = Timestamp::now();
    signals::take_out(tx, &scope, component, incident, Some(&why), now).await
}

async fn tell(tx: &impl Tx, event: &EventRef, text: &str, by: &str) -> Result<()> {
    let now = Timestamp::now();
    let update = NewUpdate {
        status: SYSTEM,
        text,
        is_markup: false,
        at: now,
    };
    events::add_update(tx, event, &update, by, now).await
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
