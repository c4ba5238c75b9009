//! Who does which work of the queue: every kind, in one place.
//!
//! A new kind is a variant of [`Work`], and does not compile until it has an arm in each of the two
//! functions: how it is done, and what it means to give it up.

use crate::platform::{Network, SystemClock};
use crate::{environments, handed_over};
use windlass_adjutant::{lifecycle, mails};
use windlass_core::db::Db;
use windlass_core::outbound::Clock;
use windlass_core::{Error, Result, log};
use windlass_engine::{Dispatch, Run, components, dequeue, dispatch, schedules};
use windlass_opsera::pipelines::schedule;
use windlass_opsera::steps;
use windlass_status::{maintenance, notices, probes};
use windlass_store::queue::{self, Leased, Work};

/// All kinds of work, by the platform's clock and over its network.
pub struct Workers;

impl<D: Db> Dispatch<D> for Workers {
    fn run<'a>(&'a self, db: &'a D, holder: &'a str, row: Leased) -> Run<'a> {
        let now = || SystemClock.now();
        match row.work {
            Work::Operation => Run::Call,
            Work::Execution => {
                Run::here(async move { dispatch::drive_execution(db, holder, &row, now()).await })
            }
            Work::ExecutionSchedule => {
                Run::here(async move { schedules::occur(db, holder, &row, now()).await })
            }
            Work::Dequeue => {
                Run::here(async move { dequeue::start_queued(db, holder, &row, now()).await })
            }
            Work::Component => {
                Run::here(async move { components::run(db, holder, &row, now()).await })
            }
            Work::OperationTimeout => {
                Run::here(async move { dispatch::time_out_call(db, holder, &row, now()).await })
            }
            Work::BlueprintUpload => {
                Run::beside(
                    async move { handed_over::continue_upload(&Network, holder, &row).await },
                )
            }
            Work::Snapshot => {
                Run::beside(
                    async move { handed_over::carry_out_snapshot(&Network, holder, &row).await },
                )
            }
            Work::StatusMaintenance => {
                Run::here(async move { maintenance::run(db, holder, &row, now()).await })
            }
            Work::StatusNotification => {
                Run::here(async move { notices::fan_out(db, holder, &row, now()).await })
            }
            Work::StatusRun => {
                Run::here(async move { notices::follow_run(db, holder, &row).await })
            }
            Work::StatusSubscriptionExpiry => {
                Run::here(async move { notices::expire(db, holder, &row, now()).await })
            }
            Work::StatusConfirmation => Run::beside(async move {
                notices::confirm(db, &Network, &SystemClock, holder, &row).await
            }),
            Work::StatusDelivery => Run::beside(async move {
                notices::deliver(db, &Network, &SystemClock, holder, &row).await
            }),
            Work::StatusProbe => {
                Run::beside(
                    async move { probes::run(db, &Network, &SystemClock, holder, &row).await },
                )
            }
            Work::AdjutantPreparation => {
                Run::here(async move { lifecycle::prepare_queued(db, holder, &row, now()).await })
            }
            Work::AdjutantDeployment => {
                Run::here(async move { environments::run(db, holder, &row, now()).await })
            }
            Work::AdjutantMail => Run::beside(async move {
                mails::deliver(db, &Network, &SystemClock, holder, &row).await
            }),
            Work::PipelineStep => {
                Run::beside(
                    async move { steps::run(db, &Network, &SystemClock, holder, &row).await },
                )
            }
            Work::PipelineSchedule => {
                Run::here(async move { schedule::run(db, holder, &row, now()).await })
            }
        }
    }

    async fn give_up(&self, db: &D, holder: &str, row: &Leased, why: &str) -> Result<()> {
        let now = SystemClock.now();
        match row.work {
            Work::Execution => dispatch::give_up_execution(db, holder, row, why, now).await,
            Work::ExecutionSchedule => {
                tell(row, why);
                schedules::give_up(db, holder, row, now).await
            }
            Work::Operation | Work::OperationTimeout | Work::Component => {
                dispatch::give_up_call(db, holder, row, why, now).await
            }
            Work::BlueprintUpload => handed_over::give_up_upload(db, holder, row, why).await,
            Work::Snapshot => handed_over::give_up_snapshot(db, holder, row, why).await,
            Work::StatusDelivery => {
                tell(row, why);
                notices::give_up_delivery(db, holder, row, why, now).await
            }
            Work::StatusProbe => {
                tell(row, why);
                probes::pass_over(db, holder, row, now).await
            }
            Work::AdjutantMail => mails::give_up(db, holder, row, why, now).await,
            Work::AdjutantDeployment => environments::give_up(db, holder, row, why, now).await,
            Work::PipelineStep => steps::give_up(db, holder, row, why, now).await,
            Work::PipelineSchedule => {
                tell(row, why);
                schedule::pass_over(db, holder, row, now).await
            }
            // What is left undone shows in no row of its own, so the log is all that tells of it.
            Work::StatusMaintenance
            | Work::StatusNotification
            | Work::StatusRun
            | Work::StatusSubscriptionExpiry
            | Work::StatusConfirmation
            | Work::AdjutantPreparation
            | Work::Dequeue => {
                tell(row, why);
                queue::finish(db, holder, &[row.key]).await.map(drop)
            }
        }
    }
}

fn tell(row: &Leased, why: &str) {
    let text = format!("{} of {} was given up: {why}", row.work, row.subject);
    log::error("queue", &Error::internal(text));
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;

    /// What waits is bounded, and what runs one after the other must not wait.
    #[test]
    fn what_runs_beside_others_is_what_waits() {
        let db = NativeDb::in_memory();
        for work in Work::ALL.iter().copied() {
            let row = Leased {
                key: 1,
                work,
                subject: "1".into(),
                payload: serde_json::Value::Null,
                attempts: 1,
                failures: 0,
                last_error: None,
            };
            let run = Workers.run(&db, "me", row);
            let is_beside = matches!(run, Run::Call | Run::Beside(_));
            assert_eq!(is_beside, work.waits(), "{work}");
        }
    }
}
