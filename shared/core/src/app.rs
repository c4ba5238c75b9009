//! From a request to its response: router, caller, handler, family, log line.

use crate::caller::Origin;
use crate::client;
use crate::context::{Context, Identified};
use crate::db::Db;
use crate::error::{Error, Kind, Result};
use crate::family::Family;
use crate::limits;
use crate::log;
use crate::request::Request;
use crate::response::Response;
use crate::router::Router;
use serde_json::Value;
use std::time::Instant;

/// How callers are found; the store implements it, because it takes SQL.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Identity {
    /// Makes the database ready: migrations, the first administrator. Called before the first
    /// request of an instance, in any number of instances at the same time.
    async fn prepare(db: &impl Db) -> Result<()>;

    /// Finds the caller in the way of the request's family.
    ///
    /// # Errors
    /// 401, in the family's words.
    async fn authenticate(db: &impl Db, family: Family, request: &Request) -> Result<Identified>;
}

/// Answers one request. Never fails: what goes wrong becomes the family's answer.
pub async fn handle<I: Identity, D: Db>(
    router: &Router<D>,
    db: D,
    family: Family,
    request: Request,
    request_id: String,
) -> Response {
    let response = answer::<I, D>(router, db, family, request, request_id).await;
    response.guarded()
}

async fn answer<I: Identity, D: Db>(
    router: &Router<D>,
    db: D,
    family: Family,
    request: Request,
    request_id: String,
) -> Response {
    let begun = Instant::now();
    let head = request.method == http::Method::HEAD;
    let method = request.method.to_string();
    let origin = Origin {
        request_id,
        address: client::address_of(&request).await,
    };
    let found = match router.find(&request.method, &request.path) {
        Ok(found) if request.body.len() > found.route.body_limit => {
            Err(limits::too_large(found.route.body_limit))
        }
        Ok(found) => demand_no_coding(&request)
            .and_then(|()| demand_own_site(&request))
            .map(|()| found),
        Err(error) => Err(error),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let mut response = match error.kind() {
                Kind::NotFound if is_of_browser(&request) => page_not_found(),
                _ => failure(family, &error),
            };
            if head {
                response.body.clear();
            }
            write_line::<D>(
                &method,
                &request.path,
                None,
                &response,
                begun,
                &origin,
                Some(&error),
            );
            return response;
        }
    };
    let identified = I::authenticate(&db, family, &request).await;
    let path = request.path.clone();
    let ctx = Context::new(
        db,
        family,
        request,
        found.route.pattern,
        found.path,
        origin,
        identified,
    );
    let (mut response, error) = match (found.route.handler)(&ctx).await {
        Ok(response) => (response, None),
        Err(error) => (failure(family, &error), Some(error)),
    };
    if family == Family::Conductor
        && let Some((caller, tenant)) = ctx.identity_names()
    {
        response = response
            .header("x-cloudify-audit-auth-method", caller.method.name())
            .header("x-cloudify-audit-username", caller.username.clone());
        if let Some(tenant) = tenant {
            response = response.header("x-cloudify-audit-tenant", tenant);
        }
    }
    write_line(
        &method,
        &path,
        Some(&ctx),
        &response,
        begun,
        &ctx.origin,
        error.as_ref(),
    );
    if head {
        response = response.without_body();
    }
    response
}

/// Refuses a body that was compressed on its way: nothing here unpacks one, and what it holds
/// would be called broken JSON or a broken form.
fn demand_no_coding(request: &Request) -> Result<()> {
    let has_body = !matches!(request.method, http::Method::GET | http::Method::HEAD);
    let coding = request.get_header("content-encoding").unwrap_or_default();
    let coding = coding.trim();
    if !has_body || coding.is_empty() || coding.eq_ignore_ascii_case("identity") {
        return Ok(());
    }
    Err(Error::new(
        Kind::UnsupportedContentType,
        format!(
            "The content coding `{coding}` is not supported: send the body without Content-Encoding"
        ),
    ))
}

/// Refuses a change that a page of another site has a browser ask for, with the name and the password that the
/// browser remembers. Nothing else is sent along by itself: there are no cookies.
fn demand_own_site(request: &Request) -> Result<()> {
    let changes_nothing = matches!(
        request.method,
        http::Method::GET | http::Method::HEAD | http::Method::OPTIONS
    );
    let site = request.get_header("sec-fetch-site").unwrap_or_default();
    let is_of_another = matches!(site, "cross-site" | "same-site");
    let proof = request.get_header("authorization").unwrap_or_default();
    let is_remembered = proof
        .get(..6)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "));
    if changes_nothing || !is_of_another || !is_remembered {
        return Ok(());
    }
    Err(Error::forbidden(
        "A page of another site may not use the password that a browser remembers",
    ))
}

/// Whether somebody looks for a page: programs ask for JSON or for anything.
fn is_of_browser(request: &Request) -> bool {
    let accept = request.get_header("accept").unwrap_or_default();
    matches!(request.method, http::Method::GET | http::Method::HEAD)
        && accept.to_ascii_lowercase().contains("text/html")
}

/// What somebody finds who mistyped an address.
fn page_not_found() -> Response {
    let page = include_str!("page_not_found.html");
    Response::bytes(404, "text/html; charset=utf-8", page)
        .header("cache-control", "no-cache")
        .header("vary", "accept")
}

/// The answer to a failure, in the family's envelope.
pub fn failure(family: Family, error: &Error) -> Response {
    let (status, _) = error.kind().wire();
    let body = family.envelope(error).to_string();
    let response = Response::json_text(status, body);
    match error.kind() {
        Kind::Unauthorized => response.header("www-authenticate", family.challenge()),
        Kind::Unavailable | Kind::TooManyRequests => {
            response.header("retry-after", error.seconds_to_wait().to_string())
        }
        Kind::MethodNotAllowed => match error.allow() {
            Some(methods) => response.header("allow", methods.to_owned()),
            None => response,
        },
        _ => response,
    }
}

fn write_line<D: Db>(
    method: &str,
    path: &str,
    ctx: Option<&Context<D>>,
    response: &Response,
    begun: Instant,
    origin: &Origin,
    error: Option<&Error>,
) {
    if response.quiet {
        return;
    }
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut fields: Vec<(&'static str, Value)> = vec![
        ("method", method.into()),
        ("path", log::without_tokens(path).into()),
        ("route", ctx.map_or(Value::Null, |ctx| ctx.route.into())),
        ("status", response.status.into()),
        ("micros", micros.into()),
        ("request_id", origin.request_id.clone().into()),
        ("address", origin.address.clone().into()),
    ];
    if let Some((caller, tenant)) = ctx.and_then(Context::identity_names) {
        fields.push(("caller", caller.username.clone().into()));
        fields.push(("tenant", tenant.into()));
    }
    let mut level = log::Level::Info;
    if let Some(error) = error {
        fields.push(("message", log::without_tokens(error.message()).into()));
        if let Some(context) = error.log_context() {
            fields.push(("cause", context.into()));
        }
        if response.status >= 500 {
            level = log::Level::Error;
        }
    }
    log::line(level, "request", fields);
}

#[cfg(test)]
#[path = "app/tests.rs"]
mod tests;
