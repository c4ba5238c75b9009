//! Finding the caller for Adjutant, Keystone, Opsera and the Status Dashboard, by one header.
//!
//! All of them take the tokens that users make for themselves. Adjutant and Keystone also take the sessions
//! that Keystone's API gives, Adjutant and the Status Dashboard names with passwords. The Status Dashboard also
//! takes tokens that its monitors sign. Clients of these families cannot name a tenant
//! as Conductor's do. A request that names none is about the token's tenant, or about the only one
//! that its user is in.

use super::attempts::{Attempts, BASIC};
use super::passwords::Login;
use super::{
    Recognised, by_password, names_somebody, note_use, recalled_password, sessions, single,
    tenant_header, token_uses, user_tokens,
};
use crate::jwt::{self, Refusal};
use serde_json::Value;
use std::rc::Rc;
use windlass_core::caller::AuthMethod;
use windlass_core::context::{Identified, TenantHeader};
use windlass_core::db::Db;
use windlass_core::token_scope::TokenScope;
use windlass_core::{Caller, Error, Family, Request, Result, log, variables};

/// The claim that makes a token a monitor's, unless the variable `status_jwt_claim` says otherwise.
const MONITOR_CLAIM: &str = "stackmon";

/// The longest name of a monitor, in characters.
const LONGEST_NAME: usize = 64;

/// The caller of a request in a family that takes one token.
pub async fn authenticate(db: &impl Db, family: Family, request: &Request) -> Result<Identified> {
    let Some(offer) = offered(family, request)? else {
        return Err(nothing());
    };
    let tenant = single(request, "tenant")?.unwrap_or_default();
    let attempts = Attempts::read(db, request).await?;
    let memory = match offer {
        Offer::Token(token) => attempts.memory_of(&format!("{family:?}"), token, tenant),
        Offer::Basic(header) => attempts.memory_of(BASIC, header, tenant),
    };
    let recalled = match offer {
        Offer::Token(_) => memory.recall(),
        Offer::Basic(header) => {
            let login = || Login::read(header, &attempts);
            recalled_password(db, &memory, login, &attempts).await?
        }
    };
    if let Some(known) = recalled {
        note_use(&known, &request.path);
        return Ok(known);
    }
    attempts.demand_few()?;
    let Recognised {
        caller,
        until,
        tenant: of_token,
    } = match offer {
        Offer::Token(token) => {
            let found = by_token(db, family, token, &request.path).await;
            attempts.counted(db, found).await?
        }
        Offer::Basic(header) => {
            let login = Login::read(header, &attempts);
            let found = by_password(db, &login).await?;
            found.ok_or_else(|| login.refusal())?
        }
    };
    demand_own_project(&caller, of_token.as_deref(), tenant)?;
    demand_roles(db, family, &caller).await?;
    let tenant = match (tenant, of_token) {
        ("", of_token) => of_token
            .or_else(|| only_tenant(&caller))
            .map_or(TenantHeader::Absent, TenantHeader::Known),
        (named, _) => tenant_header(db, named).await?,
    };
    let identified = Identified {
        caller: Rc::new(caller),
        tenant,
    };
    note_use(&identified, &request.path);
    // A monitor's signature is cheap to verify, and its secret may change at any time.
    if identified.caller.monitor().is_none() {
        memory.keep(identified.clone(), until);
    }
    Ok(identified)
}

/// Refuses a session for a project that it is not about: what its user is elsewhere does not count, as
/// everywhere in Keystone. Another session has to be asked for.
fn demand_own_project(caller: &Caller, of_session: Option<&str>, named: &str) -> Result<()> {
    let is_session = matches!(caller.method, AuthMethod::Session(_));
    if !is_session || named.is_empty() || of_session == Some(named) {
        return Ok(());
    }
    Err(Error::forbidden("The token is not about this project."))
}

/// Refuses to Adjutant a session that was asked to be about nothing. It gives its user no roles anywhere,
/// administrators neither, and serves to ask for another one. To Adjutant that is nobody.
async fn demand_roles(db: &impl Db, family: Family, caller: &Caller) -> Result<()> {
    let AuthMethod::Session(session) = caller.method else {
        return Ok(());
    };
    if family == Family::Adjutant && sessions::is_unscoped(db, session.key).await? {
        return Err(nothing());
    }
    Ok(())
}

