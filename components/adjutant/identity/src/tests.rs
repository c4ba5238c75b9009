//! Stories of the handlers, on the native database.

mod bodies;
mod looking_around;
mod passwords;
mod tokens;

use serde_json::{Value, json};
use windlass_core::app;
use windlass_core::app::Identity as _;
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::router::Router;
use windlass_core::{Family, Request, Response, params, platform};
use windlass_identity::{Families, credentials};

/// The password of everybody but the administrator.
const PASSWORD: &str = "hoist away";

/// An application where Ann manages the harbour and reads in the quay, Bob is in the harbour, and the
/// ferry is a service.
struct Application {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Application {
    async fn start() -> Self {
        let db = NativeDb::in_memory();
        platform::set_variable("admin_password", "first one");
        Families::prepare(&db).await.unwrap();
        let hash = credentials::hash_password(PASSWORD).unwrap();
        let users = "insert into users (id, username, password_hash, role, created_at)
             values (7, 'ann', ?1, 'default', ''), (8, 'bob', ?1, 'default', ''),
                    (9, 'ferry', ?1, 'default', '')";
        db.execute(users, params![hash]).await.unwrap();
        for sql in [
            "insert into tenants (name, created_at) values ('harbour', ''), ('quay', ''), ('services', '')",
            "insert into tenant_users (tenant_name, user_id, role)
             values ('harbour', 7, 'manager'), ('quay', 7, 'viewer'), ('harbour', 8, 'user'),
                    ('services', 9, 'service')",
            "insert into user_groups (id, name, role, created_at) values (3, 'deck', 'default', '')",
            "insert into group_users (group_id, user_id) values (3, 8)",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let router = Router::new(crate::routes()).unwrap();
        Self { db, router }
    }

    /// The answer to a request with these headers.
    async fn send(&self, headers: &[(&str, &str)], call: &str, body: Value) -> Response {
        let (method, path) = call.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::new(method, &format!("/v3{path}"))
            .header("spin-full-url", "http://harbour.example:3000/v3")
            .header("spin-client-addr", "192.0.2.7:1");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if !body.is_null() {
            request.body = body.to_string().into_bytes();
        }
        let (db, id) = (self.db.clone(), "test".to_owned());
        app::handle::<Families, _>(&self.router, db, Family::Keystone, request, id).await
    }

    /// The JSON that the holder of a token is answered with this status.
    async fn expect(&self, token: &str, call: &str, status: u16) -> Value {
        let answer = self
            .send(&[("x-auth-token", token)], call, Value::Null)
            .await;
        read(&answer, call, status)
    }

    /// A token for a password.
    async fn log_in(&self, name: &str, scope: Value) -> String {
        let password = if name == "admin" {
            "first one"
        } else {
            PASSWORD
        };
        let answer = self
            .send(&[], "POST /auth/tokens", login(name, password, scope))
            .await;
        read(&answer, name, 201);
        header(&answer, "x-subject-token").unwrap().to_owned()
    }

    /// The refusal of a request, as a client shows it.
    async fn refused(&self, token: &str, call: &str, status: u16) -> String {
        let told = self.expect(token, call, status).await;
        assert_eq!(told["error"]["code"], status, "{told}");
        told["error"]["message"].as_str().unwrap().to_owned()
    }
}

/// The body of a login by name and password; nothing is said about the scope where it is null.
fn login(name: &str, password: &str, scope: Value) -> Value {
    let user = json!({ "name": name, "password": password, "domain": { "name": "Default" } });
    let mut auth = json!({ "identity": { "methods": ["password"], "password": { "user": user } } });
    if !scope.is_null() {
        auth["scope"] = scope;
    }
    json!({ "auth": auth })
}

fn project(name: &str) -> Value {
    json!({ "project": { "name": name, "domain": { "id": "default" } } })
}

fn read(answer: &Response, what: &str, status: u16) -> Value {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{what}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    let mut headers = answer.headers.iter();
    headers
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.as_str())
}
