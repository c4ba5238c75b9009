//! Events that begin and end by themselves.
//!
//! Whoever gives an event a window queues a row of work for the window's next moment, in the same
//! transaction. The row is about the event as it is when the row runs, so it may come late or twice.

use super::kind::EventKind;
use super::row::{self, EventRef, NewUpdate};
use crate::{TENANT, lifecycle};
use windlass_core::db::Tx;
use windlass_core::{Kind, Result, Scope, Timestamp, params};
use windlass_store::audit;
use windlass_store::queue::{self, Due, Work};

/// Who the clock is where people's names are; no user's name holds a colon.
const BY: &str = "clock:status";

/// Brings an event to where its window says it is by now, and waits for what comes next. One that
/// is there, is over, or is gone stays as it is.
pub async fn advance(tx: &impl Tx, event: i64, now: Timestamp) -> Result<()> {
    let event = match row::find(tx, &Scope::engine(), event).await {
        Ok(event) => event,
        Err(error) if error.kind() == Kind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let standing = &event.standing;
    let event = &event.reference;
    let (steps, _) = lifecycle::due(
        standing.kind,
        &standing.status,
        standing.started_at,
        standing.ended_at,
        now,
    );
    for step in &steps {
        // The row first: who is told of the update reads the event as it is then.
        tx.execute(
            "update status_incidents set status = ?2, updated_at = ?3 where id = ?1",
            params![event.id, step.status, now],
        )
        .await?;
        let update = NewUpdate {
            status: step.status,
            text: step.text,
            is_markup: false,
            at: step.at,
        };
        row::add_update(tx, event, &update, BY, now).await?;
        let scope = Scope::system(BY, TENANT);
        let action = format!("status_event_{}", step.status);
        audit::insert(tx, &scope, &action, "Event", &event.id.to_string()).await?;
    }
    schedule(tx, event, now).await.map(drop)
}

/// Queues the next moment of an event's window, or forgets the one that was queued when there is
/// none. Whether something is due now.
pub(super) async fn schedule(tx: &impl Tx, event: &EventRef, now: Timestamp) -> Result<bool> {
    let standing = row::find(tx, &Scope::engine(), event.id).await?.standing;
    if standing.kind == EventKind::Incident {
        return Ok(false);
    }
    let (steps, next) = lifecycle::due(
        standing.kind,
        &standing.status,
        standing.started_at,
        standing.ended_at,
        now,
    );
    let is_due = !steps.is_empty();
    let subject = event.id.to_string();
    match next.filter(|_| !is_due).or(is_due.then_some(now)) {
        Some(next) => {
            let item = Due {
                subject,
                not_before: next,
            };
            queue::push_all(tx, Work::StatusMaintenance, &[item], now).await?;
        }
        None => queue::remove_all(tx, Work::StatusMaintenance, &[&subject]).await?,
    }
    Ok(is_due)
}
