//! A host that dies in the middle of a task: each step is there as a whole or not at all.

use windlass_tests::{Value, Windlass, json};

/// The administrator's newest task.
fn task(windlass: &Windlass, token: &str) -> Value {
    let admin = windlass.passer_by().with_bearer(token);
    admin.get("/v1/tasks").expect(200)["tasks"][0].clone()
}

/// Posts JSON to a host that may die over it.
fn post(windlass: &Windlass, token: Option<&str>, path: &str, body: &Value) -> Option<u16> {
    let caller = match token {
        Some(token) => windlass.passer_by().with_bearer(token),
        None => windlass.passer_by(),
    };
    let body = body.to_string().into_bytes();
    let request = caller.compose("POST", path, Some("application/json"), Some(body));
    windlass.try_send(&request).ok().map(|answer| answer.status)
}

fn number(windlass: &Windlass, sql: &str) -> i64 {
    let database = windlass.open_database();
    database
        .query_row(sql, [], |row| row.get(0))
        .expect("a number")
}

const PIER: &str = "select count(*) from tenants where name = 'pier'";
const BOB: &str = "select count(*) from users u join tenant_users m on m.user_id = u.id
    where u.username = 'bob@example.com' and m.tenant_name = 'pier' and m.role = 'manager'";

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_task_whose_host_is_killed_at_any_commit_ends_well() {
    for commit in 1..=3 {
        for fault in [
            format!("kill-before-commit:{commit}"),
            format!("kill-after-commit:{commit}"),
        ] {
            let windlass = Windlass::start();
            let admin = windlass.admin().own_token();
            windlass
                .passer_by()
                .with_bearer(&admin)
                .get("/v1/status")
                .expect(200);
            let windlass = windlass.kill().start_with(&fault);
            let body = json!({ "email": "bob@example.com", "project_name": "pier" });
            post(&windlass, None, "/v1/openstack/sign-up", &body);
            let windlass = windlass.kill().start();
            // Again, in case it did not get that far; else it is a duplicate.
            let again = post(&windlass, None, "/v1/openstack/sign-up", &body);
            assert!(matches!(again, Some(202 | 409)), "{fault}: {again:?}");
            assert_eq!(
                number(&windlass, "select count(*) from adjutant_tasks"),
                1,
                "{fault}"
            );

            let id = task(&windlass, &admin)["uuid"]
                .as_str()
                .expect("an id")
                .to_owned();
            let path = format!("/v1/tasks/{id}");
            let windlass = windlass.kill().start_with(&fault);
            post(&windlass, Some(&admin), &path, &json!({ "approved": true }));
            let windlass = windlass.kill().start();
            let approved = task(&windlass, &admin)["approved"] == true;
            for sql in [PIER, BOB, "select count(*) from adjutant_tokens"] {
                assert_eq!(
                    number(&windlass, sql),
                    i64::from(approved),
                    "{fault}: {sql}"
                );
            }
            let again = post(&windlass, Some(&admin), &path, &json!({ "approved": true }));
            assert_eq!(again, Some(200), "{fault}");
            assert_eq!(
                (number(&windlass, PIER), number(&windlass, BOB)),
                (1, 1),
                "{fault}"
            );

            let tokens = windlass
                .passer_by()
                .with_bearer(&admin)
                .get("/v1/tokens")
                .expect(200);
            let token = tokens["tokens"][0]["token"].as_str().expect("a token");
            let path = format!("/v1/tokens/{token}");
            let password = json!({ "password": "correct horse" });
            let windlass = windlass.kill().start_with(&fault);
            post(&windlass, None, &path, &password);
            let windlass = windlass.kill().start();
            let done = task(&windlass, &admin)["completed"] == true;
            let again = post(&windlass, None, &path, &password);
            assert_eq!(again, Some(if done { 404 } else { 200 }), "{fault}");
            let bob = windlass
                .user("bob@example.com")
                .with_password("correct horse");
            bob.naming_tenant("pier").get("/blueprints").expect(200);
        }
    }
}
