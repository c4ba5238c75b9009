//! Secrets: values that blueprints use and that few may read.
//!
//! A value is JSON, mostly one text, and is stored encrypted. Whoever reads one is in the audit trail:
//! [`read`] answers no value without a row there. A hidden value is read and changed by who made the
//! secret and by the administrators of its tenant, which is [`HIDDEN_RULE`]; workflows use it all the same.

mod exchange;
mod reading;

pub use exchange::{Exported, Imported, export, import};
pub use reading::{Purpose, Read, read, show};

use crate::counts;
use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};
use serde::Deserialize;
use serde_json::Value as Json;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{
    Caller, Error, Given, Permission, Result, Scope, Timestamp, Visibility, secretbox,
};

const PROVIDER_NAME: Field = Field::text(
    "provider_name",
    "(select p.name from secrets_providers p where p.key = t.provider_key)",
);

static FIELDS: [Field; 13] = concat(
    &[
        Field::text("key", "t.id"),
        Field::text("value", "t.value"),
        Field::json("schema", "t.schema"),
        Field::boolean("is_hidden_value", "t.is_hidden_value"),
        PROVIDER_NAME,
        Field::text("provider_options", "t.provider_options"),
        CREATED_AT,
        Field::text("updated_at", "t.updated_at"),
    ],
    &COMMON,
);

static LISTED: [Field; 9] = [
    Field::text("key", "t.id"),
    CREATED_AT,
    Field::text("updated_at", "t.updated_at"),
    Field::text("resource_availability", "t.visibility"),
    Field::text("visibility", "t.visibility"),
    Field::text("tenant_name", "t.tenant_name"),
    Field::text("created_by", "t.created_by"),
    Field::boolean("is_hidden_value", "t.is_hidden_value"),
    PROVIDER_NAME,
];

/// One secret as the API shows it. `value` and `provider_options` are encrypted as the row has them.
pub static SECRET: Resource = Resource {
    fields: &FIELDS,
    ..SECRETS
};

/// Secrets as they are listed: without values.
pub static SECRETS: Resource = Resource {
    name: "Secret",
    table: "secrets t",
    fields: &LISTED,
    search: Some(Search::scan("t.id")),
    of_tenant: true,
    counts: &[&counts::SECRETS],
};

/// Who may read and change what is hidden, of the row `t`; the parameters are the scope's and those of
/// [`managers`].
const HIDDEN_RULE: &str = "(t.is_hidden_value = 0 or t.created_by = ?2 or ?4
     or t.tenant_name in (select value from json_each(?5)))";

/// Whether the caller administers all tenants, and the names of those that they do.
fn managers(scope: &Scope) -> [Value; 2] {
    let everywhere = |caller: &Caller| caller.holds(Permission::Administrators);
    let managed = Json::from(scope.managed_tenants());
    [
        scope.caller().is_ok_and(everywhere).into(),
        Value::from(&managed),
    ]
}

/// A secret's row.
#[derive(Clone, Debug, Deserialize)]
pub struct Secret(Head);

impl TenantRow for Secret {
    const RESOURCE: &'static Resource = &SECRET;

    fn head(&self) -> &Head {
        &self.0
    }
}

impl Secret {
    /// Its tenant.
    pub fn tenant_name(&self) -> &str {
        &self.0.tenant_name
    }
}

/// A secret that the caller may change, with what its next value must be like.
pub struct Changeable {
    /// The row.
    pub secret: Secret,
    /// The JSON schema of its values, if it has one.
    pub schema: Option<Json>,
}

/// A secret that the caller sees and may change as far as hiding goes; whether it is of their tenant is
/// looked at when it is saved.
///
/// # Errors
/// 404; 403 for a hidden one of somebody else.
pub async fn find_changeable(db: &impl Db, scope: &Scope, id: &str) -> Result<Changeable> {
    #[derive(Deserialize)]
    struct Row {
        schema: Option<Json>,
        may: i64,
    }
    let secret: Secret = resource::find(db, scope, id).await?;
    let sql = format!(
        "select json_object('schema', json(t.schema), 'may', {HIDDEN_RULE}) from secrets t
         where t.key = ?6"
    );
    let [everywhere, managed] = managers(scope);
    let values = scope.with(&[everywhere, managed, secret.0.key.into()]);
    let row: Option<Row> = db.first_json(&sql, &values).await?;
    let row = row.ok_or_else(|| Error::not_found(SECRET.name, id))?;
    if row.may == 0 {
        return Err(hidden_from(scope, id));
    }
    Ok(Changeable {
        secret,
        schema: row.schema,
    })
}

/// 403: a hidden secret is its creator's and the administrators'.
fn hidden_from(scope: &Scope, id: &str) -> Error {
    Error::forbidden(format!(
        "User `{}` is not permitted to modify the hidden value secret `{id}`",
        scope.username()
    ))
}

