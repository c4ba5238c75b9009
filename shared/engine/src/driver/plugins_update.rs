//! How the execution of an update of plugins goes on: from one deployment to the next, and to its end.

use super::Drive;
use crate::plugins_updates::{outcome, still_active, update_deployment};
use crate::step::End;
use crate::texts;
use serde_json::Value;
use windlass_core::db::Tx;
use windlass_core::{Kind, Result, Scope};
use windlass_store::executions::Status;
use windlass_store::plugins_updates::{self, Member, MemberState, PluginsUpdateState, Running};
use windlass_store::queue::{self, Work};

/// How many deployments are looked at in one transaction.
const AT_ONCE: usize = 50;

/// The event of what is told on the way.
const EVENT: &str = "workflow_event";

/// What a look at the rows led to.
enum Went {
    /// To something that changed them.
    On,
    /// To nothing: an update of a deployment is under way.
    Waits,
    /// To the end.
    Over(End),
}

impl<T: Tx> Drive<'_, T> {
    /// Goes on as far as it can without waiting.
    pub(super) async fn run_plugins_update(&mut self) -> Result<()> {
        let found = plugins_updates::of_execution(self.tx, &self.execution).await?;
        let Some(update) = found else {
            let text = "The blueprint is gone, and with it the update of its plugins";
            self.end(End::Failed(text.to_owned()));
            return Ok(());
        };
        if self.begins && self.execution.resume {
            let blueprint = update.blueprint_key;
            let others = plugins_updates::active(self.tx, blueprint, Some(update.key)).await?;
            if !others.is_empty() {
                self.end(End::Failed(still_active(&others)));
                return Ok(());
            }
            plugins_updates::retry_failed(self.tx, &update).await?;
        }
        for _ in 0..AT_ONCE {
            match self.update_next_deployment(&update).await? {
                Went::On => {}
                Went::Waits => return self.tell_progress(&update).await,
                Went::Over(end) => {
                    self.tell_progress(&update).await?;
                    self.end(end);
                    return Ok(());
                }
            }
        }
        let (id, now) = (&self.execution.id, self.now);
        queue::push(self.tx, Work::Execution, id, &Value::Null, now, now).await?;
        self.tell_progress(&update).await
    }

    async fn tell_progress(&mut self, update: &Running) -> Result<()> {
        let progress = plugins_updates::progress(self.tx, update).await?;
        self.execution.total_operations = progress.total;
        self.execution.finished_operations = progress.ended;
        Ok(())
    }

    async fn update_next_deployment(&mut self, update: &Running) -> Result<Went> {
        if let Some(member) = plugins_updates::started_member(self.tx, update).await? {
            return self.look_after(update, &member).await;
        }
        if update.state == PluginsUpdateState::Successful {
            // Somebody finalized it.
            return Ok(Went::Over(End::Succeeded));
        }
        if self.execution.status == Status::Cancelling {
            return Ok(Went::Over(End::Cancelled));
        }
        let Some(copy) = update.temp_blueprint_key else {
            let text = "The copy of the blueprint is gone: ask for a new update of its plugins";
            return Ok(Went::Over(End::Failed(text.to_owned())));
        };
        if let Some(member) = plugins_updates::next_member(self.tx, update).await? {
            let has = member.blueprint_key;
            if has == Some(update.blueprint_key) {
                return self.begin_member(update, &member).await;
            }
            let state = match has == Some(copy) {
                true => MemberState::Successful,
                false => MemberState::Skipped,
            };
            plugins_updates::end_member(self.tx, &member, state).await?;
            return Ok(Went::On);
        }
        let scope = Scope::in_name_of(&update.created_by, &update.tenant_name);
        let new = plugins_updates::newcomers(self.tx, &scope, update).await?;
        if !new.is_empty() {
            let waiting = MemberState::Waiting;
            plugins_updates::insert_members(self.tx, update.key, &new, waiting).await?;
            return Ok(Went::On);
        }
        self.finish_plugins_update(update).await
    }

    async fn begin_member(&mut self, update: &Running, member: &Member) -> Result<Went> {
        let (execution, now) = (&self.execution, self.now);
        // What is refused half-way has done nothing.
        let begun = self
            .tx
            .attempt(async |tx| update_deployment(tx, execution, (update, member), now).await);
        match begun.await {
            Ok(id) => {
                plugins_updates::begin_member(self.tx, member, &id).await?;
                let text = texts::updating_deployment(&member.deployment_id);
                self.effects.tell(EVENT, &text);
                Ok(Went::Waits)
            }
            Err(error) if matches!(error.kind(), Kind::Internal | Kind::Unavailable) => Err(error),
            Err(refusal) => {
                plugins_updates::end_member(self.tx, member, MemberState::Failed).await?;
                let text = texts::deployment_not_updated(
                    (&member.deployment_id, &update.id),
                    refusal.message(),
                );
                self.effects.tell(EVENT, &text);
                Ok(Went::On)
            }
        }
    }

    /// Looks whether the update of a deployment has ended.
    async fn look_after(&mut self, update: &Running, member: &Member) -> Result<Went> {
        let status = match member.status {
            Some(status) if !status.has_ended() => return Ok(Went::Waits),
            status => status,
        };
        let state = match member.deployment_key {
            None => MemberState::Skipped,
            Some(_) => outcome(status),
        };
        plugins_updates::end_member(self.tx, member, state).await?;
        let text = texts::deployment_updated(
            (&member.deployment_id, &update.id),
            status.unwrap_or(Status::Failed),
            member.execution_id.as_deref().unwrap_or_default(),
        );
        self.effects.tell(EVENT, &text);
        Ok(Went::On)
    }

    async fn finish_plugins_update(&mut self, update: &Running) -> Result<Went> {
        let (named, count) = plugins_updates::left_behind(self.tx, update).await?;
        if count > 0 {
            let text = texts::left_behind(&update.id, &named, count);
            return Ok(Went::Over(End::Failed(text)));
        }
        self.effects.tell(EVENT, "Finalizing plugins update...");
        plugins_updates::adopt(self.tx, update).await?;
        let successful = PluginsUpdateState::Successful;
        plugins_updates::set_state(self.tx, update.key, successful).await?;
        Ok(Went::Over(End::Succeeded))
    }
}
