//! What a start asks for, read and checked in the documented order.

use serde_json::{Map, Value};
use windlass_core::Body;
use windlass_core::db::Db;
use windlass_core::python;
use windlass_core::{Error, Permission, Result, Scope, Timestamp, ids};
use windlass_engine::start::StartRequest;
use windlass_store::executions::Status;
use windlass_store::resource::Origin;

/// The body of a start, checked.
#[derive(Clone, Debug, Default)]
pub struct StartBody {
    /// The deployment; empty for a restored system workflow.
    pub deployment_id: String,
    /// The workflow.
    pub workflow_id: String,
    /// Parameters over the defaults.
    pub parameters: Map<String, Value>,
    /// Whether parameters that are not declared are allowed.
    pub allow_custom_parameters: bool,
    /// Whether checks are passed over.
    pub force: bool,
    /// Whether operations are passed over.
    pub dry_run: bool,
    /// Whether it may wait for others.
    pub queue: bool,
    /// For how many seconds what runs is waited for after a failure.
    pub wait_after_fail: Option<i64>,
    /// When it is to start, if that is not now.
    pub scheduled_for: Option<Timestamp>,
    /// The status of a restored execution.
    pub force_status: Option<Status>,
    /// The id of a restored execution.
    pub id: Option<String>,
    /// The error of a restored execution.
    pub error: Option<String>,
    /// Whether a restored execution was one of the system's own.
    pub is_system_workflow: bool,
    /// Who is to have made it, and when.
    pub origin: Origin,
    /// When a restored execution started.
    pub started_at: Option<Timestamp>,
    /// When a restored execution ended.
    pub ended_at: Option<Timestamp>,
}

impl StartBody {
    /// Reads a body and demands the permissions for what only restoring takes.
    ///
    /// # Errors
    /// 400 for what is missing or not usable, 403 for what the caller may not say.
    pub async fn of(db: &impl Db, scope: &Scope, body: &Body) -> Result<Self> {
        let mut start = Self {
            deployment_id: body.required_text("deployment_id")?.to_owned(),
            workflow_id: body.required_text("workflow_id")?.to_owned(),
            allow_custom_parameters: body.flag("allow_custom_parameters")?.unwrap_or(false),
            force: body.flag("force")?.unwrap_or(false),
            dry_run: body.flag("dry_run")?.unwrap_or(false),
            queue: body.flag("queue")?.unwrap_or(false),
            wait_after_fail: body.integer("wait_after_fail")?,
            ..Self::default()
        };
        start.origin = Origin::read(db, scope, body).await?;
        start.demand_permissions(scope, body)?;
        start.read_restored(body)?;
        start.scheduled_for = scheduled_time(body, Timestamp::now())?;
        start.parameters = parameters(body)?;
        Ok(start)
    }

    /// What the engine is asked for.
    pub fn request(&self) -> StartRequest {
        let (created_by, created_at) = self.origin.clone().given();
        StartRequest {
            deployment_id: self.deployment_id.clone(),
            workflow_id: self.workflow_id.clone(),
            parameters: self.parameters.clone(),
            allow_custom_parameters: self.allow_custom_parameters,
            force: self.force,
            is_below: false,
            queue: self.queue,
            dry_run: self.dry_run,
            wait_after_fail: self.wait_after_fail,
            visibility: None,
            created_by,
            created_at,
            scheduled_for: None,
        }
    }

    fn demand_permissions(&self, scope: &Scope, body: &Body) -> Result<()> {
        let says = |names: &[&str]| names.iter().any(|name| body.get(name).is_some());
        if says(&["started_at", "ended_at"]) {
            scope.demand(Permission::SetTimestamp)?;
        }
        let details = ["force_status", "id", "error", "is_system_workflow"];
        if self.deployment_id.is_empty() || says(&details) {
            scope.demand(Permission::SetExecutionDetails)?;
        }
        Ok(())
    }

