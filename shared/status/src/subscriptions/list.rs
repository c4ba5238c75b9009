//! Subscriptions as the administrator sees them, and what one can subscribe to.

use crate::components::Component;
use crate::{Page, demand_insider};
use windlass_core::db::Db;
use windlass_core::{Result, Scope, params};
use windlass_store::pieces;

/// One page of all subscriptions, the newest first, as the administrator sees them. Whoever knows the URL of a
/// room may write there, so of that only the host is shown.
///
/// # Errors
/// 403 for the public.
pub async fn list(db: &impl Db, scope: &Scope, limit: i64, offset: i64) -> Result<Page> {
    demand_insider(scope)?;
    let items = "select json_object('id', s.id,
                         'kind', iif(s.format = 'standard', s.kind, s.format),
                         'target', iif(s.format = 'standard', s.target,
                             substr(s.target, 1, instr(substr(s.target, 9), '/') + 8) || '...'),
                         'region', s.region,
                         'components', json(coalesce((select json_group_array(component_id)
                             from status_subscription_components where subscription_id = s.id), '[]')),
                         'state', case when s.disabled_at is not null then 'disabled'
                             when s.confirmed_at is null then 'unconfirmed' else 'active' end,
                         'created_at', s.created_at, 'confirmed_at', s.confirmed_at,
                         'failing_since', s.failing_since, 'last_error', s.last_error,
                         'disabled_at', s.disabled_at, 'disabled_reason', s.disabled_reason) as item
                     from status_subscriptions s order by s.created_at desc, s.id desc
                     limit ?1 offset ?2";
    let total = "select count(*) from status_subscriptions";
    Page::read(db, items, total, params![limit, offset]).await
}

/// What the form offers.
#[derive(Debug)]
pub struct Choices {
    /// The regions of the catalogue.
    pub regions: Vec<String>,
    /// Its components.
    pub components: Vec<Component>,
}

/// What everybody can subscribe to: the regions and the components of the catalogue, in its order.
pub async fn choices(db: &impl Db) -> Result<Choices> {
    let regions = "select json_quote(region) as item from status_components
                   where retired_at is null and region is not null
                   group by region order by min(position), region";
    let components = format!(
        "select {} as item from status_components c where retired_at is null order by position, id",
        Component::JSON
    );
    Ok(Choices {
        regions: pieces::read_few(db, regions, &[]).await?,
        components: pieces::read_few(db, &components, &[]).await?,
    })
}
