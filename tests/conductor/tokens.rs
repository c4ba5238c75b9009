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

#[test]
fn a_token_for_some_purposes_opens_nothing_else() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let make = |scopes: &[&str]| {
        let token = clerk
            .post("/tokens", json!({ "scopes": scopes }))
            .expect(200);
        token["value"].as_str().expect("a value").to_owned()
    };
    let (conductor, status) = (make(&["conductor"]), make(&["status-dashboard"]));
    let here = clerk.with_token(&conductor);
    here.get("/blueprints").expect(200);
    let refusal = clerk
        .with_token(&status)
        .get("/blueprints")
        .refused(403, "forbidden_error");
    assert!(refusal.contains("needs a scope of: conductor"), "{refusal}");
    // It makes others like itself at most, and is no user who chooses a password.
    here.post("/tokens", json!({ "scopes": ["conductor", "api"] }))
        .refused(403, "forbidden_error");
    here.post("/tokens", json!({})).expect(200);
    here.post("/users/clerk", json!({ "password": "another one" }))
        .refused(403, "forbidden_error");
    for scopes in [
        json!([]),
        json!(["everything"]),
        json!("conductor"),
        json!([1]),
    ] {
        clerk
            .post("/tokens", json!({ "scopes": scopes }))
            .refused(400, "bad_parameters_error");
    }
    // The same for the other family.
    let report = |token: &str| {
        let bearer = ("authorization".to_owned(), format!("Bearer {token}"));
        let json = Some("application/json");
        let mut request = clerk
            .with_token("")
            .compose("POST", "/", json, Some(b"{}".into()));
        request.path = "/api/v1/component_status".into();
        request
            .headers
            .retain(|(name, _)| name != "authentication-token");
        request.headers.push(bearer);
        windlass.send(&request).status
    };
    assert_eq!(report(&conductor), 403);
    assert_ne!(report(&status), 401);
    assert_eq!(report("ctok-abcdefghij-nothing"), 401);
}

#[test]
fn a_token_may_be_a_jwt_and_only_as_it_was_issued() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let body = json!({ "format": "jwt", "expiration_date": "+1h", "description": "a JWT" });
    let token = clerk.post("/tokens", body).expect(200);
    let value = token["value"].as_str().expect("a value");
    assert_eq!(value.split('.').count(), 3, "{value}");
    clerk.with_token(value).get("/blueprints").expect(200);
    let (signed, signature) = value.rsplit_once('.').expect("a signature");
    for forged in [
        format!("{signed}."),
        format!("{signed}.{}", signature.chars().rev().collect::<String>()),
        format!("{value}x"),
    ] {
        clerk
            .with_token(&forged)
            .get("/blueprints")
            .refused(401, "unauthorized_error");
    }
    let id = token["id"].as_str().expect("an id");
    let shown = clerk.get(&format!("/tokens/{id}")).expect(200);
    assert_eq!(shown["value"], "********");
    clerk.delete(&format!("/tokens/{id}")).expect(204);
    clerk
        .with_token(value)
        .get("/blueprints")
        .refused(401, "unauthorized_error");
    clerk
        .post("/tokens", json!({ "format": "paper" }))
        .refused(400, "bad_parameters_error");
}

#[test]
fn a_token_ends_when_it_says() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    for format in ["opaque", "jwt"] {
        let body = json!({ "format": format, "expiration_date": "+1h" });
        let token = clerk.post("/tokens", body).expect(200);
        let value = token["value"].as_str().expect("a value");
        let bearer = clerk.with_token(value);
        bearer.get("/blueprints").expect(200);
        // An hour goes by.
        let past = "update tokens set expiration_date = '2024-05-06T07:08:09.123Z'";
        let database = windlass.open_database();
        database.execute(past, []).expect("the token is there");
        let refusal = bearer.get("/blueprints").refused(401, "unauthorized_error");
        assert_eq!(refusal, "User unauthorized: Token is expired", "{format}");
    }
    for date in ["2020-01-01 10:00", "+0h", "tomorrow", "+1 parsec"] {
        clerk
            .post("/tokens", json!({ "expiration_date": date }))
            .refused(400, "bad_parameters_error");
    }
}
