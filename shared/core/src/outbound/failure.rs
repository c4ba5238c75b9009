//! Why another server could not be asked: one sentence for whoever has to do something about it.
//!
//! Operations, downloads, webhooks, mail and the settings of a directory show it to their users. Platforms have forty words for
//! what can go wrong, and print them as code; here they are the few that lead to different actions.

use http::Uri;

/// What went wrong, as far as somebody can act on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody knows the name.
    UnknownName,
    /// The platform does not let the application call it, or leads nowhere from there.
    NotAllowed,
    /// Its name leads to an address that is not called unless the operator allows it.
    PrivateAddress,
    /// There is no way to its address.
    Unreachable,
    /// Nobody listens there.
    Refused,
    /// It did not let anybody connect in time, or was silent for too long.
    TooSlow,
    /// It closed the connection before its answer was whole.
    BrokeOff,
    /// No encrypted connection came about.
    Encryption,
    /// Its certificate is not one to trust.
    Certificate,
    /// What was to be sent cannot be sent like that: a part of the request.
    BadRequest(&'static str),
    /// Its answer has a part that is too large to be read.
    TooLarge(&'static str),
    /// It answered something that is not HTTP, or hung up: platforms do not tell these apart.
    NotHttp,
    /// Too many connections are open.
    TooMany,
    /// The platform itself failed.
    Platform,
}

impl Failure {
    /// The sentence about the server that a URL names. Of the URL only host and port are shown: the
    /// rest may be private.
    pub fn about(&self, url: &str) -> String {
        self.about_host(&host_of(url))
    }

    /// The sentence about a server by its host, or by host and port.
    pub fn about_host(&self, host: &str) -> String {
        match self {
            Self::UnknownName => format!("the name `{host}` is not known: look for a misspelling"),
            Self::NotAllowed => format!("the control plane may not call `{host}`"),
            Self::PrivateAddress => format!(
                "`{host}` leads to a private or local address, which this control plane does not call"
            ),
            Self::Unreachable => format!("`{host}` cannot be reached from the control plane"),
            Self::Refused => format!("`{host}` refused the connection: nothing listens there"),
            Self::TooSlow => format!("`{host}` did not answer in time"),
            Self::BrokeOff => format!("`{host}` closed the connection before its answer was whole"),
            Self::Encryption => format!("no encrypted connection to `{host}` came about"),
            Self::Certificate => format!("the certificate of `{host}` is not trusted"),
            Self::BadRequest(part) => format!("the {part} cannot be sent to `{host}`"),
            Self::TooLarge(part) => format!("the {part} that `{host}` answered is too large"),
            Self::NotHttp => {
                format!("`{host}` closed the connection or answered something that is not HTTP")
            }
            Self::TooMany => format!("too many connections are open to call `{host}` now"),
            Self::Platform => format!("`{host}` could not be called: the platform failed"),
        }
    }
}

/// Host and port of a URL, without what may be secret in it.
pub fn host_of(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    let authority = uri.as_ref().and_then(Uri::authority);
    let authority = authority.map_or("the server", |authority| authority.as_str());
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    host.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_host_and_nothing_private() {
        let url = "https://ann:secret@lamps.example:8443/v1?key=secret#secret";
        for failure in [
            Failure::UnknownName,
            Failure::NotAllowed,
            Failure::PrivateAddress,
            Failure::Unreachable,
            Failure::Refused,
            Failure::TooSlow,
            Failure::BrokeOff,
            Failure::Encryption,
            Failure::Certificate,
            Failure::BadRequest("method"),
            Failure::TooLarge("body"),
            Failure::NotHttp,
            Failure::TooMany,
            Failure::Platform,
        ] {
            let text = failure.about(url);
            assert!(text.contains("`lamps.example:8443`"), "{text}");
            assert!(!text.contains("secret"), "{text}");
            assert!(!text.contains("::"), "{text}");
        }
        assert_eq!(
            Failure::Refused.about("no url at all"),
            "`the server` refused the connection: nothing listens there"
        );
    }
}
