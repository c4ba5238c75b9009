//! Who a client is by address: what is counted by it, and what the log says of a request.

use crate::{Request, variables};
use std::cell::Cell;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Whether a proxy in front says who the client is. An instance reads this once.
async fn trusts_forwarded_for() -> bool {
    thread_local! {
        static TRUSTS: Cell<Option<bool>> = const { Cell::new(None) };
    }
    if let Some(trusts) = TRUSTS.get() {
        return trusts;
    }
    let trusts = variables::flag("trust_forwarded_for").await;
    TRUSTS.set(Some(trusts));
    trusts
}

/// The client's address, for whatever is counted by it and for the log: of IPv6 the network. Nothing where
/// the platform tells none.
pub async fn address_of(request: &Request) -> Option<String> {
    find(request, trusts_forwarded_for().await)
}

/// The client's address as the platform tells it, or as a trusted proxy does. Of the proxy's header
/// the last entry counts: the client may have written the others.
fn find(request: &Request, is_forwarded: bool) -> Option<String> {
    let last = |name: &str| {
        let mut values = request.headers.iter().rev();
        values.find(|(known, _)| known == name)
    };
    let forwarded = last("x-forwarded-for")
        .filter(|_| is_forwarded)
        .and_then(|(_, value)| host(value.rsplit(',').next().unwrap_or_default()));
    forwarded.or_else(|| last("spin-client-addr").and_then(|(_, value)| host(value)))
}

/// The host part of an address with or without port. Of IPv6 it is the network of one customer:
/// whoever has one address there has all of them.
fn host(text: &str) -> Option<String> {
    let text = text.trim();
    let ip = text
        .parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| text.trim_matches(['[', ']']).parse::<IpAddr>())
        .ok()?;
    Some(match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let network = u128::from(ip) >> 64 << 64;
            format!("{}/64", Ipv6Addr::from(network))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[test]
    fn an_address_is_a_host_and_only_a_trusted_proxy_names_another() {
        for (client, forwarded, is_trusted, want) in [
            ("192.0.2.7:4711", None, false, Some("192.0.2.7")),
            ("192.0.2.7", None, true, Some("192.0.2.7")),
            ("192.0.2.7:1", Some("203.0.113.9"), false, Some("192.0.2.7")),
            (
                "192.0.2.7:1",
                Some("203.0.113.9"),
                true,
                Some("203.0.113.9"),
            ),
            (
                "192.0.2.7:1",
                Some("1.1.1.1, 203.0.113.9"),
                true,
                Some("203.0.113.9"),
            ),
            ("192.0.2.7:1", Some("unknown"), true, Some("192.0.2.7")),
            ("[2001:db8::1:2]:80", None, false, Some("2001:db8::/64")),
            ("2001:db8:0:0:ffff::1", None, false, Some("2001:db8::/64")),
            ("[::ffff:192.0.2.7]:80", None, false, Some("192.0.2.7")),
            ("", None, false, None),
            ("a client", None, false, None),
        ] {
            let mut request = Request::new(Method::GET, "/").header("spin-client-addr", client);
            if let Some(forwarded) = forwarded {
                request = request.header("x-forwarded-for", forwarded);
            }
            let got = find(&request, is_trusted);
            assert_eq!(got.as_deref(), want, "{client} {forwarded:?} {is_trusted}");
        }
    }
}
