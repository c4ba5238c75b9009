//! Recording a turn: the step, what its tool printed, and what follows from it, in one transaction.

use super::deeds::Deed;
use super::job::Job;
use super::{Outcome, Turn};
use crate::drive::drive;
use crate::logs::{self, Entry};
use crate::plan::StepKind;
use crate::runs::{self, Run, StepState};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Timestamp, params};
use windlass_store::queue::{self, Leased};
use windlass_store::shell_steps::{self, CONSOLE};

/// The most bytes of a step's outputs.
const OUTPUTS: usize = 64 << 10;

/// Records a turn, if the row is still this holder's.
pub async fn turn<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    job: &Job,
    turn: &Turn,
    now: Timestamp,
) -> Result<()> {
    db.transaction(async |tx| {
        if queue::held(tx, holder, &[row.key]).await?.is_empty() {
            return Ok(());
        }
        let mut recording = Recording {
            tx,
            holder,
            row,
            job,
            now,
            run: runs::load(tx, job.run_key).await?,
        };
        recording.console(&turn.console).await?;
        let outcome = match &turn.outcome {
            Outcome::Deed(deed) => recording.deed(deed).await?,
            other => other.clone(),
        };
        recording.outcome(outcome).await
    })
    .await
}

struct Recording<'a, T> {
    tx: &'a T,
    holder: &'a str,
    row: &'a Leased,
    job: &'a Job,
    now: Timestamp,
    run: Run,
}

impl<T: Tx> Recording<'_, T> {
    /// Keeps what a tool has printed, up to a limit.
    async fn console(&self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let sql = "select coalesce(sum(octet_length(response)), 0) from pipeline_logs
             where run_key = ?1 and position = ?2 and is_console = 1 and pipeline_key = ?3";
        let values = params![self.run.key, self.job.position, self.run.pipeline_key];
        let kept = self.tx.first(sql, values).await?;
        let kept = kept.map_or(Ok(0), |row| row.integer(0))?;
        let room = usize::try_from((CONSOLE - kept).max(0)).unwrap_or(0);
        if room == 0 {
            return Ok(());
        }
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (shown, rest) = text.split_at(end);
        let mut entries = Entry::console(self.job.position, shown);
        if !rest.is_empty() {
            let text = format!(
                "{} printed more than {CONSOLE} bytes: the rest is left out.",
                self.job.step.name
            );
            let entry = Entry::of_step(
                self.job.position,
                "console output left out",
                text,
                "running",
            );
            entries.push(entry);
        }
        self.log(&entries).await
    }

    async fn log(&self, entries: &[Entry]) -> Result<()> {
        logs::insert(self.tx, &self.run, entries, &self.run.started_by, self.now).await
    }

    /// Does what is to be done here, in this transaction.
    async fn deed(&self, deed: &Deed) -> Result<Outcome> {
        super::deeds::perform(self.tx, deed, self.job, self.now).await
    }

    async fn outcome(&mut self, outcome: Outcome) -> Result<()> {
        match outcome {
            Outcome::Pending { external, at } => self.put_off(&external, at).await,
            Outcome::Succeeded { outputs, message } => self.succeeded(outputs, &message).await,
            Outcome::Failed { why, may_retry } => {
                let step = &self.job.step;
                if may_retry
                    && self.job.tries < step.retries
                    && self.run.state != runs::RunState::Stopping
                {
                    return self.again(&why).await;
                }
                self.ended(StepState::Failed, None, Some(&why), &why).await
            }
            // A deed does not lead to another one.
            Outcome::Deed(_) => Ok(()),
        }
    }

    /// Gives the row back, to be looked at again.
    async fn put_off(&self, external: &Json, at: Timestamp) -> Result<()> {
        let sql = "update pipeline_steps set external = ?2 where id = ?1";
        self.tx
            .execute(sql, params![self.job.id.as_str(), external])
            .await?;
        let deadline = self.job.deadline.map(Timestamp::from_millis);
        let at = deadline.map_or(at, |deadline| at.min(deadline));
        queue::give_back(self.tx, self.holder, self.row.key, at, None, false).await
    }

    /// Tries the step again after a while, from its beginning.
    async fn again(&self, why: &str) -> Result<()> {
        let (step, tries) = (&self.job.step, self.job.tries + 1);
        let sql =
            "update pipeline_steps set external = null, tries = ?2, deadline = ?3 where id = ?1";
        let at = self.now.plus_seconds(step.retry_seconds);
        let deadline = step
            .timeout_seconds
            .map(|seconds| at.plus_seconds(seconds).millis());
        self.tx
            .execute(sql, params![self.job.id.as_str(), tries, deadline])
            .await?;
        let text = format!(
            "{} failed and is tried again in {} seconds ({tries} of {}): {why}",
            step.name, step.retry_seconds, step.retries
        );
        let entry = Entry::of_step(self.job.position, "retry", text, "running");
        self.log(&[entry]).await?;
        queue::give_back(self.tx, self.holder, self.row.key, at, None, false).await
    }

    async fn succeeded(&mut self, outputs: Map<String, Json>, message: &str) -> Result<()> {
        let faults = self.job.step.thresholds.iter();
        let fault = faults
            .filter_map(|threshold| threshold.fault(&outputs))
            .next();
        let bytes = serde_json::to_string(&outputs).map_or(0, |text| text.len());
        let too_much =
            || format!("its outputs have {bytes} bytes, more than the allowed {OUTPUTS}");
        if bytes > OUTPUTS {
            let why = too_much();
            return self.ended(StepState::Failed, None, Some(&why), &why).await;
        }
        let outputs = Json::Object(outputs);
        match fault {
            Some(why) => {
                self.ended(StepState::Failed, Some(&outputs), Some(&why), &why)
                    .await
            }
            None => {
                self.ended(StepState::Success, Some(&outputs), None, message)
                    .await
            }
        }
    }

    /// Ends the step, and drives the run on.
    async fn ended(
        &mut self,
        state: StepState,
        outputs: Option<&Json>,
        error: Option<&str>,
        message: &str,
    ) -> Result<()> {
        queue::finish(self.tx, self.holder, &[self.row.key]).await?;
        if self.job.step.kind == StepKind::Shell {
            shell_steps::close(self.tx, &self.job.id).await?;
        }
        let ids = [self.job.id.clone()];
        runs::end_steps(self.tx, &mut self.run, &ids, state, error, self.now).await?;
        if outputs.is_some() {
            let sql = "update pipeline_steps set outputs = ?2 where id = ?1";
            self.tx
                .execute(sql, params![self.job.id.as_str(), outputs])
                .await?;
        }
        let word = if state == StepState::Success {
            "done"
        } else {
            "failed"
        };
        let text = format!("{} {word}: {message}", self.job.step.name);
        let entry = Entry::of_step(self.job.position, "step end", text, state.name());
        self.log(&[entry]).await?;
        let by = self.run.started_by.clone();
        drive(self.tx, &mut self.run, &by, self.now).await
    }
}
