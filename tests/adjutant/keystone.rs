//! Keystone v3: `/v3`.

use windlass_tests::{Answer, PASSWORD, Value, Windlass, json};

/// The body of a login by name and password, about a project or about nothing.
fn login(name: &str, project: Option<&str>) -> Value {
    let user = json!({ "name": name, "password": PASSWORD, "domain": { "name": "Default" } });
    let scope = match project {
        Some(name) => json!({ "project": { "name": name, "domain": { "name": "Default" } } }),
        None => json!("unscoped"),
    };
    let identity = json!({ "methods": ["password"], "password": { "user": user } });
    json!({ "auth": { "identity": identity, "scope": scope } })
}

/// Sends a request with the headers of OpenStack's clients.
fn send(
    windlass: &Windlass,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> Answer {
    let nobody = windlass.nobody().without_tenant().at_root();
    let body = body.map(|body| body.to_string().into_bytes());
    let json = body.as_ref().map(|_| "application/json");
    let mut request = nobody.compose(method, path, json, body);
    let headers = [("x-auth-token", token), ("x-subject-token", token)];
    let given = headers.into_iter().filter(|_| !token.is_empty());
    request
        .headers
        .extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
    windlass.send(&request)
}

fn token_of(windlass: &Windlass, body: &Value) -> String {
    let answer = send(windlass, "POST", "/v3/auth/tokens", "", Some(body));
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, 201, "{text}");
    let token = answer.header("x-subject-token");
    token.expect("a login gives a token").to_owned()
}

fn status(windlass: &Windlass, token: &str) -> u16 {
    let statuses = ["/v3/auth/projects", "/v3/auth/tokens"]
        .map(|path| send(windlass, "GET", path, token, None).status);
    assert_eq!(statuses[0], statuses[1]);
    statuses[0]
}

#[test]
fn a_login_lasts_until_its_user_is_shut_out() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let token = token_of(&windlass, &login("clerk", Some("harbour")));
    assert_eq!(status(&windlass, &token), 200);
    // It serves OpenStack's clients, and opens nothing else.
    let refusal = windlass.nobody().with_token(&token).get("/user");
    let refusal = refusal.refused(403, "forbidden_error");
    assert!(refusal.contains("needs a scope of: conductor"), "{refusal}");
    clerk.get("/tokens").expect(200);

    let windlass = windlass.restart();
    assert_eq!(status(&windlass, &token), 200);
    let admin = windlass.admin();
    for action in ["deactivate", "activate"] {
        let body = json!({ "action": action });
        admin.post("/users/active/clerk", body).expect(200);
        assert_eq!(status(&windlass, &token), 401, "{action}");
    }
    let token = token_of(&windlass, &login("clerk", None));
    assert_eq!(status(&windlass, &token), 200);
    let answer = send(&windlass, "DELETE", "/v3/auth/tokens", &token, None);
    assert_eq!(answer.status, 204);
    assert_eq!(status(&windlass, &token), 401);
}

#[test]
fn a_program_logs_in_with_a_token_that_its_user_made() {
    let windlass = Windlass::start();
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let body =
        json!({ "scopes": ["adjutant"], "tenant_name": "harbour", "expiration_date": "+1h" });
    let made = clerk.post("/tokens", body).expect(200);
    let value = made["value"].as_str().expect("a value");
    let (id, secret) = value["ctok-".len()..].split_once('-').expect("two parts");
    let credential = json!({ "id": id, "secret": secret });
    let body = json!({ "auth": { "identity": {
        "methods": ["application_credential"],
        "application_credential": credential,
    } } });
    let token = token_of(&windlass, &body);
    assert_eq!(status(&windlass, &token), 200);
    // With the first one all others go that were made from it.
    let again =
        json!({ "auth": { "identity": { "methods": ["token"], "token": { "id": token } } } });
    let second = token_of(&windlass, &again);
    assert_eq!(status(&windlass, &second), 200);
    clerk.delete(&format!("/tokens/{id}")).expect(204);
    assert_eq!(status(&windlass, &token), 401);
    assert_eq!(status(&windlass, &second), 401);
}

