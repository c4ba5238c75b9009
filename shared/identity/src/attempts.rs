//! Failed logins by the client's address. A client that fails too often has to wait.
//!
//! The lock of an address and a name stops guessing the password of one user. This stops guessing the
//! passwords of all users, and tokens. The count is read together with the version that every request reads
//! anyway, so a good login pays nothing for it.

use crate::memory::Memory;
use std::cell::Cell;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Request, Result, Timestamp, hashing, log, params, variables};
use windlass_store::users::locks::{self, ADDRESS_WINDOW};

/// More failures than these within [`ADDRESS_WINDOW`] make an address wait.
pub const FAILURES: i64 = 20;

/// The kind of credential that is a name with a password.
pub const BASIC: &str = "basic";

/// The one failure that is no guess. Whoever has an expired token once had a good one.
pub const EXPIRED: &str = "Token is expired";

/// What is known of a client before anything was verified.
pub struct Attempts {
    /// The version of identity, which a remembered caller must have.
    pub version: i64,
    /// Empty where the platform tells none.
    address: String,
    failures: i64,
    oldest: Option<Timestamp>,
}

impl Attempts {
    /// Reads the version of identity, and how often the client failed lately.
    pub async fn read(db: &impl Db, request: &Request) -> Result<Self> {
        let address = client_address(request).await.unwrap_or_default();
        // Read for every request, so by columns: JSON would be built and read at each of them.
        let row = db
            .first(
                "select coalesce(max(v.version), 0), count(f.at), min(f.at) from identity_version v
                 left join failed_logins f on f.address = ?1 and f.at > ?2",
                params![
                    address.as_str(),
                    Timestamp::now().plus_millis(-ADDRESS_WINDOW)
                ],
            )
            .await?
            .ok_or_else(|| Error::internal("an aggregate answers one row"))?;
        let oldest = row.optional_text(2)?;
        let oldest = oldest.map(|at| Timestamp::parse("failed login", at));
        Ok(Self {
            version: row.integer(0)?,
            address,
            failures: row.integer(1)?,
            oldest: oldest.transpose()?,
        })
    }

    /// The client's address; empty where the platform tells none.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the address has not failed for a minute, which is as long as callers are remembered.
    pub fn are_none(&self) -> bool {
        self.failures == 0
    }

    /// What this instance remembers of a credential. A password counts only from the address where it
    /// was verified.
    pub fn memory_of(&self, kind: &str, credential: &str, tenant: &str) -> Memory {
        let address = match kind {
            BASIC => self.address.as_str(),
            _ => "",
        };
        let key = hashing::memory_key(&[kind, credential, tenant, address]);
        Memory::new(key, self.version)
    }

    /// Refuses to verify anything for an address that failed too often.
    ///
    /// # Errors
    /// 429, with the time until the oldest failure no longer counts.
    pub fn demand_few(&self) -> Result<()> {
        if self.failures <= FAILURES || self.address.is_empty() {
            return Ok(());
        }
        let end = self.oldest.unwrap_or_else(Timestamp::now);
        let left = end.plus_millis(ADDRESS_WINDOW).millis() - Timestamp::now().millis();
        let seconds = u32::try_from(left.max(0)).unwrap_or_default() / 1000 + 1;
        Err(Error::new(
            Kind::TooManyRequests,
            "Too many failed logins from this address, try again later",
        )
        .retry_after(seconds))
    }

    /// What a token was found to be. A refusal is counted. Passwords are counted with their names.
    pub async fn counted<T>(&self, db: &impl Db, found: Result<T>) -> Result<T> {
        match found {
            Ok(found) => Ok(found),
            Err(refusal) => Err(self.note(db, refusal).await),
        }
    }

    async fn note(&self, db: &impl Db, refusal: Error) -> Error {
        if refusal.kind() != Kind::Unauthorized || refusal.message().ends_with(EXPIRED) {
            return refusal;
        }
        let told = [("address", self.address.as_str().into())];
        log::line(log::Level::Warning, "token refused", told);
        let noted = db
            .transaction(async |tx| locks::record_refusal(tx, &self.address).await)
            .await;
        // Uncounted guesses are what this is against: then nobody gets an answer to theirs.
        noted.err().unwrap_or(refusal)
    }
}

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

/// The client's address, for whatever is counted by it. Nothing where the platform tells none.
pub async fn client_address(request: &Request) -> Option<String> {
    address(request, trusts_forwarded_for().await)
}

/// The client's address as the platform tells it, or as a trusted proxy does. Of the proxy's header
/// the last entry counts: the client may have written the others.
fn address(request: &Request, is_forwarded: bool) -> Option<String> {
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
    use windlass_core::http::Method;

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
            let got = address(&request, is_trusted);
            assert_eq!(got.as_deref(), want, "{client} {forwarded:?} {is_trusted}");
        }
    }
}
