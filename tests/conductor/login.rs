//! Logging in with a password.

use windlass_tests::{Answer, Caller, Options, Windlass, json};

#[test]
fn five_wrong_passwords_lock_the_account_and_no_other() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let other = windlass.user("other").in_tenant("harbour");
    for _ in 0..4 {
        clerk
            .with_password("wrong")
            .get("/status")
            .refused(401, "unauthorized_error");
    }
    // A good login forgets the bad ones.
    clerk.get("/status").expect(200);
    for _ in 0..5 {
        clerk
            .with_password("wrong")
            .get("/status")
            .refused(401, "unauthorized_error");
    }
    let refusal = clerk.get("/status").refused(401, "unauthorized_error");
    assert!(
        refusal.contains("Wrong credentials or locked account"),
        "{refusal}"
    );
    other.get("/status").expect(200);
    windlass
        .restart()
        .user("clerk")
        .naming_tenant("harbour")
        .get("/status")
        .refused(401, "unauthorized_error");
}

#[test]
fn broken_credentials_are_no_credentials() {
    let windlass = Windlass::start();
    let plain = windlass.nobody().compose("GET", "/status", None, None);
    for header in [
        "Basic",
        "Basic ***",
        "Basic YWRtaW4=",
        "Bearer x",
        "Basic //79",
        "Digest username=admin",
        "",
    ] {
        let mut request = plain.clone();
        request
            .headers
            .push(("authorization".into(), header.into()));
        assert_eq!(windlass.send(&request).status, 401, "{header}");
    }
    // A name that could be anything: it is a value, nowhere a part of a statement.
    windlass
        .user("admin' or '1'='1")
        .get("/status")
        .refused(401, "unauthorized_error");
}

/// A call with a header that a proxy might have set.
fn forwarded(caller: Caller<'_>, address: &str) -> Answer {
    let mut request = caller.compose("GET", "/user", None, None);
    request
        .headers
        .push(("x-forwarded-for".into(), address.into()));
    caller.send(&request)
}

#[test]
fn an_address_that_fails_too_often_waits_whatever_it_says_it_is() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for attempt in 0..21 {
        let guess = forwarded(windlass.user("nobody"), &format!("203.0.113.{attempt}"));
        assert_eq!(guess.status, 401, "attempt {attempt}");
    }
    let refusal = forwarded(windlass.user("nobody"), "203.0.113.99");
    assert_eq!(refusal.status, 429);
    let seconds = refusal
        .header("retry-after")
        .and_then(|text| text.parse().ok());
    assert!(seconds.is_some_and(|seconds: u32| (1..=61).contains(&seconds)));
    // Also with the right password: whether it was right must not be told.
    admin.get("/user").refused(429, "too_many_requests_error");
    windlass
        .nobody()
        .with_token("ctok-abcdefghij-0123456789012345678901234567890123456789")
        .get("/user")
        .refused(429, "too_many_requests_error");
    // Without credentials nothing is verified, so nothing is held up.
    windlass.nobody().get("/ok").expect(200);

    let database = windlass.open_database();
    let past = "update failed_logins set at = '2024-05-06T07:08:09.123Z'";
    database.execute(past, []).expect("the failures are there");
    admin.get("/user").expect(200);
}

#[test]
fn behind_a_trusted_proxy_the_client_that_fails_is_the_one_that_waits() {
    let windlass = Options::default()
        .variable("trust_forwarded_for", "true")
        .start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    for attempt in 0..21 {
        // What the client wrote itself stands before what the proxy added.
        let guess = forwarded(
            windlass.user("nobody"),
            &format!("192.0.2.{attempt}, 203.0.113.9"),
        );
        assert_eq!(guess.status, 401, "attempt {attempt}");
    }
    assert_eq!(forwarded(clerk, "203.0.113.9").status, 429);
    assert_eq!(forwarded(clerk, "203.0.113.10").status, 200);
    assert_eq!(forwarded(clerk, "192.0.2.1").status, 200);
    // Without the header it is the proxy itself that calls.
    clerk.get("/user").expect(200);
}

#[test]
fn what_was_remembered_ends_with_a_new_password_a_lock_and_a_deactivation() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let set_active = |action: &str| {
        admin
            .post("/users/active/clerk", json!({ "action": action }))
            .expect(200);
    };
    clerk.get("/blueprints").expect(200);
    set_active("deactivate");
    clerk.get("/blueprints").refused(401, "unauthorized_error");
    set_active("activate");
    clerk.get("/blueprints").expect(200);

    let changed = clerk.with_password("another one");
    clerk
        .post("/users/clerk", json!({ "password": "another one" }))
        .expect(200);
    clerk.get("/blueprints").refused(401, "unauthorized_error");
    changed.get("/blueprints").expect(200);

    for _ in 0..5 {
        clerk.get("/blueprints").refused(401, "unauthorized_error");
    }
    changed
        .get("/blueprints")
        .refused(401, "unauthorized_error");
    admin.post("/users/unlock/clerk", json!({})).expect(200);
    changed.get("/blueprints").expect(200);

    admin.delete("/users/clerk").expect(204);
    changed
        .get("/blueprints")
        .refused(401, "unauthorized_error");
}

