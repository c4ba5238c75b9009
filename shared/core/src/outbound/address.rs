//! Which addresses the application calls for its users.
//!
//! URLs come from blueprints, uploads and subscriptions. A user must not reach through this
//! application what only the application can reach: the operator's network, the machine itself, a
//! cloud's metadata service. Such addresses are refused unless the operator allows private ones.
//! Addresses that no server on the internet has are refused with them: they only serve to hide
//! another address. The application's own names, and user names in a URL, are always refused.
//!
//! Nothing here looks up names. A name that leads to a private address is for the platform to
//! refuse. Whoever follows a redirect asks again for each new URL.

use http::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    if !allow_private && Place::of(&host) != Place::Public {
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
    Place::of(&plain(host)) == Place::Local
}

/// A host in small letters and without the dots at its end, which mean nothing.
fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// Where a host is, as far as its text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On the internet.
    Public,
    /// In the operator's network, or on this machine.
    Local,
    /// Neither: reserved addresses, tunnels, and spellings that programs read differently.
    Special,
}

impl Place {
    /// The place of a host that [`plain`] has treated.
    fn of(host: &str) -> Self {
        let bracketed = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Some(address) = bracketed {
            // With a zone behind the address this does not parse. A zone is of one machine.
            return address.parse().map_or(Self::Special, Self::of_v6);
        }
        match host.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => Self::of_v4(address),
            Ok(IpAddr::V6(address)) => Self::of_v6(address),
            Err(_) => Self::of_name(host),
        }
    }

    fn of_name(name: &str) -> Self {
        let last = name.rsplit('.').next().unwrap_or(name);
        // `2130706433`, `0x7f.1` and `0177.0.0.1` are addresses to some resolvers.
        let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        // Percent signs and letters of other alphabets: what they come to is not known here.
        let is_odd = name.split('.').any(str::is_empty)
            || !name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if is_number || is_odd {
            return Self::Special;
        }
        let is_below = |suffix: &&str| {
            name.strip_suffix(*suffix)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        // A name without a dot is one of the operator's own network.
        if !name.contains('.') || LOCAL_SUFFIXES.iter().any(is_below) {
            return Self::Local;
        }
        Self::Public
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let octets = address.octets();
        let is_local = address.is_loopback() || address.is_private() || address.is_link_local();
        match octets {
            _ if is_local => Self::Local,
            // Shared by the customers of a carrier; some clouds have their metadata there.
            [100, 64..=127, ..] => Self::Local,
            // One cloud's metadata and health service, in the midst of public addresses.
            [168, 63, 129, 16] => Self::Local,
            // "This network", multicast, reserved, broadcast.
            [0 | 224.., ..] => Self::Special,
            // Protocols, documentation, the former relays of 6to4, measurements.
            [192, 0, 0 | 2, _]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..] => Self::Special,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        match segments {
            _ if address.is_loopback() => Self::Local,
            // Mapped IPv4 addresses, and those that a gateway translates.
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                Self::of_v4(embedded(high, low))
            }
            // Other ways to write an IPv4 address. No server has one of its own.
            [0, 0, 0, 0, 0xffff, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => {
                match Self::of_v4(embedded(high, low)) {
                    Self::Local => Self::Local,
                    Self::Public | Self::Special => Self::Special,
                }
            }
            // Unique local, link-local, site-local.
            [0xfc00..=0xfdff | 0xfe80..=0xfeff, ..] => Self::Local,
            // Protocols and tunnels (Teredo among them), documentation.
            [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Self::Special,
            // 6to4 goes to the IPv4 address inside.
            [0x2002, high, low, ..] => Self::of_v4(embedded(high, low)),
            // The part of the address space that is given out.
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Special,
        }
    }
}

/// The IPv4 address that two parts of an IPv6 address hold.
fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests;
