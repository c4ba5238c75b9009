//! Deliveries as the administrator sees them.

use crate::{Page, demand_insider};
use windlass_core::db::Db;
use windlass_core::{Error, Result, Scope, params};

/// How many deliveries are in which state, and subscriptions, as JSON text.
///
/// # Errors
/// 403 for the public.
pub async fn stats(db: &impl Db, scope: &Scope) -> Result<String> {
    demand_insider(scope)?;
    let row = db
        .first(
            "select json_object(
                 'pending', (select count(*) from status_deliveries where state = 'pending'),
                 'delivered', (select count(*) from status_deliveries where state = 'delivered'),
                 'failed', (select count(*) from status_deliveries where state = 'failed'),
                 'oldest_pending', (select min(created_at) from status_deliveries where state = 'pending'),
                 'subscriptions', json_object(
                     'active', (select count(*) from status_subscriptions
                         where confirmed_at is not null and disabled_at is null),
                     'unconfirmed', (select count(*) from status_subscriptions
                         where confirmed_at is null and disabled_at is null),
                     'disabled', (select count(*) from status_subscriptions
                         where disabled_at is not null)))",
            &[],
        )
        .await?
        .ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    Ok(row.text(0)?.to_owned())
}

/// One page of the failed deliveries, the newest first.
///
/// # Errors
/// 403 for the public.
pub async fn list_failed(db: &impl Db, scope: &Scope, limit: i64, offset: i64) -> Result<Page> {
    demand_insider(scope)?;
    let items = "select json_object('id', d.id, 'event', n.event, 'incident_id', n.incident_id,
                         'subscription_id', d.subscription_id,
                         'kind', iif(s.format = 'standard', s.kind, s.format),
                         'target', iif(s.format = 'standard', s.target,
                             substr(s.target, 1, instr(substr(s.target, 9), '/') + 8) || '...'),
                         'attempts', d.attempts, 'last_error', d.last_error,
                         'created_at', d.created_at, 'finished_at', d.finished_at) as item
                     from status_deliveries d join status_notices n on n.id = d.notice_id
                     join status_subscriptions s on s.id = d.subscription_id
                     where d.state = 'failed' order by d.created_at desc, d.id desc
                     limit ?1 offset ?2";
    let total = "select count(*) from status_deliveries where state = 'failed'";
    Page::read(db, items, total, params![limit, offset]).await
}
