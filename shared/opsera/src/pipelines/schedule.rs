//! Schedules: a pipeline that begins by the clock.
//!
//! A cron line has the five fields of Unix, in UTC. What was due while nothing ran is made up for once.
//! The run is theirs who last changed what it does, so it begins only while they may still run things.

use super::Pipeline;
use crate::access::Standing;
use crate::lifecycle::{self, Started};
use crate::runs::{Cause, Start};
use chrono::DateTime;
use croner::parser::{CronParser, Seconds};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Timestamp, log};
use windlass_store::queue::{self, Leased, Work};

/// The longest cron line.
const LONGEST: usize = 100;

/// Reads `workflow.schedule`; the cron line of one that is enabled.
///
/// # Errors
/// 400 for what is no schedule, and for a line that never comes.
pub fn read(schedule: Option<&Json>) -> Result<Option<String>> {
    let refuse = |text: String| {
        Error::bad_parameters(format!("workflow.schedule: {text}")).field("workflow.schedule", text)
    };
    let fields = match schedule {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Object(fields)) => fields,
        Some(_) => return Err(refuse("must be an object".into())),
    };
    let cron = match fields.get("cron") {
        None | Some(Json::Null) => None,
        Some(Json::String(cron)) => Some(cron.trim()),
        Some(_) => return Err(refuse("cron must be a text".into())),
    };
    if let Some(cron) = cron {
        next(cron, Timestamp::now()).map_err(refuse)?;
    }
    let is_enabled = crate::body::flag(fields, "enabled")?.unwrap_or(true);
    if is_enabled && cron.is_none() && fields.get("enabled").is_some() {
        return Err(refuse("cron is missing".into()));
    }
    Ok(cron.filter(|_| is_enabled).map(str::to_owned))
}

/// When a cron line comes next after a moment.
///
/// # Errors
/// A text for people: it is no cron line, or never comes.
pub fn next(cron: &str, after: Timestamp) -> Result<Timestamp, String> {
    let wrong = |why: &str| {
        format!(
            "`{}` is no cron line: {why}",
            cron.chars().take(60).collect::<String>()
        )
    };
    if cron.len() > LONGEST {
        return Err(wrong("it is too long"));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
    let line = parser
        .parse(cron)
        .map_err(|error| wrong(&error.to_string()))?;
    let after = DateTime::from_timestamp_millis(after.millis()).unwrap_or_default();
    let next = line.find_next_occurrence(&after, false);
    let next = next.map_err(|_| wrong("it never comes"))?;
    Ok(Timestamp::from_millis(next.timestamp_millis()))
}

/// Makes a pipeline begin by this cron line, or not any more.
pub(crate) async fn set(tx: &impl Tx, id: &str, cron: Option<&str>, now: Timestamp) -> Result<()> {
    queue::remove_all(tx, Work::PipelineSchedule, &[id]).await?;
    match cron {
        Some(cron) => push(tx, id, cron, now).await,
        None => Ok(()),
    }
}

async fn push(tx: &impl Tx, id: &str, cron: &str, now: Timestamp) -> Result<()> {
    let next = next(cron, now).map_err(Error::internal)?;
    queue::push(tx, Work::PipelineSchedule, id, &Json::Null, next, now).await
}

/// Begins a pipeline whose time has come, and says when it comes next.
///
/// # Errors
/// Of the database.
pub async fn run<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    let pipeline = super::find_any(db, &row.subject).await?;
    let may = match &pipeline {
        Some(pipeline) => may_run(db, pipeline).await?,
        None => false,
    };
    queue::finishing(db, holder, row, async |tx| {
        let Some(pipeline) = super::find_any(tx, &row.subject).await? else {
            return Ok(());
        };
        let Some(cron) = pipeline.cron.as_deref() else {
            return Ok(());
        };
        push(tx, &pipeline.id, cron, now).await?;
        let refused = if may {
            begin(tx, &pipeline, now).await?
        } else {
            Some("whoever it runs for may not run it any more".into())
        };
        if let Some(why) = refused {
            let fields = [
                ("pipeline", pipeline.id.as_str().into()),
                ("message", why.into()),
            ];
            log::line(log::Level::Warning, "schedule", fields);
        }
        Ok(())
    })
    .await
}

/// Leaves a time out that could not be worked on: the next one comes all the same.
///
/// # Errors
/// Of the database.
pub async fn pass_over<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        match super::find_any(tx, &row.subject).await? {
            Some(Pipeline {
                id,
                cron: Some(cron),
                ..
            }) => push(tx, &id, &cron, now).await,
            _ => Ok(()),
        }
    })
    .await
}

async fn begin(tx: &impl Tx, pipeline: &Pipeline, now: Timestamp) -> Result<Option<String>> {
    let start = Start {
        cause: Cause::Schedule,
        by: &pipeline.runs_as,
        parameters: &Map::new(),
        source: None,
        committed_at: None,
    };
    Ok(match lifecycle::begin(tx, pipeline, &start, now).await? {
        Started::Run(_) => None,
        Started::Refused(why) => Some(why),
    })
}

/// Whether they in whose name a pipeline runs may run things in its account now.
pub(crate) async fn may_run(db: &impl Db, pipeline: &Pipeline) -> Result<bool> {
    let caller = windlass_identity::user_later(db, &pipeline.runs_as).await?;
    let standing = caller.and_then(|caller| Standing::of(&caller, &pipeline.tenant_name));
    Ok(standing >= Some(Standing::User))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cron_lines_are_those_of_unix() {
        let at = |text: &str| Timestamp::parse("at", text).unwrap();
        let now = at("2026-02-27T10:30:15Z");
        for (cron, want) in [
            ("* * * * *", "2026-02-27T10:31:00.000Z"),
            ("*/15 9-17 * * MON-FRI", "2026-02-27T10:45:00.000Z"),
            ("0 0 1 * *", "2026-03-01T00:00:00.000Z"),
            // Sunday is 0 and 7.
            ("0 12 * * 0", "2026-03-01T12:00:00.000Z"),
            ("0 12 * * 7", "2026-03-01T12:00:00.000Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00.000Z"),
            ("@daily", "2026-02-28T00:00:00.000Z"),
        ] {
            assert_eq!(next(cron, now).unwrap().to_string(), want, "{cron}");
        }
        let long = "*".repeat(101);
        for cron in [
            "",
            "* * * *",
            "* * * * * *",
            "61 * * * *",
            "a b c d e",
            "0 0 30 2 *",
            "*/0 * * * *",
            "-1 * * * *",
            &long,
        ] {
            assert!(next(cron, now).is_err(), "{cron}");
        }
    }

    #[test]
    fn a_schedule_says_whether_it_counts() {
        for (given, want) in [
            (json!(null), Ok(None)),
            (json!({}), Ok(None)),
            (json!({ "cron": " 0 3 * * * " }), Ok(Some("0 3 * * *"))),
            (json!({ "cron": "0 3 * * *", "enabled": false }), Ok(None)),
            (json!({ "enabled": false }), Ok(None)),
            (json!({ "enabled": true }), Err("cron is missing")),
            (json!({ "cron": 7 }), Err("cron must be a text")),
            (
                json!({ "cron": "x", "enabled": false }),
                Err("`x` is no cron line"),
            ),
            (json!([]), Err("must be an object")),
        ] {
            match (read(Some(&given)), want) {
                (Ok(cron), Ok(want)) => assert_eq!(cron.as_deref(), want, "{given}"),
                (Err(error), Err(part)) => assert!(error.message().contains(part), "{error:?}"),
                (got, _) => panic!("{given}: {got:?}"),
            }
        }
    }
}
