//! Which addresses the application calls for its users.
//!
//! URLs come from blueprints, uploads and subscriptions. A user must not reach through this
//! application what only the application can reach: the operator's network, the machine itself, a
//! cloud's metadata service. Such addresses are refused unless the operator allows private ones.
//! Addresses that no server on the internet has are refused with them: they only serve to hide
//! another address. The application's own names, and user names in a URL, are always refused.
//!
//! Nothing here looks up names. A name that leads to a private address is refused by the platform when
//! it connects: by the embedded host with this same rule ([`windlass_address`]), by Spin where its
//! runtime configuration says so. Whoever follows a redirect asks again for each new URL.

use http::Uri;
use std::net::IpAddr;
use windlass_address::Place;

/// Names ending in these are names of the operator's own network.
const LOCAL_SUFFIXES: [&str; 9] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "home.arpa",
];

/// Why a URL is not called. Each caller has its own words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no absolute URL of HTTP or HTTPS.
    NotHttp,
    /// It names no host.
    NoHost,
    /// It carries a user name or a password.
    UserInfo,
    /// It names a component of this application.
    Internal,
    /// It leads to a private or local address, and the operator allows none.
    Private,
}

/// Whether the operator lets users' URLs lead to private addresses: the variable
/// `outbound_allow_private`.
pub async fn allows_private() -> bool {
    crate::variables::flag("outbound_allow_private").await
}

/// Decides whether a URL may be called.
///
/// # Errors
/// Why not.
pub fn inspect(uri: &Uri, allow_private: bool) -> Result<(), Refusal> {
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(Refusal::NotHttp);
    }
    let authority = uri.authority().ok_or(Refusal::NoHost)?;
    if authority.as_str().contains('@') {
        return Err(Refusal::UserInfo);
    }
    let host = plain(authority.host());
    if host.is_empty() {
        return Err(Refusal::NoHost);
    }
    if host == "spin.internal" || host.ends_with(".spin.internal") {
        return Err(Refusal::Internal);
    }
    if !allow_private && place_of(&host) != Place::Public {
        return Err(Refusal::Private);
    }
    Ok(())
}

/// Decides whether a URL may be called. The error is the text for the caller.
///
/// # Errors
/// What is not a URL, and what [`inspect`] refuses.
pub fn check(url: &str, allow_private: bool) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| format!("`{url}` is not a URL"))?;
    let host = || plain(uri.host().unwrap_or_default());
    inspect(&uri, allow_private).map_err(|refusal| match refusal {
        Refusal::NotHttp => format!("`{url}` is not an absolute http or https URL"),
        Refusal::NoHost => format!("`{url}` names no host"),
        Refusal::UserInfo => "A URL may not carry a user name or password: use headers".to_owned(),
        Refusal::Internal => format!("`{}` is an internal name of the control plane", host()),
        Refusal::Private => format!(
            "`{}` is a private or local address, which this control plane does not call",
            host()
        ),
    })
}

/// Whether a host is in the operator's own network. What is sent there does not cross the internet.
pub fn is_local(host: &str) -> bool {
    place_of(&plain(host)) == Place::Local
}

/// A host in small letters and without the dots at its end, which mean nothing.
fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// The place of a host that [`plain`] has treated.
fn place_of(host: &str) -> Place {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bracketed {
        // With a zone behind the address this does not parse. A zone is of one machine.
        return address
            .parse()
            .map_or(Place::Special, |address| Place::of(IpAddr::V6(address)));
    }
    match host.parse::<IpAddr>() {
        Ok(address) => Place::of(address),
        Err(_) => place_of_name(host),
    }
}

fn place_of_name(name: &str) -> Place {
    let last = name.rsplit('.').next().unwrap_or(name);
    // `2130706433`, `0x7f.1` and `0177.0.0.1` are addresses to some resolvers.
    let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    // Percent signs and letters of other alphabets: what they come to is not known here.
    let is_odd = name.split('.').any(str::is_empty)
        || !name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if is_number || is_odd {
        return Place::Special;
    }
    let is_below = |suffix: &&str| {
        name.strip_suffix(*suffix)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    // A name without a dot is one of the operator's own network.
    if !name.contains('.') || LOCAL_SUFFIXES.iter().any(is_below) {
        return Place::Local;
    }
    Place::Public
}

#[cfg(test)]
mod tests;