/// What a request offers as proof.
enum Offer<'r> {
    Token(&'r str),
    /// The whole header.
    Basic(&'r str),
}

fn nothing() -> Error {
    Error::unauthorized("No authentication info provided")
}

fn is_status_dashboard(family: Family) -> bool {
    matches!(family, Family::StatusDashboard | Family::StatusDashboardV2)
}

/// Whether clients may send a name and a password with each request. Adjutant's do with the kind of login
/// that `openstack` calls `http_basic`; to Keystone a password is shown in the body, for a session.
fn takes_passwords(family: Family) -> bool {
    is_status_dashboard(family) || family == Family::Adjutant
}

/// The proof in the family's header. Opsera's clients send a token without a scheme.
fn offered(family: Family, request: &Request) -> Result<Option<Offer<'_>>> {
    if matches!(family, Family::Adjutant | Family::Keystone) {
        // What Adjutant's client sends where it was told to use none.
        let token = single(request, "x-auth-token")?.filter(|token| *token != "notused");
        if token.is_some_and(|token| !token.trim().is_empty()) {
            return Ok(token.map(str::trim).map(Offer::Token));
        }
    }
    let Some(header) = single(request, "authorization")?.map(str::trim) else {
        return Ok(None);
    };
    if takes_passwords(family) && names_somebody(header) {
        return Ok(Some(Offer::Basic(header)));
    }
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        None if family == Family::Opsera => header,
        _ => "",
    };
    Ok(Some(token)
        .filter(|token| !token.is_empty())
        .map(Offer::Token))
}

async fn by_token(db: &impl Db, family: Family, token: &str, path: &str) -> Result<Recognised> {
    if is_status_dashboard(family)
        && let Some(caller) = monitor(token).await
    {
        return Ok(Recognised {
            caller,
            until: None,
            tenant: None,
        });
    }
    let found = user_tokens::find(db, token).await?;
    let found = found.ok_or_else(|| Error::unauthorized("Invalid token structure"))?;
    if let Err(refusal) = found.caller.demand_scope(TokenScope::of_family(family)) {
        // It is authentic, so that it was shown here is worth knowing.
        token_uses::note(&found.caller, found.tenant.as_deref(), path);
        return Err(refusal);
    }
    Ok(found)
}

/// The monitor that signed a token with the secret that the operator has set.
async fn monitor(token: &str) -> Option<Caller> {
    let secret = variables::secret("status_jwt_secret").await?;
    let claims = match jwt::verify(&secret, token) {
        Ok(claims) => claims,
        Err(Refusal::ShortSecret) => {
            let text = format!(
                "status_jwt_secret is shorter than {} bytes, no monitor can log in",
                jwt::SHORTEST_SECRET
            );
            log::line(log::Level::Warning, "monitors", [("message", text.into())]);
            return None;
        }
        Err(Refusal::Expired | Refusal::Endless | Refusal::Invalid) => return None,
    };
    let claim = variables::text("status_jwt_claim").await;
    let claim = claim.as_deref().unwrap_or(MONITOR_CLAIM);
    let name = match claims.get(claim)? {
        Value::String(name) if is_name(name) => name,
        Value::Null | Value::Bool(false) | Value::String(_) => return None,
        Value::Number(number) if number.as_f64() == Some(0.0) => return None,
        Value::Array(items) if items.is_empty() => return None,
        Value::Object(fields) if fields.is_empty() => return None,
        // The claim says that it is a monitor, but not which one.
        Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => claim,
    };
    Some(Caller::of_monitor(name))
}

/// Whether a text can stand for a monitor in the log and the audit trail.
fn is_name(text: &str) -> bool {
    !text.trim().is_empty()
        && text.chars().count() <= LONGEST_NAME
        && !text.chars().any(char::is_control)
}

/// The tenant of somebody who is in one. A session that is about none was asked for as such.
pub(crate) fn only_tenant(caller: &Caller) -> Option<String> {
    if matches!(caller.method, AuthMethod::Session(_)) {
        return None;
    }
    let mut names = caller.tenants.keys();
    match (names.next(), names.next()) {
        (Some(name), None) => Some(name.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
