//! `/ldap`: the settings of a directory.
//!
//! They are checked and kept for clients that set them, but nobody logs in through a directory: that
//! takes TCP, which a component does not have everywhere. So the status stays `disabled`, local users
//! go on working, and the password is not kept at all.

use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::list::python_list;
use windlass_core::request::parse_bool;
use windlass_core::{Body, Context, Error, Permission, Response, Result};
use windlass_store::ldap;

/// The settings that are plain text.
const TEXTS: [&str; 15] = [
    "ldap_server",
    "ldap_domain",
    "ldap_dn_extra",
    "ldap_username",
    "ldap_password",
    "ldap_base_dn",
    "ldap_group_dn",
    "ldap_bind_format",
    "ldap_user_filter",
    "ldap_group_member_filter",
    "ldap_attribute_email",
    "ldap_attribute_first_name",
    "ldap_attribute_last_name",
    "ldap_attribute_uid",
    "ldap_attribute_group_membership",
];

/// Which of them may hold placeholders, and which ones.
const PLACEHOLDERS: [(&str, &[&str]); 4] = [
    (
        "ldap_bind_format",
        &["username", "domain", "base_dn", "domain_dn", "group_dn"],
    ),
    ("ldap_group_dn", &["base_dn", "domain_dn"]),
    ("ldap_group_member_filter", &["object_dn"]),
    (
        "ldap_user_filter",
        &["username", "base_dn", "domain_dn", "group_dn"],
    ),
];

/// What an answer holds even if it was not given.
const ALWAYS_SHOWN: [&str; 4] = [
    "ldap_server",
    "ldap_username",
    "ldap_domain",
    "ldap_dn_extra",
];

/// The longest text, in characters.
const MAX_TEXT: usize = 1024;

/// The longest certificate, in characters.
const MAX_CERTIFICATE: usize = 65_536;

/// `GET /ldap`: whether users log in through a directory.
pub async fn status(ctx: &Context<impl Db>) -> Result<Response> {
    ctx.allow_anywhere(Permission::LdapStatusGet)?;
    ctx.ok("disabled")
}

/// `POST /ldap`: keeps the settings of a directory; answers them without the password.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::LdapSet)?;
    let mut settings = read(&ctx.json_object()?)?;
    settings.remove("ldap_password");
    ctx.db
        .transaction(async |db| ldap::save(db, &scope, &settings).await)
        .await?;
    ctx.ok(settings)
}

/// The settings in a body, in the order of checks of the original.
fn read(object: &Map<String, Value>) -> Result<Map<String, Value>> {
    for name in ["ldap_server", "ldap_domain"] {
        if !object.contains_key(name) {
            return Err(Error::missing(name));
        }
    }
    let body = Body::from(object.clone());
    let mut settings = Map::new();
    for name in TEXTS {
        let text = text(&body, name, MAX_TEXT)?;
        if object.contains_key(name) || ALWAYS_SHOWN.contains(&name) {
            settings.insert(name.into(), text.into());
        }
    }
    for (name, allowed) in PLACEHOLDERS {
        check_placeholders(name, text(&body, name, MAX_TEXT)?, allowed)?;
    }
    let levels = nested_levels(body.get("ldap_nested_levels"))?;
    if object.contains_key("ldap_nested_levels") {
        settings.insert("ldap_nested_levels".into(), levels.into());
    }
    let is_active_directory = active_directory(&body)?;
    settings.insert(
        "ldap_is_active_directory".into(),
        is_active_directory.into(),
    );
    let certificate = text(&body, "ldap_ca_cert", MAX_CERTIFICATE)?;
    if !certificate.is_empty() {
        settings.insert("ldap_ca_cert".into(), certificate.into());
    }
    let given = |name| text(&body, name, MAX_TEXT).map(|text| !text.is_empty());
    check_server(
        text(&body, "ldap_server", MAX_TEXT)?,
        !certificate.is_empty(),
    )?;
    if given("ldap_username")? != given("ldap_password")? {
        return Err(Error::bad_parameters(
            "Must supply either both username and password or neither of them",
        ));
    }
    Ok(settings)
}

/// A text without the white space around it; absent is empty.
fn text<'b>(body: &'b Body, name: &str, longest: usize) -> Result<&'b str> {
    let text = body.text(name)?.unwrap_or_default().trim();
    if text.chars().count() > longest {
        return Err(Error::bad_parameters(format!(
            "{name} is longer than {longest} characters"
        )));
    }
    Ok(text)
}

/// Refuses what stands in braces and is not allowed there, and braces without their counterpart.
fn check_placeholders(name: &str, text: &str, allowed: &[&str]) -> Result<()> {
    let mut pieces = text.split('{');
    let mut is_closed = pieces.next().is_none_or(|before| !before.contains('}'));
    for piece in pieces {
        let (placeholder, behind) = piece.split_once('}').unwrap_or((piece, "}"));
        is_closed &= !behind.contains('}');
        if is_closed && !allowed.contains(&placeholder) {
            return Err(Error::bad_parameters(format!(
                "{name} may not hold the placeholder `{{{placeholder}}}`. Allowed placeholders are: {}",
                python_list(allowed)
            )));
        }
    }
    if is_closed {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "{name} has a brace without its counterpart"
    )))
}

/// How deep groups are followed: a whole number, which may come as text.
fn nested_levels(value: Option<&Value>) -> Result<i64> {
    let levels = match value {
        None => Some(1),
        Some(Value::String(text)) if text.trim().is_empty() => Some(1),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(other) => other.as_i64(),
    };
    levels
        .filter(|levels| (1..=100).contains(levels))
        .ok_or_else(|| {
            Error::bad_parameters("ldap_nested_levels must be a whole number from 1 to 100")
        })
}

fn active_directory(body: &Body) -> Result<bool> {
    const NAME: &str = "ldap_is_active_directory";
    match body.get(NAME) {
        Some(Value::String(text)) if text.trim().is_empty() => Ok(false),
        Some(Value::String(text)) => parse_bool(NAME, text.trim()),
        _ => Ok(body.boolean(NAME)?.unwrap_or(false)),
    }
}

/// A certificate goes with a server that is asked in private, and with no other.
fn check_server(server: &str, has_certificate: bool) -> Result<()> {
    let refusal = if server.starts_with("ldaps://") {
        (!has_certificate).then_some("A CA certificate must be provided to use ldaps.")
    } else if server.starts_with("ldap://") {
        has_certificate.then_some("CA certificate cannot be provided when not using ldaps.")
    } else {
        Some(
            "ldap_server must specify protocol and should specify port, such as ldap://192.0.2.1:389 or ldaps://192.0.2.1:636",
        )
    };
    refusal.map_or(Ok(()), |text| Err(Error::bad_parameters(text)))
}

#[cfg(test)]
#[path = "ldap_tests.rs"]
mod tests;
