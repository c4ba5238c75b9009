//! What a schedule does when it occurs: it starts its workflow, unless something speaks against it.
//!
//! One transaction takes the row from the queue, starts the execution and awaits the next occurrence.
//! So an occurrence starts one execution, whoever is killed when; and however many occurrences were
//! missed while nobody ticked, the schedule goes on with the next one that is to come.

use crate::start::{StartRequest, refused, start};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, log};
use windlass_recurrence::{Calendar, Rule};
use windlass_store::execution_schedules::{self, Due};
use windlass_store::executions::{Execution, Status};
use windlass_store::maintenance;
use windlass_store::queue::{self, Leased};

/// How late an occurrence may be beside what its schedule allows, in seconds.
const LATE: i64 = 60;

/// Does what a schedule wants done at its next occurrence.
///
/// # Errors
/// Of the database, and for rows that cannot be read.
pub async fn occur<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        let found = execution_schedules::find_due(tx, &Scope::engine(), &row.subject).await?;
        let Some(due) = found else {
            // Disabled, deleted or over in the meantime.
            return Ok(());
        };
        if due.next_occurrence > now {
            // The clock was set back.
            let next = Some(due.next_occurrence);
            return execution_schedules::move_on(tx, &due, None, next).await;
        }
        // Nothing new begins while the application is being maintained.
        if maintenance::is_under_way(tx).await? {
            return pass_over(tx, &due, now).await;
        }
        match verdict(&due, now) {
            Verdict::End => execution_schedules::disable(tx, &due).await,
            Verdict::PassOver => pass_over(tx, &due, now).await,
            Verdict::Start => {
                let execution = begin(tx, &due, now).await?;
                let next = next_occurrence(&due, now)?;
                execution_schedules::move_on(tx, &due, Some(&execution), next).await
            }
        }
    })
    .await
}

/// Passes an occurrence over whose work cannot be done, so that the schedule goes on with the next one.
///
/// # Errors
/// Of the database.
pub async fn give_up<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        let found = execution_schedules::find_due(tx, &Scope::engine(), &row.subject).await?;
        match found {
            Some(due) => pass_over(tx, &due, now).await,
            None => Ok(()),
        }
    })
    .await
}

/// What is done about an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Its workflow starts.
    Start,
    /// Nothing starts this time.
    PassOver,
    /// Nothing starts any more, until somebody enables the schedule again.
    End,
}

fn verdict(due: &Due, now: Timestamp) -> Verdict {
    let latest = due.latest_status;
    let last_moment = due.next_occurrence.plus_seconds(due.slip * 60 + LATE);
    if latest.is_some_and(|status| !status.has_ended()) {
        Verdict::PassOver
    } else if due.stop_on_fail && latest == Some(Status::Failed) {
        Verdict::End
    } else if now > last_moment {
        Verdict::PassOver
    } else {
        Verdict::Start
    }
}

async fn pass_over(tx: &impl Tx, due: &Due, now: Timestamp) -> Result<()> {
    let next = next_occurrence(due, now)?;
    log::line(
        log::Level::Warning,
        "an occurrence of a schedule started nothing",
        [
            ("schedule", due.id.as_str().into()),
            ("deployment", due.deployment_id.as_str().into()),
            ("occurrence", due.next_occurrence.to_string().into()),
        ],
    );
    execution_schedules::move_on(tx, due, None, next).await
}

/// The first occurrence that is still to come. One is never repeated, whatever the clock says.
fn next_occurrence(due: &Due, now: Timestamp) -> Result<Option<Timestamp>> {
    let rule: Rule = serde_json::from_value(due.rule.clone()).map_err(Error::internal)?;
    let calendar = Calendar::unchecked(&rule, due.since, due.until)?;
    Ok(calendar.next_after(now.max(due.next_occurrence)))
}

/// Starts the workflow, or stores an execution that failed to start: then whoever looks for it finds
/// out why nothing ran.
async fn begin(tx: &impl Tx, due: &Due, now: Timestamp) -> Result<Execution> {
    let scope = Scope::system(&due.created_by, &due.tenant_name);
    let request = StartRequest {
        deployment_id: due.deployment_id.clone(),
        workflow_id: due.workflow_id.clone(),
        parameters: due.parameters.clone(),
        allow_custom_parameters: due.arguments.allow_custom_parameters,
        force: due.arguments.force,
        dry_run: due.arguments.is_dry_run,
        wait_after_fail: Some(due.arguments.wait_after_fail),
        queue: true,
        scheduled_for: Some(due.next_occurrence),
        ..StartRequest::default()
    };
    // One that cascades may be refused when some of it has begun.
    let started = tx.attempt(async |tx| start(tx, &scope, request.clone(), now).await);
    match started.await {
        Err(error) if !matches!(error.kind(), Kind::Internal | Kind::Unavailable) => {
            refused(tx, &scope, request, error.message(), now).await
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use windlass_store::execution_schedules::Arguments;

    fn due(latest_status: Option<Status>) -> Due {
        let since = Timestamp::parse("", "2026-05-01T03:00:00").unwrap();
        Due {
            key: 1,
            id: "nightly".into(),
            tenant_name: "harbour".into(),
            created_by: "ann".into(),
            deployment_id: "crane".into(),
            workflow_id: "install".into(),
            parameters: serde_json::Map::new(),
            arguments: Arguments::default(),
            rule: json!({ "recurrence": "1 day", "count": null, "weekdays": null }),
            since,
            until: None,
            slip: 5,
            stop_on_fail: false,
            next_occurrence: since,
            latest_status,
        }
    }

    #[test]
    fn an_occurrence_waits_for_the_one_before_and_is_not_too_late() {
        use Status::{Cancelled, Cancelling, Failed, Queued, Started, Terminated};
        use Verdict::{End, PassOver, Start};
        for (latest, stop_on_fail, seconds, want) in [
            (None, true, 0, Start),
            (Some(Terminated), true, 0, Start),
            (Some(Cancelled), true, 0, Start),
            (Some(Failed), false, 0, Start),
            (Some(Failed), true, 0, End),
            (Some(Failed), true, 9999, End),
            (Some(Started), true, 0, PassOver),
            (Some(Queued), false, 0, PassOver),
            (Some(Cancelling), false, 0, PassOver),
            (None, false, 360, Start),
            (None, false, 361, PassOver),
        ] {
            let due = Due {
                stop_on_fail,
                ..due(latest)
            };
            let now = due.next_occurrence.plus_seconds(seconds);
            let got = verdict(&due, now);
            assert_eq!(got, want, "{latest:?} {stop_on_fail} {seconds}");
        }
    }

    #[test]
    fn no_occurrence_is_repeated_and_missed_ones_stay_missed() {
        let due = due(None);
        for (now, want) in [
            ("2026-05-01T03:00:00", "2026-05-02T03:00:00.000Z"),
            // The clock was set back.
            ("2026-04-20T03:00:00", "2026-05-02T03:00:00.000Z"),
            ("2026-05-09T04:00:00", "2026-05-10T03:00:00.000Z"),
        ] {
            let now = Timestamp::parse("", now).unwrap();
            let next = next_occurrence(&due, now).unwrap().unwrap();
            assert_eq!(next.to_string(), want, "{now}");
        }
        let over = Due {
            until: Some(due.since),
            ..due
        };
        assert_eq!(next_occurrence(&over, over.since).unwrap(), None);
    }
}
