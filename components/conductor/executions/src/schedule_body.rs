//! What clients say about schedules, read and checked in the documented order.

use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::{Body, Error, Kind, Result, Scope, Timestamp, ids};
use windlass_recurrence::{Calendar, Rule};
use windlass_store::deployments::Owner;
use windlass_store::execution_schedules::{Arguments, NewSchedule, Schedule};
use windlass_store::executions::{self, Execution};
use windlass_store::resource::Origin;

/// The most minutes that an occurrence may be late: a year.
const SLIP: i64 = 366 * 24 * 60;

/// A schedule that somebody wants; what depends on its deployment is not checked yet.
#[derive(Clone, Debug)]
pub struct Wanted {
    id: String,
    /// The workflow.
    pub workflow_id: String,
    created_by: String,
    created_at: Timestamp,
    parameters: Map<String, Value>,
    arguments: Arguments,
    body: Body,
}

/// Reads the body of a new schedule.
///
/// # Errors
/// 400 for what is missing or of the wrong type, 403 for an origin that the caller may not name.
pub async fn read(db: &impl Db, scope: &Scope, id: &str, body: &Body) -> Result<Wanted> {
    let workflow_id = body.required_text("workflow_id")?.to_owned();
    // Periods are counted from somewhere; an RRULE says all but that itself.
    if body.filled_text("rrule")?.is_none() {
        body.required_text("since")?;
    }
    let arguments = arguments(&body.inside("execution_arguments")?)?;
    let parameters = body.object("parameters")?.cloned().unwrap_or_default();
    let origin = Origin::read(db, scope, body).await?;
    Ok(Wanted {
        id: id.to_owned(),
        workflow_id,
        created_by: origin.created_by(scope).to_owned(),
        created_at: origin.created_at(),
        parameters,
        arguments,
        body: body.clone(),
    })
}

impl Wanted {
    /// The schedule with its times, its rule and its next occurrence after `now`.
    ///
    /// # Errors
    /// 400 for times and rules that are none, and for a rule that never occurs.
    pub fn schedule(self: &Wanted, now: Timestamp) -> Result<NewSchedule> {
        let body = &self.body;
        let since = time(body, "since")?.unwrap_or(self.created_at);
        let until = time(body, "until")?;
        let rule = Rule::read(body, None)?;
        let calendar = Calendar::new(&rule, since, until)?;
        Ok(NewSchedule {
            id: self.id.clone(),
            created_by: self.created_by.clone(),
            created_at: self.created_at,
            workflow_id: self.workflow_id.clone(),
            parameters: self.parameters.clone(),
            arguments: self.arguments.clone(),
            rule: Value::from(&rule),
            slip: slip(body)?.unwrap_or(0),
            stop_on_fail: body.boolean("stop_on_fail")?.unwrap_or(false),
            enabled: body.boolean("enabled")?.unwrap_or(true),
            since,
            until,
            next_occurrence: calendar.next_after(now),
        })
    }
}

/// The schedule of something that is to start once, later.
pub fn once(
    workflow_id: &str,
    parameters: &Map<String, Value>,
    arguments: Arguments,
    origin: (&str, Timestamp),
    at: Timestamp,
) -> NewSchedule {
    NewSchedule {
        id: format!("{workflow_id}_{}", ids::new_uuid().replace('-', "")),
        created_by: origin.0.to_owned(),
        created_at: origin.1,
        workflow_id: workflow_id.to_owned(),
        parameters: parameters.clone(),
        arguments,
        rule: Value::from(&Rule::once()),
        slip: 0,
        stop_on_fail: false,
        enabled: true,
        since: at,
        until: None,
        next_occurrence: Some(at),
    }
}

/// What an update says.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Another workflow.
    pub workflow_id: Option<String>,
    rule: Rule,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    slip: Option<i64>,
    stop_on_fail: Option<bool>,
    enabled: Option<bool>,
}

impl Changes {
    /// Reads the body of an update of a schedule.
    ///
    /// # Errors
    /// 400 for what is of the wrong type or no rule.
    pub fn read(body: &Body, schedule: &Schedule) -> Result<Self> {
        let stored: Rule =
            serde_json::from_value(schedule.rule.clone()).map_err(Error::internal)?;
        Ok(Self {
            workflow_id: body.filled_text("workflow_id")?.map(str::to_owned),
            since: time(body, "since")?,
            until: time(body, "until")?,
            rule: Rule::read(body, Some(&stored))?,
            slip: slip(body)?,
            stop_on_fail: body.boolean("stop_on_fail")?,
            enabled: body.boolean("enabled")?,
        })
    }

    /// The schedule as it is then.
    ///
    /// # Errors
    /// 400 for a rule that never occurs.
    pub fn over(self, schedule: Schedule, now: Timestamp) -> Result<Schedule> {
        let since = self.since.unwrap_or(schedule.since);
        let until = self.until.or(schedule.until);
        let calendar = Calendar::new(&self.rule, since, until)?;
        Ok(Schedule {
            workflow_id: self.workflow_id.unwrap_or(schedule.workflow_id),
            rule: Value::from(&self.rule),
            slip: self.slip.unwrap_or(schedule.slip),
            stop_on_fail: self.stop_on_fail.unwrap_or(schedule.stop_on_fail),
            enabled: self.enabled.unwrap_or(schedule.enabled),
            since,
            until,
            next_occurrence: calendar.next_after(now),
            ..schedule
        })
    }
}

/// Demands that a deployment has a workflow.
///
/// # Errors
/// 400.
pub async fn demand_workflow(tx: &impl Tx, owner: &Owner, workflow_id: &str) -> Result<()> {
    let execution = Execution {
        deployment_key: Some(owner.key),
        workflow_id: workflow_id.to_owned(),
        ..Execution::default()
    };
    match executions::workflow(tx, &execution).await? {
        Some(_) => Ok(()),
        None => Err(Error::new(
            Kind::NonexistentWorkflow,
            format!(
                "Workflow {workflow_id} does not exist in the deployment {}",
                owner.id
            ),
        )),
    }
}

/// What is kept of the arguments of the executions: a dry run has two names.
fn arguments(given: &Body) -> Result<Arguments> {
    let flag = |name: &str| Ok::<_, Error>(given.flag(name)?.unwrap_or(false));
    Ok(Arguments {
        allow_custom_parameters: flag("allow_custom_parameters")?,
        force: flag("force")?,
        is_dry_run: flag("dry_run")? || flag("is_dry_run")?,
        wait_after_fail: number(given, "wait_after_fail")?
            .unwrap_or(Arguments::default().wait_after_fail),
    })
}

/// A time with or without a zone; without one it is UTC.
fn time(body: &Body, name: &str) -> Result<Option<Timestamp>> {
    let text = body.filled_text(name)?;
    text.map(|text| Timestamp::parse(name, text)).transpose()
}

fn slip(body: &Body) -> Result<Option<i64>> {
    match number(body, "slip")? {
        Some(minutes) if !(0..=SLIP).contains(&minutes) => Err(Error::bad_parameters(format!(
            "slip must be a number of minutes from 0 to {SLIP}, got {minutes}"
        ))),
        minutes => Ok(minutes),
    }
}

/// A whole number, which command lines send as text.
fn number(body: &Body, name: &str) -> Result<Option<i64>> {
    match body.get(name) {
        Some(Value::String(text)) => match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Error::bad_parameters(format!(
                "{name} must be an integer, got {text}"
            ))),
        },
        _ => body.integer(name),
    }
}
