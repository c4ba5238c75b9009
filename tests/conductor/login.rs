//! Logging in with a password.

use windlass_tests::Windlass;

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
