//! A run's life as people steer it: begun, stopped, approved, denied, resumed, reset.
//!
//! What cannot be done now is no failure of the request: clients are told so with status 200, in the
//! words that the original has for it.

use crate::access::{Access, Asker, Standing};
use crate::drive::drive;
use crate::logs::{self, Entry};
use crate::pipelines::{self, Pipeline, Refusal};
use crate::plan::{Step, StepKind};
use crate::runs::{self, Cause, RunState, Start, StepState};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Timestamp, limits, params};
use windlass_store::audit;
use windlass_store::queue::{self, Work};
use windlass_store::shell_steps;

/// The most bytes of a run's parameters.
const PARAMETERS: usize = 64 << 10;

/// Why a pipeline does not start now, in the words of the original where it has some.
pub(crate) fn why_not_started(pipeline: &Pipeline, steps: usize) -> Refusal {
    let id = &pipeline.id;
    let pending = "Will not start another job until this pending status is resolved.";
    let told = match pipeline.state {
        Some(RunState::Paused) => format!("currently in a paused state.  {pending}"),
        Some(RunState::Running | RunState::Stopping) => {
            format!("currently in a running state.  {pending}")
        }
        _ if pipeline.locked => {
            "currently locked.  Will not start a job until it is unlocked.".into()
        }
        _ if !pipeline.active => "not active.  Will not start a job until it is.".into(),
        _ if steps == 0 => "without steps.  There is nothing to start.".into(),
        _ => return None,
    };
    Some(format!("Pipeline {id} is {told}"))
}

/// What came of the wish to start a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// It began, with this number.
    Run(i64),
    /// It did not: why.
    Refused(String),
}

/// The parameters of a run, as a body has them.
///
/// # Errors
/// 400 for anything but an object, 413 for too much.
pub fn parameters(given: Option<&Json>) -> Result<Map<String, Json>> {
    let parameters = match given {
        None => Map::new(),
        Some(Json::Object(parameters)) => parameters.clone(),
        Some(other) => return Err(Error::wrong_type("parameters", "dict", other)),
    };
    let bytes = serde_json::to_string(&parameters)
        .map_err(Error::internal)?
        .len();
    if bytes > PARAMETERS {
        let text = format!("parameters has {bytes} bytes, more than the allowed {PARAMETERS}");
        return Err(Error::new(Kind::PayloadTooLarge, text));
    }
    limits::check_depth("parameters", &Json::Object(parameters.clone()))?;
    Ok(parameters)
}

/// Starts a run of a pipeline, because somebody asks for it.
///
/// # Errors
/// 404 and 403.
pub async fn run(
    tx: &impl Tx,
    asker: &Asker,
    id: &str,
    parameters: &Map<String, Json>,
    now: Timestamp,
) -> Result<Started> {
    let pipeline = pipelines::find(tx, asker, id, Access::Use).await?;
    let start = Start {
        cause: Cause::User,
        by: asker.scope.username(),
        parameters,
        source: None,
        committed_at: None,
    };
    let started = begin(tx, &pipeline, &start, now).await?;
    if matches!(started, Started::Run(_)) {
        audit::insert(tx, &asker.scope, "pipeline_start", "Pipeline", id).await?;
    }
    Ok(started)
}

/// Starts a run, whatever causes it. Two at once never both begin: each is in a transaction, and the
/// second finds the first.
pub(crate) async fn begin(
    tx: &impl Tx,
    pipeline: &Pipeline,
    start: &Start<'_>,
    now: Timestamp,
) -> Result<Started> {
    let plan = pipelines::plan(tx, pipeline.plan_key).await?;
    if let Some(why) = why_not_started(pipeline, plan.steps.len()) {
        return Ok(Started::Refused(why));
    }
    let (key, number) = runs::insert(tx, pipeline, start, now).await?;
    let mut run = runs::Run {
        key,
        pipeline_key: pipeline.key,
        pipeline_id: pipeline.id.clone(),
        number,
        state: RunState::Running,
        started_by: start.by.to_owned(),
        plan,
        steps: Vec::new(),
    };
    let text = format!("Run {number} was started by {}.", start.cause.name());
    let entries = [Entry::of_run("start", text, "running")];
    logs::insert(tx, &run, &entries, start.by, now).await?;
    drive(tx, &mut run, start.by, now).await?;
    Ok(Started::Run(number))
}

