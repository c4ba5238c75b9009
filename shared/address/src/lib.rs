//! Where an IP address is. One rule for all who ask: the components, for the hosts that are written in
//! users' URLs, and the embedded host, for the addresses that names lead to.
//!
//! Addresses that no server on the internet has are refused with the private ones: they only serve to
//! hide another address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a host is, as far as its address tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the internet.
    Public,
    /// In the operator's network, or on this machine.
    Local,
    /// Neither: reserved addresses, tunnels, and spellings that programs read differently.
    Special,
}

impl Place {
    /// The place of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let octets = address.octets();
        let is_local = address.is_loopback() || address.is_private() || address.is_link_local();
        match octets {
            _ if is_local => Self::Local,
            // Shared by the customers of a carrier; some clouds have their metadata there.
            [100, 64..=127, ..] => Self::Local,
            // One cloud's metadata and health service, in the midst of public addresses.
            [168, 63, 129, 16] => Self::Local,
            // "This network", multicast, reserved, broadcast.
            [0 | 224.., ..] => Self::Special,
            // Protocols, documentation, the former relays of 6to4, measurements.
            [192, 0, 0 | 2, _]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..] => Self::Special,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let segments = address.segments();
        match segments {
            _ if address.is_loopback() => Self::Local,
            // Mapped IPv4 addresses, and those that a gateway translates.
            [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                Self::of_v4(embedded(high, low))
            }
            // Other ways to write an IPv4 address. No server has one of its own.
            [0, 0, 0, 0, 0xffff, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => {
                match Self::of_v4(embedded(high, low)) {
                    Self::Local => Self::Local,
                    Self::Public | Self::Special => Self::Special,
                }
            }
            // Unique local, link-local, site-local.
            [0xfc00..=0xfdff | 0xfe80..=0xfeff, ..] => Self::Local,
            // Protocols and tunnels (Teredo among them), documentation.
            [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Self::Special,
            // 6to4 goes to the IPv4 address inside.
            [0x2002, high, low, ..] => Self::of_v4(embedded(high, low)),
            // The part of the address space that is given out.
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Special,
        }
    }
}

/// Whether an address belongs to one link only, or is known as a cloud's metadata service. Nobody has a
/// directory or a mail relay there.
pub fn is_of_the_link(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_link_local()
                || [[100, 100, 100, 200], [168, 63, 129, 16]].contains(&address.octets())
        }
        IpAddr::V6(address) => {
            matches!(address.segments(), [0xfe80..=0xfebf, ..])
                || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// The IPv4 address that two parts of an IPv6 address hold.
fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_private_address_is_seen() {
        for (address, place) in [
            ("93.184.216.34", Place::Public),
            ("2606:2800:220:1:248:1893:25c8:1946", Place::Public),
            ("127.0.0.1", Place::Local),
            ("::1", Place::Local),
            ("10.0.0.1", Place::Local),
            ("169.254.169.254", Place::Local),
            ("168.63.129.16", Place::Local),
            ("fd00:ec2::254", Place::Local),
            ("::ffff:127.0.0.1", Place::Local),
            ("::ffff:0:127.0.0.1", Place::Local),
            ("64:ff9b::127.0.0.1", Place::Local),
            ("64:ff9b:1::7f00:1", Place::Special),
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Place::Special),
            ("2002:7f00:1::", Place::Local),
            ("0.0.0.0", Place::Special),
            ("::", Place::Special),
        ] {
            assert_eq!(Place::of(address.parse().unwrap()), place, "{address}");
        }
    }

    #[test]
    fn metadata_services_and_links_are_told_from_networks() {
        for (address, expected) in [
            ("169.254.169.254", true),
            ("::ffff:169.254.169.254", true),
            ("168.63.129.16", true),
            ("100.100.100.200", true),
            ("fe80::1", true),
            ("fd00:ec2::254", true),
            ("10.0.0.1", false),
            ("127.0.0.1", false),
            ("fd00::1", false),
            ("93.184.216.34", false),
        ] {
            assert_eq!(
                is_of_the_link(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }
}
