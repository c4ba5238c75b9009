//! `allowed_outbound_hosts`: which requests and connections may leave a component, with Spin's rules.
//!
//! An entry is `scheme://host[:port]`. The scheme may be `*`; the host `*`, `*.domain`, an address, a
//! network such as `10.0.0.0/8`, or `self`; the port `*` or a range `8000..9000`, whose end is not in it.
//! `self` is accepted but allows nothing: requests without a host cannot be sent from here.

use anyhow::{Context, Result, bail};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The rules of one component.
#[derive(Debug, Default)]
pub struct AllowedHosts(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Debug)]
enum Host {
    Any,
    Domain(String),
    Itself,
    Exact(String),
    Network(IpAddr, u8),
}

#[derive(Debug)]
enum Port {
    Any,
    Range(std::ops::Range<u32>),
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`; `tcp` for a connection.
    pub scheme: String,
    /// Name or address, without brackets, in lower case.
    pub host: String,
    /// The port, given or usual.
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "{}://[{}]", self.scheme, self.host)?,
            false => write!(f, "{}://{}", self.scheme, self.host)?,
        }
        if usual_port(&self.scheme) != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl AllowedHosts {
    /// Reads the entries, whose templates are already expanded.
    pub fn parse(entries: &[String]) -> Result<Self> {
        let rules = entries.iter().map(|entry| {
            Rule::parse(entry.trim()).with_context(|| {
                format!("allowed_outbound_hosts entry `{entry}` (expected `scheme://host[:port]`)")
            })
        });
        Ok(Self(rules.collect::<Result<_>>()?))
    }

    /// Whether a request may go to `target`.
    pub fn allows(&self, target: &Target) -> bool {
        self.0.iter().any(|rule| rule.allows(target))
    }

    /// Whether an entry names the host of `target`: by its whole name, its address or its network.
    pub fn name(&self, target: &Target) -> bool {
        self.0.iter().any(|rule| {
            matches!(rule.host, Host::Exact(_) | Host::Network(..)) && rule.allows(target)
        })
    }

    /// Whether an entry is for the scheme of `target` and any host.
    pub fn open_scheme(&self, target: &Target) -> bool {
        self.0.iter().any(|rule| {
            rule.scheme.is_some() && matches!(rule.host, Host::Any) && rule.allows(target)
        })
    }
}

impl Rule {
    fn parse(entry: &str) -> Result<Self> {
        let Some((scheme, rest)) = entry.split_once("://") else {
            bail!("it has no scheme, such as `http://` or `*://`");
        };
        if scheme != "*" && (scheme.is_empty() || !scheme.chars().all(char::is_alphabetic)) {
            bail!("`{scheme}` is not a scheme");
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (rest, ""),
        };
        let port = port.trim_end_matches('/');
        if port.contains('/') {
            bail!("it has a path");
        }
        Ok(Self {
            scheme: (scheme != "*").then(|| scheme.to_ascii_lowercase()),
            host: Host::parse(host.trim())?,
            port: Port::parse(port, scheme)?,
        })
    }

    fn allows(&self, target: &Target) -> bool {
        self.allows_scheme(&target.scheme)
            && self.host.allows(&target.host)
            && self.port.allows(target.port)
    }

    fn allows_scheme(&self, scheme: &str) -> bool {
        self.scheme.as_deref().is_none_or(|own| own == scheme)
    }
}

impl Host {
    fn parse(host: &str) -> Result<Self> {
        let plain = host.trim_end_matches('/');
        let address = |text: &str| -> Option<IpAddr> {
            text.trim_start_matches('[')
                .trim_end_matches(']')
                .parse()
                .ok()
        };
        if plain == "*" {
            return Ok(Self::Any);
        }
        if plain == "self" || plain == "self.alt" {
            return Ok(Self::Itself);
        }
        if let Some((network, bits)) = plain.split_once('/') {
            let address = address(network).context("a host has no path")?;
            let bits: u8 = bits
                .parse()
                .context("the network's length is not a number")?;
            if bits > if address.is_ipv4() { 32 } else { 128 } {
                bail!("the network's length is too large");
            }
            return Ok(Self::Network(address, bits));
        }
        if let Some(address) = address(plain) {
            return Ok(Self::Network(
                address,
                if address.is_ipv4() { 32 } else { 128 },
            ));
        }
        let lower = plain.to_ascii_lowercase();
        let (domain, is_domain) = match lower.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (lower.as_str(), false),
        };
        if domain.is_empty() || domain.contains('*') {
            bail!(
                "`*` may only stand for the whole host or for its first part, as in `*.example.com`"
            );
        }
        Ok(if is_domain {
            Self::Domain(format!(".{domain}"))
        } else {
            Self::Exact(lower)
        })
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Domain(suffix) => host.ends_with(suffix.as_str()),
            Self::Exact(exact) => host == exact,
            Self::Itself => false,
            Self::Network(network, bits) => host
                .parse()
                .is_ok_and(|address| in_network(address, *network, *bits)),
        }
    }
}

fn in_network(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => (u128::from(a.to_bits()), u128::from(n.to_bits()), 32),
        (IpAddr::V6(a), IpAddr::V6(n)) => (a.to_bits(), n.to_bits(), 128),
        _ => return false,
    };
    let shift = width - u32::from(bits);
    shift == 128 || address >> shift == network >> shift
}

