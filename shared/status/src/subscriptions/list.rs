//! Subscriptions as the administrator sees them, and what one can subscribe to.

use crate::components::Component;
use crate::{Page, demand_insider};
use serde::Deserialize;
use windlass_core::db::Db;
use windlass_core::{Result, Scope, params};

/// One page of all subscriptions, the newest first, as the administrator sees them.
///
/// # Errors
/// 403 for the public.
pub async fn list(db: &impl Db, scope: &Scope, limit: i64, offset: i64) -> Result<Page> {
    demand_insider(scope)?;
    let sql = "select coalesce((select json_group_array(json(item)) from (
                     select json_object('id', s.id, 'kind', s.kind, 'target', s.target,
                         'region', s.region,
                         'components', json(coalesce((select json_group_array(component_id)
                             from status_subscription_components where subscription_id = s.id), '[]')),
                         'state', case when s.disabled_at is not null then 'disabled'
                             when s.confirmed_at is null then 'unconfirmed' else 'active' end,
                         'created_at', s.created_at, 'confirmed_at', s.confirmed_at,
                         'failing_since', s.failing_since, 'last_error', s.last_error,
                         'disabled_at', s.disabled_at, 'disabled_reason', s.disabled_reason) as item
                     from status_subscriptions s order by s.created_at desc, s.id desc
                     limit ?1 offset ?2)), '[]'),
                 (select count(*) from status_subscriptions)";
    Page::read(db, sql, params![limit, offset]).await
}

/// What the form offers.
#[derive(Debug, Default, Deserialize)]
pub struct Choices {
    /// The regions of the catalogue.
    pub regions: Vec<String>,
    /// Its components.
    pub components: Vec<Component>,
}

/// What everybody can subscribe to: the regions and the components of the catalogue, in its order.
pub async fn choices(db: &impl Db) -> Result<Choices> {
    let sql = format!(
        "select json_object(
             'regions', json((select json_group_array(region) from (
                 select region from status_components
                 where retired_at is null and region is not null
                 group by region order by min(position), region))),
             'components', json((select json_group_array(json(component)) from (
                 select {} as component from status_components c
                 where retired_at is null order by position, id))))",
        Component::JSON
    );
    Ok(db.first_json(&sql, &[]).await?.unwrap_or_default())
}
