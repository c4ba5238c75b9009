//! Archives by URL: fetched from other servers, and from none that only this one can reach.
//!
//! A URL that a user supplies must not become a way to the application's own network. Names are
//! resolved by the platform, so what a name leads to is for the operator's allowed hosts and
//! blocked networks; addresses and the names of the machine itself are refused here.

use crate::limits::UploadLimits;
use crate::receive::{Incoming, Stored};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};
use windlass_core::db::Db;
use windlass_core::http::Uri;
use windlass_core::platform::{self, OutboundAnswer, OutboundRequest};
use windlass_core::{Error, Result};

/// How long a download may take while a client waits for it: servers give up on requests that
/// take a minute.
pub const WHILE_WAITED_FOR: Duration = Duration::from_secs(45);

/// How long one may take that nobody waits for.
pub const IN_THE_BACKGROUND: Duration = Duration::from_secs(15 * 60);

/// How long nothing at all may come.
const SILENCE: Duration = Duration::from_secs(30);

/// How many redirections are followed.
const REDIRECTIONS: usize = 5;

/// A URL that may be fetched.
#[derive(Clone, Debug)]
pub struct ArchiveUrl {
    uri: Uri,
    allow_private: bool,
}

impl ArchiveUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// 400 for what is no http(s) URL, and for private addresses unless the operator allows them.
    pub async fn parse(text: &str) -> Result<Self> {
        let allowed = platform::variable("outbound_allow_private").await;
        let allow_private = allowed.is_some_and(|text| text.eq_ignore_ascii_case("true"));
        Self::checked(text, allow_private).map_err(Error::bad_parameters)
    }

    fn checked(text: &str, allow_private: bool) -> Result<Self, String> {
        if text.starts_with("ftp://") {
            return Err(format!("Archives cannot be downloaded by ftp: `{text}`"));
        }
        let refused = || format!("`{text}` is not the URL of an archive");
        let uri: Uri = text.parse().map_err(|_| refused())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(refused());
        }
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(refused)?;
        if !allow_private && is_private(host) {
            return Err(format!(
                "The URL `{text}` leads to a private or local address"
            ));
        }
        Ok(Self { uri, allow_private })
    }

    /// Downloads the archive into the blob store.
    ///
    /// # Errors
    /// What went wrong: with the other server, for the blueprint's error text, or here.
    pub async fn download(
        self,
        db: &impl Db,
        limits: &UploadLimits,
        patience: Duration,
    ) -> Result<Stored, Problem> {
        let end = Instant::now() + patience;
        let mut answer = self.open(end).await?;
        let mut incoming = Incoming::new(db, limits);
        let stored = match copy(&mut answer, &mut incoming, end).await {
            Ok(()) => incoming.finish().await?,
            Err(problem) => {
                incoming.abandon().await;
                return Err(problem);
            }
        };
        stored.ok_or_else(|| "the server answered nothing".into())
    }

    /// Sends the request, and wherever its answer leads.
    async fn open(self, end: Instant) -> Result<OutboundAnswer, Problem> {
        let mut url = self;
        for _ in 0..=REDIRECTIONS {
            let request = OutboundRequest {
                url: url.uri.to_string(),
                timeout: Some(left_until(end)?),
                ..OutboundRequest::default()
            };
            let answer = platform::open(request).await?;
            match answer.status {
                200 => return Ok(answer),
                301 | 302 | 303 | 307 | 308 => {
                    let mut headers = answer.headers.iter();
                    let location = headers.find(|(name, _)| name.eq_ignore_ascii_case("location"));
                    let (_, location) = location.ok_or("it redirects to nowhere")?;
                    url = url.follow(location)?;
                }
                status => return Err(format!("the server answered {status}").into()),
            }
        }
        Err("it redirects too often".into())
    }

    /// The URL that a redirection names, absolute or from the server's root.
    fn follow(&self, location: &str) -> Result<Self, String> {
        if !location.starts_with('/') || location.starts_with("//") {
            return Self::checked(location, self.allow_private);
        }
        let scheme = self.uri.scheme_str().unwrap_or("http");
        let authority = self
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        Self::checked(
            &format!("{scheme}://{authority}{location}"),
            self.allow_private,
        )
    }
}

