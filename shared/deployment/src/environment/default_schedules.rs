//! The schedules that a blueprint gives to its deployments.

use serde_json::{Map, Value};
use windlass_core::db::Tx;
use windlass_core::{Body, Error, Result, Scope, Timestamp, ids};
use windlass_recurrence::{Calendar, Rule, later};
use windlass_store::deployments::Owner;
use windlass_store::execution_schedules::{self, NewSchedule};
use windlass_store::executions::{self, Execution};

/// Reads `default_schedules` of the deployment's settings. Times that begin with a `+` count from now.
///
/// # Errors
/// 400 for what cannot be a schedule. The blueprint's reader has checked the types, so these are rules
/// that never occur and time zones other than UTC, which nobody knows here.
pub(crate) fn read(settings: &Value, created_by: &str, now: Timestamp) -> Result<Vec<Given>> {
    let schedules = settings.get("default_schedules").and_then(Value::as_object);
    let schedules = schedules.into_iter().flatten();
    schedules
        .map(|(name, item)| {
            let schedule = schedule(name, item, created_by, now).map_err(|refusal| {
                Error::bad_parameters(format!("Default schedule `{name}`: {}", refusal.message()))
            })?;
            let definition = item.clone();
            Ok(Given {
                schedule,
                definition,
            })
        })
        .collect()
}

/// A schedule that a blueprint gives.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// What is stored of it.
    pub schedule: NewSchedule,
    /// What the blueprint says.
    pub definition: Value,
}

fn schedule(name: &str, item: &Value, created_by: &str, now: Timestamp) -> Result<NewSchedule> {
    ids::check("schedule_id", name)?;
    let body = Body::inner(item, name)?;
    if let Some(zone) = body.filled_text("timezone")? {
        return Err(Error::bad_parameters(format!(
            "the time zone `{zone}` is not known, only UTC is"
        )));
    }
    let since = moment(body.required_text("since")?, now)?;
    let until = body.text("until")?.map(|text| moment(text, now));
    let until = until.transpose()?;
    let rule = Rule::read(&body, None)?;
    let calendar = Calendar::new(&rule, since, until)?;
    let arguments = body.get("execution_arguments").cloned();
    let arguments = arguments.unwrap_or_else(|| Map::new().into());
    Ok(NewSchedule {
        id: name.to_owned(),
        created_by: created_by.to_owned(),
        created_at: now,
        workflow_id: body.required_text("workflow")?.to_owned(),
        parameters: body
            .object("workflow_parameters")?
            .cloned()
            .unwrap_or_default(),
        arguments: serde_json::from_value(arguments)
            .map_err(|error| Error::bad_parameters(format!("execution_arguments: {error}")))?,
        rule: Value::from(&rule),
        slip: body.integer("slip")?.unwrap_or(0),
        stop_on_fail: body.boolean("stop_after_fail")?.unwrap_or(false),
        enabled: body.boolean("default_enabled")?.unwrap_or(true),
        since,
        until,
        next_occurrence: calendar.next_after(now),
    })
}

/// A time, or `+1 day +4 hours` from now.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp> {
    if !text.starts_with('+') {
        return Timestamp::parse("time", text);
    }
    let mut periods = text.split('+').skip(1).map(str::trim);
    periods.try_fold(now, later)
}

/// Stores them with their deployment. Answers why that cannot be, if it cannot.
pub(super) async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    owner: &Owner,
    schedules: &[Given],
) -> Result<Option<String>> {
    for Given { schedule, .. } in schedules {
        let execution = Execution {
            deployment_key: Some(owner.key),
            workflow_id: schedule.workflow_id.clone(),
            ..Execution::default()
        };
        if executions::workflow(tx, &execution).await?.is_none() {
            return Ok(Some(without_workflow(schedule, owner)));
        }
    }
    for given in schedules {
        let new = (&given.schedule, &given.definition);
        execution_schedules::insert_default(tx, scope, owner, new).await?;
    }
    Ok(None)
}

/// That a schedule names a workflow which its deployment does not have.
pub(crate) fn without_workflow(schedule: &NewSchedule, owner: &Owner) -> String {
    format!(
        "Default schedule `{}`: Workflow {} does not exist in the deployment {}",
        schedule.id, schedule.workflow_id, owner.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn settings(item: Value) -> Result<Vec<Given>> {
        let now = Timestamp::parse("", "2026-05-01T12:00:00").unwrap();
        read(
            &json!({ "default_schedules": { "nightly": item } }),
            "ann",
            now,
        )
    }

    #[test]
    fn a_blueprint_gives_schedules() {
        let all = settings(json!({
            "workflow": "backup", "since": "+1 day +4 hours", "until": "2026-06-01 00:00:00",
            "recurrence": "1 week", "weekdays": ["su", "MO"], "default_enabled": false,
            "stop_after_fail": true, "slip": 5, "workflow_parameters": { "to": "tape" },
            "execution_arguments": { "is_dry_run": true },
        }));
        let [
            Given {
                schedule: nightly, ..
            },
        ] = &all.unwrap()[..]
        else {
            panic!("one schedule")
        };
        assert_eq!(nightly.since.to_string(), "2026-05-02T16:00:00.000Z");
        let next = nightly.next_occurrence.unwrap().to_string();
        assert_eq!(next, "2026-05-03T16:00:00.000Z");
        assert_eq!(nightly.parameters["to"], "tape");
        let arguments = (
            nightly.arguments.is_dry_run,
            nightly.arguments.wait_after_fail,
        );
        assert_eq!(arguments, (true, 600));
        assert_eq!(
            (nightly.enabled, nightly.stop_on_fail, nightly.slip),
            (false, true, 5)
        );
        assert!(
            read(&json!({}), "ann", Timestamp::now())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let base =
            json!({ "workflow": "backup", "since": "2026-05-02 00:00:00", "recurrence": "1 day" });
        for (name, value, part) in [
            ("timezone", json!("EST"), "the time zone `EST` is not known"),
            ("until", json!("2026-05-01 00:00:00"), "never occurs"),
            ("recurrence", json!(null), "recurrence must be specified"),
            ("weekdays", json!(["2mo"]), "months|years"),
        ] {
            let mut item = base.clone();
            item[name] = value;
            let refusal = settings(item).unwrap_err();
            let text = refusal.message();
            assert!(text.starts_with("Default schedule `nightly`: "), "{text}");
            assert!(text.contains(part), "{text}");
        }
    }
}
