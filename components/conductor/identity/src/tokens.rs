//! `/tokens`: what stands for a user instead of name and password.
//!
//! A value is shown once, in the answer that makes the token. An execution acts as its creator
//! only while it runs, so it gets no tokens: they would outlive it.

use serde_json::{Map, Value};
use windlass_core::caller::AuthMethod;
use windlass_core::db::Db;
use windlass_core::python;
use windlass_core::token_scope::TokenScopes;
use windlass_core::{Body, Context, Error, Permission, Response, Result, Timestamp};
use windlass_identity::tokens::{self, Format, NewToken, TOKENS};

/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 1024;

/// `GET /tokens`: the caller's tokens and, for clients of the older form, their role and a usable
/// token on top: a new one for a password, and the same one for a token.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::TokenGet)?;
    let query = ctx.list_query(&TOKENS, &[])?;
    let page = tokens::list(&ctx.db, &scope, query.clone()).await?;
    let shown = ctx.request.get_header("authentication-token");
    let value = match scope.caller()?.method {
        AuthMethod::Basic => Some(tokens::implicit(&ctx.db, &scope).await?),
        AuthMethod::Token(_) => shown.map(str::to_owned),
        AuthMethod::ExecutionToken | AuthMethod::Session(_) | AuthMethod::Monitor => None,
    };
    let mut body: Map<String, Value> =
        serde_json::from_slice(&page.respond(&query).body).map_err(Error::internal)?;
    body.insert("role".into(), scope.caller()?.role.clone().into());
    body.insert("value".into(), value.into());
    ctx.ok(body)
}

/// `POST /tokens`: a new token for the caller, with its value. 200 and not 201, as clients expect.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::CreateToken)?;
    let include = ctx.include(&TOKENS)?;
    let body = Body::of(ctx)?;
    let wanted = NewToken {
        description: description(&body)?,
        expiration: expiration(body.text("expiration_date")?)?,
        scopes: scopes(&body, scope.caller()?.method.scopes())?,
        tenant: body.filled_text("tenant_name")?,
        format: format(&body)?,
    };
    let token = ctx
        .db
        .transaction(async |tx| tokens::insert(tx, &scope, wanted).await)
        .await?;
    ctx.ok(include.of(token))
}

/// `GET /tokens/{token_id}`: one of the caller's tokens, without its value.
pub async fn get_one(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::ListToken)?;
    let include = ctx.include(&TOKENS)?;
    let token = tokens::find(&ctx.db, &scope, ctx.path("token_id")).await?;
    ctx.ok(include.of(token.into_json()))
}

/// `DELETE /tokens/{token_id}`: it stops working with the next request.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::DeleteToken)?;
    let id = ctx.path("token_id");
    ctx.db
        .transaction(async |tx| {
            let token = tokens::find(tx, &scope, id).await?;
            tokens::delete(tx, &scope, &token).await
        })
        .await?;
    Ok(Response::empty(204))
}

fn description(body: &Body) -> Result<Option<&str>> {
    let description = body.text("description")?;
    if description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
        return Err(Error::bad_parameters(format!(
            "description is longer than {MAX_DESCRIPTION} characters"
        )));
    }
    Ok(description)
}

/// What the token may be used for: what the body asks for, else the same as the one that makes it.
fn scopes(body: &Body, held: TokenScopes) -> Result<TokenScopes> {
    let Some(items) = body.list("scopes")? else {
        return Ok(held);
    };
    let name = |item: &Value| match item {
        Value::String(name) => Ok(name.clone()),
        other => Err(Error::wrong_type("scopes", "list of str", other)),
    };
    let names = items.iter().map(name).collect::<Result<Vec<String>>>()?;
    TokenScopes::parse(&names)
}

fn format(body: &Body) -> Result<Format> {
    let Some(name) = body.text("format")? else {
        return Ok(Format::default());
    };
    Format::named(name).ok_or_else(|| {
        Error::bad_parameters(format!(
            "Invalid format: `{name}`. Valid formats are: {}",
            python::list(Format::ALL.iter().map(|format| format.name()))
        ))
    })
}

/// When a token ends: a time, or a distance from now such as `+10h`.
fn expiration(text: Option<&str>) -> Result<Option<Timestamp>> {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let now = Timestamp::now();
    let end = if text.trim_start().starts_with('+') {
        now.plus_text(text).ok_or_else(|| {
            Error::bad_parameters(format!(
                "expiration_date: `{text}` is not a legal time delta, such as +10h or +1 day"
            ))
        })?
    } else {
        Timestamp::parse("expiration_date", text)?
    };
    if end <= now {
        return Err(Error::bad_parameters("Expiration date was in the past."));
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_names_scopes_that_there_are_or_takes_its_callers() {
        let free = TokenScopes::UNRESTRICTED;
        let conductor = TokenScopes::from_names(&["conductor"]);
        for (body, held, want) in [
            (json!({}), free, Ok(free)),
            (json!({ "scopes": null }), free, Ok(free)),
            (json!({}), conductor, Ok(conductor)),
            (json!({ "scopes": ["conductor"] }), free, Ok(conductor)),
            (json!({ "scopes": ["conductor"] }), conductor, Ok(conductor)),
            (json!({ "scopes": [] }), free, Err("scopes is empty")),
            (
                json!({ "scopes": ["all"] }),
                free,
                Err("Invalid scope: `all`"),
            ),
            (
                json!({ "scopes": [1] }),
                free,
                Err("scopes parameter is expected"),
            ),
            (
                json!({ "scopes": "api" }),
                free,
                Err("scopes parameter is expected"),
            ),
        ] {
            let parsed = Body::inner(&body, "body").unwrap();
            match (scopes(&parsed, held), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{body}"),
                (Err(got), Err(part)) => assert!(got.message().starts_with(part), "{got:?}"),
                (got, _) => panic!("{body}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_token_ends_in_the_future_or_never() {
        for (text, refusal) in [
            (None, None),
            (Some(""), None),
            (Some("+10h"), None),
            (Some("2999-01-01 10:00"), None),
            (Some("+0h"), Some("Expiration date was in the past.")),
            (
                Some("2020-01-01T00:00:00Z"),
                Some("Expiration date was in the past."),
            ),
            (Some("+1 parsec"), Some("not a legal time delta")),
            (Some("+99999999999999y"), Some("not a legal time delta")),
            (Some("tomorrow"), Some("not a time in ISO 8601")),
        ] {
            match (expiration(text), refusal) {
                (Ok(_), None) => {}
                (Err(error), Some(part)) => assert!(error.message().contains(part), "{error:?}"),
                (got, _) => panic!("{text:?}: {got:?}"),
            }
        }
    }
}
