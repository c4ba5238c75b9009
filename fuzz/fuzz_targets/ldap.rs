//! A filter of a directory with any name in its place: the name is a value and changes nothing else.
#![no_main]
#![allow(dead_code, reason = "the component uses all of it")]

use ldap3_proto::proto::LdapFilter;
use libfuzzer_sys::fuzz_target;
use windlass_identity::ldap::dn;

#[path = "../../components/conductor/identity/src/directory/filter.rs"]
mod filter;

/// How a filter is built, whatever its values are.
fn shape(filter: &LdapFilter) -> String {
    match filter {
        LdapFilter::And(all) => format!("&{:?}", all.iter().map(shape).collect::<Vec<_>>()),
        LdapFilter::Or(all) => format!("|{:?}", all.iter().map(shape).collect::<Vec<_>>()),
        LdapFilter::Not(one) => format!("!{}", shape(one)),
        LdapFilter::Equality(name, _) => format!("{name}="),
        LdapFilter::Present(name) => format!("{name}=*"),
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}

fuzz_target!(|input: &str| {
    let (text, name) = input.split_once('\0').unwrap_or((input, input));
    // Nobody logs in without a name.
    if name.is_empty() {
        return;
    }
    if let Ok(plain) = filter::read(text, &[("username", "ann")]) {
        let named = filter::read(text, &[("username", name)]).expect("the same text");
        assert_eq!(shape(&plain), shape(&named), "{text} with {name:?}");
    }
    // A name that is put into another one is a value there.
    let place = format!("cn={},dc=example", dn::escape(name));
    assert!(dn::same(&place, &place), "{place}");
});
