//! Another password.

use super::*;

#[test]
fn another_password_takes_the_one_of_now_and_ends_all_tokens() {
    pollster::block_on(async {
        let app = Application::start().await;
        let token = app.log_in("ann", Value::Null).await;
        let change = async |id: &str, original: &str, new: &str| {
            let body = json!({ "user": { "original_password": original, "password": new } });
            app.send(&[], &format!("POST /users/{id}/password"), body)
                .await
        };
        let told = read(&change("7", "guess", "let it down").await, "a guess", 401);
        let text = "The request you have made requires authentication.";
        assert_eq!(told["error"]["message"], text);
        read(&change("70", PASSWORD, "let it down").await, "nobody", 401);
        read(&change("ann", PASSWORD, "let it down").await, "a name", 401);
        let told = read(&change("7", PASSWORD, "four").await, "too short", 400);
        assert_eq!(
            told["error"]["message"],
            "Invalid input for field 'user/password': The password must have 5 to 256 characters"
        );
        app.expect(&token, "GET /auth/catalog", 200).await;
        read(&change("7", PASSWORD, "let it down").await, "a change", 204);
        app.expect(&token, "GET /auth/catalog", 401).await;
        let old = app
            .send(
                &[],
                "POST /auth/tokens",
                login("ann", PASSWORD, Value::Null),
            )
            .await;
        read(&old, "the old one", 401);
        let new = app
            .send(
                &[],
                "POST /auth/tokens",
                login("ann", "let it down", Value::Null),
            )
            .await;
        read(&new, "the new one", 201);
        let sql = "select json_quote(username || ' ' || action || ' ' || target_id) from audit_log
            order by key desc";
        let told: Option<String> = app.db.first_json(sql, &[]).await.unwrap();
        assert_eq!(told.unwrap(), "ann user_update ann");
    });
}

#[test]
fn passwords_of_a_directory_are_not_changed_here() {
    pollster::block_on(async {
        let app = Application::start().await;
        let sql = "update config set value = '\"ldap://192.0.2.1\"' where name = 'ldap_server'";
        app.db.execute(sql, &[]).await.unwrap();
        let body =
            json!({ "user": { "original_password": "first one", "password": "another one" } });
        let answer = app.send(&[], "POST /users/0/password", body).await;
        read(&answer, "the first administrator is kept here", 204);
    });
}
