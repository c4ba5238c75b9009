//! Runs and their steps, the tables `pipeline_runs` and `pipeline_steps`.

use crate::plan::Plan;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Timestamp, params};

windlass_core::named_enum! {
    /// Where a run stands.
    pub enum RunState {
        /// Steps are under way.
        Running = "running",
        /// A step waits for somebody's approval.
        Paused = "paused",
        /// It was stopped; what is under way comes to its end.
        Stopping = "stopping",
        /// All steps are done.
        Success = "success",
        /// A step failed.
        Failed = "failed",
        /// It was stopped, and nothing is under way.
        Stopped = "stopped",
    }
}

impl RunState {
    /// Whether it is over.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Stopped)
    }
}

windlass_core::named_enum! {
    /// Where a step of a run stands. One that has not begun has no row.
    pub enum StepState {
        /// It is under way.
        Running = "running",
        /// It waits for somebody's approval.
        Paused = "paused",
        /// It is done.
        Success = "success",
        /// It failed for good.
        Failed = "failed",
        /// It was stopped.
        Stopped = "stopped",
    }
}

windlass_core::named_enum! {
    /// What began a run.
    pub enum Cause {
        /// Somebody who asked for it.
        User = "user",
        /// The pipeline's schedule.
        Schedule = "schedule",
        /// A push that a webhook told of.
        Push = "push",
    }
}

/// A step of a run.
#[derive(Clone, Debug, Deserialize)]
pub struct StepRow {
    /// The id of its row.
    pub id: String,
    /// Which step of the plan it is.
    pub position: usize,
    /// Where it stands.
    pub state: StepState,
}

/// A run with its plan and what has become of its steps.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its key.
    pub key: i64,
    /// The pipeline's key.
    pub pipeline_key: i64,
    /// The pipeline's id.
    pub pipeline_id: String,
    /// Its number.
    pub number: i64,
    /// Where it stands.
    pub state: RunState,
    /// Who began it.
    pub started_by: String,
    /// Its steps.
    pub plan: Plan,
    /// Those that have begun.
    pub steps: Vec<StepRow>,
}

#[derive(Deserialize)]
struct Stored {
    pipeline_key: i64,
    pipeline_id: String,
    number: i64,
    state: RunState,
    started_by: String,
    plan: Json,
}

/// A run by its key.
///
/// # Errors
/// Internal, when there is none.
pub async fn load(db: &impl Db, key: i64) -> Result<Run> {
    let sql = "select json_object('pipeline_key', r.pipeline_key, 'pipeline_id', p.id,
             'number', r.number, 'state', r.state, 'started_by', r.started_by, 'plan', json(l.plan))
         from pipeline_runs r join pipelines p on p.key = r.pipeline_key
             join pipeline_plans l on l.key = r.plan_key
         where r.key = ?1";
    let stored: Option<Stored> = db.first_json(sql, params![key]).await?;
    let stored = stored.ok_or_else(|| Error::internal("there is no such run"))?;
    Ok(Run {
        key,
        pipeline_key: stored.pipeline_key,
        pipeline_id: stored.pipeline_id,
        number: stored.number,
        state: stored.state,
        started_by: stored.started_by,
        plan: Plan::stored(stored.plan)?,
        steps: steps(db, key).await?,
    })
}

async fn steps(db: &impl Db, key: i64) -> Result<Vec<StepRow>> {
    let sql = "select json_object('id', id, 'position', position, 'state', state)
         from pipeline_steps where run_key = ?1 order by position";
    db.json_rows(sql, params![key]).await
}

/// What a run begins with.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// What began it.
    pub cause: Cause,
    /// In whose name it runs.
    pub by: &'a str,
    /// What steps can name as `parameters`.
    pub parameters: &'a Map<String, Json>,
    /// What a push told.
    pub source: Option<&'a Json>,
    /// When what it delivers was committed.
    pub committed_at: Option<Timestamp>,
}

/// Stores a run of a pipeline and makes it the current one. Answers its key and its number, which no
/// other run of the pipeline has.
pub(crate) async fn insert(
    tx: &impl Tx,
    pipeline: &crate::pipelines::Pipeline,
    start: &Start<'_>,
    now: Timestamp,
) -> Result<(i64, i64)> {
    let number = pipeline.run_count + 1;
    let row = tx
        .first(
            "insert into pipeline_runs (pipeline_key, number, tenant_name, plan_key, state, cause,
                 started_by, parameters, source, committed_at, started_at)
             values (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, ?8, ?9, ?10) returning key",
            params![
                pipeline.key,
                number,
                pipeline.tenant_name.as_str(),
                pipeline.plan_key,
                start.cause,
                start.by,
                &Json::Object(start.parameters.clone()),
                start.source,
                start.committed_at.map(Timestamp::millis),
                now.millis()
            ],
        )
        .await?;
    let row = row.ok_or_else(|| Error::internal("an inserted run has no key"))?;
    let key = row.integer(0)?;
    let sql = "update pipelines set run_count = ?2, current_run = ?3 where key = ?1";
    tx.execute(sql, params![pipeline.key, number, key]).await?;
    Ok((key, number))
}

/// Where a run of a pipeline stands, by its number.
pub(crate) async fn state_of(
    db: &impl Db,
    pipeline_key: i64,
    number: i64,
) -> Result<Option<RunState>> {
    let sql = "select json_quote(state) from pipeline_runs where pipeline_key = ?1 and number = ?2";
    db.first_json(sql, params![pipeline_key, number]).await
}

/// Says where a run stands from now on.
pub(crate) async fn set_state(
    tx: &impl Tx,
    run: &mut Run,
    state: RunState,
    now: Timestamp,
) -> Result<()> {
    let ended = state.has_ended().then(|| now.millis());
    let sql = "update pipeline_runs set state = ?2, ended_at = ?3 where key = ?1";
    tx.execute(sql, params![run.key, state, ended]).await?;
    run.state = state;
    Ok(())
}

/// Ends steps, with why those failed that did.
pub(crate) async fn end_steps(
    tx: &impl Tx,
    run: &mut Run,
    ids: &[String],
    state: StepState,
    error: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let list = Json::from(ids);
    let sql = "update pipeline_steps set state = ?2, error = ?3, ended_at = ?4
         where id in (select value from json_each(?1))";
    tx.execute(sql, params![&list, state, error, now.millis()])
        .await?;
    for step in run.steps.iter_mut().filter(|step| ids.contains(&step.id)) {
        step.state = state;
    }
    Ok(())
}
