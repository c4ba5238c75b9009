//! `/secrets/share`: secrets on their way to another installation, and from one.
//!
//! With a passphrase values travel encrypted, see [`Passphrase`]. An import looks at each item by itself:
//! what is wrong with one is told under its place, and the others are imported.

mod item;

use crate::passphrase::Passphrase;
use item::{Item, Refused};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Field, Fields};
use windlass_core::{Body, Context, Error, Permission, Response, Result, Scope, python};
use windlass_store::secrets::{self, Exported, Imported, SECRETS, unseal};
use windlass_store::tenants;

/// What an exported secret may be reduced to.
static EXPORTED: [Field; 11] = [
    Field::named("key"),
    Field::named("value"),
    Field::named("visibility"),
    Field::named("tenant_name"),
    Field::named("is_hidden_value"),
    Field::named("encrypted"),
    Field::named("provider"),
    Field::named("provider_options"),
    Field::named("creator"),
    Field::named("created_at"),
    Field::named("updated_at"),
];

/// Parameters of an export that are no fields.
const OWN: [&str; 1] = ["non-encrypted"];

/// `GET /secrets/share/export`: the secrets that the caller may read, as a bare list.
pub async fn export(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::SecretExport)?;
    let mut passphrase = match ctx.request.query_value("_passphrase") {
        Some(text) if !text.is_empty() => Some(Passphrase::new(text)?),
        _ => None,
    };
    ctx.request.query_bool("non-encrypted")?;
    let metadata = ctx.request.query_bool("_include_metadata")?;
    let include = ctx.include(Fields(&EXPORTED))?;
    let query = windlass_core::list::Listing::of(&SECRETS).parse_selection(&ctx.request, &OWN)?;
    let found = ctx
        .db
        .transaction(async |tx| secrets::export(tx, &scope, &query).await)
        .await?;
    let mut items = Vec::with_capacity(found.len());
    for one in found {
        let item = shown(one, passphrase.as_mut(), metadata.unwrap_or(false)).await?;
        items.push(include.of(item));
    }
    Ok(ctx.ok(items)?.header("cache-control", "no-store"))
}

/// One secret as others import it.
async fn shown(
    one: Exported,
    passphrase: Option<&mut Passphrase<'_>>,
    metadata: bool,
) -> Result<Value> {
    let value = unseal(&one.value).await?;
    let is_encrypted = passphrase.is_some();
    let value = match passphrase {
        Some(passphrase) => passphrase.seal(value.to_string().as_bytes())?.into(),
        None => value,
    };
    let options = match &one.provider_options {
        Some(sealed) => unseal(sealed).await?,
        None => Value::Null,
    };
    let mut item = json!({
        "key": one.key,
        "value": value,
        "visibility": one.visibility,
        "tenant_name": one.tenant_name,
        "is_hidden_value": one.is_hidden_value != 0,
        "encrypted": is_encrypted,
        "provider": one.provider,
        "provider_options": options,
    });
    if let (true, Some(fields)) = (metadata, item.as_object_mut()) {
        fields.insert("creator".into(), one.created_by.into());
        fields.insert("created_at".into(), one.created_at.into());
        fields.insert("updated_at".into(), one.updated_at.into());
    }
    Ok(item)
}

/// What the body of an import says.
struct Import<'a> {
    items: &'a [Value],
    overwrite: bool,
    tenants: BTreeMap<&'a str, &'a str>,
    passphrase: Option<Passphrase<'a>>,
}

impl<'a> Import<'a> {
    fn read(body: &'a Body) -> Result<Self> {
        let items = body.list("secrets_list")?;
        let overwrite = body.boolean("override_collisions")?;
        let named = ["tenant_map", "tenant_map_dict"].map(|name| body.object(name));
        let [map, old_map] = named;
        let mut tenants = BTreeMap::new();
        for (from, to) in map?.or(old_map?).into_iter().flatten() {
            let to = to.as_str();
            let to = to.ok_or_else(|| Error::bad_parameters("tenant_map maps names to names"))?;
            tenants.insert(from.as_str(), to);
        }
        let passphrase = body.filled_text("passphrase")?;
        Ok(Self {
            items: items.ok_or_else(|| Error::missing("secrets_list"))?,
            overwrite: overwrite.ok_or_else(|| Error::missing("override_collisions"))?,
            tenants,
            passphrase: passphrase.map(Passphrase::new).transpose()?,
        })
    }

    /// Refuses to map to what is no tenant.
    async fn demand_tenants(&self, db: &impl Db, scope: &Scope) -> Result<()> {
        let mut unknown = Vec::new();
        for name in self.tenants.values().collect::<BTreeSet<_>>() {
            if !tenants::exists(db, scope, name).await? {
                unknown.push(*name);
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(Error::bad_parameters(format!(
            "The following destination tenants do not exist: {}",
            python::list(unknown)
        )))
    }
}

/// `POST /secrets/share/import`: stores what [`export`] answered elsewhere.
pub async fn import(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretImport)?;
    let body = Body::of(ctx)?;
    let mut import = Import::read(&body)?;
    import.demand_tenants(&ctx.db, &scope).await?;
    let mut errors = Map::new();
    let mut items = Vec::new();
    for (place, given) in import.items.iter().enumerate() {
        match Item::read(ctx, given, &import.tenants, import.passphrase.as_mut()).await? {
            Ok(item) => items.push((place, item)),
            Err(refused) => {
                errors.insert(place.to_string(), refused.into());
            }
        }
    }
    let mut colliding: BTreeMap<String, Vec<String>> = BTreeMap::new();
    ctx.db
        .transaction(async |tx| {
            for (place, item) in &items {
                match store(tx, item, import.overwrite).await? {
                    Ok(Imported::Created) => {}
                    Ok(Imported::Collided | Imported::Overwritten) => {
                        let of_tenant = colliding.entry(item.scope.tenant().to_owned());
                        of_tenant.or_default().push(item.new.id.clone());
                    }
                    Err(refused) => {
                        errors.insert(place.to_string(), refused.into());
                    }
                }
            }
            Ok(())
        })
        .await?;
    ctx.ok(json!({ "colliding_secrets": colliding, "secrets_errors": errors }))
}

/// Stores an item, or says why it is refused: refusals concern that item alone.
async fn store(tx: &impl Tx, item: &Item, overwrite: bool) -> Result<Result<Imported, Refused>> {
    let stored = secrets::import(tx, &item.scope, &item.new, &item.holding, overwrite).await;
    match stored {
        Ok(imported) => Ok(Ok(imported)),
        Err(error) if (400..500).contains(&error.kind().wire().0) => {
            let mut refused = Refused::default();
            refused.add("visibility", error.message());
            Ok(Err(refused))
        }
        Err(error) => Err(error),
    }
}
