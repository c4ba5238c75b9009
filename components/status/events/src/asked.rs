//! Who asks, and what a body says.

use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Permission, Result, Scope, Timestamp};
use windlass_status::TENANT;
use windlass_status::events::View;

/// The most numbers of components that one request names.
const COMPONENTS: usize = 1000;

/// What a caller who may open events may do beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing: a monitor, which reports what it measures.
    Reporter,
    /// Change what they opened.
    Creator,
    /// Change everything.
    Operator,
}

/// What of the events this caller sees. A monitor is no person, and credentials that are not good
/// are none.
pub fn view(ctx: &Context<impl Db>) -> View {
    match ctx.caller() {
        Ok(caller) if caller.monitor().is_none() => View::Internal,
        _ => View::Public,
    }
}

/// Demands what opening events takes.
///
/// # Errors
/// 401 and 403.
pub fn reporter(ctx: &Context<impl Db>) -> Result<(Scope, Role)> {
    match ctx.caller()?.monitor() {
        Some(_) => Ok((ctx.allow_everybody()?, Role::Reporter)),
        None => creator(ctx),
    }
}

/// Demands what changing events takes, at least one's own.
///
/// # Errors
/// 401 and 403.
pub fn creator(ctx: &Context<impl Db>) -> Result<(Scope, Role)> {
    if let Ok(scope) = operator(ctx) {
        return Ok((scope, Role::Operator));
    }
    let scope = ctx.allow_in(TENANT, Permission::StatusEventCreate)?;
    Ok((scope, Role::Creator))
}

/// Demands what changing everybody's events takes.
///
/// # Errors
/// 401 and 403.
pub fn operator(ctx: &Context<impl Db>) -> Result<Scope> {
    ctx.allow_in(TENANT, Permission::StatusEventManage)
}

/// The number of an event or a component in the path; none of another shape exists.
pub fn number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// A time in a body. What says no zone is in UTC.
pub fn time(body: &Body, name: &str) -> Result<Option<Timestamp>> {
    let Some(text) = body.filled_text(name)? else {
        return Ok(None);
    };
    let time = Timestamp::parse(name, text)?;
    // As the database keeps it: what is compared with it must not be finer.
    Ok(Some(Timestamp::from_millis(time.millis())))
}

/// The numbers of components, each once, in the order in which they were given.
pub fn components(body: &Body) -> Result<Vec<i64>> {
    let given = body
        .list("components")?
        .ok_or_else(|| Error::missing("components"))?;
    if given.is_empty() {
        return Err(Error::bad_parameters("components must name at least one"));
    }
    if given.len() > COMPONENTS {
        return Err(Error::bad_parameters(format!(
            "components must name at most {COMPONENTS}"
        )));
    }
    let mut numbers = Vec::with_capacity(given.len());
    for (place, value) in given.iter().enumerate() {
        let name = format!("components[{place}]");
        let number = value
            .as_i64()
            .ok_or_else(|| Error::wrong_type(&name, "int", value))?;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// A whole number that must be there.
pub fn required_integer(body: &Body, name: &str) -> Result<i64> {
    body.integer(name)?.ok_or_else(|| Error::missing(name))
}
