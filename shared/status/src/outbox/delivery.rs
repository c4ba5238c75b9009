//! Deliveries: a notice on its way to one subscriber.

use super::{Notice, make_due};
use crate::demand_insider;
use serde::Deserialize;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, log, params};
use windlass_store::audit;

windlass_core::named_enum! {
    /// What became of a delivery.
    enum DeliveryState {
        /// It is still to be made.
        Pending = "pending",
        /// It was given up.
        Failed = "failed",
    }
}

/// A notice that is to be brought to one subscriber.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Delivery {
    /// Its id, which goes out with it.
    pub id: String,
    /// The id of the subscription that is told.
    pub subscription: String,
    /// Failed attempts so far.
    pub attempts: i64,
    /// What is told.
    pub notice: Notice,
}

/// A delivery that is still to be made, for the application's own work.
pub(crate) async fn find_pending(db: &impl Db, id: &str) -> Result<Option<Delivery>> {
    find(db, id, DeliveryState::Pending).await
}

/// A delivery that was given up, for administrators.
///
/// # Errors
/// 403 for the public; 404 when there is none.
pub async fn find_failed(db: &impl Db, scope: &Scope, id: &str) -> Result<Delivery> {
    demand_insider(scope)?;
    let found = find(db, id, DeliveryState::Failed).await?;
    found.ok_or_else(|| Error::not_found("Failed delivery", id))
}

async fn find(db: &impl Db, id: &str, state: DeliveryState) -> Result<Option<Delivery>> {
    db.first_json(
        "select json_object('id', d.id, 'subscription', d.subscription_id,
             'attempts', d.attempts, 'notice', json(n.content))
         from status_deliveries d join status_notices n on n.id = d.notice_id
         where d.id = ?1 and d.state = ?2",
        params![id, state],
    )
    .await
}

/// Records that a delivery arrived.
pub(crate) async fn delivered(db: &impl Db, delivery: &Delivery, now: Timestamp) -> Result<()> {
    db.execute(
        "update status_deliveries set state = 'delivered', attempts = attempts + 1,
             finished_at = ?2, last_error = null where id = ?1 and state = 'pending'",
        params![delivery.id.as_str(), now],
    )
    .await
}

/// Records that an attempt failed, with another to follow.
pub(crate) async fn postponed(db: &impl Db, delivery: &Delivery, error: &str) -> Result<()> {
    db.execute(
        "update status_deliveries set attempts = attempts + 1, last_error = ?2 where id = ?1",
        params![delivery.id.as_str(), error],
    )
    .await
}

/// Records that a delivery was given up.
pub(crate) async fn failed(
    db: &impl Db,
    delivery: &Delivery,
    error: &str,
    now: Timestamp,
) -> Result<()> {
    let told = [
        ("delivery", delivery.id.as_str().into()),
        ("error", error.into()),
    ];
    log::line(log::Level::Warning, "a notice was given up", told);
    db.execute(
        "update status_deliveries set state = 'failed', attempts = attempts + 1, last_error = ?2,
             finished_at = ?3 where id = ?1 and state = 'pending'",
        params![delivery.id.as_str(), error, now],
    )
    .await
}

/// Makes a failed delivery due again.
pub async fn redrive(
    tx: &impl Tx,
    scope: &Scope,
    delivery: &Delivery,
    now: Timestamp,
) -> Result<usize> {
    redrive_each(tx, scope, Some(&delivery.id), now).await
}

/// Makes all failed deliveries due again. Answers how many.
pub async fn redrive_all(tx: &impl Tx, scope: &Scope, now: Timestamp) -> Result<usize> {
    redrive_each(tx, scope, None, now).await
}

async fn redrive_each(
    tx: &impl Tx,
    scope: &Scope,
    id: Option<&str>,
    now: Timestamp,
) -> Result<usize> {
    let sql = "update status_deliveries set state = 'pending', attempts = 0, finished_at = null
               where state = 'failed' and (?1 is null or id = ?1) returning id";
    let count = make_due(tx, sql, params![id], now).await?;
    let target = id.unwrap_or("all");
    audit::insert(tx, scope, "status_delivery_redrive", "Delivery", target).await?;
    Ok(count)
}
