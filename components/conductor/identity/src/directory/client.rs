//! A connection to a directory: binding and searching (LDAP version 3).

use super::refusal;
use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapDerefAliases, LdapFilter, LdapMsg, LdapOp, LdapResultCode,
    LdapSearchRequest, LdapSearchScope,
};
use std::fmt;
use std::time::{Duration, Instant};
use tokio_util::codec::{Decoder as _, Encoder as _};
use windlass_core::platform::tcp::{self, Connection};

/// How long the directory may take for connecting, and then for each answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long all that is asked over one connection may take.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(15);

/// The most entries of a search; a directory that has more answers an error.
const MAX_ENTRIES: i32 = 1000;

/// The largest message that is read, in bytes.
const MAX_MESSAGE: usize = 4 << 20;

/// The usual port.
const PORT: u16 = 389;

/// Where a directory is.
#[derive(Debug, PartialEq, Eq)]
pub struct Server {
    host: String,
    port: u16,
}

impl Server {
    /// Reads `ldap://host[:port]`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        let parsed = url.strip_prefix("ldap://").and_then(|rest| {
            let authority = rest.trim_end_matches('/');
            let (host, port) = match authority.rsplit_once(':') {
                // The last colon of an IPv6 address in brackets is not a port's.
                Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
                _ => (authority, PORT),
            };
            let is_host = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
            let is_usable = port != 0 && !host.is_empty() && host.chars().all(is_host);
            is_usable.then(|| Self {
                host: host.to_owned(),
                port,
            })
        });
        parsed.ok_or_else(|| Failure::Settings(format!("`{url}` is no ldap://host:port")))
    }
}

/// Why a directory could not be asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// It cannot be reached, or broke off.
    Unreachable(String),
    /// It answered something that is no answer to what it was asked.
    Refused(String),
    /// The settings do not fit it.
    Settings(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreachable(text) | Self::Refused(text) | Self::Settings(text)) = self;
        f.write_str(text)
    }
}

/// What is searched for.
pub struct Search {
    /// The name where the search begins.
    pub base: String,
    /// What an entry must be like.
    pub filter: LdapFilter,
    /// The attributes that are wanted of it.
    pub attributes: Vec<String>,
    /// Whether only the entry at the base itself is looked at.
    pub is_base_only: bool,
}

/// An entry that was found.
#[derive(Debug)]
pub struct Entry {
    /// Its distinguished name.
    pub name: String,
    attributes: Vec<(String, Vec<String>)>,
}

impl Entry {
    /// The values of an attribute; nothing when the entry does not have it.
    pub fn values(&self, attribute: &str) -> Option<impl Iterator<Item = &str>> {
        self.attributes
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(attribute))
            .map(|(_, values)| values.iter().map(String::as_str))
    }
}

/// A connection.
pub struct Client {
    connection: Connection,
    codec: LdapCodec,
    received: BytesMut,
    message: i32,
    since: Instant,
}

impl Client {
    /// Connects.
    pub async fn connect(server: &Server) -> Result<Self, Failure> {
        let since = Instant::now();
        let connection = tcp::connect(&server.host, server.port, PATIENCE)
            .await
            .map_err(Failure::Unreachable)?;
        Ok(Self {
            connection,
            codec: LdapCodec::new(Some(MAX_MESSAGE), None),
            received: BytesMut::new(),
            message: 0,
            since,
        })
    }

    /// Logs in with a name and a password; whether the directory takes them.
    pub async fn bind(&mut self, name: &str, password: &str) -> Result<bool, Failure> {
        let request = LdapBindRequest {
            version: 3,
            dn: name.to_owned(),
            cred: LdapBindCred::Simple(password.to_owned()),
        };
        self.send(LdapOp::BindRequest(request)).await?;
        let LdapOp::BindResponse(answer) = self.receive().await? else {
            return Err(self.unexpected("a bind"));
        };
        use LdapResultCode as Code;
        match answer.res.code {
            Code::Success => Ok(true),
            // What directories say about names and passwords that they do not take, whatever the
            // reason: that there is no such entry, that it is locked, that its password has expired.
            Code::InvalidCredentials
            | Code::InvalidDNSyntax
            | Code::NoSuchObject
            | Code::InappropriateAuthentication
            | Code::InsufficentAccessRights
            | Code::ConstraintViolation
            | Code::UnwillingToPerform => Ok(false),
            code => Err(self.refused("a bind", &code, &answer.res.message)),
        }
    }

