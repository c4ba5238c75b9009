//! `/secrets` and `/secrets/{secret_key}`: list, get, create, delete.

use crate::schema;
use crate::value::{is_empty, refuse_empty, respond, with_options};
use serde_json::Value;
use windlass_core::db::{Db, KeptDb};
use windlass_core::outbound::Network;
use windlass_core::{Body, Context, Error, Given, Permission, Response, Result, Scope, ids};
use windlass_store::resource::New;
use windlass_store::secrets::{self, Changes, Holding, Purpose, SECRET, SECRETS};
use windlass_store::secrets_providers;

/// `GET /secrets`: the tenant's secrets and global ones, without values.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::SecretList)?;
    ctx.list(&SECRETS, &scope).await
}

/// `GET /secrets/{secret_key}`: one of them with its value, unless it is hidden from the caller or not
/// wanted.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretGet)?;
    let key = ctx.path("secret_key");
    ids::check("key", key)?;
    let skips = ctx.request.query_bool("_skip_value")?.unwrap_or(false);
    let include = SECRET.parse_include(ctx.request.query_value("_include"))?;
    let include = include.as_deref();
    let is_wanted = include.is_none_or(|fields| fields.iter().any(|field| field.name == "value"));
    if is_wanted && !skips {
        let read = secrets::read(&ctx.db, &scope, key, Purpose::Show, include).await?;
        if let Some(read) = read {
            let value = windlass_secrets::fetch(&read, key, &Network).await?;
            let mut shown = with_options(read).await?;
            shown.insert("value".into(), value);
            return respond(shown);
        }
    }
    let read = secrets::show(&ctx.db, &scope, key, include).await?;
    let mut shown = with_options(read).await?;
    if is_wanted {
        shown.insert("value".into(), "".into());
    }
    respond(shown)
}

/// The answer of a change: the secret as it is stored.
pub async fn show(ctx: &Context<impl Db>, scope: &Scope, key: &str) -> Result<Response> {
    let include = SECRET.parse_include(ctx.request.query_value("_include"))?;
    let read = secrets::show(&ctx.db, scope, key, include.as_deref()).await?;
    respond(with_options(read).await?)
}

/// What the body of a creation says.
struct Creation {
    new: New,
    value: Value,
    schema: Option<Value>,
    is_hidden_value: bool,
    update_if_exists: bool,
    provider_key: Option<i64>,
    provider_options: Option<Value>,
}

impl Creation {
    /// Reads it in the order in which the original refuses.
    async fn read(ctx: &Context<impl Db>, scope: &Scope, key: &str) -> Result<Self> {
        ids::check("key", key)?;
        let object = ctx.json_object()?;
        let value = object.get("value").cloned();
        let value = value.ok_or_else(|| Error::missing("value"))?;
        let body = Body::of(ctx)?;
        let schema = schema_of(&body)?;
        if let Some(schema) = &schema {
            schema::check(schema, &value)?;
        }
        let is_hidden_value = body.boolean("is_hidden_value")?.unwrap_or(false);
        let update_if_exists = body.boolean("update_if_exists")?.unwrap_or(false);
        let new = New::read(&ctx.db, scope, ("key", key), &body).await?;
        let provider_key = provider(ctx, scope, &body).await?;
        if provider_key.is_none() && is_empty(&value) {
            return Err(refuse_empty(key));
        }
        Ok(Self {
            new,
            value,
            schema,
            is_hidden_value,
            update_if_exists,
            provider_key,
            provider_options: provider_options(&body)?,
        })
    }
}

fn schema_of(body: &Body) -> Result<Option<Value>> {
    match body.get("schema") {
        None => Ok(None),
        Some(Value::Object(rules)) if rules.is_empty() => Ok(None),
        Some(schema @ Value::Object(_)) => Ok(Some(schema.clone())),
        Some(other) => Err(Error::wrong_type("schema", "dict", other)),
    }
}

/// The row of the provider that a body names.
///
/// # Errors
/// 404.
pub async fn provider(ctx: &Context<impl Db>, scope: &Scope, body: &Body) -> Result<Option<i64>> {
    match body.filled_text("provider_name")? {
        Some(name) => secrets_providers::find_key(&ctx.db, scope, name)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// Where at its provider a secret is: an object, or its text.
///
/// # Errors
/// 400 for anything else.
pub fn provider_options(body: &Body) -> Result<Option<Value>> {
    match body.get("provider_options") {
        None => Ok(None),
        Some(options @ Value::Object(_)) => Ok(Some(options.clone())),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(options @ Value::Object(_)) => Ok(Some(options)),
            _ => Err(Error::bad_parameters(
                "provider_options must be a JSON object",
            )),
        },
        Some(other) => Err(Error::wrong_type("provider_options", "dict", other)),
    }
}

/// Encrypts what there is.
pub async fn seal(value: Option<&Value>) -> Result<Option<String>> {
    match value {
        Some(value) => secrets::seal(value).await.map(Some),
        None => Ok(None),
    }
}

/// `PUT /secrets/{secret_key}`: a new secret; with `update_if_exists` also another value of one that is
/// there.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretCreate)?;
    let key = ctx.path("secret_key");
    let creation = Creation::read(ctx, &scope, key).await?;
    ctx.include(&SECRET)?;
    let value = secrets::seal(&creation.value).await?;
    let provider_options = seal(creation.provider_options.as_ref()).await?;
    ctx.db
        .transaction(async |tx| {
            if creation.update_if_exists && secrets::has_own(tx, &scope, key).await? {
                let found = secrets::find_changeable(tx, &scope, key).await?;
                if let Some(schema) = &found.schema {
                    schema::check(schema, &creation.value)?;
                }
                let changes = Changes {
                    value: Some(value),
                    provider_options: Given::from(provider_options),
                    ..Changes::default()
                };
                return secrets::save(tx, &scope, &found.secret, &changes).await;
            }
            let holding = Holding {
                value,
                schema: creation.schema.clone(),
                is_hidden_value: creation.is_hidden_value,
                provider_key: creation.provider_key,
                provider_options,
            };
            secrets::insert(tx, &scope, &creation.new, &holding).await
        })
        .await?;
    show(ctx, &scope, key).await
}

/// `DELETE /secrets/{secret_key}`.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretDelete)?;
    let key = ctx.path("secret_key");
    ctx.db
        .transaction(async |tx| {
            let found = secrets::find_changeable(tx, &scope, key).await?;
            secrets::delete(tx, &scope, &found.secret).await
        })
        .await?;
    Ok(Response::empty(204))
}
