//! Schedules: components called at the times of a cron expression.
//!
//! As in Spin's cron trigger, every event gets an instance of its own, and neither `self` nor
//! `*.spin.internal` can be called from it. Events of one trigger never overlap: one that would start
//! while the one before still runs is left out.

use crate::bindings::cron::SpinCronPre;
use crate::bindings::cron::fermyon::spin_cron::cron_types::{Error, Metadata};
use crate::guest::{ComponentEnv, GuestState, new_store};
use crate::outbound::Outbound;
use anyhow::{Context, Result};
use chrono::Utc;
use cron::Schedule;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wasmtime::Engine;

/// How long the handling of one event may take.
const EVENT_LIMIT: Duration = Duration::from_secs(60);

/// One `[[trigger.cron]]`.
pub struct Cron {
    /// The engine that compiled the component.
    pub engine: Engine,
    /// The component to call.
    pub pre: SpinCronPre<GuestState>,
    /// What it may do.
    pub component: Arc<ComponentEnv>,
    /// When to call it.
    pub schedule: Schedule,
}

/// Reads a cron expression of six or seven fields.
pub fn parse_schedule(component: &str, expression: &str) -> Result<Schedule> {
    Schedule::from_str(expression).with_context(|| {
        format!(
            "[[trigger.cron]] of `{component}`: cron_expression `{expression}` is not understood; it has six or seven fields: second, minute, hour, day of month, month, day of week, year"
        )
    })
}

impl Cron {
    /// Calls the component at its times, until `stopping` becomes true.
    pub async fn run(self, mut stopping: watch::Receiver<bool>) {
        loop {
            let now = Utc::now();
            let Some(next) = self.schedule.after(&now).next() else {
                return;
            };
            let wait = (next - now).to_std().unwrap_or_default();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stopping.wait_for(|stop| *stop) => return,
            }
            let timestamp = u64::try_from(next.timestamp()).unwrap_or_default();
            if let Err(problem) = self.fire(timestamp).await {
                self.component
                    .logger
                    .component_problem(&self.component.id, &format!("cron event: {problem}"));
            }
        }
    }

    async fn fire(&self, timestamp: u64) -> Result<(), String> {
        let outbound = Outbound::new(&self.component, None);
        let mut store = new_store(&self.engine, &self.component, outbound);
        let event = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            instance
                .call_handle_cron_event(&mut store, Metadata { timestamp })
                .await
        };
        match tokio::time::timeout(EVENT_LIMIT, event).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(Error::Other(message)))) => Err(message),
            Ok(Err(trap)) => Err(format!("{trap:#}")),
            Err(_) => Err(format!("not finished after {} s", EVENT_LIMIT.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_have_seconds() {
        for (expression, good) in [
            ("* * * * * *", true),
            ("*/5 * * * * *", true),
            ("0 30 9 * * Mon-Fri", true),
            ("0 0 0 1 1 * 2030", true),
            ("* * * * *", false),
            ("every second", false),
        ] {
            assert_eq!(
                parse_schedule("c", expression).is_ok(),
                good,
                "{expression}"
            );
        }
    }
}