/// Whether the scope's tenant has a secret of this key that the caller sees.
pub async fn has_own(db: &impl Db, scope: &Scope, id: &str) -> Result<bool> {
    let sql = format!(
        "select 1 from secrets where id = ?4 and tenant_name = ?1 and {} limit 1",
        Scope::VISIBLE
    );
    Ok(db.first(&sql, &scope.with(&[id.into()])).await?.is_some())
}

/// Which of these keys name no secret that the caller sees.
pub async fn missing(db: &impl Db, scope: &Scope, ids: &[&str]) -> Result<Vec<String>> {
    let sql = format!(
        "select json_group_array(n.value) from json_each(?4) n where not exists
             (select 1 from secrets where id = n.value and {})",
        Scope::VISIBLE
    );
    let values = scope.with(&[(&Json::from(ids)).into()]);
    Ok(db.first_json(&sql, &values).await?.unwrap_or_default())
}

/// A value as it is stored: the encrypted text of its JSON.
///
/// # Errors
/// Internal, without an encryption key.
pub async fn seal(value: &Json) -> Result<String> {
    secretbox::seal(value.to_string().as_bytes()).await
}

/// What [`seal`] stored.
///
/// # Errors
/// 500 `invalid_fernet_token_format_error` for what no known key opens.
pub async fn unseal(sealed: &str) -> Result<Json> {
    let plain = secretbox::open(sealed).await.map_err(|error| {
        Error::new(
            windlass_core::Kind::InvalidFernetTokenFormat,
            "The stored value cannot be decrypted",
        )
        .context(error.for_log())
    })?;
    serde_json::from_slice(&plain).map_err(|_| Error::internal("a sealed value is no JSON"))
}

/// What a new secret holds.
#[derive(Clone, Debug)]
pub struct Holding {
    /// The value, from [`seal`].
    pub value: String,
    /// What values must be like, as JSON schema.
    pub schema: Option<Json>,
    /// Whether it is hidden.
    pub is_hidden_value: bool,
    /// The provider's row, for a value that is kept there.
    pub provider_key: Option<i64>,
    /// Where there, from [`seal`].
    pub provider_options: Option<String>,
}

/// Stores a new secret.
///
/// # Errors
/// 403 and 409, see [`resource::insert`].
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &New, holding: &Holding) -> Result<()> {
    let columns = [
        ("updated_at", new.origin.created_at().into()),
        ("value", holding.value.as_str().into()),
        ("schema", holding.schema.as_ref().map(Value::from).into()),
        ("is_hidden_value", holding.is_hidden_value.into()),
        ("provider_key", holding.provider_key.into()),
        ("provider_options", holding.provider_options.clone().into()),
    ];
    resource::insert::<Secret>(tx, scope, new, &columns, Permission::SecretCreate).await
}

/// What an update sets.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The value, from [`seal`].
    pub value: Option<String>,
    /// Who is to see it.
    pub visibility: Option<Visibility>,
    /// Whether it is hidden.
    pub is_hidden_value: Option<bool>,
    /// Whose it is.
    pub creator: Option<String>,
    /// The provider's row.
    pub provider_key: Option<i64>,
    /// Where there, from [`seal`].
    pub provider_options: Given<String>,
}

/// Saves changes to a secret of the own tenant.
///
/// # Errors
/// 400 for a global one of another tenant; see [`resource::demand_widening`].
pub async fn save(tx: &impl Tx, scope: &Scope, secret: &Secret, changes: &Changes) -> Result<()> {
    let mut columns: Vec<(&'static str, Value)> =
        vec![("updated_at", Timestamp::now().to_string().into())];
    if let Some(value) = &changes.value {
        columns.push(("value", value.into()));
    }
    if let Some(hidden) = changes.is_hidden_value {
        columns.push(("is_hidden_value", hidden.into()));
    }
    if let Some(creator) = &changes.creator {
        columns.push(("created_by", creator.into()));
    }
    if let Some(provider) = changes.provider_key {
        columns.push(("provider_key", provider.into()));
    }
    if changes.provider_options.is_change() {
        let options = changes.provider_options.clone().value();
        columns.push(("provider_options", options.into()));
    }
    scope.demand_own_tenant(&secret.0.id, &secret.0.tenant_name)?;
    let action = Permission::SecretUpdate;
    resource::save(tx, scope, secret, changes.visibility, &columns, action).await
}

/// Deletes a secret of the own tenant. Deployments that use it are no obstacle.
///
/// # Errors
/// 400 for a global one of another tenant.
pub async fn delete(tx: &impl Tx, scope: &Scope, secret: &Secret) -> Result<()> {
    scope.demand_own_tenant(&secret.0.id, &secret.0.tenant_name)?;
    resource::delete(tx, scope, secret, Permission::SecretDelete).await
}

#[cfg(test)]
#[path = "secrets/tests.rs"]
mod tests;