    /// The entries that a search finds.
    pub async fn search(&mut self, search: Search) -> Result<Vec<Entry>, Failure> {
        let Search {
            base,
            filter,
            attributes,
            is_base_only,
        } = search;
        // Without any attribute a directory sends all of them; this asks for none.
        let attrs = match attributes.is_empty() {
            true => vec!["1.1".to_owned()],
            false => attributes,
        };
        let scope = match is_base_only {
            true => LdapSearchScope::Base,
            false => LdapSearchScope::Subtree,
        };
        let request = LdapSearchRequest {
            base,
            scope,
            aliases: LdapDerefAliases::Never,
            sizelimit: MAX_ENTRIES,
            timelimit: i32::try_from(PATIENCE.as_secs()).unwrap_or(0),
            typesonly: false,
            filter,
            attrs,
        };
        self.send(LdapOp::SearchRequest(request)).await?;
        let mut entries = Vec::new();
        loop {
            match self.receive().await? {
                LdapOp::SearchResultEntry(entry) => entries.push(Entry {
                    name: entry.dn,
                    attributes: entry
                        .attributes
                        .into_iter()
                        .map(|attribute| (attribute.atype, texts(attribute.vals)))
                        .collect(),
                }),
                // Other servers are not asked.
                LdapOp::SearchResultReference(_) | LdapOp::IntermediateResponse(_) => {}
                LdapOp::SearchResultDone(result) => {
                    return match result.code {
                        LdapResultCode::Success => Ok(entries),
                        LdapResultCode::NoSuchObject => Ok(Vec::new()),
                        code => Err(self.refused("a search", &code, &result.message)),
                    };
                }
                _ => return Err(self.unexpected("a search")),
            }
            if entries.len() > MAX_ENTRIES as usize {
                return Err(self.unexpected("a search"));
            }
        }
    }

    fn refused(&self, request: &str, code: &LdapResultCode, said: &str) -> Failure {
        let server = self.connection.server();
        Failure::Refused(refusal::sentence(server, request, code, said))
    }

    fn unexpected(&self, request: &str) -> Failure {
        let server = self.connection.server();
        Failure::Refused(format!(
            "`{server}` was asked for {request} and answered something else"
        ))
    }

    /// Says good-bye. Who does not hear it notices that the connection ends.
    pub async fn close(&mut self) {
        let _ = self.send(LdapOp::UnbindRequest).await;
    }

    async fn send(&mut self, op: LdapOp) -> Result<(), Failure> {
        if self.since.elapsed() > PATIENCE_IN_ALL {
            let (server, seconds) = (self.connection.server(), PATIENCE_IN_ALL.as_secs());
            let text = format!("`{server}` took more than {seconds} seconds for all its answers");
            return Err(Failure::Unreachable(text));
        }
        self.message += 1;
        let mut bytes = BytesMut::new();
        self.codec
            .encode(LdapMsg::new(self.message, op), &mut bytes)
            .map_err(|_| {
                let text = "a name or filter of the settings is too large for a request";
                Failure::Settings(text.to_owned())
            })?;
        self.connection
            .write_all(&bytes)
            .await
            .map_err(Failure::Unreachable)
    }

    /// The next answer to what was asked last.
    async fn receive(&mut self) -> Result<LdapOp, Failure> {
        loop {
            let decoded = self.codec.decode(&mut self.received);
            let decoded = decoded.map_err(|_| {
                let server = self.connection.server();
                Failure::Refused(format!("`{server}` answered something that is not LDAP"))
            })?;
            match decoded {
                Some(message) if message.msgid == self.message => return Ok(message.op),
                // Nobody asked: the directory says that it is going away.
                Some(message) if message.msgid == 0 => {
                    let server = self.connection.server();
                    let text = format!("`{server}` ended the connection");
                    return Err(Failure::Unreachable(text));
                }
                Some(_) => {}
                None => {
                    let bytes = self.connection.read().await.map_err(Failure::Unreachable)?;
                    if bytes.is_empty() {
                        let server = self.connection.server();
                        let text = format!("`{server}` closed the connection before its answer");
                        return Err(Failure::Unreachable(text));
                    }
                    self.received.extend_from_slice(&bytes);
                }
            }
        }
    }
}

/// Values as text. One that is none, such as a photo, names nobody and no group.
fn texts(values: Vec<Vec<u8>>) -> Vec<String> {
    values
        .into_iter()
        .filter_map(|value| String::from_utf8(value).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_with_or_without_a_port() {
        for (url, want) in [
            ("ldap://harbour", Some(("harbour", 389))),
            ("ldap://harbour:1389", Some(("harbour", 1389))),
            ("ldap://192.0.2.1:389/", Some(("192.0.2.1", 389))),
            ("ldap://[2001:db8::1]", Some(("[2001:db8::1]", 389))),
            ("ldap://[2001:db8::1]:390", Some(("[2001:db8::1]", 390))),
            ("ldap://", None),
            ("ldap://:389", None),
            ("ldap://harbour:", None),
            ("ldap://harbour:x", None),
            ("ldap://harbour:70000", None),
            ("ldap://harbour:0", None),
            ("ldap://harbour/dc=x", None),
            ("ldap://ann@harbour", None),
            ("ldaps://harbour", None),
        ] {
            let got = Server::parse(url).ok();
            let got = got
                .as_ref()
                .map(|server| (server.host.as_str(), server.port));
            assert_eq!(got, want, "{url}");
        }
    }
}
