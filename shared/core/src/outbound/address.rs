//! Which addresses the engine may call for users: not those behind the operator's wall.
//!
//! URLs come from blueprints. Addresses that only mean something inside the operator's network,
//! the loopback and link-local ones (a cloud's metadata service among them) are refused unless the
//! operator allows private ones; the application's own internal names always are. A name that
//! resolves to such an address is for the platform to refuse: nothing here resolves names.

use http::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Checks a URL; an error is the text for the caller.
///
/// # Errors
/// What is no absolute HTTP URL, and addresses that are not allowed.
pub fn check(url: &str, allow_private: bool) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|_| format!("`{url}` is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(format!("`{url}` is not an absolute http or https URL"));
    }
    let authority = uri
        .authority()
        .ok_or_else(|| format!("`{url}` names no host"))?;
    if authority.as_str().contains('@') {
        return Err("A URL may not carry a user name or password: use headers".into());
    }
    let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
    if host.is_empty() {
        return Err(format!("`{url}` names no host"));
    }
    if host == "spin.internal" || host.ends_with(".spin.internal") {
        return Err(format!("`{host}` is an internal name of the control plane"));
    }
    if !allow_private && is_private(&host) {
        return Err(format!(
            "`{host}` is a private or local address, which this control plane does not call"
        ));
    }
    Ok(())
}

/// Whether a host is a private or local address, in whatever way it is written.
pub fn is_private(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let bare = bare.split('%').next().unwrap_or(bare);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(address) => is_private_v4(address),
            IpAddr::V6(address) => is_private_v6(address),
        };
    }
    let last = host.rsplit('.').next().unwrap_or(host);
    // `2130706433`, `0x7f.1` and `0177.0.0.1` are addresses to some resolvers.
    let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    // A name without a dot is one of the operator's own network.
    is_number
        || !host.contains('.')
        || [
            "localhost",
            "local",
            "internal",
            "intranet",
            "lan",
            "home",
            "corp",
        ]
        .contains(&last)
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Mapped, compatible, and translated ones carry an IPv4 address.
    let [_, _, _, _, _, _, high, low] = segments;
    let [a, b] = high.to_be_bytes();
    let [c, d] = low.to_be_bytes();
    let carried = Ipv4Addr::new(a, b, c, d);
    let carries = segments[..5].iter().all(|segment| *segment == 0)
        || segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || (segments[0] & 0xfe00) == 0xfc00
        || (segments[0] & 0xffc0) == 0xfe80
        || (segments[0] & 0xffc0) == 0xfec0
        || (segments[0] == 0x2002 && {
            let [a, b] = segments[1].to_be_bytes();
            let [c, d] = segments[2].to_be_bytes();
            is_private_v4(Ipv4Addr::new(a, b, c, d))
        })
        || (carries && is_private_v4(carried))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_local_addresses_are_refused_however_they_are_written() {
        for (url, allowed) in [
            ("https://api.example.com/v1?x=1", true),
            ("http://93.184.216.34:8080/", true),
            ("https://[2606:2800:220:1::1]/", true),
            ("http://localhost/", false),
            ("http://LOCALHOST.:80/", false),
            ("http://a.localhost/", false),
            ("http://127.0.0.1/", false),
            ("http://127.1/", false),
            ("http://2130706433/", false),
            ("http://0x7f000001/", false),
            ("http://0177.0.0.1/", false),
            ("http://10.0.0.1/", false),
            ("http://172.16.3.4/", false),
            ("http://192.168.0.1/", false),
            ("http://169.254.169.254/latest/meta-data", false),
            ("http://100.64.0.1/", false),
            ("http://0.0.0.0/", false),
            ("http://[::1]/", false),
            ("http://[::]/", false),
            ("http://[::ffff:127.0.0.1]/", false),
            ("http://[64:ff9b::10.0.0.1]/", false),
            ("http://[2002:7f00:1::]/", false),
            ("http://[fe80::1]/", false),
            ("http://[fd00::1]/", false),
            ("http://db/", false),
            ("http://metadata.google.internal/", false),
        ] {
            assert_eq!(check(url, false).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn some_urls_are_refused_always() {
        for url in [
            "ftp://example.com/",
            "/relative",
            "example.com",
            "http://",
            "http://user:secret@example.com/",
            "http://scheduler.spin.internal/internal/tick",
        ] {
            let refusal = check(url, true);
            assert!(refusal.is_err(), "{url}");
        }
        assert!(check("http://127.0.0.1:8080/hook", true).is_ok());
    }
}