/// Where a run of a pipeline stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunStanding {
    /// The pipeline has no run, or was reset.
    Idle,
    /// There is no run of this number.
    Unknown(i64),
    /// The run of this number stands so.
    Run(i64, RunState),
}

/// Tells where a run stands: the current one, or any by its number; with the pipeline's name.
///
/// # Errors
/// 404 and 403.
pub async fn status(
    db: &impl Db,
    asker: &Asker,
    id: &str,
    number: Option<i64>,
) -> Result<(String, RunStanding)> {
    let pipeline = pipelines::find(db, asker, id, Access::Read).await?;
    let standing = match (number, pipeline.state) {
        (None, Some(state)) => RunStanding::Run(pipeline.run_count, state),
        (None, None) => RunStanding::Idle,
        (Some(number), _) => match runs::state_of(db, pipeline.key, number).await? {
            Some(state) => RunStanding::Run(number, state),
            None => RunStanding::Unknown(number),
        },
    };
    Ok((pipeline.name, standing))
}

/// Stops the current run: what is under way comes to its end, nothing else begins. Where nothing runs
/// there is nothing to do. Answers whether there was.
///
/// # Errors
/// 404 and 403.
pub async fn stop(tx: &impl Tx, asker: &Asker, id: &str, now: Timestamp) -> Result<bool> {
    stop_as(tx, asker, id, Stop::Soft, now).await
}

/// Stops the current run, also one that is stopping, and ends what workers run for it.
///
/// # Errors
/// 404 and 403.
pub async fn force_stop(tx: &impl Tx, asker: &Asker, id: &str, now: Timestamp) -> Result<bool> {
    stop_as(tx, asker, id, Stop::Hard, now).await
}

/// How a run is stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Soft,
    Hard,
}

async fn stop_as(tx: &impl Tx, asker: &Asker, id: &str, how: Stop, now: Timestamp) -> Result<bool> {
    let pipeline = pipelines::find(tx, asker, id, Access::Use).await?;
    let is_stopping = pipeline.state == Some(RunState::Stopping);
    let key = match (pipeline.state, pipeline.current_run) {
        (Some(RunState::Running | RunState::Paused), Some(key)) => key,
        (Some(RunState::Stopping), Some(key)) if how == Stop::Hard => key,
        _ => return Ok(false),
    };
    let mut run = runs::load(tx, key).await?;
    let by = asker.scope.username();
    let text = match how {
        Stop::Soft => format!("Run {} is to stop.", run.number),
        Stop::Hard => format!("Run {} is to stop at once.", run.number),
    };
    let entries = [Entry::of_run("stop", text, "stopping")];
    logs::insert(tx, &run, &entries, by, now).await?;
    end_what_waits(tx, &mut run, how, now).await?;
    if !is_stopping {
        runs::set_state(tx, &mut run, RunState::Stopping, now).await?;
    }
    drive(tx, &mut run, by, now).await?;
    audit::insert(tx, &asker.scope, "pipeline_stop", "Pipeline", id).await?;
    Ok(true)
}

