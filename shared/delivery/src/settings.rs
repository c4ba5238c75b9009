//! What the operator says about mail and links.

use base64::Engine as _;
use http::Uri;
use percent_encoding::percent_decode_str;
use windlass_core::outbound::address;
use windlass_core::variables;

/// The operator's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where mail goes; the error says why nowhere.
    pub mail: Result<MailServer, String>,
    /// Whom mail is from: an address, or a name with an address in angle brackets.
    pub from: String,
    /// What links begin with, without a slash at its end.
    pub public_url: String,
    /// Whether users' URLs may lead to private addresses.
    pub allow_private: bool,
}

/// Where mail goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailServer {
    /// A relay that speaks SMTP.
    Smtp {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// User and password.
        login: Option<(String, String)>,
    },
    /// A service that takes mail as JSON.
    Http {
        /// Its URL.
        url: String,
        /// The value of the header `Authorization`.
        authorization: Option<String>,
    },
}

impl Settings {
    /// The settings of the application's variables.
    pub async fn load() -> Self {
        let from = variables::text("mail_from").await.unwrap_or_default();
        let mail = match variables::text("mail_url").await {
            None => Err("no mail server is configured (mail_url)".to_owned()),
            Some(_) if from.is_empty() => Err("mail_from is not set".to_owned()),
            Some(url) => MailServer::parse(&url),
        };
        Self {
            mail,
            from,
            public_url: public_url().await,
            allow_private: address::allows_private().await,
        }
    }

    /// The host of the public URL, for ids that have to be unique among installations.
    pub fn host(&self) -> String {
        let uri = self.public_url.parse::<Uri>().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or("localhost");
        host.to_ascii_lowercase()
    }
}

/// What links to this application begin with: the variable `public_url`, or `self_url`.
pub async fn public_url() -> String {
    let url = match variables::text("public_url").await {
        Some(url) => Some(url),
        None => variables::text("self_url").await,
    };
    let url = url.unwrap_or_else(|| "http://127.0.0.1:3000".to_owned());
    url.trim_end_matches('/').to_owned()
}

impl MailServer {
    /// Reads `smtp://[user:password@]host[:port]`, or the `http` or `https` URL of a mail service.
    ///
    /// # Errors
    /// What is wrong with it, without what it says: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| "mail_url is not a URL")?;
        let authority = uri.authority().ok_or("mail_url names no host")?;
        let host = authority.host().to_owned();
        if host.is_empty() {
            return Err("mail_url names no host".to_owned());
        }
        let login = authority.as_str().rsplit_once('@').map(|(login, _)| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
            (decode(user), decode(password))
        });
        match uri.scheme_str() {
            Some("smtp") => {
                if login.is_some() && !address::is_local(&host) {
                    return Err(
                        "mail_url has a password for a server that is not on a private network: \
                         SMTP is spoken without encryption here, use a local relay or https"
                            .to_owned(),
                    );
                }
                let port = authority.port_u16().unwrap_or(25);
                Ok(Self::Smtp { host, port, login })
            }
            Some("http" | "https") => {
                let authorization = login.map(|(user, password)| {
                    let engine = base64::engine::general_purpose::STANDARD;
                    format!("Basic {}", engine.encode(format!("{user}:{password}")))
                });
                let place = authority.as_str().rsplit('@').next().unwrap_or_default();
                let scheme = uri.scheme_str().unwrap_or("https");
                let path = uri.path_and_query().map_or("/", |path| path.as_str());
                Ok(Self::Http {
                    url: format!("{scheme}://{place}{path}"),
                    authorization,
                })
            }
            Some("smtps") => Err("mail_url cannot be smtps: use a local relay or https".to_owned()),
            _ => Err("mail_url must begin with smtp://, https:// or http://".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_allowed_as_everywhere() {
        for value in ["", "true", "True", "1", "yes", "false", "perhaps"] {
            windlass_core::platform::set_variable("outbound_allow_private", value);
            pollster::block_on(async {
                let want = windlass_core::outbound::address::allows_private().await;
                assert_eq!(Settings::load().await.allow_private, want, "{value}");
            });
        }
    }

    #[test]
    fn mail_servers_are_read_and_refused_without_their_passwords() {
        for (text, want) in [
            ("smtp://relay:2525", Ok(("relay", 2525, None))),
            (
                "smtp://relay.example.com",
                Ok(("relay.example.com", 25, None)),
            ),
            (
                "smtp://ann:p%40ss@127.0.0.1:25",
                Ok(("127.0.0.1", 25, Some(("ann", "p@ss")))),
            ),
            ("smtp://ann:hidden@mail.example.com", Err("private network")),
            ("smtps://relay", Err("smtps")),
            ("ftp://relay", Err("must begin with")),
            ("relay:25", Err("mail_url")),
        ] {
            match (MailServer::parse(text), want) {
                (
                    Ok(MailServer::Smtp { host, port, login }),
                    Ok((want_host, want_port, want_login)),
                ) => {
                    assert_eq!((host.as_str(), port), (want_host, want_port), "{text}");
                    let login = login
                        .as_ref()
                        .map(|(user, password)| (user.as_str(), password.as_str()));
                    assert_eq!(login, want_login, "{text}");
                }
                (Err(why), Err(part)) => {
                    assert!(
                        why.contains(part) && !why.contains("hidden"),
                        "{text}: {why}"
                    );
                }
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }
}
