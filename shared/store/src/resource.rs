//! What the resources of a tenant have in common: an id that is unique in its tenant and among what
//! is global, a creator, a visibility that only widens, changes from the own tenant only.
//!
//! A table is declared as a [`Resource`] and gets a type for its rows, a [`TenantRow`]; the rest
//! are functions on any such row. Each change is in the audit trail.

pub mod fields;
mod origin;

pub use origin::{Origin, created_at};

use crate::audit::{self, Operation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use windlass_core::db::{Db, Tx, Value};
use windlass_core::list::Resource;
use windlass_core::{Body, Error, Permission, Result, Scope, Visibility, ids, params, visibility};

/// A row of a table that has the columns `key`, `tenant_name`, `created_by`, `visibility` and
/// `created_at`, and a column for what clients call it, which is the resource's first field.
pub trait TenantRow: DeserializeOwned {
    /// The table, and how the API shows it.
    const RESOURCE: &'static Resource;

    /// What all rows have.
    fn head(&self) -> &Head;
}

/// What every row of a tenant has. A row's type is one around this.
#[derive(Clone, Debug, Deserialize)]
pub struct Head {
    /// What other rows refer to.
    pub key: i64,
    /// What clients call it: an id or a name.
    pub id: String,
    /// Its tenant.
    pub tenant_name: String,
    /// Who made it.
    pub created_by: String,
    /// Who sees it.
    pub visibility: Visibility,
}

/// The table's name and the column of its ids.
fn names<T: TenantRow>() -> (&'static str, &'static str) {
    let Resource { table, .. } = T::RESOURCE;
    let id = T::RESOURCE.id_sql();
    (
        table.strip_suffix(" t").unwrap_or(table),
        id.strip_prefix("t.").unwrap_or(id),
    )
}

/// A row that the caller can see: their own tenant's before a global one of another.
///
/// # Errors
/// 404; one of another tenant is not found, never forbidden.
pub async fn find<T: TenantRow>(db: &impl Db, scope: &Scope, id: &str) -> Result<T> {
    let (table, column) = names::<T>();
    let sql = format!(
        "select json_object('key', key, 'id', {column}, 'tenant_name', tenant_name,
             'created_by', created_by, 'visibility', visibility)
         from {table} where {column} = ?4 and {} order by tenant_name = ?1 desc limit 1",
        Scope::VISIBLE
    );
    let found = db.first_json(&sql, &scope.with(&[id.into()])).await?;
    found.ok_or_else(|| Error::not_found(T::RESOURCE.name, id))
}

/// A row that the caller may change: one they can see, of their own tenant.
///
/// # Errors
/// 404; 400 for a global one of another tenant.
pub async fn find_own<T: TenantRow>(db: &impl Db, scope: &Scope, id: &str) -> Result<T> {
    let row: T = find(db, scope, id).await?;
    scope.demand_own_tenant(&row.head().id, &row.head().tenant_name)?;
    Ok(row)
}

/// Whether an id is in use: in the scope's tenant, by something global of any tenant, or, for what
/// is global itself, in any tenant at all.
pub async fn is_taken<T: TenantRow>(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    visibility: Visibility,
) -> Result<bool> {
    let (table, column) = names::<T>();
    let sql = format!(
        "select 1 from {table}
         where {column} = ?1 and (tenant_name = ?2 or visibility = ?3 or ?3 = ?4) limit 1"
    );
    let values = params![id, scope.tenant(), Visibility::Global, visibility];
    Ok(db.first(&sql, values).await?.is_some())
}

/// What a request to create something says, whatever it is.
#[derive(Clone, Debug)]
pub struct New {
    /// What clients will call it.
    pub id: String,
    /// Who is to see it.
    pub visibility: Visibility,
    /// Who made it, and when.
    pub origin: Origin,
}

impl New {
    /// Reads `visibility` or `private_resource`, and the origin. `what` is what refusals call the
    /// id, as in [`ids::check`].
    ///
    /// # Errors
    /// 400 and 403, see [`Visibility::for_creation`] and [`Origin::read`].
    pub async fn read(
        db: &impl Db,
        scope: &Scope,
        (what, id): (&str, &str),
        body: &Body,
    ) -> Result<Self> {
        ids::check(what, id)?;
        let private = body.boolean("private_resource")?;
        Ok(Self {
            id: id.to_owned(),
            visibility: Visibility::for_creation(body.text("visibility")?, private)?,
            origin: Origin::read(db, scope, body).await?,
        })
    }
}

