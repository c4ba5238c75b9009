//! `PATCH /secrets/{secret_key}` and `/set-visibility`: what is changed of a secret that is there.

use crate::schema;
use crate::secrets::{provider, provider_options, seal, show};
use crate::value::is_empty;
use serde_json::Value;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Given, Permission, Response, Result, Scope, Visibility};
use windlass_store::secrets::{self, Changes, SECRET};
use windlass_store::users;

/// `PATCH /secrets/{secret_key}`: another value, more people who see it, another creator or provider. An
/// empty value leaves it as it is.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretUpdate)?;
    let key = ctx.path("secret_key");
    let body = Body::of(ctx)?;
    if ctx.json_object()?.is_empty() {
        return Err(Error::illegal_action(
            "Update a secret request must include at least one parameter to update",
        ));
    }
    let found = secrets::find_changeable(&ctx.db, &scope, key).await?;
    let value = body.get("value").filter(|value| !is_empty(value));
    let changes = changes(ctx, &scope, &body, value, found.schema.as_ref()).await?;
    ctx.include(&SECRET)?;
    ctx.db
        .transaction(async |tx| {
            // As it is now: somebody may have changed it meanwhile.
            let found = secrets::find_changeable(tx, &scope, key).await?;
            if let (Some(schema), Some(value)) = (&found.schema, value) {
                schema::check(schema, value)?;
            }
            secrets::save(tx, &scope, &found.secret, &changes).await
        })
        .await?;
    show(ctx, &scope, key).await
}

/// What a body changes, read in the order in which the original refuses.
async fn changes(
    ctx: &Context<impl Db>,
    scope: &Scope,
    body: &Body,
    value: Option<&Value>,
    schema: Option<&Value>,
) -> Result<Changes> {
    let is_hidden_value = body.boolean("is_hidden_value")?;
    let visibility = Visibility::of_update(body)?;
    if let (Some(schema), Some(value)) = (schema, value) {
        schema::check(schema, value)?;
    }
    let creator = match body.text("creator")?.or(body.text("created_by")?) {
        Some(name) => {
            scope.demand(Permission::SetOwner)?;
            Some(users::creator(&ctx.db, scope, name).await?)
        }
        None => None,
    };
    Ok(Changes {
        value: seal(value).await?,
        visibility,
        is_hidden_value,
        creator,
        provider_key: provider(ctx, scope, body).await?,
        provider_options: Given::from(seal(provider_options(body)?.as_ref()).await?),
    })
}

/// `PATCH /secrets/{secret_key}/set-visibility`: let more people see a secret.
pub async fn set_visibility(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretUpdate)?;
    let key = ctx.path("secret_key");
    let visibility = Visibility::of_body(&ctx.json_object()?)?;
    ctx.include(&SECRET)?;
    let changes = Changes {
        visibility: Some(visibility),
        ..Changes::default()
    };
    ctx.db
        .transaction(async |tx| {
            let found = secrets::find_changeable(tx, &scope, key).await?;
            secrets::save(tx, &scope, &found.secret, &changes).await
        })
        .await?;
    show(ctx, &scope, key).await
}
