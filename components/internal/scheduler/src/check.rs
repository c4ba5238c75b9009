//! `/internal/check`: whether the application could work as it is set up, for whoever runs it.
//!
//! Like the tick it wants the token that whoever holds the state can read or set. `windlass-host check`
//! asks it, and `windlass-host up` asks for the settings before it lets anybody in.

use crate::tick::LEASE_SECONDS;
use serde::Serialize;
use serde_json::json;
use std::net::IpAddr;
use std::time::Duration;
use windlass_core::db::Db;
use windlass_core::platform::{TICK_TOKEN_HEADER, demand_tick_token, kv, tcp};
use windlass_core::secretbox;
use windlass_core::{Body, Context, Error, Response, Result, Timestamp, variables};
use windlass_delivery::{Settings, mail};
use windlass_identity::jwt;
use windlass_store::migrations;
use windlass_store::overview::{self, Readiness};

/// A place of the key-value store that only this writes.
const PROBE: &str = "core/check";

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// What was found, in a sentence.
    text: String,
}

impl Check {
    fn of(name: &'static str, found: Result<String, String>) -> Self {
        Self {
            name,
            ok: found.is_ok(),
            text: found.unwrap_or_else(|problem| problem),
        }
    }
}

/// `POST /internal/check`: looks at what the body's `only` names, or at everything; with `running` also
/// whether something ticks. Answers each thing with `ok` and a sentence; several about one thing when several
/// are wrong.
pub async fn check(ctx: &Context<impl Db>) -> Result<Response> {
    demand_tick_token(ctx.request.get_header(TICK_TOKEN_HEADER)).await?;
    let body = Body::of(ctx)?;
    let only = body.list("only")?;
    let is_wanted = |name: &str| only.is_none_or(|only| only.iter().any(|one| one == name));
    let mut checks = Vec::new();
    if is_wanted("settings") {
        checks.extend(settings().await);
    }
    if is_wanted("keys") {
        checks.push(Check::of("keys", keys().await));
    }
    if is_wanted("schema") {
        checks.push(Check::of("schema", schema(&ctx.db).await));
    }
    if is_wanted("database") {
        checks.push(Check::of("database", database(&ctx.db).await));
    }
    if is_wanted("key_value") {
        checks.push(Check::of("key_value", key_value().await));
    }
    if is_wanted("sealed") {
        checks.push(Check::of("sealed", sealed(&ctx.db).await));
    }
    if is_wanted("mail") {
        checks.push(Check::of("mail", reach_mail().await));
    }
    if is_wanted("directory") {
        checks.push(Check::of("directory", reach_directory(&ctx.db).await));
    }
    // Where no server runs, nothing ticks, and nothing should.
    if body.flag("running")?.unwrap_or(false) {
        checks.push(Check::of("ticks", ticks(&ctx.db).await));
    }
    ctx.ok(json!({ "checks": checks }))
}

/// Every variable that can be wrong.
async fn settings() -> Vec<Check> {
    let mut problems = Vec::new();
    for name in ["outbound_allow_private", "trust_forwarded_for"] {
        problems.extend(variables::check_flag(name).await.err());
    }
    problems.extend(
        variables::check_number("queue_lease_seconds", LEASE_SECONDS)
            .await
            .err(),
    );
    for name in ["self_url", "public_url", "status_logo", "status_link"] {
        problems.extend(variables::check_url(name).await.err());
    }
    let jwt = variables::check_secret("status_jwt_secret", jwt::SHORTEST_SECRET);
    problems.extend(jwt.await.err());
    if variables::text("mail_url").await.is_some() {
        problems.extend(Settings::load().await.mail.err());
    }
    let from = variables::text("mail_from").await.unwrap_or_default();
    problems.extend(check_sender(&from).err());
    let colour = variables::text("status_colour").await.unwrap_or_default();
    problems.extend(check_colour(&colour).err());
    let hosts = variables::text("ldap_hosts").await.unwrap_or_default();
    problems.extend(check_ldap_hosts(&hosts).err());
    let old = variables::secret("old_encryption_keys").await;
    problems.extend(check_old_keys(&old.unwrap_or_default()).err());
    if problems.is_empty() {
        return vec![Check::of("settings", Ok("all can be understood".into()))];
    }
    let wrong = problems.into_iter();
    wrong
        .map(|problem| Check::of("settings", Err(problem)))
        .collect()
}

