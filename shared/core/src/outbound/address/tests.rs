use super::*;

/// Hosts, and where they are. Each is tried as it stands here, and in the URLs around it.
const HOSTS: &[(&str, Place)] = &[
    // Names and addresses of the internet.
    ("api.example.com", Place::Public),
    ("EXAMPLE.com.", Place::Public),
    ("xn--bcher-kva.example", Place::Public),
    ("internal.example.com", Place::Public),
    ("localhost.example.com", Place::Public),
    ("notlocal", Place::Local),
    ("my-home.example.org", Place::Public),
    ("mylocalhost.com", Place::Public),
    ("93.184.216.34", Place::Public),
    ("8.8.8.8", Place::Public),
    ("11.0.0.1", Place::Public),
    ("172.15.255.255", Place::Public),
    ("172.32.0.0", Place::Public),
    ("100.63.255.255", Place::Public),
    ("100.128.0.0", Place::Public),
    ("169.253.255.255", Place::Public),
    ("168.63.129.15", Place::Public),
    ("198.17.255.255", Place::Public),
    ("198.20.0.0", Place::Public),
    ("223.255.255.255", Place::Public),
    ("[2606:2800:220:1:248:1893:25c8:1946]", Place::Public),
    ("[2001:200::1]", Place::Public),
    ("[2001:4860:4860::8888]", Place::Public),
    // IPv4: loopback, private, link-local, carriers, metadata.
    ("127.0.0.1", Place::Local),
    ("127.255.255.254", Place::Local),
    ("10.0.0.1", Place::Local),
    ("172.16.3.4", Place::Local),
    ("172.31.255.255", Place::Local),
    ("192.168.0.1", Place::Local),
    ("169.254.1.1", Place::Local),
    ("169.254.169.254", Place::Local),
    ("169.254.170.2", Place::Local),
    ("100.64.0.1", Place::Local),
    ("100.100.100.200", Place::Local),
    ("100.127.255.255", Place::Local),
    ("168.63.129.16", Place::Local),
    // IPv4: what no server on the internet has.
    ("0.0.0.0", Place::Special),
    ("0.1.2.3", Place::Special),
    ("192.0.0.192", Place::Special),
    ("192.0.2.1", Place::Special),
    ("198.51.100.7", Place::Special),
    ("203.0.113.9", Place::Special),
    ("192.88.99.1", Place::Special),
    ("198.18.0.1", Place::Special),
    ("198.19.255.255", Place::Special),
    ("224.0.0.1", Place::Special),
    ("239.255.255.250", Place::Special),
    ("240.0.0.1", Place::Special),
    ("255.255.255.255", Place::Special),
    // Other spellings of IPv4.
    ("127.0.0.1.", Place::Local),
    ("127.1", Place::Special),
    ("127.0.1", Place::Special),
    ("2130706433", Place::Special),
    ("2852039166", Place::Special),
    ("0x7f000001", Place::Special),
    ("0X7F000001", Place::Special),
    ("0x7f.1", Place::Special),
    ("0x7f.0x0.0x0.0x1", Place::Special),
    ("127.0.0.0x1", Place::Special),
    ("017700000001", Place::Special),
    ("0177.0.0.1", Place::Special),
    ("127.0.0.01", Place::Special),
    ("1.2.3.4.5", Place::Special),
    ("0", Place::Special),
    ("93.184.216.034", Place::Special),
    ("127%2e0.0.1", Place::Special),
    ("%31%32%37.0.0.1", Place::Special),
    ("127。0。0。1", Place::Special),
    ("①②⑦.0.0.1", Place::Special),
    // IPv6: loopback, unspecified, unique local, link-local, site-local, multicast, metadata.
    ("[::1]", Place::Local),
    ("[0:0:0:0:0:0:0:1]", Place::Local),
    ("[::]", Place::Special),
    ("[fc00::1]", Place::Local),
    ("[fd00:ec2::254]", Place::Local),
    ("[fe80::1]", Place::Local),
    ("[fe80::1%25eth0]", Place::Special),
    ("[fec0::1]", Place::Local),
    ("[ff02::1]", Place::Special),
    // IPv6: documentation, measurements, discarded, not given out, tunnels.
    ("[2001:db8::1]", Place::Special),
    ("[3fff::1]", Place::Special),
    ("[2001:2::1]", Place::Special),
    ("[2001:10::1]", Place::Special),
    ("[100::1]", Place::Special),
    ("[5f00::1]", Place::Special),
    ("[4000::1]", Place::Special),
    ("[2001::1]", Place::Special),
    ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", Place::Special),
    // IPv4 inside IPv6: mapped, compatible, translated, by a gateway, 6to4.
    ("[::ffff:127.0.0.1]", Place::Local),
    ("[::ffff:7f00:1]", Place::Local),
    ("[::ffff:169.254.169.254]", Place::Local),
    ("[::ffff:0.0.0.0]", Place::Special),
    ("[::ffff:8.8.8.8]", Place::Public),
    ("[::127.0.0.1]", Place::Local),
    ("[::8.8.8.8]", Place::Special),
    ("[::ffff:0:127.0.0.1]", Place::Local),
    ("[::ffff:0:8.8.8.8]", Place::Special),
    ("[64:ff9b::10.0.0.1]", Place::Local),
    ("[64:ff9b::8.8.8.8]", Place::Public),
    ("[64:ff9b:1::8.8.8.8]", Place::Special),
    ("[64:ff9b:1:0:0:a:a00:1]", Place::Special),
    ("[2002:7f00:1::]", Place::Local),
    ("[2002:808:808::1]", Place::Public),
    // Names of the operator's network.
    ("localhost", Place::Local),
    ("LOCALHOST..", Place::Local),
    ("a.localhost", Place::Local),
    ("localhost.localdomain", Place::Local),
    ("printer.local", Place::Local),
    ("metadata.google.internal", Place::Local),
    ("nas.home.arpa", Place::Local),
    ("db", Place::Local),
    ("a..example.com", Place::Special),
];

