//! What a token may make of itself, and what it may take away.

use super::*;
use windlass_core::Timestamp;

impl Application {
    /// A token of Ann's with this row, made by her password.
    async fn token(&self, id: &str, end: Option<Timestamp>, scopes: Option<&str>) -> String {
        self.db
            .execute(
                "insert into tokens (id, user_id, secret_hash, created_at, expiration_date, scopes)
                 select ?1, id, ?2, '2024', ?3, ?4 from users where username = 'ann'",
                params![id, windlass_core::hashing::digest("secret"), end, scopes],
            )
            .await
            .unwrap();
        format!("ctok-{id}-secret")
    }

    async fn count(&self, sql: &str) -> i64 {
        let row = self.db.first(sql, &[]).await.unwrap();
        row.unwrap().integer(0).unwrap()
    }

    /// The status and the JSON that the holder of a token is answered.
    async fn by_token(&self, value: &str, call: &str, body: Value) -> (u16, Value) {
        let headers = [("authentication-token", value)];
        let response = self.send(&headers, call, body).await;
        let json = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status, json)
    }
}

#[test]
fn a_token_makes_none_that_outlives_it() {
    pollster::block_on(async {
        let app = Application::start().await;
        let end = Timestamp::now().plus_seconds(3600);
        let ending = app.token("ending0000", Some(end), None).await;
        let whole_second = Timestamp::from_millis(end.millis() / 1000 * 1000);
        for (body, want) in [
            (json!({}), end),
            (json!({ "expiration_date": "+2h" }), end),
            (json!({ "expiration_date": "2999-01-01" }), end),
            (json!({ "format": "jwt" }), whole_second),
            (
                json!({ "format": "jwt", "expiration_date": "+40d" }),
                whole_second,
            ),
        ] {
            let (status, made) = app.by_token(&ending, "POST /tokens", body.clone()).await;
            assert_eq!(
                (status, &made["expiration_date"]),
                (200, &json!(want)),
                "{body}"
            );
        }
        let body = json!({ "expiration_date": "+10 min" });
        let (_, made) = app.by_token(&ending, "POST /tokens", body).await;
        assert!(made["expiration_date"].as_str() < Some(json!(end).as_str().unwrap()));
        // One of a token's own makes another, and so on: the end stays the same.
        let child = made["value"].as_str().unwrap().to_owned();
        let (_, grandchild) = app.by_token(&child, "POST /tokens", json!({})).await;
        assert_eq!(grandchild["expiration_date"], made["expiration_date"]);
        // Who has no end gives none.
        let endless = app.token("endless000", None, None).await;
        let (_, made) = app.by_token(&endless, "POST /tokens", json!({})).await;
        assert_eq!(made["expiration_date"], Value::Null);
    });
}

#[test]
fn what_a_token_made_goes_with_it() {
    pollster::block_on(async {
        let app = Application::start().await;
        let stolen = app.token("stolen0000", None, None).await;
        let (_, made) = app.by_token(&stolen, "POST /tokens", json!({})).await;
        let child = made["value"].as_str().unwrap().to_owned();
        let (_, made) = app.by_token(&child, "POST /tokens", json!({})).await;
        let grandchild = made["value"].as_str().unwrap().to_owned();
        assert_eq!(
            app.by_token(&grandchild, "GET /user", Value::Null).await.0,
            200
        );
        app.expect("ann", "DELETE /tokens/stolen0000", Value::Null, 204)
            .await;
        for value in [&stolen, &child, &grandchild] {
            assert_eq!(app.by_token(value, "GET /user", Value::Null).await.0, 401);
        }
        let sql = "select count(*) from audit_log where action = 'delete_token'";
        assert_eq!(app.count(sql).await, 3, "each of them is in the trail");
    });
}

#[test]
fn a_token_is_handed_out_itself_where_a_password_is_handed_a_new_one() {
    pollster::block_on(async {
        let app = Application::start().await;
        let ending = app
            .token("ending0000", Some(Timestamp::now().plus_seconds(60)), None)
            .await;
        let scoped = app.token("scoped0000", None, Some("[\"conductor\"]")).await;
        for value in [&ending, &scoped] {
            let (status, list) = app.by_token(value, "GET /tokens", Value::Null).await;
            assert_eq!((status, &list["value"]), (200, &json!(value)));
        }
        let sql = "select count(*) from tokens where is_implicit = 1";
        assert_eq!(
            app.count(sql).await,
            0,
            "one for ten hours would outlive the first"
        );
    });
}

#[test]
fn a_token_with_scopes_deletes_only_itself() {
    pollster::block_on(async {
        let app = Application::start().await;
        let scoped = app.token("scoped0000", None, Some("[\"conductor\"]")).await;
        app.token("other00000", None, Some("[\"conductor\"]")).await;
        let (_, made) = app.by_token(&scoped, "POST /tokens", json!({})).await;
        let child = made["id"].as_str().unwrap();
        for id in ["ann", "other00000", child] {
            let call = format!("DELETE /tokens/{id}");
            let (status, refusal) = app.by_token(&scoped, &call, Value::Null).await;
            assert_eq!(status, 403, "{refusal}");
            assert_eq!(
                refusal["message"],
                "A token with scopes deletes only itself"
            );
        }
        // Somebody else's is not there, whatever the scopes.
        let (status, _) = app
            .by_token(&scoped, "DELETE /tokens/admin", Value::Null)
            .await;
        assert_eq!(status, 404);
        let call = "DELETE /tokens/scoped0000";
        assert_eq!(app.by_token(&scoped, call, Value::Null).await.0, 204);
        assert_eq!(app.by_token(&scoped, call, Value::Null).await.0, 401);
        // A token for everything is its user.
        app.expect("ann", "DELETE /tokens/other00000", Value::Null, 204)
            .await;
    });
}

#[test]
fn a_token_that_ends_chooses_no_password_that_would_not() {
    pollster::block_on(async {
        let app = Application::start().await;
        let end = Timestamp::now().plus_seconds(60);
        let ending = app.token("ending0000", Some(end), None).await;
        let body = json!({ "password": "mine for ever" });
        let (status, _) = app.by_token(&ending, "POST /users/ann", body.clone()).await;
        assert_eq!(status, 403);
        app.expect("ann", "POST /users/ann", body, 200).await;
    });
}

#[test]
fn a_token_may_what_its_user_may_now() {
    pollster::block_on(async {
        let app = Application::start().await;
        let group = json!({ "group_name": "crew", "role": "sys_admin" });
        app.admin("POST /user-groups", group, 201).await;
        let place = json!({ "username": "ann", "group_name": "crew" });
        app.admin("PUT /user-groups/users", place.clone(), 200)
            .await;
        let made = app.expect("ann", "POST /tokens", json!({}), 200).await;
        assert_eq!(made["role"], "default", "as the list shows it: Ann's own");
        let value = made["value"].as_str().unwrap().to_owned();
        assert_eq!(app.by_token(&value, "GET /users", Value::Null).await.0, 200);
        app.admin("DELETE /user-groups/users", place, 204).await;
        assert_eq!(app.by_token(&value, "GET /users", Value::Null).await.0, 403);
    });
}
