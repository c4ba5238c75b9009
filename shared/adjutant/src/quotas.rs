//! Quotas: how much a project may have of what, in each region.
//!
//! What the original's clients know of other services is stored and shown for them. Windlass's own
//! are those of the service `windlass`.

use crate::settings::{Amounts, QuotaSettings};
use crate::task_type::TaskType;
use crate::wire::{boolean_sql, time_sql};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use windlass_core::db::{Db, Tx};
use windlass_core::{Result, Scope, params};
use windlass_store::audit;
use windlass_store::quotas::used;

/// What a quota is called that is none of the sizes.
pub const CUSTOM: &str = "custom";

/// A quota without a limit.
const UNLIMITED: i64 = -1;

/// How far a quota may be from a size and still be called so.
pub const NEAR: f64 = 0.1;

/// The same where it is only shown.
pub const NEAR_ENOUGH_TO_SHOW: f64 = 0.2;

/// The quota of a project in a region, of the services that are looked after.
pub async fn of_project(
    db: &impl Db,
    _scope: &Scope,
    settings: &QuotaSettings,
    project: &str,
    region: &str,
) -> Result<Amounts> {
    #[derive(Deserialize)]
    struct Row {
        service: String,
        resource: String,
        quota: i64,
    }
    let rows: Vec<Row> = db
        .json_rows(
            "select json_object('service', service, 'resource', resource, 'quota', quota)
             from tenant_quotas where tenant_name = ?1 and region = ?2",
            params![project, region],
        )
        .await?;
    let mut amounts = unlimited(settings);
    for row in rows {
        if let Some(quota) = amounts
            .get_mut(&row.service)
            .and_then(|service| service.get_mut(&row.resource))
        {
            *quota = row.quota;
        }
    }
    Ok(amounts)
}

/// The quota of a project for which nothing was ever set.
fn unlimited(settings: &QuotaSettings) -> Amounts {
    let mut amounts = Amounts::new();
    for size in settings.sizes.values() {
        for (service, resources) in size {
            if !settings.services.contains(service) {
                continue;
            }
            let of_service = amounts.entry(service.clone()).or_default();
            of_service.extend(resources.keys().map(|name| (name.clone(), UNLIMITED)));
        }
    }
    amounts
}

/// Gives a project a size in a region.
pub async fn set(
    tx: &impl Tx,
    scope: &Scope,
    settings: &QuotaSettings,
    project: &str,
    region: &str,
    size: &Amounts,
) -> Result<()> {
    let services = size
        .iter()
        .filter(|(service, _)| settings.services.contains(service));
    let managed: BTreeMap<_, _> = services.collect();
    tx.execute(
        "insert into tenant_quotas (tenant_name, region, service, resource, quota)
         select ?1, ?2, s.key, r.key, r.value from json_each(?3) s, json_each(s.value) r where true
         on conflict do update set quota = excluded.quota",
        params![project, region, windlass_core::db::Value::json(&managed)?],
    )
    .await?;
    audit::insert(tx, scope, "tenant_set_quota", "Tenant", project).await
}

/// What a project has of what is limited. Of services that are not here it has nothing.
pub async fn usage(
    db: &impl Db,
    scope: &Scope,
    settings: &QuotaSettings,
    project: &str,
) -> Result<Amounts> {
    let mut amounts = unlimited(settings);
    for resources in amounts.values_mut() {
        resources.values_mut().for_each(|used| *used = 0);
    }
    if let Some(own) = amounts.get_mut("windlass") {
        for (name, count) in used(db, scope, project).await? {
            if let Some(known) = own.get_mut(&name) {
                *known = count;
            }
        }
    }
    Ok(amounts)
}

/// Whether a project has no more than a size allows.
pub fn fits(usage: &Amounts, size: &Amounts) -> bool {
    usage.iter().all(|(service, resources)| {
        resources.iter().all(|(name, used)| {
            let limit = size.get(service).and_then(|service| service.get(name));
            limit.is_none_or(|limit| *limit < 0 || used <= limit)
        })
    })
}

impl QuotaSettings {
    /// What a quota is called: the size that it is near to, or none of them.
    pub fn name_of(&self, quota: &Amounts, near: f64) -> &str {
        let best = self
            .order
            .iter()
            .filter_map(|name| Some((name, distance(quota, self.sizes.get(name)?))))
            .min_by(|(_, one), (_, other)| one.total_cmp(other));
        match best {
            Some((name, distance)) if distance <= near => name,
            _ => CUSTOM,
        }
    }

