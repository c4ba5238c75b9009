//! A check: asked outside of any transaction, recorded in one that also says when the next one is.

use super::history;
use super::row::{Probe, find_any};
use super::settings::{Check, Settings, host_and_port};
use crate::TENANT;
use crate::components::list;
use crate::signals::{self, Signal};
use serde_json::json;
use std::time::Duration;
use windlass_core::db::{Db, Tx};
use windlass_core::outbound::{Clock, Outbound, OutboundRequest, OutboundResponse, address};
use windlass_core::platform::tcp::{self, By};
use windlass_core::{Kind, Result, Scope, Timestamp, log, params};
use windlass_store::queue::{self, Leased};

/// The longest error that is kept, in characters.
const ERROR: usize = 300;

/// Asks once, and records what came of it.
///
/// # Errors
/// Of the database; the row is tried again. What does not answer is recorded, not an error.
pub async fn run(
    db: &impl Db,
    outbound: &impl Outbound,
    clock: &impl Clock,
    holder: &str,
    row: &Leased,
) -> Result<()> {
    let Some(probe) = find_any(db, &row.subject).await? else {
        return queue::finish(db, holder, &[row.key]).await.map(drop);
    };
    let begun = clock.now();
    let answer = ask(outbound, &probe.settings).await;
    let now = clock.now();
    let measured = Measured {
        begun,
        millis: (now.millis() - begun.millis()).max(0),
        error: answer.err(),
    };
    queue::finishing(db, holder, row, async |tx| {
        // It may have been changed or deleted meanwhile: then this says nothing.
        let Some(probe) = find_any(tx, &row.subject).await? else {
            return Ok(());
        };
        let is_same = probe.updated_at <= begun;
        if is_same {
            record(tx, &probe, &measured, now).await?;
        }
        push(tx, &probe, if is_same { begun } else { now }, now).await
    })
    .await
}

/// Goes on with the next check when one could not be made at all.
///
/// # Errors
/// Of the database.
pub async fn pass_over<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        match find_any(tx, &row.subject).await? {
            Some(probe) => push(tx, &probe, now, now).await,
            None => Ok(()),
        }
    })
    .await
}

/// Queues the next check, an interval after one began.
async fn push(tx: &impl Tx, probe: &Probe, begun: Timestamp, now: Timestamp) -> Result<()> {
    let next = begun.plus_seconds(probe.settings.interval_seconds).max(now);
    queue::push(
        tx,
        queue::Work::StatusProbe,
        &probe.id,
        &json!({}),
        next,
        now,
    )
    .await
}

/// What a check found.
struct Measured {
    begun: Timestamp,
    millis: i64,
    /// What was wrong with the answer.
    error: Option<String>,
}

/// Asks, and says what is wrong with the answer.
async fn ask(outbound: &impl Outbound, settings: &Settings) -> Result<(), String> {
    let timeout = Duration::from_secs(settings.timeout_seconds);
    // The rule holds with every check: the operator may have changed it.
    let allow_private = address::allows_private().await;
    match settings.check {
        Check::Http => {
            address::check(settings.target(), allow_private)?;
            let request = OutboundRequest {
                method: settings.method.clone().unwrap_or_else(|| "GET".into()),
                url: settings.target().to_owned(),
                headers: vec![("user-agent".into(), "windlass-probe".into())],
                body: Vec::new(),
                timeout: Some(timeout),
            };
            judge(settings, &outbound.send(request).await?)
        }
        Check::Tcp => {
            let target = settings.target();
            address::check(&format!("http://{target}"), allow_private)?;
            let (host, port) =
                host_and_port(target).ok_or_else(|| format!("`{target}` is no host and port"))?;
            let by = By::User { allow_private };
            tcp::connect_by(by, host, port, timeout).await.map(drop)
        }
    }
}

/// Whether an answer is as expected.
fn judge(settings: &Settings, answer: &OutboundResponse) -> Result<(), String> {
    let status = answer.status;
    let is_expected = match settings.expected_statuses.as_slice() {
        [] => (200..400).contains(&status),
        some => some.contains(&status),
    };
    if !is_expected {
        return Err(format!("it answered {status}"));
    }
    match &settings.contains {
        Some(text) if !String::from_utf8_lossy(&answer.body).contains(text.as_str()) => {
            Err(format!("it answered {status} without the expected text"))
        }
        _ => Ok(()),
    }
}

/// Writes what a check found, and what follows from it.
async fn record(tx: &impl Tx, probe: &Probe, measured: &Measured, now: Timestamp) -> Result<()> {
    history::count(
        tx,
        probe,
        measured.begun,
        measured.millis,
        measured.error.is_some(),
    )
    .await?;
    let scope = Scope::system(&probe.created_by, TENANT);
    let (failures, successes) = match measured.error {
        Some(_) => (probe.failures.saturating_add(1), 0),
        None => (0, probe.successes.saturating_add(1)),
    };
    let is_down = if failures >= probe.settings.failures_to_open {
        // Each time: it may have been under maintenance before.
        raise(tx, &scope, probe, measured, now).await?;
        true
    } else if probe.is_down && successes >= probe.settings.successes_to_close {
        signals::lower(tx, &scope, probe.key(), now).await?;
        false
    } else {
        probe.is_down
    };
    if is_down != probe.is_down {
        let text = if is_down {
            "a probe is down"
        } else {
            "a probe is up again"
        };
        let mut told = vec![("probe", probe.id.as_str().into())];
        told.extend((measured.error.as_deref()).map(|error| ("error", error.into())));
        log::line(log::Level::Info, text, told);
    }
    let error = (measured.error.as_ref()).map(|text| text.chars().take(ERROR).collect::<String>());
    let millis = measured.error.is_none().then_some(measured.millis);
    tx.execute(
        "update status_probes set failures = ?2, successes = ?3, is_down = ?4, checked_at = ?5,
             last_millis = coalesce(?6, last_millis), last_error = ?7
         where id = ?1",
        params![
            probe.id.as_str(),
            failures,
            successes,
            is_down,
            now,
            millis,
            error
        ],
    )
    .await
}

/// Says that the component is down. One that has left the catalogue is told of no more.
async fn raise(
    tx: &impl Tx,
    scope: &Scope,
    probe: &Probe,
    measured: &Measured,
    now: Timestamp,
) -> Result<()> {
    let component = match list::find(tx, probe.component_id).await {
        Ok(component) => component,
        Err(refusal) if refusal.kind() == Kind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let standard = format!("{} does not answer", component.label());
    let error = measured.error.as_deref().unwrap_or_default();
    let signal = Signal {
        key: probe.key(),
        component: component.id,
        impact: probe.settings.impact,
        title: &error.chars().take(ERROR).collect::<String>(),
        public_title: probe.settings.title.as_deref().unwrap_or(&standard),
    };
    signals::raise(tx, scope, &signal, now).await.map(drop)
}
