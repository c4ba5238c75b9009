use super::*;
use crate::Identity;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use windlass_core::app::Identity as _;
use windlass_core::context::Identified;
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::platform::OutboundResponse;
use windlass_core::{Family, Request};

/// An application whose directory a test answers for.
struct Application {
    db: NativeDb,
    asked: Rc<Cell<usize>>,
    /// The answer: a status, and a person.
    answer: Rc<RefCell<(u16, Value)>>,
}

impl Application {
    async fn start() -> Self {
        platform::set_variable("admin_password", "the administrator's");
        platform::set_variable("tick_token", "a token");
        let db = NativeDb::in_memory();
        Identity::prepare(&db).await.unwrap();
        let app = Self {
            db,
            asked: Rc::default(),
            answer: Rc::new(RefCell::new((200, Value::Null))),
        };
        app.execute("update config set value = '\"ldap://a\"' where name = 'ldap_server'")
            .await;
        let (asked, answer) = (app.asked.clone(), app.answer.clone());
        platform::set_servers(move |request| {
            assert_eq!(request.url, LOGINS);
            let token = (TICK_TOKEN_HEADER.to_owned(), "a token".to_owned());
            assert!(request.headers.contains(&token));
            asked.set(asked.get() + 1);
            let (status, person) = answer.borrow().clone();
            let body = json!({ "person": person }).to_string().into_bytes();
            Ok(OutboundResponse {
                status,
                body,
                ..OutboundResponse::default()
            })
        });
        app
    }

    async fn execute(&self, sql: &str) {
        self.db.execute(sql, &[]).await.unwrap();
    }

    fn answers(&self, username: &str, groups: &[&str]) {
        *self.answer.borrow_mut() = (200, json!({ "username": username, "groups": groups }));
    }

    fn refuses(&self) {
        *self.answer.borrow_mut() = (200, Value::Null);
    }

    fn is_down(&self) {
        *self.answer.borrow_mut() = (503, Value::Null);
    }

    async fn login(&self, username: &str, password: &str) -> Result<Identified> {
        use base64::Engine as _;
        let text =
            base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
        let request = Request::new(Method::GET, "/api/v3.1/status")
            .header("authorization", &format!("Basic {text}"));
        Identity::authenticate(&self.db, Family::Conductor, &request).await
    }

    async fn refusal(&self, username: &str, password: &str) -> Kind {
        self.login(username, password).await.unwrap_err().kind()
    }

    async fn number(&self, sql: &str) -> i64 {
        let row = self.db.first(sql, &[]).await.unwrap().unwrap();
        row.integer(0).unwrap()
    }
}

#[test]
fn a_user_is_made_at_the_first_login_and_is_in_the_groups_of_the_directory() {
    pollster::block_on(async {
        let app = Application::start().await;
        app.execute(
            "insert into user_groups (id, name, ldap_dn, role, created_at) values
                 (1, 'deck', 'cn=Deck,dc=a', 'default', '2024'),
                 (2, 'crew', 'cn=crew,dc=a', 'sys_admin', '2024'),
                 (3, 'ours', null, 'default', '2024')",
        )
        .await;
        app.execute(
            "insert into tenant_groups (tenant_name, group_id, role)
             values ('default_tenant', 1, 'viewer')",
        )
        .await;
        app.answers("Ann", &["CN=deck, DC=a", "cn=unknown,dc=a"]);
        let found = app.login("ann", "hoist").await.unwrap();
        assert_eq!(found.caller.username, "Ann");
        assert_eq!(found.caller.role, "default");
        let roles = &found.caller.tenants["default_tenant"].roles;
        assert_eq!(*roles, ["viewer"]);
        let no_password = "select count(*) from users where username = 'ann' and password_hash = ''
             and first_login_at is not null";
        assert_eq!(app.number(no_password).await, 1);

        // What the directory takes away is gone at the next login, what is ours stays.
        app.execute("insert into group_users select 3, id from users where username = 'ann'")
            .await;
        app.answers("ann", &["cn=crew,dc=a"]);
        let found = app.login("ANN", "another password").await.unwrap();
        assert_eq!(found.caller.role, "sys_admin");
        assert!(found.caller.tenants.is_empty());
        assert_eq!(app.number("select count(*) from group_users").await, 2);
        let trail = "select count(*) from audit_log where username = 'Ann' or username = 'ann'";
        assert_eq!(app.number(trail).await, 4, "made, in, in, out");
        assert_eq!(app.number("select count(*) from users").await, 2);
    });
}