impl Port {
    fn parse(port: &str, scheme: &str) -> Result<Self> {
        if port == "*" {
            return Ok(Self::Any);
        }
        if port.is_empty() {
            // As on Spin, `*://host` without a port is an error.
            let usual = usual_port(scheme)
                .with_context(|| format!("scheme `{scheme}` has no usual port, so it needs one"))?;
            return Ok(Self::Range(u32::from(usual)..u32::from(usual) + 1));
        }
        let number = |text: &str| -> Result<u32> {
            let port: u16 = text
                .parse()
                .with_context(|| format!("`{text}` is not a port"))?;
            Ok(u32::from(port))
        };
        Ok(Self::Range(match port.split_once("..") {
            Some((start, end)) => number(start)?..number(end)?,
            None => number(port)?..number(port)? + 1,
        }))
    }

    fn allows(&self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Range(range) => range.contains(&u32::from(port)),
        }
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        _ => None,
    }
}

impl Target {
    /// The target of an absolute URI; none if it has no host.
    pub fn of(uri: &http::Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().or_else(|| usual_port(&scheme))?;
        (!host.is_empty()).then(|| Self {
            host: host.to_ascii_lowercase(),
            scheme,
            port,
        })
    }

    /// The target of a connection, which knows no names.
    pub fn of_connection(address: SocketAddr) -> Self {
        Self {
            scheme: "tcp".to_owned(),
            host: address.ip().to_canonical().to_string(),
            port: address.port(),
        }
    }

    /// The component that `http://<component>.spin.internal` names.
    pub fn chained_component(&self) -> Option<&str> {
        let (component, domain) = self.host.split_once('.')?;
        (domain == "spin.internal").then_some(component)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn entries_allow_what_spin_documents() {
        for (entry, url, allowed) in [
            ("http://example.com", "http://example.com/x", true),
            ("http://example.com", "http://EXAMPLE.com", true),
            ("http://example.com", "https://example.com", false),
            ("http://example.com", "http://example.com:8080", false),
            ("http://example.com:8080", "http://example.com:8080", true),
            ("http://example.com:*", "http://example.com:9", true),
            (
                "http://example.com:8000..8010",
                "http://example.com:8009",
                true,
            ),
            (
                "http://example.com:8000..8010",
                "http://example.com:8010",
                false,
            ),
            ("*://example.com:*", "https://example.com", true),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "https://badexample.com", false),
            ("https://*:443", "https://anything.org", true),
            ("*://*:*", "http://127.0.0.1:5", true),
            ("http://10.0.0.0/8:*", "http://10.2.3.4:80", true),
            ("http://10.0.0.0/8:*", "http://11.2.3.4:80", false),
            (
                "http://127.0.0.1:3000",
                "http://127.0.0.1:3000/internal/tick",
                true,
            ),
            ("http://[::1]:80", "http://[::1]/", true),
            ("http://x.spin.internal", "http://x.spin.internal/a", true),
            ("http://*.spin.internal", "http://x.spin.internal/a", true),
            ("http://x.spin.internal", "http://y.spin.internal/a", false),
            ("http://self", "http://example.com", false),
            ("http://example.com/", "http://example.com", true),
        ] {
            let hosts = AllowedHosts::parse(&[entry.to_owned()]).unwrap();
            assert_eq!(hosts.allows(&target(url)), allowed, "{entry} -> {url}");
        }
    }

    #[test]
    fn connections_are_allowed_by_address_only() {
        for (entry, address, allowed) in [
            ("tcp://127.0.0.1:389", "127.0.0.1:389", true),
            ("tcp://127.0.0.1:389", "127.0.0.1:390", false),
            ("tcp://127.0.0.1:389", "[::ffff:127.0.0.1]:389", true),
            ("tcp://*:389", "192.0.2.7:389", true),
            ("*://*:389", "[2001:db8::1]:389", true),
            ("*://*:*", "192.0.2.7:25", true),
            ("tcp://10.0.0.0/8:*", "10.1.2.3:25", true),
            ("tcp://10.0.0.0/8:*", "11.1.2.3:25", false),
            ("http://*:*", "192.0.2.7:80", false),
            ("https://192.0.2.7", "192.0.2.7:443", false),
            ("tcp://localhost:389", "127.0.0.1:389", false),
        ] {
            let hosts = AllowedHosts::parse(&[entry.to_owned()]).unwrap();
            let target = Target::of_connection(address.parse().unwrap());
            assert_eq!(hosts.allows(&target), allowed, "{entry} -> {address}");
        }
    }

    #[test]
    fn bad_entries_are_refused() {
        for entry in [
            "example.com",
            "*",
            "http://example.com/path",
            "http://example.com:80/path",
            "*://example.com",
            "http://a.*.com",
            "http://example.com:x",
            "insecure:allow-all",
        ] {
            assert!(AllowedHosts::parse(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }

    #[test]
    fn chaining_hosts_name_a_component() {
        for (url, component) in [
            ("http://scheduler.spin.internal/x", Some("scheduler")),
            ("http://spin.internal/x", None),
            ("http://a.b.spin.internal/x", None),
        ] {
            assert_eq!(target(url).chained_component(), component, "{url}");
        }
    }
}
