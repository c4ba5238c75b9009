//! `/secrets-providers`: other places where values of secrets are kept.

use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::list::{Field, Page};
use windlass_core::outbound::Network;
use windlass_core::{
    Body, Context, Error, Permission, Response, Result, Scope, Visibility, python,
};
use windlass_secrets::Connection;
use windlass_store::resource::{self, New};
use windlass_store::secrets::{seal, unseal};
use windlass_store::secrets_providers::SECRETS_PROVIDERS;
use windlass_store::secrets_providers::{self as providers, ProviderRow, ProviderType};

const PARAMETERS: &str = "connection_parameters";

/// `GET /secrets-providers`: the tenant's providers and global ones.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::SecretsProviderList)?;
    let query = ctx.list_query(&SECRETS_PROVIDERS, &[])?;
    let page = SECRETS_PROVIDERS.page(&ctx.db, &scope, &query).await?;
    let mut items: Vec<Map<String, Value>> = page.parse()?;
    for item in &mut items {
        decrypt(&scope, item).await?;
    }
    let items = serde_json::to_string(&items).map_err(Error::internal)?;
    Ok(private(Page { items, ..page }.respond(&query)))
}

/// `GET /secrets-providers/{provider_name}`: one of them.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretsProviderGet)?;
    show(ctx, &scope, ctx.path("provider_name")).await
}

async fn show(ctx: &Context<impl Db>, scope: &Scope, name: &str) -> Result<Response> {
    let include = SECRETS_PROVIDERS.parse_include(ctx.request.query_value("_include"))?;
    let include: Option<&[&'static Field]> = include.as_deref();
    let statement = SECRETS_PROVIDERS.named_statement(scope, include, name);
    let item = ctx.db.first_json(&statement.sql, &statement.parameters);
    let item: Option<Map<String, Value>> = item.await?;
    let mut item = item.ok_or_else(|| Error::not_found(SECRETS_PROVIDERS.name, name))?;
    decrypt(scope, &mut item).await?;
    Ok(private(Response::json(200, &Value::Object(item))?))
}

/// Nobody on the way may keep what has credentials in it.
fn private(response: Response) -> Response {
    response.header("cache-control", "no-store")
}

/// Shows connection parameters to those who may see credentials, and to nobody else.
async fn decrypt(scope: &Scope, item: &mut Map<String, Value>) -> Result<()> {
    let Some(parameters) = item.get_mut(PARAMETERS) else {
        return Ok(());
    };
    let caller = scope.caller()?;
    let may = caller.holds_in(scope.tenant(), Permission::SecretsProviderCredentials);
    *parameters = match parameters.as_str() {
        Some(sealed) if may => unseal(sealed).await?,
        _ => Value::Null,
    };
    Ok(())
}

/// `PUT /secrets-providers`: a new provider; with `test` nothing is stored, and the connection tried.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretsProviderCreate)?;
    let body = Body::of(ctx)?;
    let name = body.required_text("name")?;
    if body.boolean("test")?.unwrap_or(false) {
        tried(ctx, &scope, name, &body)
            .await?
            .test(&Network)
            .await?;
        return Ok(Response::empty(204));
    }
    windlass_core::ids::check("name", name)?;
    let kind = kind(&body)?;
    connection(name, kind, &body)?;
    let new = New::read(&ctx.db, &scope, ("name", name), &body).await?;
    ctx.include(&SECRETS_PROVIDERS)?;
    let sealed = sealed(&body).await?;
    ctx.db
        .transaction(async |tx| providers::insert(tx, &scope, &new, kind, sealed.as_deref()).await)
        .await?;
    show(ctx, &scope, name).await
}

/// The connection that is to be tried: the one that a body describes or, without a type, the one of the
/// stored provider of this name. Parameters in the body are tried instead of stored ones.
async fn tried(
    ctx: &Context<impl Db>,
    scope: &Scope,
    name: &str,
    body: &Body,
) -> Result<Connection> {
    if name.is_empty() || body.filled_text("type")?.is_some() {
        return connection(name, kind(body)?, body);
    }
    let row: ProviderRow = resource::find_own(&ctx.db, scope, name).await?;
    let provider = providers::connection(&ctx.db, &row).await?;
    match body.object(PARAMETERS)? {
        Some(_) => connection(name, provider.kind, body),
        None => Connection::open(&provider).await,
    }
}

/// The type in a body, which must be there.
fn kind(body: &Body) -> Result<ProviderType> {
    let given = body.required_text("type")?;
    parse_kind(given)
}

fn parse_kind(given: &str) -> Result<ProviderType> {
    let known = ProviderType::ALL.into_iter();
    known
        .clone()
        .find(|kind| kind.name() == given)
        .ok_or_else(|| {
            Error::bad_parameters(format!(
                "Invalid secrets provider type: `{given}`. Valid types are: {}",
                python::list(known.map(ProviderType::name))
            ))
        })
}

fn connection(name: &str, kind: ProviderType, body: &Body) -> Result<Connection> {
    let given = body.object(PARAMETERS)?.cloned().unwrap_or_default();
    Connection::new(name, kind, given)
}

async fn sealed(body: &Body) -> Result<Option<String>> {
    match body.get(PARAMETERS) {
        Some(parameters) => seal(parameters).await.map(Some),
        None => Ok(None),
    }
}

/// `PATCH /secrets-providers/{provider_name}`: another type, other parameters, more people who see it.
pub async fn update(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretsProviderUpdate)?;
    let name = ctx.path("provider_name");
    let body = Body::of(ctx)?;
    let given = body.text("type")?.map(parse_kind).transpose()?;
    body.object(PARAMETERS)?;
    let visibility = Visibility::of_update(&body)?;
    let sealed = sealed(&body).await?;
    ctx.include(&SECRETS_PROVIDERS)?;
    ctx.db
        .transaction(async |tx| {
            let row: ProviderRow = resource::find_own(tx, &scope, name).await?;
            let mut provider = providers::connection(tx, &row).await?;
            provider.kind = given.unwrap_or(provider.kind);
            provider.connection_parameters = sealed.or(provider.connection_parameters);
            // A type needs its parameters, whichever of both has changed.
            Connection::open(&provider).await?;
            let now = (provider.kind, provider.connection_parameters.as_deref());
            providers::save(tx, &scope, &row, visibility, now).await
        })
        .await?;
    show(ctx, &scope, name).await
}

/// `DELETE /secrets-providers/{provider_name}`: one that keeps no secret.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::SecretsProviderDelete)?;
    let name = ctx.path("provider_name");
    ctx.db
        .transaction(async |tx| {
            let row: ProviderRow = resource::find_own(tx, &scope, name).await?;
            providers::delete(tx, &scope, &row).await
        })
        .await?;
    Ok(Response::empty(204))
}
