//! Where the requests and connections of components may end: the addresses that names lead to.
//!
//! `allowed_outbound_hosts` judges names, and whoever owns a name decides where it leads. So a name is
//! looked up here, each address is judged by [`windlass_address`], and the connection goes to an address
//! that was judged, not to the name again. What only this machine or its network can reach is reached
//! when the operator said so:
//!
//! - the application's variable `outbound_allow_private` is true,
//! - an entry of `allowed_outbound_hosts` names that very host, address or network,
//! - a variable of the component is a URL of that very host and port, such as the mail service's,
//! - for TCP, an entry has the scheme `tcp`: components judge the addresses of what users name themselves. Addresses of a link, and
//!   of a cloud's metadata service, must be named even then.

use crate::allowed::{AllowedHosts, Target};
use crate::faults::Faults;
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use wasmtime_wasi_http::{Error, Result};
use windlass_address::{Place, is_of_the_link};

/// What the operator of an application said about private addresses, for one component.
#[derive(Debug, Default)]
pub struct Reach {
    is_private_allowed: bool,
    /// The hosts of the URLs among the component's variables.
    own: Vec<Target>,
}

impl Reach {
    /// For a component with these variables. `allow_private` is the application's variable
    /// `outbound_allow_private`.
    pub fn new(allow_private: Option<&str>, variables: &HashMap<String, String>) -> Self {
        let word = allow_private.unwrap_or_default().trim();
        let is_yes = |yes: &&str| word.eq_ignore_ascii_case(yes);
        let urls = variables.values();
        Self {
            is_private_allowed: ["true", "1", "yes", "on"].iter().any(is_yes),
            own: urls
                .filter_map(|url| Target::of(&url.trim().parse().ok()?))
                .collect(),
        }
    }

    /// Whether a request to `target` may end at `address`, which its host led to.
    fn allows(&self, allowed: &AllowedHosts, target: &Target, address: SocketAddr) -> bool {
        Place::of(address.ip()) == Place::Public
            || self.is_private_allowed
            || self.own.contains(target)
            || allowed.name(target)
    }

    /// Whether a connection may go to `address`, whose target is one of TCP.
    pub fn allows_connection(
        &self,
        allowed: &AllowedHosts,
        target: &Target,
        address: SocketAddr,
    ) -> bool {
        self.allows(allowed, target, address)
            || (allowed.open_scheme(target) && !is_of_the_link(address.ip()))
    }

    /// Connects to the host of `target`, if that leads to an address that may be reached.
    ///
    /// # Errors
    /// The name is unknown, leads only to what may not be reached, or nobody answers there.
    pub async fn connect(
        &self,
        allowed: &AllowedHosts,
        target: &Target,
        faults: &Faults,
    ) -> Result<TcpStream> {
        // Addresses, so that nothing is looked up again.
        let addresses: Vec<SocketAddr> = self.addresses(allowed, target, faults).await?;
        TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                std::io::ErrorKind::TimedOut => Error::ConnectionTimeout,
                _ => Error::Connect(error),
            })
    }

    /// The addresses of a host that may be reached, at least one.
    async fn addresses(
        &self,
        allowed: &AllowedHosts,
        target: &Target,
        faults: &Faults,
    ) -> Result<Vec<SocketAddr>> {
        let found = look_up(target, faults).await?;
        let open: Vec<SocketAddr> = found
            .iter()
            .copied()
            .filter(|address| self.allows(allowed, target, *address))
            .collect();
        match (open.is_empty(), found.is_empty()) {
            (false, _) => Ok(open),
            (true, true) => Err(Error::DestinationNotFound),
            (true, false) => Err(Error::DestinationIpProhibited),
        }
    }
}

async fn look_up(target: &Target, faults: &Faults) -> Result<Vec<SocketAddr>> {
    if let Some(address) = faults.address_of(&target.host) {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map(Iterator::collect)
        .map_err(Error::Connect)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&url.parse().unwrap()).unwrap()
    }

    fn hosts(entries: &[&str]) -> AllowedHosts {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        AllowedHosts::parse(&entries).unwrap()
    }

    fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    /// What a request to `url` is told when its name leads to `address`.
    async fn connect(reach: &Reach, allowed: &AllowedHosts, url: &str, address: &str) -> String {
        let target = target(url);
        let fault = format!("resolve:{}={address}", target.host);
        let faults = Faults::parse(&fault).unwrap();
        match reach.connect(allowed, &target, &faults).await {
            Ok(stream) => stream.peer_addr().unwrap().ip().to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_called() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("http://hook.example.com:{port}/");
        let (any, usual) = (hosts(&["http://*:*"]), Reach::default());
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "0.0.0.0",
        ] {
            let told = connect(&usual, &any, &url, address).await;
            assert_eq!(told, "DestinationIpProhibited", "{address}");
        }
        // As it is written in a URL, and as this machine's own resolver knows it.
        for host in ["127.0.0.1", "localhost"] {
            let target = target(&format!("http://{host}:{port}/"));
            let told = usual.connect(&any, &target, &Faults::default()).await;
            assert!(
                matches!(told, Err(Error::DestinationIpProhibited)),
                "{host}"
            );
        }

        let allowed = Reach::new(Some("true"), &HashMap::new());
        assert_eq!(
            connect(&allowed, &any, &url, "127.0.0.1").await,
            "127.0.0.1"
        );
        let own = Reach::new(Some(""), &variables(&[("mail_url", &url)]));
        assert_eq!(connect(&own, &any, &url, "127.0.0.1").await, "127.0.0.1");
        let named = hosts(&[&format!("http://hook.example.com:{port}")]);
        assert_eq!(
            connect(&usual, &named, &url, "127.0.0.1").await,
            "127.0.0.1"
        );
        // Neither opens another host, and a part of a name is no name.
        for allowed in [&named, &hosts(&["http://*.example.com:*"])] {
            let other = format!("http://other.example.com:{port}/");
            let told = connect(&own, allowed, &other, "127.0.0.1").await;
            assert_eq!(told, "DestinationIpProhibited");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_each_request() {
        let target = target("http://hook.example.com:8080/");
        let any = hosts(&["http://*:*"]);
        // Public when it is judged, private when it is asked again.
        let rebound = "resolve:hook.example.com=192.31.196.1,resolve:hook.example.com=127.0.0.1";
        let faults = Faults::parse(rebound).unwrap();
        let usual = Reach::default();
        let addresses = usual.addresses(&any, &target, &faults).await.unwrap();
        assert_eq!(addresses, ["192.31.196.1:8080".parse().unwrap()]);
        let next = usual.addresses(&any, &target, &faults).await;
        assert!(matches!(next, Err(Error::DestinationIpProhibited)));
    }

    #[test]
    fn tcp_reaches_private_networks_where_an_entry_is_for_tcp() {
        let usual = Reach::default();
        for (entry, address, allowed) in [
            ("*://*:*", "93.184.216.34:25", true),
            ("*://*:*", "127.0.0.1:25", false),
            ("tcp://*:25", "127.0.0.1:25", true),
            ("tcp://*:25", "10.0.0.7:25", true),
            ("tcp://*:25", "169.254.169.254:25", false),
            ("tcp://*:25", "[fe80::1]:25", false),
            ("tcp://169.254.1.0/24:25", "169.254.1.7:25", true),
            ("tcp://10.0.0.0/8:25", "10.1.2.3:25", true),
        ] {
            let address = address.parse().unwrap();
            let target = Target::of_connection(address);
            let told = usual.allows_connection(&hosts(&[entry]), &target, address);
            assert_eq!(told, allowed, "{entry} -> {address}");
        }
    }
}