/// Stores something new with the values of the columns that only its table has.
///
/// # Errors
/// 403 for global without `create_global_resource`; 409 when the id is in use.
pub async fn insert<T: TenantRow>(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    columns: &[(&'static str, Value)],
    action: Permission,
) -> Result<()> {
    new.visibility.demand_permitted(scope)?;
    insert_of::<T>(tx, scope, new, columns, action).await
}

/// The same for what belongs to something else and is seen by no more people than that: whoever may work
/// on what is global need not be one who may make something global.
///
/// # Errors
/// 409 when the id is in use.
pub(crate) async fn insert_of<T: TenantRow>(
    tx: &impl Tx,
    scope: &Scope,
    new: &New,
    columns: &[(&'static str, Value)],
    action: Permission,
) -> Result<()> {
    if is_taken::<T>(tx, scope, &new.id, new.visibility).await? {
        return Err(already_exists::<T>(scope, &new.id));
    }
    let (table, column) = names::<T>();
    let mut names = format!("{column}, tenant_name, created_by, visibility, created_at");
    let mut numbers = String::from("?1, ?2, ?3, ?4, ?5");
    let mut values = params![
        &new.id,
        scope.tenant(),
        new.origin.created_by(scope),
        new.visibility,
        new.origin.created_at()
    ]
    .to_vec();
    for (name, value) in columns {
        values.push(value.clone());
        names.push_str(&format!(", {name}"));
        numbers.push_str(&format!(", ?{}", values.len()));
    }
    let sql = format!("insert into {table} ({names}) values ({numbers})");
    tx.execute(&sql, &values).await?;
    let (name, operation) = (T::RESOURCE.name, Operation::Create);
    audit::insert_as(tx, scope, operation, action.name(), name, &new.id).await
}

fn already_exists<T: TenantRow>(scope: &Scope, id: &str) -> Error {
    let (_, column) = names::<T>();
    Error::conflict(format!(
        "<{} {column}=`{id}` tenant=`{}`> already exists on {}",
        T::RESOURCE.name,
        scope.tenant(),
        or_global(scope)
    ))
}

/// Where an id is in use, as clients read it.
pub fn or_global(scope: &Scope) -> String {
    let tenant = scope.tenant();
    format!("<Tenant name=`{tenant}`> or with global visibility")
}

/// Saves a wider visibility, if one is given, and the values of other columns.
///
/// # Errors
/// See [`demand_widening`].
pub async fn save<T: TenantRow>(
    tx: &impl Tx,
    scope: &Scope,
    row: &T,
    visibility: Option<Visibility>,
    columns: &[(&'static str, Value)],
    action: Permission,
) -> Result<()> {
    let (table, _) = names::<T>();
    let mut settings = String::from("visibility = ?2");
    let mut values = params![row.head().key, row.head().visibility].to_vec();
    if let Some(next) = visibility {
        // Where the row is renamed at the same time, its new name is the one that must be free.
        let (_, column) = names::<T>();
        let renamed = columns.iter().find(|(name, _)| *name == column);
        let id = match renamed {
            Some((_, Value::Text(name))) => name.as_str(),
            _ => row.head().id.as_str(),
        };
        demand_widening(tx, scope, row, id, next).await?;
        values = params![row.head().key, next].to_vec();
    }
    for (name, value) in columns {
        values.push(value.clone());
        settings.push_str(&format!(", {name} = ?{}", values.len()));
    }
    let sql = format!("update {table} set {settings} where key = ?1");
    tx.execute(&sql, &values).await?;
    record(tx, scope, row, Operation::Update, action).await
}

/// Demands that a row may be seen by as many as `next` says; `id` is the one it has then.
///
/// # Errors
/// 400 for narrowing, 403 and 409 for what may not become global.
pub async fn demand_widening<T: TenantRow>(
    db: &impl Db,
    scope: &Scope,
    row: &T,
    id: &str,
    next: Visibility,
) -> Result<()> {
    let Head {
        tenant_name,
        visibility,
        ..
    } = row.head();
    visibility.demand_widening(scope, id, next)?;
    if next != Visibility::Global {
        return Ok(());
    }
    let (table, column) = names::<T>();
    let sql = format!("select 1 from {table} where {column} = ?1 and tenant_name <> ?2 limit 1");
    match db.first(&sql, params![id, tenant_name]).await? {
        Some(_) => Err(visibility::exists_elsewhere(id)),
        None => Ok(()),
    }
}

/// Deletes a row and what belongs to it by foreign keys.
pub async fn delete<T: TenantRow>(
    tx: &impl Tx,
    scope: &Scope,
    row: &T,
    action: Permission,
) -> Result<()> {
    let sql = format!("delete from {} where key = ?1", names::<T>().0);
    tx.execute(&sql, params![row.head().key]).await?;
    record(tx, scope, row, Operation::Delete, action).await
}

/// Notes in the audit trail what was done to a row.
async fn record<T: TenantRow>(
    tx: &impl Tx,
    scope: &Scope,
    row: &T,
    operation: Operation,
    action: Permission,
) -> Result<()> {
    let (name, id) = (T::RESOURCE.name, &row.head().id);
    audit::insert_as(tx, scope, operation, action.name(), name, id).await
}
