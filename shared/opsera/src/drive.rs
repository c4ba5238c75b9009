//! What follows from what has happened in a run: which steps begin, and where the run stands.
//!
//! [`decide`] is pure. [`drive`] carries out what it says, in the transaction in which the cause is
//! recorded: so a run never stands still, whenever the application dies.

use crate::logs::{self, Entry};
use crate::plan::{Step, StepKind};
use crate::runs::{self, Run, RunState, StepRow, StepState};
use serde_json::{Value as Json, json};
use windlass_core::db::Tx;
use windlass_core::{Result, Timestamp, ids, params};
use windlass_status::bindings::{self, Outcome, Subject};
use windlass_store::pieces::batches;
use windlass_store::queue::{self, Due, Work};

/// What is to be done about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The steps that begin.
    pub begin: Vec<usize>,
    /// Where the run stands then.
    pub state: RunState,
}

/// Decides by what has become of each step; none for one that has not begun.
pub fn decide(plan: &[Step], states: &[Option<StepState>], is_stopping: bool) -> Decision {
    let state = |place: usize| states.get(place).copied().flatten();
    let is_active = |wanted: StepState| states.iter().flatten().any(|state| *state == wanted);
    let has_failed = plan
        .iter()
        .enumerate()
        .any(|(place, step)| match state(place) {
            Some(StepState::Failed) => !step.may_fail,
            Some(StepState::Stopped) => true,
            _ => false,
        });
    let end = |state: RunState| Decision {
        begin: Vec::new(),
        state,
    };
    if is_stopping || has_failed {
        let ended = if is_stopping {
            RunState::Stopped
        } else {
            RunState::Failed
        };
        let going = if is_stopping {
            RunState::Stopping
        } else {
            RunState::Running
        };
        return end(if is_active(StepState::Running) {
            going
        } else {
            ended
        });
    }
    let mut passed = vec![false; plan.len()];
    let mut begin = Vec::new();
    // A step that is not active is passed when its turn comes, which may let others begin.
    for _ in 0..=plan.len() {
        for (place, step) in plan.iter().enumerate() {
            let is_ready = step
                .dependencies
                .iter()
                .all(|place| passed.get(*place) == Some(&true));
            let is_passed = match state(place) {
                Some(StepState::Success) => true,
                Some(StepState::Failed) => step.may_fail,
                Some(_) => false,
                None => !step.is_active && is_ready,
            };
            if let Some(passed) = passed.get_mut(place) {
                *passed |= is_passed;
            }
            if is_ready && step.is_active && state(place).is_none() && !begin.contains(&place) {
                begin.push(place);
            }
        }
    }
    let begins_paused = |place: &usize| {
        plan.get(*place)
            .is_some_and(|step| step.kind == StepKind::Approval)
    };
    let state = if is_active(StepState::Paused) || begin.iter().any(begins_paused) {
        RunState::Paused
    } else if is_active(StepState::Running) || !begin.is_empty() {
        RunState::Running
    } else {
        RunState::Success
    };
    Decision { begin, state }
}

/// Begins what is to begin, and says where the run stands. `by` is who caused it.
///
/// # Errors
/// Of the database.
pub async fn drive(tx: &impl Tx, run: &mut Run, by: &str, now: Timestamp) -> Result<()> {
    let mut states = vec![None; run.plan.steps.len()];
    for step in &run.steps {
        if let Some(state) = states.get_mut(step.position) {
            *state = Some(step.state);
        }
    }
    let decision = decide(&run.plan.steps, &states, run.state == RunState::Stopping);
    let mut entries = begin(tx, run, &decision.begin, now).await?;
    if decision.state != run.state {
        if decision.state.has_ended() {
            close_approvals(tx, run, now).await?;
        }
        runs::set_state(tx, run, decision.state, now).await?;
    }
    if decision.state.has_ended() {
        entries.push(ended(run, decision.state));
        tell_status_page(tx, run, decision.state, now).await?;
    }
    logs::insert(tx, run, &entries, by, now).await
}

