//! Logging in at a directory that answers as it is told to.

use super::client::Failure;
use super::{Directory, Person};
use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindResponse, LdapFilter, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult,
    LdapResultCode, LdapSearchResultEntry,
};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use tokio_util::codec::{Decoder as _, Encoder as _};
use windlass_identity::ldap::Settings;

/// An entry of the directory: its name, its password, its attributes.
type Entry = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const ENTRIES: &[Entry] = &[
    ("cn=lookup,dc=a", "look", &[("cn", "lookup")]),
    (
        "uid=ann,ou=users,dc=a",
        "hoist",
        &[("uid", "Ann"), ("uid", "ann2")],
    ),
    (
        "uid=bob,ou=users,dc=a",
        "heave",
        &[("uid", "bob"), ("memberOf", "cn=deck,ou=groups,dc=a")],
    ),
    ("uid=c\\, d,ou=users,dc=a", "haul", &[("uid", "c, d")]),
    (
        "cn=deck,ou=groups,dc=a",
        "",
        &[
            ("uniqueMember", "uid=ann,ou=users,dc=a"),
            ("memberOf", "cn=crew,ou=groups,dc=a"),
        ],
    ),
    (
        "cn=crew,ou=groups,dc=a",
        "",
        &[
            ("uniqueMember", "cn=deck,ou=groups,dc=a"),
            ("uniqueMember", "cn=crew,ou=groups,dc=a"),
        ],
    ),
];

/// Serves the entries to one connection after the other; where.
fn directory() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    port
}

fn serve(mut stream: TcpStream) {
    let mut codec = LdapCodec::default();
    let mut received = BytesMut::new();
    let mut who: Option<&Entry> = None;
    loop {
        while let Some(message) = codec.decode(&mut received).unwrap() {
            let mut answers = Vec::new();
            match message.op {
                LdapOp::BindRequest(bind) => {
                    let LdapBindCred::Simple(password) = bind.cred else {
                        panic!("a simple bind was expected")
                    };
                    who = ENTRIES
                        .iter()
                        .find(|(name, own, _)| *name == bind.dn && *own == password);
                    answers.push(LdapOp::BindResponse(LdapBindResponse {
                        res: result(match who {
                            Some(_) => LdapResultCode::Success,
                            None => LdapResultCode::InvalidCredentials,
                        }),
                        saslcreds: None,
                    }));
                }
                LdapOp::SearchRequest(search) => {
                    assert!(who.is_some(), "somebody is logged in");
                    for (name, _, attributes) in ENTRIES {
                        let is_there = match search.scope {
                            ldap3_proto::proto::LdapSearchScope::Base => *name == search.base,
                            _ => name.ends_with(search.base.as_str()),
                        };
                        if !is_there || !passes(&search.filter, attributes) {
                            continue;
                        }
                        let wanted = attributes
                            .iter()
                            .filter(|(name, _)| search.attrs.iter().any(|attr| attr == name));
                        let mut values: Vec<LdapPartialAttribute> = Vec::new();
                        for (name, value) in wanted {
                            let value = value.as_bytes().to_vec();
                            match values.iter_mut().find(|known| known.atype == *name) {
                                Some(known) => known.vals.push(value),
                                None => values.push(LdapPartialAttribute {
                                    atype: (*name).to_owned(),
                                    vals: vec![value],
                                }),
                            }
                        }
                        answers.push(LdapOp::SearchResultEntry(LdapSearchResultEntry {
                            dn: (*name).to_owned(),
                            attributes: values,
                        }));
                    }
                    answers.push(LdapOp::SearchResultDone(result(LdapResultCode::Success)));
                }
                LdapOp::UnbindRequest => return,
                other => panic!("nobody asks {other:?}"),
            }
            let mut bytes = BytesMut::new();
            for op in answers {
                codec
                    .encode(LdapMsg::new(message.msgid, op), &mut bytes)
                    .unwrap();
            }
            // In pieces: an answer need not arrive at once.
            for piece in bytes.chunks(7) {
                stream.write_all(piece).unwrap();
            }
        }
        let mut buffer = [0; 512];
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(length) => received.extend_from_slice(&buffer[..length]),
        }
    }
}