/// Ends the steps that are under way with nothing: they wait for the clock, or for a worker. Those that a
/// worker runs too, when the run is to stop at once: it hears that they are not its any more.
async fn end_what_waits(
    tx: &impl Tx,
    run: &mut runs::Run,
    how: Stop,
    now: Timestamp,
) -> Result<()> {
    let of_kind = |run: &runs::Run, kind: StepKind| -> Vec<String> {
        let is_one = |step: &&runs::StepRow| {
            let planned = run.plan.steps.get(step.position);
            step.state == StepState::Running && planned.is_some_and(|step| step.kind == kind)
        };
        let steps = run.steps.iter().filter(is_one);
        steps.map(|step| step.id.clone()).collect()
    };
    let mut waiting = of_kind(run, StepKind::Wait);
    let mut scripts = of_kind(run, StepKind::Shell);
    if how == Stop::Soft && !scripts.is_empty() {
        scripts = shell_steps::not_begun(tx, &scripts).await?;
    }
    for id in &scripts {
        shell_steps::close(tx, id).await?;
    }
    waiting.append(&mut scripts);
    let subjects: Vec<&str> = waiting.iter().map(String::as_str).collect();
    queue::remove_all(tx, Work::PipelineStep, &subjects).await?;
    runs::end_steps(tx, run, &waiting, StepState::Stopped, None, now).await
}

/// Takes a pipeline back to its beginning. Runs, their numbers and logs stay.
///
/// # Errors
/// 404 and 403. One that runs is refused in words.
pub async fn reset(tx: &impl Tx, asker: &Asker, id: &str) -> Result<Refusal> {
    let pipeline = pipelines::find(tx, asker, id, Access::Use).await?;
    // A paused one is to be stopped first, too: it waits for somebody.
    let refusal = pipeline.in_the_way("Stop it before reset.");
    if refusal.is_none() && pipeline.current_run.is_some() {
        let sql = "update pipelines set current_run = null where key = ?1";
        tx.execute(sql, params![pipeline.key]).await?;
        audit::insert(tx, &asker.scope, "pipeline_reset", "Pipeline", id).await?;
    }
    Ok(refusal)
}

/// What somebody says to a step that waits for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The run goes on.
    Approve,
    /// The run fails.
    Deny,
}

/// Answers the approvals that the current run waits for: one by its id, or all that the asker may.
///
/// # Errors
/// 404 and 403; 403 also for who is not among a step's approvers; 400 for a step that does not wait.
/// A pipeline that waits for nobody is refused in words.
pub async fn answer(
    tx: &impl Tx,
    asker: &Asker,
    id: &str,
    step_id: Option<&str>,
    answer: Answer,
    now: Timestamp,
) -> Result<Refusal> {
    let pipeline = pipelines::find(tx, asker, id, Access::Use).await?;
    let Some(key) = pipeline
        .current_run
        .filter(|_| pipeline.state == Some(RunState::Paused))
    else {
        return Ok(Some(format!(
            "Pipeline {id} does not wait for an approval."
        )));
    };
    let mut run = runs::load(tx, key).await?;
    let groups = groups(tx, asker).await?;
    let mut ids = Vec::new();
    let mut entries = Vec::new();
    let (action, state, word) = match answer {
        Answer::Approve => ("approve", StepState::Success, "approved"),
        Answer::Deny => ("deny", StepState::Failed, "denied"),
    };
    let by = asker.scope.username();
    let (mut waits, mut is_named) = (false, false);
    for row in run
        .steps
        .iter()
        .filter(|row| row.state == StepState::Paused)
    {
        let Some(step) = run.plan.steps.get(row.position) else {
            continue;
        };
        if step_id.is_some_and(|wanted| wanted != step.id) {
            continue;
        }
        is_named = true;
        if !may_answer(step, asker, &groups) {
            waits = true;
            continue;
        }
        let text = format!("{} was {word} by {by}.", step.name);
        entries.push(Entry::of_step(row.position, action, text, state.name()));
        ids.push(row.id.clone());
    }
    if !is_named {
        let text = "stepId is no step that waits for an approval";
        return Err(Error::bad_parameters(text).field("stepId", text));
    }
    if waits && ids.is_empty() {
        return Err(Error::forbidden(format!(
            "`{by}` is not among the approvers"
        )));
    }
    let subjects: Vec<&str> = ids.iter().map(String::as_str).collect();
    queue::remove_all(tx, Work::PipelineStep, &subjects).await?;
    let why = format!("denied by {by}");
    let why = (answer == Answer::Deny).then_some(why.as_str());
    runs::end_steps(tx, &mut run, &ids, state, why, now).await?;
    logs::insert(tx, &run, &entries, by, now).await?;
    drive(tx, &mut run, by, now).await?;
    let action = if answer == Answer::Approve {
        "pipeline_approve"
    } else {
        "pipeline_deny"
    };
    audit::insert(tx, &asker.scope, action, "Pipeline", id).await?;
    Ok(None)
}

