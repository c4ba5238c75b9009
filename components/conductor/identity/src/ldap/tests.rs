use super::*;
use serde_json::json;

fn with(changes: Value) -> Map<String, Value> {
    let mut body = json!({ "ldap_server": "ldap://one:389", "ldap_domain": null });
    let body = body.as_object_mut().unwrap();
    body.extend(changes.as_object().cloned().unwrap());
    body.retain(|_, value| *value != "absent");
    body.clone()
}

#[test]
fn settings_are_refused_in_the_documented_order() {
    let levels = "ldap_nested_levels must be a whole number from 1 to 100";
    let server = "ldap_server must specify protocol and should specify port, such as ldap://192.0.2.1:389 or ldaps://192.0.2.1:636";
    let both = "Must supply either both username and password or neither of them";
    for (changes, want) in [
        (
            json!({ "ldap_server": "absent", "ldap_group_dn": "{x}" }),
            "Missing ldap_server in json request body",
        ),
        (
            json!({ "ldap_domain": "absent" }),
            "Missing ldap_domain in json request body",
        ),
        (
            json!({ "ldap_group_dn": "ou={username}", "ldap_nested_levels": "x" }),
            "ldap_group_dn may not hold the placeholder `{username}`. Allowed placeholders are: ['base_dn', 'domain_dn']",
        ),
        (
            json!({ "ldap_user_filter": "uid={username" }),
            "ldap_user_filter has a brace without its counterpart",
        ),
        (
            json!({ "ldap_bind_format": "}{" }),
            "ldap_bind_format has a brace without its counterpart",
        ),
        (
            json!({ "ldap_bind_format": "{username}}" }),
            "ldap_bind_format has a brace without its counterpart",
        ),
        (
            json!({ "ldap_nested_levels": "x", "ldap_is_active_directory": 3 }),
            levels,
        ),
        (json!({ "ldap_nested_levels": 0 }), levels),
        (json!({ "ldap_nested_levels": 1.5 }), levels),
        (
            json!({ "ldap_is_active_directory": "maybe", "ldap_server": "x" }),
            "ldap_is_active_directory must be <true/false>, got maybe",
        ),
        (
            json!({ "ldap_server": "ldaps://one", "ldap_username": "u" }),
            "A CA certificate must be provided to use ldaps.",
        ),
        (
            json!({ "ldap_ca_cert": "-----BEGIN", "ldap_username": "u" }),
            "CA certificate cannot be provided when not using ldaps.",
        ),
        (json!({ "ldap_server": null }), server),
        (json!({ "ldap_server": "one:389" }), server),
        (json!({ "ldap_username": "u" }), both),
        (json!({ "ldap_password": "p" }), both),
        (
            json!({ "ldap_user_filter": "(&(uid={username})" }),
            "ldap_user_filter is not a search filter: `)` is missing before ``",
        ),
        (
            json!({ "ldap_server": "ldaps://one", "ldap_ca_cert": "-----BEGIN" }),
            "ldaps:// is not offered: connections to an LDAP server are not encrypted here. Use ldap:// to a server in a trusted network, or to a proxy beside this one that adds TLS",
        ),
        (
            json!({ "ldap_server": "ldap://one:many" }),
            "ldap_server: `ldap://one:many` is no ldap://host:port",
        ),
        (
            json!({ "ldap_base_dn": 1 }),
            "ldap_base_dn parameter is expected to be of type str but is of type int",
        ),
        (
            json!({ "ldap_base_dn": "x".repeat(1025) }),
            "ldap_base_dn is longer than 1024 characters",
        ),
    ] {
        let refusal = read(&with(changes.clone())).unwrap_err();
        assert_eq!(refusal.message(), want, "{changes}");
    }
}

#[test]
fn null_becomes_empty_and_white_space_goes() {
    let settings = read(&with(json!({
        "ldap_username": "cn=admin", "ldap_password": "p", "ldap_bind_format": "\n{username}\n",
        "ldap_group_member_filter": "'member={object_dn}", "ldap_nested_levels": null,
        "ldap_is_active_directory": "True", "ldap_attribute_uid": null, "unknown": 1,
    })))
    .unwrap();
    for (name, want) in [
        ("ldap_server", json!("ldap://one:389")),
        ("ldap_domain", json!("")),
        ("ldap_dn_extra", json!("")),
        ("ldap_bind_format", json!("{username}")),
        ("ldap_nested_levels", json!(1)),
        ("ldap_is_active_directory", json!(true)),
        ("ldap_attribute_uid", json!("")),
    ] {
        assert_eq!(settings[name], want, "{name}");
    }
    assert!(!settings.contains_key("unknown") && !settings.contains_key("ldap_base_dn"));
}