    fn read_restored(&mut self, body: &Body) -> Result<()> {
        let owned = |name| body.filled_text(name).map(|text| text.map(str::to_owned));
        if let Some(status) = body.filled_text("force_status")? {
            let known = Status::named(status)
                .ok_or_else(|| Error::bad_parameters(format!("Invalid force_status: {status}")))?;
            self.force_status = Some(known);
            if schedule(body)?.is_some() {
                return Err(Error::bad_parameters(
                    "force_status can't be used together with a scheduled start",
                ));
            }
        } else if let Some(name) = [
            "id",
            "error",
            "is_system_workflow",
            "started_at",
            "ended_at",
        ]
        .iter()
        .find(|name| body.get(name).is_some())
        {
            return Err(Error::bad_parameters(format!(
                "{name} is only for executions that are restored with a force_status"
            )));
        }
        self.id = owned("id")?;
        if let Some(id) = &self.id {
            ids::check_characters("id", id)?;
        }
        self.error = body.text("error")?.map(str::to_owned);
        self.is_system_workflow = body.flag("is_system_workflow")?.unwrap_or(false);
        self.started_at = body.zoned_time("started_at")?;
        self.ended_at = body.zoned_time("ended_at")?;
        Ok(())
    }
}

/// The time of a later start: old documents call it `schedule`.
fn schedule(body: &Body) -> Result<Option<&str>> {
    Ok(body
        .filled_text("scheduled_time")?
        .or(body.filled_text("schedule")?))
}

/// The moment of a later start.
fn scheduled_time(body: &Body, now: Timestamp) -> Result<Option<Timestamp>> {
    let Some(text) = schedule(body)? else {
        return Ok(None);
    };
    let expected = "Expected format: YYYYMMDDHHMM+HHMM or YYYYMMDDHHMM-HHMM i.e: \
                    201801032230-0500 (Jan-03-18 10:30pm EST)";
    let time = compact_time(text).ok_or_else(|| {
        Error::bad_parameters(format!(
            "Date `{text}` doesn't represent a valid time with timezone. {expected}"
        ))
    })?;
    if time <= now {
        return Err(Error::bad_parameters(format!(
            "Date `{text}` has already passed, please provide valid date. {expected}"
        )));
    }
    Ok(Some(time))
}

/// Reads `YYYYMMDDHHMM+HHMM`.
fn compact_time(text: &str) -> Option<Timestamp> {
    let (digits, sign, zone) = (text.get(..12)?, text.get(12..13)?, text.get(13..)?);
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(digits) || !all_digits(zone) || zone.len() != 4 || !"+-".contains(sign) {
        return None;
    }
    let at = |from: usize| digits.get(from..from + 2).unwrap_or_default();
    let iso = format!(
        "{}-{}-{}T{}:{}:00{sign}{}:{}",
        digits.get(..4)?,
        at(4),
        at(6),
        at(8),
        at(10),
        zone.get(..2)?,
        zone.get(2..)?,
    );
    Timestamp::parse("scheduled_time", &iso).ok()
}

fn parameters(body: &Body) -> Result<Map<String, Value>> {
    match body.get("parameters") {
        None => Ok(Map::new()),
        Some(Value::Object(parameters)) => Ok(parameters.clone()),
        Some(other) => Err(Error::bad_parameters(format!(
            "request body's 'parameters' field must be a dict but is of type {}",
            python::type_name(other)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_later_start_names_a_moment_to_come_and_its_zone() {
        let now = Timestamp::parse("", "2026-01-01").unwrap();
        let read = |body: Value| scheduled_time(&Body::inner(&body, "body").unwrap(), now);
        for (text, part) in [
            (json!("201801032230-0500"), "has already passed"),
            (json!("202601010100+0100"), "has already passed"),
            (json!("299901032230"), "a valid time with timezone"),
            (json!("299913032230+0000"), "a valid time with timezone"),
            (json!("2999-01-03T22:30Z"), "a valid time with timezone"),
            (json!("29990103223é-0500"), "a valid time with timezone"),
            (json!("299901032230+02001"), "a valid time with timezone"),
            (json!(5), "expected to be of type str but is of type int"),
        ] {
            for key in ["scheduled_time", "schedule"] {
                let refusal = read(json!({ key: text })).unwrap_err();
                assert!(refusal.message().contains(part), "{text}: {refusal:?}");
            }
        }
        let later = read(json!({ "schedule": "299901032230+0200" })).unwrap();
        assert_eq!(later.unwrap().to_string(), "2999-01-03T20:30:00.000Z");
        let none = read(json!({ "scheduled_time": null, "schedule": "" }));
        assert_eq!(none.unwrap(), None);
    }

    #[test]
    fn parameters_are_an_object() {
        for (value, kind) in [
            (json!("a"), "str"),
            (json!([1]), "list"),
            (json!(true), "bool"),
        ] {
            let body = Body::inner(&json!({ "parameters": value }), "body").unwrap();
            let text =
                format!("request body's 'parameters' field must be a dict but is of type {kind}");
            assert_eq!(parameters(&body).unwrap_err().message(), text);
        }
    }
}
