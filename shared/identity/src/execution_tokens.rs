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

/// How long after its time a scheduled execution may come to say that it begins, in seconds.
const LATENESS: i64 = 60;

/// The creator of the execution whose token this is, while it may still act. `tenant` is the one in
/// the header, if there is one.
///
/// # Errors
/// 401 for a token that no such execution has; 404 for another tenant than the execution's. What that
/// has is not found, and whether there is such a tenant is not told.
pub async fn find(db: &impl Db, value: &str, tenant: &str) -> Result<Identified> {
    #[derive(Deserialize)]
    struct Execution {
        id: String,
        creator: i64,
        tenant: String,
    }
    let sql = format!(
        "select json_object('id', e.id, 'creator', u.id, 'tenant', e.tenant_name)
         from executions e join users u on u.username = e.created_by
         where e.token_hash = ?1 and u.active and (e.status in {}
             or (e.status = 'scheduled' and e.scheduled_for > ?2 and e.scheduled_for <= ?3))",
        Status::sql_list(Status::is_active)
    );
    let now = Timestamp::now();
    let values = params![hashing::digest(value), now.plus_seconds(-LATENESS), now];
    let found: Option<Execution> = db.first_json(&sql, values).await?;
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

/// The refusal of a text that is neither kind of token. When it does not even look like one, the
/// original says that.
pub fn misshapen(value: &str, refusal: Error) -> Error {
    if refusal.kind() != Kind::Unauthorized || value.splitn(3, '-').count() == 3 {
        return refusal;
    }
    Error::unauthorized("Invalid token structure")
}
