//! `/ldap`: the settings of a directory, and what they change. Logging in at a real one is told in
//! `tests/python/test_ldap.py`.

use windlass_tests::{Value, Windlass, json};

/// Settings of a directory that no story reaches: nobody may connect to this port.
fn settings() -> Value {
    json!({ "ldap_server": "ldap://127.0.0.1:1", "ldap_domain": "harbour.example",
        "ldap_base_dn": "dc=harbour,dc=example", "ldap_is_active_directory": false,
        "ldap_username": null, "ldap_password": null })
}

fn with(changes: &Value) -> Value {
    let mut settings = settings();
    for (name, value) in changes.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    settings
}

#[test]
fn settings_are_kept_for_administrators_to_see() {
    let windlass = Windlass::start();
    let admin = windlass.admin().without_tenant();
    assert_eq!(admin.get("/ldap").expect(200), "disabled");
    let shown = admin.post("/ldap", settings()).expect(200);
    assert_eq!(shown["ldap_server"], "ldap://127.0.0.1:1");
    assert_eq!(shown["ldap_username"], "");
    assert!(shown.get("ldap_password").is_none(), "{shown}");
    assert_eq!(admin.get("/ldap").expect(200), "enabled");
    let kept = admin.get("/config/rest.ldap_base_dn").expect(200);
    assert_eq!(kept["value"], "dc=harbour,dc=example");

    admin
        .put("/config/rest.ldap_server", json!({ "value": "" }))
        .expect(200);
    assert_eq!(admin.get("/ldap").expect(200), "disabled");
}

#[test]
fn settings_that_cannot_work_are_refused_and_nothing_is_kept() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for (changes, text) in [
        (
            json!({ "ldap_server": null }),
            "ldap_server must specify protocol",
        ),
        (
            json!({ "ldap_server": "harbour:389" }),
            "ldap_server must specify protocol",
        ),
        (
            json!({ "ldap_server": "ldap://harbour:many" }),
            "is no ldap://host:port",
        ),
        (
            json!({ "ldap_server": "ldaps://harbour" }),
            "A CA certificate must be provided",
        ),
        (
            json!({ "ldap_server": "ldaps://harbour", "ldap_ca_cert": "-----BEGIN" }),
            "ldaps:// is not offered",
        ),
        (
            json!({ "ldap_ca_cert": "-----BEGIN" }),
            "CA certificate cannot be provided",
        ),
        (
            json!({ "ldap_username": "cn=admin" }),
            "Must supply either both username and password",
        ),
        (
            json!({ "ldap_user_filter": "(uid={surname})" }),
            "may not hold the placeholder",
        ),
        (
            json!({ "ldap_user_filter": "(uid={username}" }),
            "is not a search filter",
        ),
        (
            json!({ "ldap_group_member_filter": "member" }),
            "is not a search filter",
        ),
        (
            json!({ "ldap_nested_levels": "deep" }),
            "ldap_nested_levels must be a whole number",
        ),
        (
            json!({ "ldap_is_active_directory": 7 }),
            "ldap_is_active_directory",
        ),
        (
            json!({ "ldap_base_dn": ["dc"] }),
            "ldap_base_dn parameter is expected to be of type str",
        ),
        (
            json!({ "ldap_username": "cn=admin", "ldap_password": "secret" }),
            "Failed setting LDAP: Unable to connect to LDAP Server ldap://127.0.0.1:1",
        ),
    ] {
        let refusal = admin
            .post("/ldap", with(&changes))
            .refused(400, "bad_parameters_error");
        assert!(refusal.contains(text), "{changes}: {refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
    assert_eq!(admin.get("/ldap").expect(200), "disabled");
    let kept = admin.get("/config/rest.ldap_domain").expect(200);
    assert_eq!(kept["value"], "");
}

#[test]
fn only_administrators_set_a_directory() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    clerk
        .post("/ldap", settings())
        .refused(403, "forbidden_error");
    assert_eq!(clerk.get("/ldap").expect(200), "disabled");
    windlass
        .nobody()
        .post("/ldap", settings())
        .refused(401, "unauthorized_error");
    windlass
        .nobody()
        .get("/ldap")
        .refused(401, "unauthorized_error");
    // Where the components ask each other about passwords, not even administrators do.
    let login = json!({ "username": "ann", "password": "hoist away" });
    windlass
        .admin()
        .post("/ldap/logins", login)
        .refused(401, "unauthorized_error");
}

#[test]
fn with_a_directory_that_cannot_be_asked_the_first_administrator_and_tokens_still_get_in() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let token = clerk.own_token();
    let bearer = clerk.with_token(&token);
    admin.post("/ldap", settings()).expect(200);

    for _ in 0..7 {
        clerk
            .get("/blueprints")
            .refused(503, "service_unavailable_error");
    }
    bearer.get("/blueprints").expect(200);
    admin.get("/blueprints").expect(200);
    admin
        .put(
            "/users",
            json!({ "username": "ann", "password": "hoist away" }),
        )
        .refused(405, "method_not_allowed_error");
    admin
        .put("/config/rest.ldap_server", json!({ "value": "" }))
        .expect(200);
    // Nobody was locked meanwhile, and their own password counts again.
    clerk.get("/blueprints").expect(200);
}