#[test]
fn what_a_group_gives_and_takes_counts_from_the_next_request_on() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    admin.post("/tenants/harbour", json!({})).expect(201);
    let clerk = windlass
        .user("clerk")
        .with_system_role("default")
        .naming_tenant("harbour");
    clerk.get("/blueprints").refused(403, "forbidden_error");
    admin
        .post(
            "/user-groups",
            json!({ "group_name": "deck", "role": "default" }),
        )
        .expect(201);
    let place = json!({ "username": "clerk", "group_name": "deck" });
    admin.put("/user-groups/users", place.clone()).expect(200);
    clerk.get("/blueprints").refused(403, "forbidden_error");

    let in_tenant =
        |role: &str| json!({ "group_name": "deck", "tenant_name": "harbour", "role": role });
    admin
        .put("/tenants/user-groups", in_tenant("viewer"))
        .expect(200);
    clerk.get("/blueprints").expect(200);
    clerk
        .delete("/blueprints/crane")
        .refused(403, "forbidden_error");
    admin
        .patch("/tenants/user-groups", in_tenant("user"))
        .expect(200);
    clerk
        .delete("/blueprints/crane")
        .refused(404, "not_found_error");

    clerk.get("/users").refused(403, "forbidden_error");
    admin
        .post("/user-groups/deck", json!({ "role": "sys_admin" }))
        .expect(200);
    clerk.get("/users").expect(200);
    admin
        .raw(
            "DELETE",
            "/user-groups/users",
            "application/json",
            place.to_string(),
        )
        .expect(204);
    clerk.get("/users").refused(403, "forbidden_error");
    clerk.get("/blueprints").refused(403, "forbidden_error");
}

#[test]
fn the_status_dashboard_takes_a_name_with_a_password() {
    let windlass = Windlass::start();
    // An event without anything in it is refused, but only to who may make one.
    let ask = |caller: Caller<'_>| {
        let json = Some("application/json");
        let mut request = caller.compose("POST", "/status", json, Some(b"{}".into()));
        request.path = "/v2/events".into();
        caller.send(&request).status
    };
    assert_eq!(ask(windlass.admin()), 400);
    assert_eq!(ask(windlass.nobody()), 401);
    let clerk = windlass.user("clerk").in_tenant("harbour");
    assert_ne!(ask(clerk), 401);
    for _ in 0..5 {
        assert_eq!(ask(clerk.with_password("wrong")), 401);
    }
    assert_eq!(ask(clerk), 401, "five failures lock here too");
    clerk.get("/user").refused(401, "unauthorized_error");
}

#[test]
fn strangers_lock_nobody_out() {
    let windlass = Options::default()
        .variable("trust_forwarded_for", "true")
        .start();
    let admin = windlass.admin();
    for _ in 0..6 {
        let guess = forwarded(admin.with_password("guess"), "203.0.113.9");
        assert_eq!(guess.status, 401);
    }
    assert_eq!(forwarded(admin, "203.0.113.9").status, 401);
    assert_eq!(forwarded(admin, "192.0.2.7").status, 200);
    let shown = admin.get("/users/admin").expect(200);
    assert_eq!(shown["is_locked"], true);
    admin.post("/users/unlock/admin", json!({})).expect(200);
    assert_eq!(forwarded(admin, "203.0.113.9").status, 200);
}

#[test]
fn a_refusal_does_not_tell_who_exists() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    clerk.get("/user").expect(200);
    let told = |name: &str| {
        let stranger = windlass.user(name).with_password("guess");
        stranger.get("/user").refused(401, "unauthorized_error")
    };
    assert_eq!(told("CLERK").replace("CLERK", "nobody"), told("nobody"));
}

#[test]
fn whoever_runs_the_application_lets_a_user_in_again() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    admin.get("/user").expect(200);
    for _ in 0..5 {
        let guess = admin.with_password("guess").get("/user");
        guess.refused(401, "unauthorized_error");
    }
    admin.get("/user").refused(401, "unauthorized_error");
    // Both while it is running.
    windlass.host_command(&["unlock", "admin"]);
    admin.get("/user").expect(200);
    let told = windlass.host_command(&["reset-password", "ADMIN"]);
    let (_, password) = told.trim().rsplit_once(' ').expect("it is printed");
    admin.get("/user").refused(401, "unauthorized_error");
    admin.with_password(password).get("/user").expect(200);
}