    /// The sizes below this one.
    pub fn smaller(&self, size: &str) -> Vec<&str> {
        match self.order.iter().position(|name| name == size) {
            Some(place) => self.order.iter().take(place).map(String::as_str).collect(),
            None => Vec::new(),
        }
    }

    /// The size above this one.
    pub fn next(&self, size: &str) -> Option<&str> {
        let place = self.order.iter().position(|name| name == size)?;
        self.order.get(place + 1).map(String::as_str)
    }

    /// The sizes that need no administrator for who has this one.
    pub fn change_options(&self, size: &str) -> Vec<&str> {
        let mut options = self.smaller(size);
        options.extend(self.next(size));
        options
    }
}

/// How far a quota is from a size: 0 is the same, 1 is nothing in common.
fn distance(quota: &Amounts, size: &Amounts) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for (service, resources) in quota {
        for (name, have) in resources {
            let Some(want) = size.get(service).and_then(|service| service.get(name)) else {
                continue;
            };
            count += 1.0;
            sum += match (*have.min(want), *have.max(want)) {
                (low, high) if low == high => 0.0,
                (low, _) if low < 0 => 1.0,
                (low, high) => 1.0 - low as f64 / high as f64,
            };
        }
    }
    if count == 0.0 { 1.0 } else { sum / count }
}

/// The open and finished quota tasks of a project, newest first, five at most.
pub async fn tasks_of(db: &impl Db, _scope: &Scope, project: &str) -> Result<Vec<Value>> {
    let sql = format!(
        "select json_object('id', t.uuid, 'regions', json(a.action_data -> 'regions'),
             'size', a.action_data ->> 'size', 'request_user', t.keystone_user ->> 'username',
             'task_created', {}, 'valid', {},
             'status', iif(t.completed, 'Completed', 'Awaiting Approval'))
         from adjutant_tasks t join adjutant_actions a on a.task_key = t.key and a.position = 0
         where t.task_type = ?2 and t.cancelled = 0 and t.project_id = ?1
         order by t.created_on desc, t.key desc limit 5",
        time_sql("t.created_on"),
        boolean_sql("a.valid")
    );
    db.json_rows(&sql, params![project, TaskType::UpdateQuota])
        .await
}

/// What a project has, may have and could have in some regions, as clients show it.
pub async fn overview(
    db: &impl Db,
    scope: &Scope,
    settings: &QuotaSettings,
    project: &str,
    regions: &[String],
) -> Result<Value> {
    let usage = usage(db, scope, settings, project).await?;
    let mut shown = Vec::with_capacity(regions.len());
    for region in regions {
        let quota = of_project(db, scope, settings, project, region).await?;
        let size = settings.name_of(&quota, NEAR_ENOUGH_TO_SHOW);
        shown.push(json!({
            "region": region,
            "current_quota": quota,
            "current_quota_size": size,
            "quota_change_options": settings.change_options(size),
            "current_usage": usage,
        }));
    }
    Ok(json!({
        "regions": shown,
        "quota_sizes": settings.sizes,
        "quota_size_order": settings.order,
        "active_quota_tasks": tasks_of(db, scope, project).await?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_quota_is_called_by_the_size_it_is_near_to() {
        let settings = Settings::read(json!({})).unwrap().quotas;
        for name in &settings.order {
            assert_eq!(settings.name_of(&settings.sizes[name], NEAR), name);
        }
        let mut odd = settings.sizes["small"].clone();
        *odd.get_mut("nova").unwrap().get_mut("cores").unwrap() = 21;
        assert_eq!(settings.name_of(&odd, NEAR), "small");
        assert_eq!(settings.name_of(&unlimited(&settings), NEAR), CUSTOM);
    }

    #[test]
    fn the_sizes_below_and_the_next_one_need_nobody() {
        let settings = Settings::read(json!({})).unwrap().quotas;
        for (size, options) in [
            ("small", &["medium"][..]),
            ("medium", &["small", "large"]),
            ("large", &["small", "medium"]),
            (CUSTOM, &[]),
        ] {
            assert_eq!(settings.change_options(size), options, "{size}");
        }
    }
}
