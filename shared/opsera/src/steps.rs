//! The work of the queue: a step is begun, looked after while its tool works on it, and recorded.
//!
//! Each turn reads what it needs, calls the tool outside of any transaction, and records what came of
//! it together with what follows. A crash in between repeats the call with the same
//! `Idempotency-Key`, the id of the step's row. What is done here itself (an execution, a maintenance)
//! happens in the transaction that records it, so it happens once.

mod argo;
mod call;
mod deeds;
mod github;
mod gitlab;
mod jenkins;
mod job;
mod record;
mod shell;

use crate::plan::StepKind;
use crate::runs::StepState;
use call::Call;
use deeds::Deed;
use job::Job;
use serde_json::{Map, Value as Json};
pub(crate) use shell::check as check_shell;
use windlass_core::db::Db;
use windlass_core::outbound::{Clock, Outbound, address};
use windlass_core::{Kind, Result, Timestamp};
use windlass_store::queue::{self, Leased};

/// The longest and the shortest wait until a tool is asked again, in milliseconds.
const POLLS: (i64, i64) = (500, 5_000);

/// What came of a turn.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// The step is done.
    Succeeded {
        outputs: Map<String, Json>,
        message: String,
    },
    /// It is not, and why. One that may be tried again is, if the step says so.
    Failed { why: String, may_retry: bool },
    /// The tool works on it: what is to be remembered until it is asked again.
    Pending { external: Json, at: Timestamp },
    /// Something is to be done here.
    Deed(Deed),
}

impl Outcome {
    fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            may_retry: true,
        }
    }

    fn hopeless(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            may_retry: false,
        }
    }
}

/// An outcome, and what the tool has printed on the way.
#[derive(Debug)]
struct Turn {
    outcome: Outcome,
    console: String,
}

impl From<Outcome> for Turn {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            console: String::new(),
        }
    }
}

/// Does a step's next turn.
///
/// # Errors
/// Of the database. What goes wrong with the tool is the step's failure.
pub async fn run<D: Db>(
    db: &D,
    outbound: &impl Outbound,
    clock: &impl Clock,
    holder: &str,
    row: &Leased,
) -> Result<()> {
    let Some(job) = Job::load(db, &row.subject).await? else {
        return queue::finish(db, holder, &[row.key]).await.map(drop);
    };
    let turn = match job.state {
        StepState::Running if job.is_offered() => Outcome::Deed(Deed::Look).into(),
        StepState::Running if job.is_late(clock.now()) => Outcome::hopeless(job.too_late()).into(),
        StepState::Running => turn(db, outbound, clock, &job).await?,
        StepState::Paused if job.is_late(clock.now()) => {
            Outcome::hopeless(format!("Nobody approved it: it {}", job.too_late())).into()
        }
        // It is over, or has time to wait for its approval, which was put off.
        _ => return queue::finish(db, holder, &[row.key]).await.map(drop),
    };
    let recorded = record::turn(db, holder, row, &job, &turn, clock.now()).await;
    match recorded {
        // What was to be done here was refused: then nothing was done, and the step failed.
        Err(error) if !matches!(error.kind(), Kind::Internal | Kind::Unavailable) => {
            let turn = Outcome::hopeless(error.message()).into();
            record::turn(db, holder, row, &job, &turn, clock.now()).await
        }
        recorded => recorded,
    }
}

/// Begins a step or looks after it.
async fn turn<D: Db>(
    db: &D,
    outbound: &impl Outbound,
    clock: &impl Clock,
    job: &Job,
) -> Result<Turn> {
    let prepared = match job.prepare(db, outbound).await? {
        Ok(prepared) => prepared,
        Err(why) => return Ok(Outcome::hopeless(why).into()),
    };
    let call = Call {
        job,
        tool: &prepared.tool,
        configuration: &prepared.configuration,
        secrets: &prepared.secrets,
        outbound,
        allow_private: address::allows_private().await,
        now: clock.now(),
    };
    let turn = match job.step.kind {
        StepKind::Webhook => call.webhook().await,
        StepKind::Jenkins => jenkins::turn(&call).await,
        StepKind::Github => github::turn(&call).await,
        StepKind::Gitlab => gitlab::turn(&call).await,
        StepKind::Argo => argo::turn(&call).await,
        StepKind::Wait => wait(&call).into(),
        StepKind::Approval => Outcome::hopeless("An approval needs no work").into(),
        StepKind::Conductor => deeds::execution(db, &call).await?.into(),
        StepKind::Maintenance => deeds::maintenance(&call).into(),
        StepKind::Adjutant => deeds::task(db, &call).await?.into(),
        StepKind::Shell => shell::offer(&call).await?.into(),
    };
    Ok(call.hidden(turn))
}

/// Waits until the time is over.
fn wait<O: Outbound>(call: &Call<'_, O>) -> Outcome {
    if let Some(until) = call.job.external.get("until").and_then(Json::as_i64) {
        return match call.now.millis() >= until {
            true => Outcome::Succeeded {
                outputs: Map::new(),
                message: "The time is over.".into(),
            },
            false => Outcome::Pending {
                external: call.job.external.clone(),
                at: Timestamp::from_millis(until),
            },
        };
    }
    let seconds = match call.configuration.get("seconds") {
        Some(Json::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_i64(),
        None => None,
    };
    let seconds = seconds.filter(|seconds| (0..=30 * 86_400).contains(seconds));
    let Some(seconds) = seconds else {
        return Outcome::hopeless("seconds must be a whole number from 0 to 2592000");
    };
    let until = call.now.plus_seconds(seconds);
    Outcome::Pending {
        external: serde_json::json!({ "until": until.millis() }),
        at: until,
    }
}

/// Records that a step cannot be worked on.
///
/// # Errors
/// Of the database.
pub async fn give_up<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    let Some(job) = Job::load(db, &row.subject).await? else {
        return queue::finish(db, holder, &[row.key]).await.map(drop);
    };
    let turn = Outcome::hopeless(why).into();
    record::turn(db, holder, row, &job, &turn, now).await
}

#[cfg(test)]
#[path = "steps/tests.rs"]
mod tests;