fn result(code: LdapResultCode) -> LdapResult {
    LdapResult {
        code,
        matcheddn: String::new(),
        message: String::new(),
        referral: Vec::new(),
    }
}

fn passes(filter: &LdapFilter, attributes: &[(&str, &str)]) -> bool {
    match filter {
        LdapFilter::Or(filters) => filters.iter().any(|filter| passes(filter, attributes)),
        LdapFilter::Present(_) => true,
        LdapFilter::Equality(name, value) => attributes.iter().any(|(known, own)| {
            known.eq_ignore_ascii_case(name) && own.trim().eq_ignore_ascii_case(value.trim())
        }),
        other => panic!("nobody searches for {other:?}"),
    }
}

fn settings(port: u16) -> Settings {
    Settings {
        ldap_server: format!("ldap://127.0.0.1:{port}"),
        ldap_domain: "a".into(),
        ..Settings::default()
    }
}

fn login(
    settings: &Settings,
    username: &str,
    password: &str,
) -> Result<Option<(String, Vec<String>)>, Failure> {
    let person = pollster::block_on(Directory::new(settings, "look").login(username, password))?;
    Ok(person.map(|Person { username, groups }| (username, groups)))
}

#[test]
fn a_login_tells_the_name_and_the_groups() {
    let usual = settings(directory());
    let with_lookups = Settings {
        ldap_username: "cn=lookup,dc=a".into(),
        ..usual.clone()
    };
    let bare = Settings {
        ldap_bind_format: "{username}".into(),
        ..with_lookups.clone()
    };
    let nested = Settings {
        ldap_nested_levels: 5,
        ..usual.clone()
    };
    let deck = "cn=deck,ou=groups,dc=a";
    let crew = "cn=crew,ou=groups,dc=a";
    for (settings, username, password, want) in [
        (&usual, "ann", "hoist", Some(("Ann", vec![deck]))),
        (&usual, "ann", "heave", None),
        (&usual, "ann", "", None),
        (&usual, "", "hoist", None),
        (&usual, "bob", "heave", Some(("bob", vec![deck]))),
        (&usual, "c, d", "haul", Some(("c, d", vec![]))),
        (&usual, "*", "hoist", None),
        (&usual, "ann,ou=users,dc=a", "hoist", None),
        (&with_lookups, "ann", "hoist", Some(("Ann", vec![deck]))),
        (&with_lookups, "ann", "look", None),
        (&bare, "ann", "hoist", Some(("Ann", vec![deck]))),
        (&bare, "ann2", "hoist", Some(("ann2", vec![deck]))),
        // To the directory it is the same name; here somebody else could have it.
        (&bare, "ann ", "hoist", None),
        (&bare, "nobody", "hoist", None),
        (&bare, "*", "hoist", None),
        (&nested, "ann", "hoist", Some(("Ann", vec![crew, deck]))),
        (&nested, "bob", "heave", Some(("bob", vec![crew, deck]))),
    ] {
        let want = want.map(|(name, groups)| {
            let groups = groups.into_iter().map(str::to_owned).collect();
            (name.to_owned(), groups)
        });
        let got = login(settings, username, password).unwrap();
        assert_eq!(got, want, "{username} {password} at {settings:?}");
    }
}

#[test]
fn what_is_wrong_with_the_directory_is_no_refusal() {
    let usual = settings(directory());
    let wrong_account = Settings {
        ldap_username: "cn=nobody,dc=a".into(),
        ..usual.clone()
    };
    let wrong_filter = Settings {
        ldap_user_filter: "(objectClass=*)".into(),
        ldap_base_dn: "ou=users,dc=a".into(),
        ldap_bind_format: "uid={username},ou=users,dc=a".into(),
        ..usual.clone()
    };
    let gone = settings({
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    });
    for (settings, is_reachable) in [
        (&wrong_account, true),
        (&wrong_filter, true),
        (&gone, false),
    ] {
        let failure = login(settings, "ann", "hoist").unwrap_err();
        let was_reached = matches!(failure, Failure::Settings(_));
        assert_eq!(was_reached, is_reachable, "{failure}");
    }
    let takes =
        |settings: &Settings| pollster::block_on(Directory::new(settings, "look").takes_lookups());
    assert_eq!(takes(&wrong_account), Ok(false));
    assert!(takes(&gone).is_err());
}