/// Why there is no archive.
pub enum Problem {
    /// The other server is to blame.
    Server(String),
    /// It is larger than allowed, or cannot be stored.
    Here(Error),
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::Server(text)
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self::Server(text.to_owned())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

async fn copy(
    answer: &mut OutboundAnswer,
    incoming: &mut Incoming<'_, impl Db>,
    end: Instant,
) -> Result<(), Problem> {
    while let Some(bytes) = answer.chunk(left_until(end)?.min(SILENCE)).await? {
        incoming.add(&bytes).await?;
    }
    Ok(())
}

fn left_until(end: Instant) -> Result<Duration, Problem> {
    let left = end.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err("the download takes too long".into()),
        false => Ok(left),
    }
}

/// Whether a URL's host is one that only this machine or its network can reach, or cannot be
/// told to be another.
fn is_private(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<Ipv6Addr>().is_ok_and(is_private_v6) || address.contains('%');
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(address) => is_private_v4(address),
            IpAddr::V6(address) => is_private_v6(address),
        };
    }
    let last = host.rsplit('.').next().unwrap_or_default();
    // Resolvers take `127.1`, `0x7f000001` and `2130706433` for addresses.
    let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    let is_local = matches!(last, "localhost" | "internal" | "local" | "localdomain");
    let is_odd = !host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    // A name without a dot is one of the local network.
    is_number || is_local || is_odd || !host.contains('.')
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || first == 0
        || first >= 240
        // Shared by carriers, and set aside for measurements and protocols.
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        || (first == 192 && second == 0 && third == 0)
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // IPv4 addresses in the clothes of IPv6: mapped, compatible, translated, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, ..] => true,
        [0x2002, high, low, ..] => embedded(high, low),
        // Unique local, link-local, site-local, multicast, documentation, tunnels.
        [first, ..] if first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 => true,
        [first, ..] if first & 0xffc0 == 0xfec0 || first & 0xff00 == 0xff00 => true,
        [0x2001, second, ..] => second == 0xdb8 || second == 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_spelling() {
        for (host, private) in [
            ("example.com", false),
            ("EXAMPLE.com.", false),
            ("93.184.216.34", false),
            ("[2606:2800:220:1:248:1893:25c8:1946]", false),
            ("127.0.0.1", true),
            ("127.1", true),
            ("0x7f000001", true),
            ("2130706433", true),
            ("0177.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("0.0.0.0", true),
            ("255.255.255.255", true),
            ("localhost", true),
            ("LOCALHOST.", true),
            ("a.localhost", true),
            ("scheduler.spin.internal", true),
            ("metadata", true),
            ("printer.local", true),
            ("127%2e0.0.1", true),
            ("[::1]", true),
            ("[::]", true),
            ("[::ffff:127.0.0.1]", true),
            ("[::ffff:8.8.8.8]", false),
            ("[64:ff9b::a00:1]", true),
            ("[2002:7f00:1::]", true),
            ("[fe80::1]", true),
            ("[fd00::1]", true),
            ("[ff02::1]", true),
        ] {
            assert_eq!(is_private(host), private, "{host}");
        }
    }

    #[test]
    fn only_http_urls_are_fetched() {
        for (text, part) in [
            ("ftp://example.com/a.zip", "by ftp"),
            ("file:///etc/passwd", "is not the URL of an archive"),
            ("gopher://example.com/", "is not the URL of an archive"),
            ("/a.zip", "is not the URL of an archive"),
            ("a.zip", "is not the URL of an archive"),
            ("http://", "is not the URL of an archive"),
            ("http://user@127.0.0.1/a.zip", "private or local address"),
            (
                "http://example.com@10.0.0.1/a.zip",
                "private or local address",
            ),
            ("http://[::1]:3000/a.zip", "private or local address"),
        ] {
            let refusal = ArchiveUrl::checked(text, false).unwrap_err();
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
        assert!(ArchiveUrl::checked("http://127.0.0.1:1/a.zip", true).is_ok());
        assert!(ArchiveUrl::checked("HTTPS://example.com/a.zip?x=1", false).is_ok());
    }

    #[test]
    fn redirections_are_checked_like_urls() {
        let url = ArchiveUrl::checked("https://example.com/a.zip", false).unwrap();
        assert_eq!(
            url.follow("/b.zip").unwrap().uri,
            "https://example.com/b.zip"
        );
        assert_eq!(
            url.follow("http://example.org/c").unwrap().uri,
            "http://example.org/c"
        );
        for location in [
            "http://127.0.0.1/",
            "//127.0.0.1/",
            "file:///etc/passwd",
            "b.zip",
        ] {
            assert!(url.follow(location).is_err(), "{location}");
        }
    }
}