#[test]
fn a_host_is_placed_in_every_spelling() {
    for (host, place) in HOSTS.iter().copied() {
        assert_eq!(place_of(&plain(host)), place, "{host}");
        assert_eq!(is_local(host), place == Place::Local, "{host}");
    }
    for suffix in LOCAL_SUFFIXES {
        let name = format!("Host.{}.", suffix.to_uppercase());
        assert_eq!(place_of(&plain(&name)), Place::Local, "{name}");
    }
}

#[test]
fn only_public_hosts_are_called_unless_the_operator_allows_others() {
    for (host, place) in HOSTS.iter().copied() {
        for url in [
            format!("http://{host}"),
            format!("https://{host}:8443/latest/meta-data?x=http://example.com"),
            format!("HTTP://{host}/%2e%2e#example.com"),
        ] {
            let refusal = check(&url, false).err();
            assert_eq!(
                refusal.is_none(),
                place == Place::Public,
                "{url}: {refusal:?}"
            );
            if url.parse::<Uri>().is_ok() {
                assert_eq!(check(&url, true), Ok(()), "{url}");
            }
        }
    }
}

#[test]
fn some_urls_are_refused_always() {
    for (url, part) in [
        ("ftp://example.com/", "is not an absolute http or https URL"),
        ("file:///etc/passwd", "is not a"),
        (
            "gopher://example.com/",
            "is not an absolute http or https URL",
        ),
        ("/relative", "is not an absolute http or https URL"),
        ("//example.com/", "is not a"),
        ("example.com", "is not an absolute http or https URL"),
        ("http://", "is not a URL"),
        ("http://.../", "names no host"),
        ("http://exa mple.com/", "is not a URL"),
        ("http://example.com\\@10.0.0.1/", "is not a URL"),
        ("http://user:secret@example.com/", "user name or password"),
        ("http://user@example.com/", "user name or password"),
        ("http://example.com@10.0.0.1/", "user name or password"),
        ("http://@example.com/", "user name or password"),
        (
            "http://scheduler.spin.internal/internal/tick",
            "internal name",
        ),
        ("http://Scheduler.SPIN.internal.:80/", "internal name"),
        ("https://spin.internal/", "internal name"),
    ] {
        for allow_private in [false, true] {
            let refusal = check(url, allow_private).unwrap_err();
            assert!(refusal.contains(part), "{url}: {refusal}");
            assert!(!refusal.contains("secret"), "{url}: {refusal}");
        }
    }
    // It only ends like one.
    assert_eq!(check("http://spin.internal.example.com/", false), Ok(()));
}

#[test]
fn private_addresses_are_called_when_the_operator_says_so() {
    pollster::block_on(async {
        for (value, allowed) in [("", false), ("true", true), ("1", true), ("perhaps", false)] {
            crate::platform::set_variable("outbound_allow_private", value);
            let allow_private = allows_private().await;
            let answer = check("http://127.0.0.1:8080/hook", allow_private);
            assert_eq!(answer.is_ok(), allowed, "{value}");
        }
    });
}
