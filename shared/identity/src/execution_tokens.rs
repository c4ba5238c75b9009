//! Recognising executions by their tokens.
//!
//! An execution acts as the user who started it, in its own tenant and until it ends. It is never
//! remembered: the next request may come after the end.

use crate::caller;
use serde::Deserialize;
use std::rc::Rc;
use windlass_core::caller::AuthMethod;
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Timestamp, hashing, params};
use windlass_store::executions::Status;
use windlass_store::{operation_leases, workflow_leases};

/// How long after its time a scheduled execution may come to say that it begins, in seconds.
const LATENESS: i64 = 60;

/// The creator of the execution whose token this is, while it may still act. `tenant` is the one in
/// the header, if there is one.
///
/// # Errors
/// 401 for a token that no such execution has; 404 for another tenant than the execution's. What that
/// has is not found, and whether there is such a tenant is not told.
pub async fn find(db: &impl Db, value: &str, tenant: &str) -> Result<Identified> {
    let found = match of_execution(db, value).await? {
        Some(found) => Some(found),
        None => of_lease(db, value).await?,
    };
    let execution = found
        .ok_or_else(|| Error::unauthorized("Authentication failed, invalid Execution Token"))?;
    if !tenant.is_empty() && tenant != execution.tenant {
        return Err(Error::not_found("Tenant", tenant));
    }
    let method = AuthMethod::ExecutionToken;
    let mut caller = caller(db, execution.creator, method, Some(execution.id)).await?;
    caller.tenants.retain(|name, _| *name == execution.tenant);
    Ok(Identified {
        caller: Rc::new(caller),
        tenant: TenantHeader::Known(execution.tenant),
    })
}

#[derive(Deserialize)]
struct Execution {
    id: String,
    creator: i64,
    tenant: String,
}

const EXECUTION: &str = "select json_object('id', e.id, 'creator', u.id, 'tenant', e.tenant_name)
    from executions e join users u on u.username = e.created_by";

async fn of_execution(db: &impl Db, value: &str) -> Result<Option<Execution>> {
    let sql = format!(
        "{EXECUTION} where e.token_hash = ?1 and u.active and (e.status in {}
             or (e.status = 'scheduled' and e.scheduled_for > ?2 and e.scheduled_for <= ?3))",
        Status::sql_list(Status::is_active)
    );
    let now = Timestamp::now();
    let values = params![hashing::digest(value), now.plus_seconds(-LATENESS), now];
    db.first_json(&sql, values).await
}

/// An operation or a workflow that a worker runs has a token of its own, for as long as it runs: also once its
/// execution was cancelled, since what it made by then is worth knowing.
async fn of_lease(db: &impl Db, value: &str) -> Result<Option<Execution>> {
    let key = match operation_leases::execution_of_token(db, value).await? {
        Some(key) => Some(key),
        None => workflow_leases::execution_of_token(db, value).await?,
    };
    let Some(key) = key else {
        return Ok(None);
    };
    let sql = format!("{EXECUTION} where e.key = ?1 and u.active");
    db.first_json(&sql, params![key]).await
}

/// The refusal of a text that is neither kind of token. When it does not even look like one, the
/// original says that.
pub fn misshapen(value: &str, refusal: Error) -> Error {
    if refusal.kind() != Kind::Unauthorized || value.splitn(3, '-').count() == 3 {
        return refusal;
    }
    Error::unauthorized("Invalid token structure")
}
