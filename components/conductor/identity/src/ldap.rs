//! `/ldap`: the settings of a directory, through which users log in as soon as there are any.
//!
//! Settings with an account for lookups are tried before they are kept. Connections to a directory
//! are not encrypted here, so `ldaps://` is refused rather than promised.

use crate::directory::{Directory, Server, check_filter};
use serde_json::{Map, Value};
use windlass_core::db::Db;
use windlass_core::python;
use windlass_core::request::parse_bool;
use windlass_core::{Body, Context, Error, Permission, Response, Result, secretbox};
use windlass_identity::ldap;
use windlass_store::users;

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
    let scope = ctx.allow_anywhere(Permission::LdapStatusGet)?;
    ctx.ok(match users::are_from_directory(&ctx.db, &scope).await? {
        true => "enabled",
        false => "disabled",
    })
}

/// `POST /ldap`: keeps the settings of a directory; answers them without the password.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_anywhere(Permission::LdapSet)?;
    let mut settings = read(&ctx.json_object()?)?;
    let password = match settings.remove("ldap_password") {
        Some(Value::String(password)) if !password.is_empty() => Some(password),
        _ => None,
    };
    let sealed = match &password {
        Some(password) => {
            demand_answer(&settings, password).await?;
            Some(secretbox::seal(password.as_bytes()).await?)
        }
        None => None,
    };
    ctx.db
        .transaction(async |tx| ldap::save(tx, &scope, &settings, sealed.as_deref()).await)
        .await?;
    ctx.ok(settings)
}

/// Refuses a directory that cannot be reached, or does not take the account for lookups.
async fn demand_answer(settings: &Map<String, Value>, password: &str) -> Result<()> {
    let settings: ldap::Settings =
        serde_json::from_value(Value::Object(settings.clone())).map_err(Error::internal)?;
    match Directory::new(&settings, password).takes_lookups().await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::bad_parameters(
            "Failed setting LDAP authenticator: Invalid parameters provided. The LDAP server refuses ldap_username with ldap_password",
        )),
        Err(failure) => Err(Error::bad_parameters(format!(
            "Failed setting LDAP: Unable to connect to LDAP Server {}: {failure}",
            settings.ldap_server
        ))),
    }
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
    for name in ["ldap_user_filter", "ldap_group_member_filter"] {
        let filter = text(&body, name, MAX_TEXT)?;
        if !filter.is_empty() {
            check_filter(filter).map_err(|error| {
                Error::bad_parameters(format!("{name} is not a search filter: {error}"))
            })?;
        }
    }
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

/// A text without the white space around it. An absent one is empty.
fn text<'b>(body: &'b Body, name: &str, longest: usize) -> Result<&'b str> {
    let text = body.text(name)?.unwrap_or_default().trim();
    if text.chars().count() > longest {
        return Err(Error::bad_parameters(format!(
            "{name} is longer than {longest} characters"
        )));
    }
    Ok(text)
}

/// Refuses placeholders that are not allowed, and braces without their counterpart.
fn check_placeholders(name: &str, text: &str, allowed: &[&str]) -> Result<()> {
    let mut pieces = text.split('{');
    let mut is_closed = pieces.next().is_none_or(|before| !before.contains('}'));
    for piece in pieces {
        let (placeholder, behind) = piece.split_once('}').unwrap_or((piece, "}"));
        is_closed &= !behind.contains('}');
        if is_closed && !allowed.contains(&placeholder) {
            return Err(Error::bad_parameters(format!(
                "{name} may not hold the placeholder `{{{placeholder}}}`. Allowed placeholders are: {}",
                python::list(allowed)
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

/// Refuses a certificate without `ldaps://`, and the other way round, in the words of the original.
/// Then refuses a server that this application cannot ask.
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
    if let Some(text) = refusal {
        return Err(Error::bad_parameters(text));
    }
    if server.starts_with("ldaps://") {
        return Err(Error::bad_parameters(
            "ldaps:// is not offered: connections to an LDAP server are not encrypted here. Use ldap:// to a server in a trusted network, or to a proxy beside this one that adds TLS",
        ));
    }
    Server::parse(server)
        .map(drop)
        .map_err(|failure| Error::bad_parameters(format!("ldap_server: {failure}")))
}

#[cfg(test)]
mod tests;