#[test]
fn tokens_that_have_expired_are_removed() {
    let windlass = Windlass::start();
    let _ = windlass.user("clerk").in_tenant("harbour");
    let kept = token_of(&windlass, &login("clerk", Some("harbour")));
    let expired = token_of(&windlass, &login("clerk", Some("harbour")));
    let key = expired.split('-').nth(1).expect("a key");
    let key = i64::from_str_radix(key, 16).expect("sixteen digits");
    let database = windlass.open_database();
    let sql = "update sessions set expires_at = '2024-05-06T07:08:09.123Z' where key = ?1";
    database.execute(sql, [key]).expect("sessions are rows");
    windlass.run_pending_work();
    let left: i64 = database
        .query_row("select count(*) from sessions", [], |row| row.get(0))
        .expect("sessions are rows");
    assert_eq!(left, 1);
    assert_eq!(status(&windlass, &expired), 401);
    assert_eq!(status(&windlass, &kept), 200);
}

#[test]
fn no_token_is_in_the_log() {
    let windlass = Windlass::start();
    let _ = windlass.user("clerk").in_tenant("harbour");
    let token = token_of(&windlass, &login("clerk", Some("harbour")));
    // As a client sends it that takes it for an id.
    let answer = send(
        &windlass,
        "GET",
        &format!("/v3/users/{token}"),
        &token,
        None,
    );
    assert_eq!(answer.status, 403);
    let stopped = windlass.stop();
    let (key, secret) = token["stok-".len()..].split_once('-').expect("two parts");
    let log = stopped.logged;
    assert!(log.contains(key), "who was given what is told: {log}");
    assert!(!log.contains(secret), "{log}");
}

#[test]
fn the_first_page_tells_clients_where_to_log_in() {
    let windlass = Windlass::start();
    let mut request = windlass
        .nobody()
        .without_tenant()
        .at_root()
        .compose("GET", "/", None, None);
    request
        .headers
        .push(("accept".into(), "application/json".into()));
    let answer = windlass.send(&request);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let version = &body["versions"]["values"][0];
    assert_eq!(
        (&version["id"], &version["status"]),
        (&json!("v3.14"), &json!("stable"))
    );
    let href = version["links"][0]["href"].as_str().expect("a link");
    let answer = send(&windlass, "GET", href, "", None);
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let own = format!("http://{}/v3/", windlass.address());
    assert_eq!(body["version"]["links"][0]["href"], own);
}

#[test]
fn guessing_is_held_off_as_everywhere() {
    let windlass = Windlass::start();
    let _ = windlass.user("clerk").in_tenant("harbour");
    let mut guess = login("clerk", None);
    guess["auth"]["identity"]["password"]["user"]["password"] = json!("guess");
    for _ in 0..5 {
        let answer = send(&windlass, "POST", "/v3/auth/tokens", "", Some(&guess));
        assert_eq!(answer.status, 401);
    }
    let right = login("clerk", None);
    let answer = send(&windlass, "POST", "/v3/auth/tokens", "", Some(&right));
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(answer.status, 401);
    let text = "The request you have made requires authentication.";
    assert_eq!(told["error"]["message"], text);
    // It is the same lock as at every other door.
    windlass
        .user("clerk")
        .get("/user")
        .refused(401, "unauthorized_error");
    windlass
        .admin()
        .post("/users/unlock/clerk", json!({}))
        .expect(200);
    token_of(&windlass, &right);
    for number in 0..21 {
        let token = format!("stok-{number:016}-guess");
        let answer = send(&windlass, "GET", "/v3/projects", &token, None);
        assert!([401, 429].contains(&answer.status), "{}", answer.status);
    }
    let answer = send(&windlass, "GET", "/v3/projects", "stok-guess", None);
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").is_some());
    let told: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(told["error"]["title"], "Too Many Requests");
}