/// Whom mail is from: an address, or `Name <address>`.
fn check_sender(from: &str) -> Result<(), String> {
    let address = match from.split_once('<') {
        Some((_, rest)) => rest.trim_end().strip_suffix('>').unwrap_or_default(),
        None => from,
    };
    match from.is_empty() || mail::is_address(address) {
        true => Ok(()),
        false => Err("mail_from is neither an address nor `Name <address>`".into()),
    }
}

/// The status page's colour.
fn check_colour(colour: &str) -> Result<(), String> {
    let digits = colour.strip_prefix('#').unwrap_or_default();
    let is_good = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match colour.is_empty() || is_good {
        true => Ok(()),
        false => Err("status_colour is not a # with six hexadecimal digits".into()),
    }
}

/// Where a directory may be: platforms compare addresses, so a name allows nothing.
fn check_ldap_hosts(entry: &str) -> Result<(), String> {
    let is_good = entry
        .strip_prefix("tcp://")
        .and_then(|place| place.rsplit_once(':'))
        .is_some_and(|(host, port)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let (address, width) = host.split_once('/').unwrap_or((host, "0"));
            let is_place =
                host == "*" || (address.parse::<IpAddr>().is_ok() && width.parse::<u8>().is_ok());
            is_place && (port == "*" || port.parse::<u16>().is_ok())
        });
    match entry.is_empty() || is_good {
        true => Ok(()),
        false => Err(
            "ldap_hosts is not tcp://ADDRESS:PORT, with an address, a network or *; names allow nothing"
                .into(),
        ),
    }
}

/// The shortest key that the start takes, so a shorter one was never in use.
const SHORTEST_KEY: usize = 16;

/// Keys that were in use before; the whole text may be one that has spaces in it.
fn check_old_keys(listed: &str) -> Result<(), String> {
    let shortest = listed.split_whitespace().map(str::len).min();
    let has_short = shortest.is_some_and(|bytes| bytes < SHORTEST_KEY);
    match has_short && listed.trim().len() < SHORTEST_KEY {
        true => Err(format!(
            "old_encryption_keys has a key of less than {SHORTEST_KEY} bytes"
        )),
        false => Ok(()),
    }
}

/// Whether there is a key for what is sealed. Those that are set are judged before the start.
async fn keys() -> Result<String, String> {
    match secretbox::encryption_key().await {
        Ok(_) => Ok("are there".into()),
        Err(_) => Err(
            "encryption_key is not set, and none is kept: what was sealed cannot be read".into(),
        ),
    }
}

async fn schema(db: &impl Db) -> Result<String, String> {
    let (latest, found) = (migrations::latest(), migrations::newest(db).await);
    let found = found.map_err(told)?;
    match found <= latest {
        true => Ok(format!("version {found}")),
        false => Err(format!(
            "the database is of a newer version of this program: its schema is {found}, this one knows {latest}"
        )),
    }
}

async fn database(db: &impl Db) -> Result<String, String> {
    match overview::readiness(db, Timestamp::now()).await {
        Readiness::Ready => Ok("can be read and written".into()),
        Readiness::Full => Err("the disk is full: nothing can be written".into()),
        Readiness::Failing => Err("does not answer, or not as this version expects".into()),
    }
}

async fn key_value() -> Result<String, String> {
    kv::set(PROBE, b"here").await.map_err(told)?;
    let found = kv::get(PROBE).await.map_err(told)?;
    kv::delete(PROBE).await.map_err(told)?;
    match found.as_deref() {
        Some(b"here") => Ok("can be read and written".into()),
        _ => Err("does not keep what is written".into()),
    }
}

async fn reach_mail() -> Result<String, String> {
    if variables::text("mail_url").await.is_none() {
        return Ok("none is set up".into());
    }
    let settings = Settings::load().await;
    mail::reach(&settings)
        .await
        .map(|()| "can be handed over".into())
}

