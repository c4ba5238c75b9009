//! Reading values, which is told in the audit trail.

use super::{HIDDEN_RULE, SECRET, managers};
use crate::secrets_providers::Provider;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use windlass_core::caller::Origin;
use windlass_core::db::{Db, Value};
use windlass_core::list::Field;
use windlass_core::{Error, Permission, Result, Scope, Timestamp, params};

/// What a value is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be shown to whoever asks: not if it is hidden from them.
    Show,
    /// To be used by a workflow in the name of a deployment's creator: hidden ones too, but of private
    /// secrets their own only.
    Run,
}

/// A secret as its row says.
#[derive(Clone, Debug, Deserialize)]
pub struct Read {
    /// The fields that were asked for; `value` and `provider_options` are not as they are to be shown.
    pub shown: Map<String, Json>,
    /// The value, encrypted.
    pub value: String,
    /// Whether the caller may read what is hidden of it.
    #[serde(rename = "may")]
    may_read: i64,
    /// Where the value is, if not here.
    pub provider: Option<Provider>,
    /// Where at the provider, encrypted.
    pub provider_options: Option<String>,
}

impl Read {
    /// Whether the caller may read what is hidden of it.
    pub fn may_read(&self) -> bool {
        self.may_read != 0
    }
}

/// The columns of [`Read`], from the row `t`.
fn object(include: Option<&[&'static Field]>) -> String {
    format!(
        "json_object('shown', {}, 'value', t.value, 'may', {HIDDEN_RULE},
             'provider_options', t.provider_options, 'provider',
             (select {} from secrets_providers p where p.key = t.provider_key))",
        SECRET.object_sql(include),
        Provider::OBJECT
    )
}

/// The one row that a key names.
fn row(selected: &str) -> String {
    format!(
        "select {selected} from secrets t where t.id = ?6 and {} order by t.tenant_name = ?1 desc limit 1",
        Scope::visible("t")
    )
}

fn values(scope: &Scope, id: &str) -> Vec<Value> {
    let [everywhere, managed] = managers(scope);
    scope.with(&[everywhere, managed, id.into()])
}

/// A secret whose value nobody is going to see.
///
/// # Errors
/// 404.
pub async fn show(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    include: Option<&[&'static Field]>,
) -> Result<Read> {
    let sql = row(&object(include));
    let found = db.first_json(&sql, &values(scope, id)).await?;
    found.ok_or_else(|| Error::not_found(SECRET.name, id))
}

/// A secret whose value is going to be read. The row in the audit trail and what is read are one
/// statement, so that there is no value without a row, and a read costs one commit. Nothing when there is
/// none, or its value is not for them: [`show`] tells which. The row survives the end of the process; the
/// disk has it a moment later, since waiting for it would cost four times the read.
///
/// # Errors
/// Of the database.
pub async fn read(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    purpose: Purpose,
    include: Option<&[&'static Field]>,
) -> Result<Option<Read>> {
    let (sql, values) = reading_statement(scope, id, purpose, include);
    let rows = db.query_unsynced(&sql, &values).await?;
    rows.first().map(|row| row.json(0)).transpose()
}

pub(super) fn reading_statement(
    scope: &Scope,
    id: &str,
    purpose: Purpose,
    include: Option<&[&'static Field]>,
) -> (String, Vec<Value>) {
    let may = match purpose {
        Purpose::Show => HIDDEN_RULE,
        Purpose::Run => "(t.visibility <> 'private' or t.created_by = ?2)",
    };
    let sql = format!(
        "insert into audit_log
             (created_at, username, tenant_name, action, target_type, target_id, request_id, address)
         select ?7, ?2, nullif(?1, ''), '{action}', '{what}', t.id, ?8, ?9
         from ({row}) r cross join secrets t on t.key = r.key where {may}
         returning ({found})",
        action = Permission::SecretGet.name(),
        what = SECRET.name,
        row = row("t.key"),
        found = row(&object(include)),
    );
    let mut all = values(scope, id);
    let Origin {
        request_id,
        address,
    } = scope.origin();
    all.extend_from_slice(params![
        Timestamp::now(),
        request_id.as_str(),
        address.as_deref()
    ]);
    (sql, all)
}
