//! Stories of the handlers, on the native database.

mod accounts;
mod groups;
mod roles;
mod tenancies;
mod tokens;

use serde_json::{Value, json};
use windlass_core::app::{self, Identity as _};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::router::Router;
use windlass_core::{Family, Request, Response, params};
use windlass_identity::Identity;

/// An application with an administrator and Ann, who is a user of nothing yet. Both have tokens.
struct Application {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Application {
    async fn start() -> Self {
        let db = NativeDb::in_memory();
        Identity::prepare(&db).await.unwrap();
        let router = Router::new(crate::routes()).unwrap();
        let app = Self { db, router };
        app.token_for("admin").await;
        app.user("ann").await;
        app
    }

    /// A user who logs in with a token. Their password is none.
    async fn user(&self, name: &str) {
        self.db
            .execute(
                "insert into users (username, password_hash, role, created_at)
                 values (?1, '', 'default', '2024')",
                params![name],
            )
            .await
            .unwrap();
        self.token_for(name).await;
    }

    async fn token_for(&self, name: &str) {
        let digest = windlass_core::hashing::digest("secret");
        self.db
            .execute(
                "insert into tokens (id, user_id, secret_hash, created_at)
                 select ?1, id, ?2, '2024' from users where username = ?1",
                params![name, digest],
            )
            .await
            .unwrap();
    }

    /// The answer to a request with these headers.
    async fn send(&self, headers: &[(&str, &str)], call: &str, body: Value) -> Response {
        let (method, path) = call.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::new(method, &format!("/api/v3.1{path}"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if !body.is_null() {
            request.body = body.to_string().into_bytes();
        }
        let (db, id) = (self.db.clone(), "test".to_owned());
        app::handle::<Identity, _>(&self.router, db, Family::Conductor, request, id).await
    }

    /// The JSON that somebody is answered with this status.
    async fn expect(&self, who: &str, call: &str, body: Value, status: u16) -> Value {
        let token = format!("ctok-{who}-secret");
        let response = self
            .send(&[("authentication-token", &token)], call, body)
            .await;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{who} {call}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// As [`Self::expect`], by the administrator.
    async fn admin(&self, call: &str, body: Value, status: u16) -> Value {
        self.expect("admin", call, body, status).await
    }

    /// The status that somebody gets with a password.
    async fn login(&self, name: &str, password: &str) -> u16 {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
        let header = format!("Basic {text}");
        let headers = [("authorization", header.as_str())];
        self.send(&headers, "GET /user", Value::Null).await.status
    }

    /// What the audit trail says was done, oldest first, without tokens.
    async fn trail(&self) -> Vec<String> {
        let rows = self
            .db
            .query(
                "select action || ' ' || target_id || coalesce(' in ' || tenant_name, '') || ' by ' || username
                 from audit_log order by key",
                &[],
            )
            .await
            .unwrap();
        rows.iter()
            .map(|row| row.text(0).unwrap().to_owned())
            .collect()
    }
}
