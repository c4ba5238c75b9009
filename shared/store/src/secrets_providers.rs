//! Secrets providers: other places where values of secrets are kept.
//!
//! How to reach one is JSON with a password or token in it, so it is stored encrypted.

use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};
use serde::{Deserialize, Serialize};
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{Error, Permission, Result, Scope, Timestamp, Visibility, params};

static FIELDS: [Field; 11] = concat(
    &[
        Field::text("id", "t.name"),
        Field::text("name", "t.name"),
        Field::text("type", "t.type"),
        Field::text("connection_parameters", "t.connection_parameters"),
        CREATED_AT,
        Field::text("updated_at", "t.updated_at"),
    ],
    &COMMON,
);

/// Secrets providers as the API shows them. `connection_parameters` are encrypted as the row has them.
pub static SECRETS_PROVIDERS: Resource = Resource {
    name: "SecretsProvider",
    table: "secrets_providers t",
    fields: &FIELDS,
    search: Some(Search::scan("t.name")),
    of_tenant: true,
    counts: &[],
};

/// What a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderType {
    /// This application.
    Local,
    /// HashiCorp's Vault, or OpenBao, with a key-value store of version 2.
    Vault,
    /// Another application with this API.
    Cloudify,
}

impl ProviderType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Local, Self::Vault, Self::Cloudify];

    /// The word in the API and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Vault => "vault",
            Self::Cloudify => "cloudify",
        }
    }

    /// The connection parameters that it needs.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Local => &[],
            Self::Vault => &["url", "token", "path"],
            Self::Cloudify => &["host", "username", "password", "tenant"],
        }
    }
}

/// A provider as reading from it needs it.
#[derive(Clone, Debug, Deserialize)]
pub struct Provider {
    /// What it is called.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ProviderType,
    /// How to reach it, encrypted.
    pub connection_parameters: Option<String>,
}

impl Provider {
    /// Its JSON, from the row `p`.
    pub(crate) const OBJECT: &'static str = "json_object('name', p.name, 'type', p.type, \
         'connection_parameters', p.connection_parameters)";
}

/// A provider's row.
#[derive(Clone, Debug, Deserialize)]
pub struct ProviderRow(Head);

impl TenantRow for ProviderRow {
    const RESOURCE: &'static Resource = &SECRETS_PROVIDERS;

    fn head(&self) -> &Head {
        &self.0
    }
}

/// The row of a provider that the caller sees, for what refers to it.
///
/// # Errors
/// 404.
pub async fn find_key(db: &impl Db, scope: &Scope, name: &str) -> Result<i64> {
    let row: ProviderRow = resource::find(db, scope, name).await?;
    Ok(row.0.key)
}

/// Stores a new provider. Its connection parameters are encrypted already.
///
/// # Errors
/// 403 and 409, see [`resource::insert`].
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    kind: ProviderType,
    parameters: Option<&str>,
) -> Result<()> {
    let columns = [
        ("updated_at", new.origin.created_at().into()),
        ("type", kind.name().into()),
        ("connection_parameters", parameters.into()),
    ];
    let action = Permission::SecretsProviderCreate;
    resource::insert::<ProviderRow>(tx, scope, new, &columns, action).await
}

/// How it is reached: its type and, encrypted, its parameters.
pub async fn connection(db: &impl Db, row: &ProviderRow) -> Result<Provider> {
    let sql = format!(
        "select {} from secrets_providers p where p.key = ?1",
        Provider::OBJECT
    );
    let found = db.first_json(&sql, params![row.0.key]).await?;
    found.ok_or_else(|| Error::not_found(SECRETS_PROVIDERS.name, &row.0.id))
}

/// Saves a provider's type and connection parameters, and a wider visibility if one is given.
///
/// # Errors
/// See [`resource::demand_widening`].
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    row: &ProviderRow,
    visibility: Option<Visibility>,
    (kind, parameters): (ProviderType, Option<&str>),
) -> Result<()> {
    let columns: [(&'static str, Value); 3] = [
        ("updated_at", Timestamp::now().into()),
        ("type", kind.name().into()),
        ("connection_parameters", parameters.into()),
    ];
    let action = Permission::SecretsProviderUpdate;
    resource::save(tx, scope, row, visibility, &columns, action).await
}

/// Deletes a provider.
///
/// # Errors
/// 409 while a secret is kept there.
pub async fn delete(tx: &impl Tx, scope: &Scope, row: &ProviderRow) -> Result<()> {
    let sql = "select id from secrets where provider_key = ?1 limit 1";
    if let Some(user) = tx.first(sql, params![row.0.key]).await? {
        return Err(Error::conflict(format!(
            "The secrets provider `{}` cannot be deleted: the secret `{}` is kept there",
            row.0.id,
            user.text(0)?
        )));
    }
    resource::delete(tx, scope, row, Permission::SecretsProviderDelete).await
}
