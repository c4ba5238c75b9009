//! One secret of an import, checked by itself.

use crate::passphrase::Passphrase;
use crate::secrets::{provider_options, seal};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Permission, Result, Scope, Visibility, ids};
use windlass_store::resource::{self, New, Origin};
use windlass_store::secrets::{self, Holding};
use windlass_store::{secrets_providers, tenants, users};

/// The fields that each item must have.
const REQUIRED: [&str; 6] = [
    "key",
    "is_hidden_value",
    "visibility",
    "tenant_name",
    "value",
    "encrypted",
];

/// What is wrong with an item, by what it is about.
#[derive(Default)]
pub struct Refused(Map<String, Value>);

impl Refused {
    /// Adds a reason.
    pub fn add(&mut self, about: &str, why: impl Into<Value>) {
        self.0.insert(about.to_owned(), why.into());
    }
}

impl From<Refused> for Value {
    fn from(refused: Refused) -> Self {
        Self::Object(refused.0)
    }
}

/// A secret that can be stored.
pub struct Item {
    /// Its tenant, in the name of the caller.
    pub scope: Scope,
    /// Its key, visibility and origin.
    pub new: New,
    /// What it holds.
    pub holding: Holding,
}

impl Item {
    /// Reads an item; the inner error is about the item alone.
    ///
    /// # Errors
    /// Of the database.
    pub async fn read(
        ctx: &Context<impl Db>,
        given: &Value,
        tenants: &BTreeMap<&str, &str>,
        passphrase: Option<&mut Passphrase<'_>>,
    ) -> Result<std::result::Result<Self, Refused>> {
        let mut refused = Refused::default();
        let body = Body::inner(given, "secrets_list").unwrap_or_default();
        // A value that is kept by a provider may be null.
        let is_there = |name: &str| {
            given
                .get(name)
                .is_some_and(|value| name == "value" || !value.is_null())
        };
        let missing: Vec<&str> = REQUIRED
            .into_iter()
            .filter(|name| !is_there(name))
            .collect();
        if !missing.is_empty() {
            refused.add("missing secret fields", json!(missing));
        }
        let key = body.text("key").ok().flatten().unwrap_or_default();
        if is_there("key")
            && let Err(fault) = ids::check("key", key)
        {
            refused.add("key", fault.message());
        }
        let is_hidden_value = boolean(&body, "is_hidden_value", &mut refused);
        let visibility = visibility(&body, &mut refused);
        let value = value(&body, passphrase, &mut refused);
        let scope = scope(ctx, &body, tenants, &mut refused).await?;
        let Some(scope) = scope else {
            return Ok(Err(refused));
        };
        let provider_key = provider(&ctx.db, &scope, &body, &mut refused).await?;
        let origin = origin(&ctx.db, &scope, &body, &mut refused).await?;
        let options = provider_options(&body).unwrap_or_else(|fault| {
            refused.add("provider", fault.message());
            None
        });
        if !refused.0.is_empty() {
            return Ok(Err(refused));
        }
        Ok(Ok(Self {
            scope,
            new: New {
                id: key.to_owned(),
                visibility,
                origin,
            },
            holding: Holding {
                value: secrets::seal(&value).await?,
                schema: None,
                is_hidden_value,
                provider_key,
                provider_options: seal(options.as_ref()).await?,
            },
        }))
    }
}

fn boolean(body: &Body, name: &str, refused: &mut Refused) -> bool {
    body.boolean(name).ok().flatten().unwrap_or_else(|| {
        if body.get(name).is_some() {
            refused.add(name, "Not boolean");
        }
        false
    })
}

fn visibility(body: &Body, refused: &mut Refused) -> Visibility {
    let given = body.get("visibility");
    let text = given.and_then(Value::as_str).unwrap_or_default();
    Visibility::parse(text, &Visibility::ALL).unwrap_or_else(|_| {
        if given.is_some() {
            refused.add("visibility", "Not a valid visibility");
        }
        Visibility::default()
    })
}

/// The value, decrypted.
fn value(body: &Body, passphrase: Option<&mut Passphrase<'_>>, refused: &mut Refused) -> Value {
    let given = body.get("value").cloned().unwrap_or_default();
    if !boolean(body, "encrypted", refused) {
        return given;
    }
    let Some(passphrase) = passphrase else {
        let why = "The secret is encrypted but no passphrase was given";
        refused.add("No passphrase", why);
        return Value::Null;
    };
    let opened = given.as_str().and_then(|text| passphrase.open(text));
    let read = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
    read.unwrap_or_else(|| {
        refused.add(
            "value",
            "The value cannot be decrypted with this passphrase",
        );
        Value::Null
    })
}

/// The tenant that the item goes to, if the caller may import there.
async fn scope(
    ctx: &Context<impl Db>,
    body: &Body,
    tenants: &BTreeMap<&str, &str>,
    refused: &mut Refused,
) -> Result<Option<Scope>> {
    let name = body.get("tenant_name").and_then(Value::as_str);
    let name = name.unwrap_or_default();
    let name = tenants.get(name).copied().unwrap_or(name);
    let own = ctx.allow(Permission::SecretImport)?;
    if !name.is_empty() && tenants::exists(&ctx.db, &own, name).await? {
        match ctx.allow_in(name, Permission::SecretImport) {
            Ok(scope) => return Ok(Some(scope)),
            Err(refusal) => refused.add("tenant_name", refusal.message()),
        }
    } else if body.get("tenant_name").is_some() {
        refused.add("tenant_name", format!("The tenant `{name}` was not found"));
    }
    Ok(None)
}

/// The row of the provider that keeps the value: its name, or an object with it.
async fn provider(
    db: &impl Db,
    scope: &Scope,
    body: &Body,
    refused: &mut Refused,
) -> Result<Option<i64>> {
    let name = match body.get("provider") {
        None => return Ok(None),
        Some(Value::Object(fields)) => fields.get("name").and_then(Value::as_str),
        Some(given) => given.as_str(),
    };
    let name = name.unwrap_or_default();
    match secrets_providers::find_key(db, scope, name).await {
        Ok(key) => return Ok(Some(key)),
        Err(error) if error.kind() == windlass_core::Kind::NotFound => {
            refused.add("provider", error.message());
        }
        Err(error) => return Err(error),
    }
    Ok(None)
}

/// Who made it and when, as the item says.
async fn origin(db: &impl Db, scope: &Scope, body: &Body, refused: &mut Refused) -> Result<Origin> {
    let created_at = resource::created_at(scope, body).unwrap_or_else(|fault| {
        refused.add("timestamp", fault.message());
        None
    });
    let mut created_by = None;
    if let Some(name) = body.get("creator").and_then(Value::as_str) {
        let found = match scope.demand(Permission::SetOwner) {
            Ok(()) => users::creator(db, scope, name).await,
            Err(refusal) => Err(refusal),
        };
        match found {
            Ok(name) => created_by = Some(name),
            Err(fault) => refused.add("creator", fault.message()),
        }
    }
    Ok(Origin::of(created_by, created_at))
}
