//! Quotas: how many of its things a tenant may have, the service `windlass` of `tenant_quotas`.
//!
//! A tenant without a row has no limit, which costs one look into an index. How many there are is read
//! from the numbers that triggers keep, so a limit costs the same however much a tenant has.

use std::collections::BTreeMap;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, params};

windlass_core::named_enum! {
    /// What is limited.
    pub enum Limited {
        /// Blueprints.
        Blueprints = "blueprints",
        /// Deployments.
        Deployments = "deployments",
        /// Executions that have not ended, but those of system workflows and of uploads.
        Executions = "executions",
    }
}

impl Limited {
    /// How many a tenant has, `?1`, as SQL.
    const fn used(self) -> &'static str {
        match self {
            Self::Blueprints => {
                "(select coalesce(sum(rows), 0) from row_counts
                  where counts = 'blueprints' and tenant_name = ?1)"
            }
            Self::Deployments => {
                "(select coalesce(sum(rows), 0) from row_counts
                  where counts = 'deployments' and tenant_name = ?1)"
            }
            Self::Executions => {
                "(select coalesce(sum(rows), 0) from row_counts
                  where counts = 'executions' and tenant_name = ?1 and first = 0
                      and second not in ('terminated', 'failed', 'cancelled'))
                  - (select count(*) from executions indexed by executions_uploading
                  where tenant_name = ?1 and workflow_id = 'upload_blueprint'
                      and status not in ('terminated', 'failed', 'cancelled'))"
            }
        }
    }
}

/// How many of everything a tenant has.
pub async fn used(db: &impl Db, _scope: &Scope, tenant: &str) -> Result<BTreeMap<String, i64>> {
    let counts: Vec<String> = Limited::ALL
        .iter()
        .map(|of| format!("'{}', {}", of.name(), of.used()))
        .collect();
    let sql = format!("select json_object({})", counts.join(", "));
    let found = db.first_json(&sql, params![tenant]).await?;
    Ok(found.unwrap_or_default())
}

/// Refuses one more of something in a tenant that has as many as it may. Where regions differ the
/// smallest number counts; one below zero is no limit.
///
/// # Errors
/// 403, naming the limit.
pub async fn demand_room(tx: &impl Tx, tenant: &str, of: Limited) -> Result<()> {
    demand_room_for(tx, tenant, of, 1).await
}

/// The same for several more at once.
///
/// # Errors
/// As [`demand_room`].
pub async fn demand_room_for(tx: &impl Tx, tenant: &str, of: Limited, more: usize) -> Result<()> {
    let sql = format!(
        "select quota, {} from tenant_quotas
         where tenant_name = ?1 and service = 'windlass' and resource = ?2 and quota >= 0
         order by quota limit 1",
        of.used()
    );
    let Some(row) = tx.first(&sql, params![tenant, of]).await? else {
        return Ok(());
    };
    let (most, used) = (row.integer(0)?, row.integer(1)?);
    if used.saturating_add(i64::try_from(more).unwrap_or(i64::MAX)) <= most {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "The quota of the tenant `{tenant}` is used up: it may have {most} {} at most",
        of.name()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::Kind;

    #[test]
    fn a_tenant_has_no_more_than_its_quota() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let add = "insert into sites (name, tenant_name, created_by, visibility, created_at)
                       values ('s', 'default_tenant', 'admin', 'tenant', '')";
            db.execute(add, &[]).await.unwrap();
            let room = async |of| {
                db.transaction(async |tx| demand_room(tx, "default_tenant", of).await)
                    .await
            };
            for of in Limited::ALL {
                assert!(room(*of).await.is_ok(), "no limit yet: {}", of.name());
            }
            let limit = "insert into tenant_quotas (tenant_name, region, service, resource, quota)
                 select 'default_tenant', 'RegionOne', 'windlass', value, 1
                 from json_each('[\"blueprints\", \"deployments\", \"executions\"]')";
            db.execute(limit, &[]).await.unwrap();
            for (sql, of) in [
                (
                    "insert into blueprints (id, tenant_name, created_by, visibility, created_at,
                         updated_at, state)
                     values ('b', 'default_tenant', 'admin', 'tenant', '', '', 'uploaded')",
                    Limited::Blueprints,
                ),
                (
                    "insert into executions (id, tenant_name, created_by, visibility, created_at,
                         workflow_id, status)
                     values ('e', 'default_tenant', 'admin', 'tenant', '', 'install', 'started')",
                    Limited::Executions,
                ),
            ] {
                assert!(room(of).await.is_ok(), "{}", of.name());
                db.execute(sql, &[]).await.unwrap();
                let refusal = room(of).await.unwrap_err();
                assert_eq!(refusal.kind(), Kind::Forbidden);
                let text = format!("it may have 1 {} at most", of.name());
                assert!(refusal.message().ends_with(&text), "{refusal:?}");
            }
            let used = used(&db, &Scope::engine(), "default_tenant").await.unwrap();
            assert_eq!(
                (used["blueprints"], used["deployments"], used["executions"]),
                (1, 0, 1)
            );
            let ended = "update executions set status = 'terminated'";
            db.execute(ended, &[]).await.unwrap();
            assert!(room(Limited::Executions).await.is_ok());
            let upload = "insert into executions (id, tenant_name, created_by, visibility, created_at,
                     workflow_id, status)
                 values ('u', 'default_tenant', 'admin', 'tenant', '', 'upload_blueprint', 'started')";
            db.execute(upload, &[]).await.unwrap();
            assert!(room(Limited::Executions).await.is_ok(), "uploads are none");
            let plan = db
                .plan(
                    &format!("select {}", Limited::Executions.used()),
                    params!["default_tenant"],
                )
                .await
                .unwrap()
                .join("; ");
            assert!(
                plan.contains("executions_uploading (tenant_name=?)"),
                "{plan}"
            );
            let unlimited = "update tenant_quotas set quota = -1";
            db.execute(unlimited, &[]).await.unwrap();
            assert!(room(Limited::Blueprints).await.is_ok());
        });
    }
}
