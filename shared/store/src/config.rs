//! Settings that operators change through `/config`.
//!
//! A setting is named within its scope (`rest`, `workflow`, `agent`, ..); `task_retries` and
//! `workflow.task_retries` are the same one. A name that several scopes have must be said whole.

mod schema;

use crate::{audit, pieces};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Field, Resource};
use windlass_core::{Caller, Error, Kind, Result, Scope, Timestamp, params};

/// The fields of a setting, for `_include`.
pub static SETTINGS: Resource = Resource {
    name: "Config",
    table: "config t",
    fields: &[
        Field::text("name", "t.name"),
        Field::text("scope", "t.scope"),
        Field::json("value", "t.value"),
        Field::json("schema", "t.schema"),
        Field::boolean("is_editable", "t.is_editable"),
        Field::boolean("admin_only", "t.admin_only"),
        Field::text("updated_at", "t.updated_at"),
        Field::text("updater_name", "t.updater_name"),
    ],
    search: None,
    of_tenant: false,
    counts: &[],
};

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name within its scope.
    pub name: String,
    /// What it is for: `rest`, `mgmtworker`, `workflow`, `agent`.
    pub scope: String,
    /// Any JSON.
    pub value: Value,
    /// What a value must be like, as JSON schema; null when anything goes.
    pub schema: Value,
    /// Whether it may be changed without force.
    pub is_editable: bool,
    /// Whether only administrators may see and change it.
    pub admin_only: bool,
    /// When it was changed, if ever.
    pub updated_at: Option<Timestamp>,
    /// Who changed it.
    pub updater_name: Option<String>,
}

/// What stands where a value must not be shown.
pub const MASK: &str = "********";

impl Setting {
    /// The setting as this caller may see it.
    #[must_use]
    pub fn shown_to(mut self, caller: &Caller) -> Self {
        if self.admin_only && !caller.is_admin() {
            self.value = MASK.into();
        }
        self
    }

    /// What a caller's wish makes of the value.
    ///
    /// # Errors
    /// 401 for what only administrators may change; 409 for what is not editable without `force`,
    /// and for a value that the schema does not allow.
    pub fn changed(&self, caller: &Caller, value: Value, force: bool) -> Result<Value> {
        if self.admin_only && !caller.is_admin() {
            return Err(Error::unauthorized(format!(
                "Only admin users are permitted to edit {}",
                self.name
            )));
        }
        if !self.is_editable && !force {
            return Err(Error::conflict(format!("{} is not editable", self.name)));
        }
        schema::accept(&self.schema, value)
            .map_err(|reason| Error::conflict(format!("Error in value of {}: {reason}", self.name)))
    }
}

/// The value of a setting that is a whole number, whatever its scope. One that is something else
/// counts as not set: a login must not fail over it.
pub async fn integer(db: &impl Db, name: &str) -> Result<Option<i64>> {
    let value = value(db, name).await?;
    Ok(value.and_then(|value| {
        value
            .as_i64()
            .or_else(|| value.as_f64().map(|real| real as i64))
    }))
}

/// The same for a setting that is a number, with its fraction.
pub async fn number(db: &impl Db, name: &str) -> Result<Option<f64>> {
    Ok(value(db, name).await?.and_then(|value| value.as_f64()))
}

async fn value(db: &impl Db, name: &str) -> Result<Option<Value>> {
    let sql = "select value from config where name = ?1 order by scope limit 1";
    db.first_json(sql, params![name]).await
}

/// Every setting, or those of one scope, by scope and name.
pub async fn list(db: &impl Db, scope: &Scope, of: Option<&str>) -> Result<Vec<Setting>> {
    let object = SETTINGS.object_sql(None);
    let condition = if of.is_some() {
        "t.scope = ?1"
    } else {
        "?1 is null"
    };
    read(
        db,
        scope,
        &format!(
            "select {object} as item from config t where {condition} order by t.scope, t.name"
        ),
        params![of],
    )
    .await
}

/// A setting by its name, or by `scope.name`.
///
/// # Errors
/// 404; 409 `ambiguous_name` when several scopes have one of that name.
pub async fn find(db: &impl Db, scope: &Scope, name: &str) -> Result<Setting> {
    let object = SETTINGS.object_sql(None);
    let (of, within) = name.rsplit_once('.').unwrap_or_default();
    let mut found = read(
        db,
        scope,
        &format!(
            "select {object} as item from config t where t.name = ?1
             union all select {object} from config t where t.scope = ?2 and t.name = ?3"
        ),
        params![name, of, within],
    )
    .await?;
    match (found.len(), found.pop()) {
        (1, Some(setting)) => Ok(setting),
        (0, _) | (_, None) => Err(Error::not_found(SETTINGS.name, name)),
        (count, _) => Err(Error::new(
            Kind::AmbiguousName,
            format!("{count} settings are named {name}: say which as scope.name"),
        )),
    }
}

async fn read(
    db: &impl Db,
    _scope: &Scope,
    select: &str,
    parameters: &[windlass_core::db::Value],
) -> Result<Vec<Setting>> {
    pieces::read_few(db, select, parameters).await
}

/// Gives a setting another value.
pub async fn save(tx: &impl Tx, scope: &Scope, setting: &Setting, value: &Value) -> Result<()> {
    tx.execute(
        "update config set value = ?3, updated_at = ?4, updater_name = ?5
         where scope = ?1 and name = ?2",
        params![
            setting.scope.as_str(),
            setting.name.as_str(),
            value,
            Timestamp::now(),
            scope.username()
        ],
    )
    .await?;
    let target = format!("{}.{}", setting.scope, setting.name);
    audit::insert(tx, scope, "manager_config_put", SETTINGS.name, &target).await
}

/// Who may do what, as `/config` tells it: the roles, and for each permission who holds it.
pub async fn authorization(db: &impl Db, _scope: &Scope) -> Result<Value> {
    let answer = db
        .first_json(
            "select json_object(
                 'roles', (select json_group_array(json_object('id', id, 'name', name, 'type', type,
                     'description', description)) from (select * from roles order by id)),
                 'permissions', (select json_group_object(permission, json(holders)) from (
                     select permission, json_group_array(role) as holders from (
                         select p.permission, p.role from permissions p join roles r on r.name = p.role
                         order by p.permission, r.id)
                     group by permission order by permission)))",
            &[],
        )
        .await?;
    answer.ok_or_else(|| Error::internal("an aggregate answers one row"))
}

#[cfg(test)]
mod tests;