/// The names of the groups that somebody is in.
async fn groups(db: &impl Db, asker: &Asker) -> Result<Vec<String>> {
    let sql = "select g.name from group_users m join user_groups g on g.id = m.group_id
               where m.user_id = ?1";
    let rows = db
        .query(sql, params![asker.scope.caller()?.user_id])
        .await?;
    rows.iter()
        .map(|row| row.text(0).map(str::to_owned))
        .collect()
}

/// Whether somebody may answer: whoever may run the pipeline, unless the step names its approvers.
fn may_answer(step: &Step, asker: &Asker, groups: &[String]) -> bool {
    let approvers = match step.configuration.get("approvers") {
        Some(Json::Array(approvers)) if !approvers.is_empty() => approvers,
        _ => return true,
    };
    let is_one = |approver: &Json| {
        let names = |name: &str, value: &str| {
            let given = approver.get(name).and_then(Json::as_str);
            given.is_some_and(|given| given.eq_ignore_ascii_case(value))
        };
        names("user", asker.scope.username()) || groups.iter().any(|group| names("group", group))
    };
    asker.standing == Standing::Administrator || approvers.iter().any(is_one)
}

/// Goes on with a run: one that is paused as if it were approved, one that failed or was stopped with
/// the steps that did not succeed. Those that did are not done again.
///
/// # Errors
/// 404 and 403. One that runs or has nothing left to do is refused in words.
pub async fn resume(tx: &impl Tx, asker: &Asker, id: &str, now: Timestamp) -> Result<Refusal> {
    let pipeline = pipelines::find(tx, asker, id, Access::Use).await?;
    let refused = |why: &str| Ok(Some(format!("Pipeline {id} {why}")));
    let key = match (pipeline.state, pipeline.current_run) {
        (Some(RunState::Paused), _) => {
            return answer(tx, asker, id, None, Answer::Approve, now).await;
        }
        (Some(RunState::Failed | RunState::Stopped), Some(key)) => key,
        (Some(RunState::Running | RunState::Stopping), _) => {
            return refused("is currently in a running state.");
        }
        _ => return refused("has nothing to resume."),
    };
    if pipeline.locked || !pipeline.active {
        return Ok(why_not_started(
            &Pipeline {
                state: None,
                ..pipeline
            },
            1,
        ));
    }
    // What is tried again is another call, with a key of its own.
    let sql = "delete from pipeline_steps where run_key = ?1 and state in ('failed', 'stopped')";
    tx.execute(sql, params![key]).await?;
    let mut run = runs::load(tx, key).await?;
    runs::set_state(tx, &mut run, RunState::Running, now).await?;
    let by = asker.scope.username();
    let text = format!("Run {} is resumed.", run.number);
    logs::insert(
        tx,
        &run,
        &[Entry::of_run("resume", text, "running")],
        by,
        now,
    )
    .await?;
    drive(tx, &mut run, by, now).await?;
    audit::insert(tx, &asker.scope, "pipeline_resume", "Pipeline", id).await?;
    Ok(None)
}

#[cfg(test)]
#[path = "lifecycle/tests.rs"]
mod tests;