/// Whether the keys that are known are those that values were sealed with.
async fn sealed(db: &impl Db) -> Result<String, String> {
    // Without a key that is told already.
    if secretbox::encryption_key().await.is_err() {
        return Ok("no key, nothing to compare".into());
    }
    match windlass_store::sealed::of_unknown_keys(db)
        .await
        .map_err(told)?
    {
        0 => Ok("all values are of keys that are known".into()),
        unreadable => Err(format!(
            "{unreadable} encrypted values are of a key that is neither encryption_key nor one of old_encryption_keys"
        )),
    }
}

/// The directory that users log in at, where there is one.
async fn reach_directory(db: &impl Db) -> Result<String, String> {
    let Some(settings) = windlass_identity::ldap::find(db).await.map_err(told)? else {
        return Ok("none is set up".into());
    };
    let server = settings.ldap_server;
    let uri: Option<http::Uri> = server.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host);
    let host = host.ok_or_else(|| format!("{server} names no host"))?;
    let port = uri.as_ref().and_then(http::Uri::port_u16).unwrap_or(389);
    let connected = tcp::connect(host, port, Duration::from_secs(5)).await;
    match connected {
        Ok(_) => Ok(format!("{host}:{port} takes connections")),
        Err(why) => Err(format!("{host}:{port} is not reached: {why}")),
    }
}

/// How old the last tick of a server that runs may be, in milliseconds: one in ten seconds is noted.
const TICK_AGE: i64 = 60_000;

/// Whether something ticks.
async fn ticks(db: &impl Db) -> Result<String, String> {
    let last = overview::last_tick(db).await.map_err(told)?;
    let age = Timestamp::now().millis().saturating_sub(last);
    match age {
        ..TICK_AGE => Ok("come".into()),
        _ if last == 0 => {
            Err("nothing has ever ticked: does self_url lead to the application?".into())
        }
        _ => Err(format!(
            "nothing has ticked for {} seconds: does self_url lead to the application, and is tick_token its own?",
            age / 1000
        )),
    }
}

/// What went wrong. The private half is in the log of whoever asks.
fn told(error: Error) -> String {
    windlass_core::log::error("a check failed", &error);
    error.message().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_addresses_with_or_without_a_name() {
        for (from, is_good) in [
            ("", true),
            ("windlass@example.org", true),
            ("Windlass <windlass@example.org>", true),
            ("windlass", false),
            ("Windlass <windlass", false),
            ("Windlass <>", false),
        ] {
            assert_eq!(check_sender(from).is_ok(), is_good, "{from}");
        }
    }

    #[test]
    fn a_colour_has_six_digits() {
        for (colour, is_good) in [
            ("", true),
            ("#0a7B3c", true),
            ("#fff", false),
            ("red", false),
        ] {
            assert_eq!(check_colour(colour).is_ok(), is_good, "{colour}");
        }
    }

    #[test]
    fn a_directory_is_allowed_by_address() {
        for (entry, is_good) in [
            ("", true),
            ("tcp://*:389", true),
            ("tcp://10.0.0.5:389", true),
            ("tcp://10.0.0.0/24:389", true),
            ("tcp://[2001:db8::1]:389", true),
            ("tcp://10.0.0.5:*", true),
            ("tcp://directory.example:389", false),
            ("ldap://10.0.0.5:389", false),
            ("10.0.0.5", false),
            ("tcp://10.0.0.5", false),
        ] {
            assert_eq!(check_ldap_hosts(entry).is_ok(), is_good, "{entry}");
        }
    }

    #[test]
    fn a_key_that_is_too_short_to_have_been_one_is_told() {
        for (listed, is_good) in [
            ("", true),
            ("0123456789abcdef", true),
            ("0123456789abcdef fedcba9876543210", true),
            ("a key of several words", true),
            ("short", false),
            ("one two", false),
        ] {
            assert_eq!(check_old_keys(listed).is_ok(), is_good, "{listed}");
        }
    }
}
