//! Archives by URL: fetched from other servers, and from none that only this one can reach.
//!
//! A URL that a user supplies must not become a way to the application's own network. Names are
//! resolved by the platform, so what a name leads to is for the operator's allowed hosts and
//! blocked networks; addresses and the names of the machine itself are refused here.

use crate::error::{Error, Result};
use crate::outbound::address::{self, Refusal};
use crate::platform::{self, OutboundAnswer, OutboundRequest};
use http::Uri;
use std::time::{Duration, Instant};

/// How long a download may take while a client waits for it: servers give up on requests that
/// take a minute.
pub const WHILE_WAITED_FOR: Duration = Duration::from_secs(45);

/// How long one may take that nobody waits for.
pub const IN_THE_BACKGROUND: Duration = Duration::from_secs(15 * 60);

/// How long nothing at all may come.
const SILENCE: Duration = Duration::from_secs(30);

/// How many redirections are followed.
const REDIRECTIONS: usize = 5;

/// Said without the URL, which may hold a password.
const USER_INFO: &str = "The URL of an archive may not carry a user name or password";

/// Refuses a URL with a user name or password. What an upload was asked to do is shown to
/// everybody who sees its blueprint, so such a URL is not even stored.
///
/// # Errors
/// 400, without the URL.
pub fn demand_no_user_info(text: &str) -> Result<()> {
    match carries_user_info(text) {
        true => Err(Error::bad_parameters(USER_INFO)),
        false => Ok(()),
    }
}

/// Whether there is an `@` where a URL, if this is one, names its server.
fn carries_user_info(text: &str) -> bool {
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    let server = rest.split(['/', '?', '#']).next().unwrap_or_default();
    server.contains('@')
}

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
    /// Why nothing is fetched from it: it is no http(s) URL, or leads to a private address and the
    /// operator does not allow those.
    pub async fn parse(text: &str) -> Result<Self, String> {
        Self::checked(text, address::allows_private().await)
    }

    fn checked(text: &str, allow_private: bool) -> Result<Self, String> {
        if text.starts_with("ftp://") {
            return Err(format!("Archives cannot be downloaded by ftp: `{text}`"));
        }
        let refused = || match carries_user_info(text) {
            true => USER_INFO.to_owned(),
            false => format!("`{text}` is not the URL of an archive"),
        };
        let uri: Uri = text.parse().map_err(|_| refused())?;
        address::inspect(&uri, allow_private).map_err(|refusal| match refusal {
            Refusal::NotHttp | Refusal::NoHost => refused(),
            Refusal::UserInfo => USER_INFO.to_owned(),
            Refusal::Internal | Refusal::Private => {
                format!("The URL `{text}` leads to a private or local address")
            }
        })?;
        Ok(Self { uri, allow_private })
    }

    /// Downloads the archive.
    ///
    /// # Errors
    /// What went wrong: with the other server, for whoever asked for the archive, or here.
    pub async fn download(
        self,
        patience: Duration,
        receiver: &mut impl Receiver,
    ) -> Result<(), Problem> {
        let end = Instant::now() + patience;
        let mut answer = self.open(end).await?;
        let mut is_empty = true;
        while let Some(bytes) = answer.chunk(left_until(end)?.min(SILENCE)).await? {
            is_empty &= bytes.is_empty();
            receiver.receive(&bytes).await?;
        }
        match is_empty {
            true => Err("the server answered nothing".into()),
            false => Ok(()),
        }
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

/// Takes what is downloaded, piece by piece.
#[allow(
    async_fn_in_trait,
    reason = "one thread per instance: no future has to be Send"
)]
pub trait Receiver {
    /// Takes the next piece.
    ///
    /// # Errors
    /// When there is too much of it, or it cannot be kept.
    async fn receive(&mut self, bytes: &[u8]) -> Result<()>;
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

fn left_until(end: Instant) -> Result<Duration, Problem> {
    let left = end.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err("the download takes too long".into()),
        false => Ok(left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_urls_are_fetched() {
        for (text, part) in [
            ("ftp://example.com/a.zip", "by ftp"),
            ("file:///etc/passwd", "is not the URL of an archive"),
            ("gopher://example.com/", "is not the URL of an archive"),
            ("/a.zip", "is not the URL of an archive"),
            ("a.zip", "is not the URL of an archive"),
            ("http://", "is not the URL of an archive"),
            ("http://user@127.0.0.1/a.zip", "user name or password"),
            ("http://example.com@10.0.0.1/a.zip", "user name or password"),
            ("http://[::1]:3000/a.zip", "private or local address"),
            ("http://192.0.2.1/a.zip", "private or local address"),
            ("http://nas.lan/a.zip", "private or local address"),
        ] {
            let refusal = ArchiveUrl::checked(text, false).unwrap_err();
            assert!(refusal.contains(part), "{text}: {refusal}");
        }
        for text in [
            "http://scheduler.spin.internal/internal/tick",
            "http://user:secret@example.com/a.zip",
        ] {
            let refusal = ArchiveUrl::checked(text, true).unwrap_err();
            assert!(!refusal.contains("secret"), "{refusal}");
        }
        assert!(ArchiveUrl::checked("http://127.0.0.1:1/a.zip", true).is_ok());
        assert!(ArchiveUrl::checked("HTTPS://example.com/a.zip?x=1", false).is_ok());
    }

    #[test]
    fn private_addresses_are_allowed_as_everywhere() {
        for value in ["", "true", "True", "1", "yes", "false", "perhaps"] {
            crate::platform::set_variable("outbound_allow_private", value);
            pollster::block_on(async {
                let want = crate::outbound::address::allows_private().await;
                let archive = ArchiveUrl::parse("http://127.0.0.1/a.zip").await;
                assert_eq!(archive.is_ok(), want, "{value}");
            });
        }
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
            "http://user@example.org/c",
            "http://conductor-identity.spin.internal/",
            "file:///etc/passwd",
            "b.zip",
        ] {
            assert!(url.follow(location).is_err(), "{location}");
        }
    }
}
