//! `/tokens`.

use windlass_tests::{Windlass, json};

#[test]
fn a_token_stands_for_its_user_until_it_is_deleted() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");

    let token = clerk
        .post("/tokens", json!({ "description": "for the pipeline" }))
        .expect(200);
    let value = token["value"]
        .as_str()
        .expect("a new token shows its value");
    assert!(value.starts_with("ctok-"), "{value}");
    let bearer = clerk.with_token(value);
    bearer.get("/blueprints").expect(200);

    let listed = clerk.get("/tokens").expect(200);
    let shown = listed["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|item| item["id"] == token["id"]);
    let shown = shown.unwrap_or_else(|| panic!("the token is listed: {listed}"));
    assert_eq!(shown["value"], "********");
    assert!(
        !shown.to_string().contains(value),
        "a list never shows a secret"
    );

    let id = token["id"].as_str().expect("a token has an id");
    windlass
        .user("other")
        .in_tenant("harbour")
        .get(&format!("/tokens/{id}"))
        .refused(404, "not_found_error");
    clerk.delete(&format!("/tokens/{id}")).expect(204);
    bearer.get("/blueprints").refused(401, "unauthorized_error");
}

#[test]
fn a_made_up_token_opens_nothing() {
    let windlass = Windlass::start();
    for (token, text) in [
        ("nonsense", "User unauthorized: Invalid token structure"),
        (
            "ctok-abcdefghij-0123456789012345678901234567890123456789",
            "User unauthorized: Unauthorized",
        ),
    ] {
        let refusal = windlass.nobody().with_token(token).get("/status");
        assert_eq!(refusal.refused(401, "unauthorized_error"), text, "{token}");
    }
}