#[test]
fn a_yes_counts_for_a_while_and_only_under_the_same_settings() {
    pollster::block_on(async {
        let app = Application::start().await;
        app.answers("ann", &[]);
        app.login("ann", "hoist").await.unwrap();
        app.login("ann", "hoist").await.unwrap();
        app.login("ANN", "hoist").await.unwrap();
        assert_eq!(
            app.asked.get(),
            2,
            "a name in other letters is another credential"
        );
        let until = "select count(*) from verified_credentials
             where expires_at > strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+60 seconds')";
        assert_eq!(app.number(until).await, 0);

        app.refuses();
        app.login("ann", "hoist").await.unwrap();
        assert_eq!(app.refusal("ann", "guess").await, Kind::Unauthorized);
        app.execute("update config set updated_at = '2024' where name = 'ldap_server'")
            .await;
        assert_eq!(app.refusal("ann", "hoist").await, Kind::Unauthorized);

        app.answers("ann", &[]);
        app.login("ann", "hoist").await.unwrap();
        app.execute("update verified_credentials set expires_at = '2024'")
            .await;
        app.execute("update identity_version set version = version + 1")
            .await;
        app.refuses();
        assert_eq!(app.refusal("ann", "hoist").await, Kind::Unauthorized);
    });
}

#[test]
fn failures_lock_names_and_a_directory_that_is_down_locks_nobody() {
    pollster::block_on(async {
        let app = Application::start().await;
        app.answers("ann", &[]);
        app.login("ann", "hoist").await.unwrap();

        app.is_down();
        for attempt in 0..10 {
            let password = format!("hoist {attempt}");
            assert_eq!(app.refusal("ann", &password).await, Kind::Unavailable);
        }
        // Who was recognised a moment ago goes on.
        app.login("ann", "hoist").await.unwrap();
        assert_eq!(app.number("select count(*) from failed_logins").await, 0);

        app.refuses();
        for attempt in 0..5 {
            let password = format!("guess {attempt}");
            assert_eq!(app.refusal("ann", &password).await, Kind::Unauthorized);
        }
        app.answers("ann", &[]);
        let asked = app.asked.get();
        assert_eq!(app.refusal("ann", "hoist").await, Kind::Unauthorized);
        assert_eq!(
            app.asked.get(),
            asked,
            "nobody is asked about a locked account"
        );
        app.execute("delete from failed_logins").await;
        app.login("ann", "hoist").await.unwrap();
        // Nor about a name that nobody has here: the directory could lock it.
        app.refuses();
        for _ in 0..5 {
            assert_eq!(app.refusal("eve", "guess").await, Kind::Unauthorized);
        }
        let asked = app.asked.get();
        assert_eq!(app.refusal("EVE", "guess").await, Kind::Unauthorized);
        assert_eq!(app.asked.get(), asked);
        app.answers("ann", &[]);
        app.execute("update users set active = 0 where username = 'ann'")
            .await;
        assert_eq!(app.refusal("ann", "hoist").await, Kind::Unauthorized);
    });
}

#[test]
fn the_first_administrator_needs_no_directory_and_others_have_no_other_password() {
    pollster::block_on(async {
        let app = Application::start().await;
        app.is_down();
        let found = app.login("ADMIN", "the administrator's").await.unwrap();
        assert!(found.caller.is_bootstrap_admin());
        assert_eq!(app.refusal("admin", "guess").await, Kind::Unauthorized);
        assert_eq!(app.asked.get(), 0);

        app.execute(
            "insert into users (username, password_hash, role, created_at)
             select 'bob', password_hash, 'default', created_at from users where id = 0",
        )
        .await;
        app.refuses();
        let own = app.refusal("bob", "the administrator's").await;
        assert_eq!(own, Kind::Unauthorized);
        app.answers("bob", &[]);
        app.login("bob", "heave").await.unwrap();

        app.execute("update config set value = '\"\"' where name = 'ldap_server'")
            .await;
        assert_eq!(app.refusal("bob", "heave").await, Kind::Unauthorized);
        app.login("bob", "the administrator's").await.unwrap();
    });
}

#[test]
fn what_could_be_another_name_is_refused() {
    pollster::block_on(async {
        let app = Application::start().await;
        // The directory takes these for `ann`.
        app.answers("ann", &[]);
        for (username, password) in [("ann ", "hoist"), ("a\u{fb00}", "hoist"), ("ann", "")] {
            let kind = app.refusal(username, password).await;
            assert_eq!(kind, Kind::Unauthorized, "{username:?}");
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        app.answers(&long, &[]);
        assert_eq!(app.refusal(&long, "hoist").await, Kind::Unauthorized);
        assert_eq!(app.number("select count(*) from users").await, 1);
    });
}
