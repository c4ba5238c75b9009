//! The kinds of queued work: every word that the column `kind` can hold.
//!
//! Who does what is decided in one place, the scheduler's `work.rs`; a variant that nobody handles
//! there does not compile.

use windlass_core::db::Value;

/// What a row of the queue wants done. The comment of each says what the row's subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// An execution has something to do: it starts, is cancelled, is resumed. Subject: its id.
    Execution,
    /// A schedule occurs. Subject: the schedule's key.
    ExecutionSchedule,
    /// A call is due: of a built-in plugin, or of a worker's after a failed try. Subject: the
    /// operation's id.
    Operation,
    /// A call that waits for a worker, or is with one, took too long. Subject: the operation's id.
    OperationTimeout,
    /// The rest of an upload whose client was answered already. Subject: the blueprint's key.
    BlueprintUpload,
    /// A maintenance or an announcement of the status page begins or ends. Subject: the event's
    /// number.
    StatusMaintenance,
    /// Something happened to an event of the status page: subscribers are to be found. Subject: the
    /// event's number. Triggers queue it.
    StatusNotification,
    /// A notice is to be brought to a subscriber. Subject: the delivery's id.
    StatusDelivery,
    /// Somebody is to be asked whether they want a subscription. Subject: the subscription's id.
    StatusConfirmation,
    /// A subscription may have waited long enough for its confirmation. Subject: its id.
    StatusSubscriptionExpiry,
    /// An execution of a deployment that a component of the status page follows has ended. Subject:
    /// the execution's id and the time. A trigger queues it.
    StatusRun,
    /// A probe of the status page asks whether something answers. Subject: the probe's id.
    StatusProbe,
    /// A task of Adjutant that a stranger asked for is to be looked at, after they were answered.
    /// Subject: the task's id.
    AdjutantPreparation,
    /// A mail about a task of Adjutant is to be sent. Subject: the mail's id.
    AdjutantMail,
    /// A project is to get the deployment that it begins with. Subject: the id of Adjutant's task.
    AdjutantDeployment,
    /// A step of a pipeline's run is to be begun, or looked after. Subject: the step's id.
    PipelineStep,
    /// A pipeline begins by its schedule. Subject: the pipeline's id.
    PipelineSchedule,
    /// A component's operation has something to do: it begins, or what it waited for has ended. Subject: the
    /// operation's id. A trigger queues it too.
    Component,
    /// A snapshot is to be made or restored. Subject: the id of the execution that does.
    Snapshot,
    /// Queued executions may be able to start. Subject: nothing.
    Dequeue,
}

impl Work {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Execution,
        Self::ExecutionSchedule,
        Self::Operation,
        Self::OperationTimeout,
        Self::BlueprintUpload,
        Self::StatusMaintenance,
        Self::StatusNotification,
        Self::StatusDelivery,
        Self::StatusConfirmation,
        Self::StatusSubscriptionExpiry,
        Self::StatusRun,
        Self::StatusProbe,
        Self::AdjutantPreparation,
        Self::AdjutantMail,
        Self::AdjutantDeployment,
        Self::PipelineStep,
        Self::PipelineSchedule,
        Self::Component,
        Self::Snapshot,
        Self::Dequeue,
    ];

    /// The word in the database. Rows outlive the version that wrote them, so a word never changes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Execution => "execution",
            Self::ExecutionSchedule => "execution_schedule",
            Self::Operation => "operation",
            Self::OperationTimeout => "operation-timeout",
            Self::BlueprintUpload => "blueprint-upload",
            Self::StatusMaintenance => "status_maintenance",
            Self::StatusNotification => "status_notification",
            Self::StatusDelivery => "status_delivery",
            Self::StatusConfirmation => "status_confirmation",
            Self::StatusSubscriptionExpiry => "status_subscription_expiry",
            Self::StatusRun => "status_run",
            Self::StatusProbe => "status_probe",
            Self::AdjutantPreparation => "adjutant_preparation",
            Self::AdjutantMail => "adjutant_mail",
            Self::AdjutantDeployment => "adjutant_deployment",
            Self::PipelineStep => "pipeline_step",
            Self::PipelineSchedule => "pipeline_schedule",
            Self::Component => "component",
            Self::Snapshot => "snapshot",
            Self::Dequeue => "dequeue",
        }
    }

    /// Whether it waits for other servers, which can take minutes. Such work is bounded, so that it
    /// leaves room for others; what only computes goes before it.
    pub const fn waits(self) -> bool {
        match self {
            Self::Operation
            | Self::Snapshot
            | Self::BlueprintUpload
            | Self::StatusDelivery
            | Self::StatusConfirmation
            | Self::StatusProbe
            | Self::AdjutantMail
            | Self::PipelineStep => true,
            Self::Execution
            | Self::ExecutionSchedule
            | Self::OperationTimeout
            | Self::StatusMaintenance
            | Self::StatusNotification
            | Self::StatusSubscriptionExpiry
            | Self::StatusRun
            | Self::AdjutantPreparation
            | Self::AdjutantDeployment
            | Self::PipelineSchedule
            | Self::Component
            | Self::Dequeue => false,
        }
    }

    /// The kind of this word; none for a word of a newer version.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|work| work.name() == name)
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Work> for Value {
    fn from(work: Work) -> Self {
        Self::from(work.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::Db;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for work in Work::ALL.iter().copied() {
            assert_eq!(Work::named(work.name()), Some(work));
        }
        assert_eq!(Work::named("telegram"), None);
    }

    /// Triggers write words as text, where no compiler looks.
    #[test]
    fn the_words_in_triggers_are_kinds() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let triggers = db
                .query(
                    "select name, sql from sqlite_schema
                     where type = 'trigger' and sql like '%into queue%'",
                    &[],
                )
                .await
                .unwrap();
            let mut words = 0;
            for trigger in &triggers {
                let (name, sql) = (trigger.text(0).unwrap(), trigger.text(1).unwrap());
                for insert in sql.split("into queue").skip(1) {
                    assert!(insert.trim_start().starts_with("(kind,"), "{name}: {sql}");
                    // After the names of the columns come values, or a select.
                    let (_, values) = insert.split_once(')').unwrap();
                    let word = values.split('\'').nth(1).unwrap();
                    let work = Work::named(word).expect(word);
                    assert!(!work.waits(), "{name}: {word}, the column says it does not");
                    words += 1;
                }
            }
            assert!(words >= 4, "only {words} were found");
        });
    }
}
