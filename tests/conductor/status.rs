//! `/status`, `/version`, `/ok`, and what nobody serves.

use windlass_tests::Windlass;

#[test]
fn the_version_is_the_one_that_clients_expect() {
    let windlass = Windlass::start();
    for path in ["/version", "/api/version"] {
        let version = windlass.admin().get(path).expect(200);
        assert_eq!(version["version"], "7.0.5", "{path}");
    }
    assert_eq!(windlass.admin().get("/status").expect(200)["status"], "OK");
}

#[test]
fn a_client_of_the_premium_edition_learns_that_no_license_is_needed() {
    let windlass = Windlass::start();
    let version = windlass.admin().get("/version").expect(200);
    assert_eq!(version["edition"], "premium");
    let user = windlass.user("ann").in_tenant("harbour");
    assert_eq!(user.get("/license-check").expect(200), "OK");
    let licenses = user.get("/license").expect(200);
    assert_eq!(licenses["items"], serde_json::json!([]));
    assert_eq!(licenses["metadata"]["pagination"]["total"], 0);
    user.get("/license?_size=x")
        .refused(400, "bad_parameters_error");
}

#[test]
fn a_license_is_kept_as_its_file_says_and_changes_nothing() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let user = windlass.user("ann").in_tenant("harbour");
    let file = "license:\n  customer_id: Harbour\n  expiration_date: 11/24/2018\n  \
                license_edition: Spire\n  trial: true\n  cloudify_version: 7.0.5\n  \
                capabilities: [HA]\nsignature: !!binary |\n  aGFyYm91cg==\n";
    let upload = |text: &str| admin.raw("PUT", "/license", "application/json", text);
    let expected = serde_json::json!({
        "customer_id": "Harbour", "expiration_date": "2018-11-24T00:00:00.000Z",
        "license_edition": "Spire", "trial": true, "cloudify_version": "7.0.5",
        "capabilities": ["HA"], "expired": true,
    });
    assert_eq!(upload(file).expect(200), expected);
    upload("license: [").refused(400, "invalid_yaml_format");
    upload("license: {}").refused(400, "unverified_cloudify_license");
    let licenses = user.get("/license").expect(200);
    assert_eq!(licenses["items"], serde_json::json!([expected]));
    assert_eq!(licenses["metadata"]["pagination"]["total"], 1);
    let behind = user.get("/license?_offset=1").expect(200);
    assert_eq!(behind["items"], serde_json::json!([]));
    assert_eq!(user.get("/license-check").expect(200), "OK");
    assert_eq!(user.get("/version").expect(200)["edition"], "premium");

    user.delete("/license").refused(403, "forbidden_error");
    for _ in 0..2 {
        admin.delete("/license").expect_answer(204);
    }
    assert_eq!(
        user.get("/license").expect(200)["items"],
        serde_json::json!([])
    );
}

#[test]
fn everything_but_ok_wants_a_login() {
    let windlass = Windlass::start();
    windlass.nobody().get("/ok").expect_answer(200);
    for path in [
        "/status",
        "/version",
        "/blueprints",
        "/deployments/x",
        "/executions",
        "/events",
        "/tokens",
    ] {
        let reply = windlass.nobody().get(path);
        assert_eq!(
            reply.refused(401, "unauthorized_error"),
            "User unauthorized: No authentication info provided",
            "{path}"
        );
        let reply = windlass.admin().with_password("wrong").get(path);
        assert!(
            reply
                .refused(401, "unauthorized_error")
                .contains("Wrong credentials"),
            "{path}"
        );
    }
}

#[test]
fn an_unknown_url_is_a_404_and_a_wrong_method_a_405_in_the_familys_envelope() {
    let windlass = Windlass::start();
    windlass
        .admin()
        .get("/no-such-thing")
        .refused(404, "not_found_error");
    windlass
        .admin()
        .get("/api/v9/blueprints")
        .refused(404, "not_found_error");
    windlass
        .admin()
        .delete("/status")
        .refused(405, "method_not_allowed_error");
}

#[test]
fn a_tenant_is_asked_for_only_where_it_matters() {
    let windlass = Windlass::start();
    windlass.admin().without_tenant().get("/status").expect(200);
    let refusal = windlass.admin().without_tenant().get("/blueprints");
    let text = refusal.refused(403, "forbidden_error");
    assert_eq!(text, "Authorization failed: tenant not provided");
    let refusal = windlass
        .admin()
        .naming_tenant("atlantis")
        .get("/blueprints");
    let text = refusal.refused(403, "forbidden_error");
    assert_eq!(
        text,
        "Authorization failed: Tried to authenticate with invalid tenant name: atlantis"
    );
}

#[test]
fn a_page_that_does_not_exist_is_a_page_for_browsers_and_json_for_programs() {
    let windlass = Windlass::start();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/no-such-page", "/api/v3.1/no-such-thing"] {
        for (accept, is_page) in [(browser, true), ("*/*", false)] {
            let mut request = windlass.nobody().at_root().compose("GET", path, None, None);
            request.headers.push(("accept".into(), accept.into()));
            let answer = windlass.nobody().send(&request);
            let text = String::from_utf8_lossy(&answer.body);
            assert_eq!(answer.status, 404, "{path} {accept}");
            assert_eq!(text.contains("<h1>"), is_page, "{path} {accept}: {text}");
        }
    }
}