/// Begins steps: a row for each, and its work in the queue.
async fn begin(
    tx: &impl Tx,
    run: &mut Run,
    places: &[usize],
    now: Timestamp,
) -> Result<Vec<Entry>> {
    let (mut rows, mut due, mut entries): (Vec<Json>, Vec<Due>, Vec<Entry>) = Default::default();
    for place in places {
        let Some(step) = run.plan.steps.get(*place) else {
            continue;
        };
        let is_approval = step.kind == StepKind::Approval;
        let state = if is_approval {
            StepState::Paused
        } else {
            StepState::Running
        };
        let deadline = step
            .timeout_seconds
            .map(|seconds| now.plus_seconds(seconds));
        let id = ids::random_text(32);
        rows.push(json!({
            "position": place, "id": id, "state": state, "deadline": deadline.map(Timestamp::millis),
        }));
        if let Some(not_before) = if is_approval { deadline } else { Some(now) } {
            due.push(Due {
                subject: id.clone(),
                not_before,
            });
        }
        if is_approval {
            let text = format!("{} waits for an approval.", step.name);
            entries.push(Entry::of_step(*place, "approval requested", text, "paused"));
        }
        run.steps.push(StepRow {
            id,
            position: *place,
            state,
        });
    }
    for batch in batches(&rows) {
        tx.execute(
            "insert into pipeline_steps (run_key, position, id, state, deadline, started_at)
             select ?1, value ->> 'position', value ->> 'id', value ->> 'state',
                 value ->> 'deadline', ?3 from json_each(?2)",
            params![run.key, batch?, now.millis()],
        )
        .await?;
    }
    queue::push_all(tx, Work::PipelineStep, &due, now).await?;
    Ok(entries)
}

/// Nobody is to approve anything in a run that is over.
async fn close_approvals(tx: &impl Tx, run: &mut Run, now: Timestamp) -> Result<()> {
    let waiting = run
        .steps
        .iter()
        .filter(|step| step.state == StepState::Paused);
    let ids: Vec<String> = waiting.map(|step| step.id.clone()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let subjects: Vec<&str> = ids.iter().map(String::as_str).collect();
    queue::remove_all(tx, Work::PipelineStep, &subjects).await?;
    runs::end_steps(tx, run, &ids, StepState::Stopped, None, now).await
}

fn ended(run: &Run, state: RunState) -> Entry {
    let word = match state {
        RunState::Success => "was successful",
        RunState::Stopped => "was stopped",
        _ => "has failed",
    };
    Entry::of_run("end", format!("Run {} {word}.", run.number), state.name())
}

/// The components of the status page that follow the pipeline are told how it ended.
async fn tell_status_page(tx: &impl Tx, run: &Run, state: RunState, now: Timestamp) -> Result<()> {
    let failure = format!("Run {} of the pipeline failed", run.number);
    let outcome = match state {
        RunState::Success => Outcome::Succeeded,
        RunState::Failed => Outcome::Failed(&failure),
        _ => return Ok(()),
    };
    let subject = Subject::Pipeline {
        id: &run.pipeline_id,
    };
    bindings::run_ended(tx, subject, outcome, now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    fn step(name: &str, more: Json) -> Json {
        let mut step = json!({ "name": name, "tool": { "tool_identifier": "wait", "configuration": { "seconds": 1 } } });
        for (name, value) in more.as_object().unwrap() {
            step[name] = value.clone();
        }
        step
    }

    #[test]
    fn what_follows_is_decided_by_what_has_happened() {
        use RunState::{Failed, Paused, Running, Stopped, Stopping, Success};
        let approval =
            json!({ "tool": { "tool_identifier": "approval" }, "dependencies": ["a", "b"] });
        let plan = Plan::read(Some(&json!([
            step("a", json!({})),
            step("b", json!({ "dependencies": [], "allow_failure": true })),
            step("ok", approval),
            step("off", json!({ "active": false })),
            step("last", json!({})),
        ])))
        .unwrap();
        let read = |text: &str| -> Vec<Option<StepState>> {
            let letter = |letter| match letter {
                'r' => Some(StepState::Running),
                'p' => Some(StepState::Paused),
                's' => Some(StepState::Success),
                'f' => Some(StepState::Failed),
                'x' => Some(StepState::Stopped),
                _ => None,
            };
            text.chars().map(letter).collect()
        };
        for (states, is_stopping, begin, state) in [
            ("-----", false, &[0, 1][..], Running),
            ("rr---", false, &[], Running),
            ("sr---", false, &[], Running),
            ("sf---", false, &[2], Paused),
            ("ss---", false, &[2], Paused),
            ("ssp--", false, &[], Paused),
            ("sss--", false, &[4], Running),
            ("sss-s", false, &[], Success),
            ("fr---", false, &[], Running),
            ("fs---", false, &[], Failed),
            ("ssf--", false, &[], Failed),
            ("rr---", true, &[], Stopping),
            ("ss---", true, &[], Stopped),
            ("ssp--", true, &[], Stopped),
            ("ssx--", false, &[], Failed),
        ] {
            let want = Decision {
                begin: begin.to_vec(),
                state,
            };
            assert_eq!(
                decide(&plan.steps, &read(states), is_stopping),
                want,
                "{states}"
            );
        }
    }

    #[test]
    fn a_plan_whose_steps_are_all_off_succeeds() {
        let plan = Plan::read(Some(&json!([step("a", json!({ "active": false }))]))).unwrap();
        let want = Decision {
            begin: Vec::new(),
            state: RunState::Success,
        };
        assert_eq!(decide(&plan.steps, &[None], false), want);
    }
}
