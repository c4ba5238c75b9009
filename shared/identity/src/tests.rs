use super::*;
use windlass_core::app::Identity as _;
use windlass_core::db::{NativeDb, NativeTransaction};
use windlass_core::http::Method;
use windlass_core::platform::kv;
use windlass_core::{Kind, hashing};

mod inherited;

async fn fresh() -> (NativeDb, String) {
    let db = NativeDb::in_memory();
    // Each test has a thread, and so a key-value store, of its own.
    Identity::prepare(&db).await.unwrap();
    let password = kv::get(ADMIN_PASSWORD_KEY).await.unwrap().unwrap();
    (db, String::from_utf8(password).unwrap())
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}

async fn login(db: &NativeDb, headers: &[(&str, &str)]) -> Result<Identified> {
    let mut request = Request::new(Method::GET, "/api/v3.1/status");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Identity::authenticate(db, Family::Conductor, &request).await
}

#[test]
fn the_first_administrator_is_made_once() {
    pollster::block_on(async {
        let (db, password) = fresh().await;
        Identity::prepare(&db).await.unwrap();
        let again = kv::get(ADMIN_PASSWORD_KEY).await.unwrap().unwrap();
        assert_eq!(again, password.as_bytes());
        let header = basic("admin", &password);
        let found = login(
            &db,
            &[("authorization", &header), ("tenant", "default_tenant")],
        )
        .await;
        let found = found.unwrap();
        assert!(found.caller.is_bootstrap_admin());
        assert_eq!(found.tenant, TenantHeader::Known("default_tenant".into()));
        assert!(found.caller.holds(Permission::TenantCreate));
    });
}

#[test]
fn users_may_be_called_by_their_address() {
    pollster::block_on(async {
        let (db, _) = fresh().await;
        let hash = credentials::hash_password("hoist away").unwrap();
        for name in ["ann@example.com", "9lives@example.com", "9lives"] {
            let sql = "insert into users (username, password_hash, role, created_at)
                       values (?1, ?2, 'default', '')";
            let values = params![name, hash.as_str()];
            db.execute(sql, values).await.unwrap();
            let header = basic(name, "hoist away");
            let found = login(&db, &[("authorization", &header)]).await;
            assert_eq!(found.is_ok(), name.contains('@'), "{name}");
        }
    });
}

#[test]
fn refusals_name_what_was_wrong_and_nothing_else() {
    pollster::block_on(async {
        let (db, password) = fresh().await;
        let good = basic("admin", &password);
        let bad = basic("admin", "guess");
        let unknown = basic("nobody", "guess");
        for (headers, text) in [
            (
                &[][..],
                "User unauthorized: No authentication info provided",
            ),
            (
                &[("authorization", bad.as_str())],
                "User unauthorized: Authentication failed for <User username=`admin`>. Wrong credentials or locked account",
            ),
            (
                &[("authorization", unknown.as_str())],
                "User unauthorized: Authentication failed for <User username=`nobody`>. Wrong credentials or locked account",
            ),
            (
                &[("authentication-token", "abc")],
                "User unauthorized: Invalid token structure",
            ),
            (
                &[("authentication-token", "ctok-abc-def")],
                "User unauthorized: Unauthorized",
            ),
            (
                &[("execution-token", "a-b-c")],
                "User unauthorized: Authentication failed, invalid Execution Token",
            ),
            (
                &[("execution-token", "bad")],
                "User unauthorized: Authentication failed, invalid Execution Token",
            ),
        ] {
            let refusal = login(&db, headers).await.unwrap_err();
            assert_eq!(refusal.message(), text);
        }
        let found = login(&db, &[("authorization", &good), ("tenant", "nowhere")])
            .await
            .unwrap();
        assert_eq!(found.tenant, TenantHeader::Unknown("nowhere".into()));
    });
}

#[test]
fn an_account_locks_after_five_failures_and_a_good_login_resets_the_counter() {
    pollster::block_on(async {
        let (db, password) = fresh().await;
        let good = basic("ADMIN", &password);
        for failures in [4, 5] {
            for attempt in 0..failures {
                let bad = basic("admin", &format!("guess {attempt}"));
                login(&db, &[("authorization", &bad)]).await.unwrap_err();
            }
            let answer = login(&db, &[("authorization", &good)]).await;
            assert_eq!(answer.is_ok(), failures == 4, "{failures} failures");
        }
        // Waiting is simulated by moving the last failure into the past.
        db.execute(
            "update failed_logins set at = '2020-01-01T00:00:00.000Z'",
            &[],
        )
        .await
        .unwrap();
        login(&db, &[("authorization", &good)]).await.unwrap();
    });
}

#[test]
fn what_is_remembered_is_forgotten_when_it_changes() {
    pollster::block_on(async {
        let (db, password) = fresh().await;
        let header = basic("admin", &password);
        login(&db, &[("authorization", &header)]).await.unwrap();
        let hash = credentials::hash_password("another one").unwrap();
        db.execute("update users set password_hash = ?1", params![hash])
            .await
            .unwrap();
        login(&db, &[("authorization", &header)]).await.unwrap_err();
        let header = basic("admin", "another one");
        login(&db, &[("authorization", &header)]).await.unwrap();
        db.execute("update users set active = 0", &[])
            .await
            .unwrap();
        login(&db, &[("authorization", &header)]).await.unwrap_err();
    });
}

#[test]
fn a_token_speaks_for_its_user_until_it_expires() {
    pollster::block_on(async {
        let (db, _) = fresh().await;
        db.execute(
            "insert into tokens (id, user_id, secret_hash, created_at, expiration_date)
             values ('abcdefghij', 0, ?1, ?2, null), ('expired000', 0, ?1, ?2, ?2)",
            params![hashing::digest("secret"), Timestamp::now().plus_seconds(-5)],
        )
        .await
        .unwrap();
        let found = login(&db, &[("authentication-token", "ctok-abcdefghij-secret")])
            .await
            .unwrap();
        assert_eq!(found.caller.username, "admin");
        assert!(found.caller.method.token().is_some());
        for (token, text) in [
            ("ctok-abcdefghij-secreT", "User unauthorized: Unauthorized"),
            (
                "ctok-expired000-secret",
                "User unauthorized: Token is expired",
            ),
        ] {
            let refusal = login(&db, &[("authentication-token", token)])
                .await
                .unwrap_err();
            assert_eq!(refusal.message(), text);
        }
    });
}

/// A database that lets others go first before every statement, as Spin's does.
struct Yielding(NativeDb);

impl Db for Yielding {
    type Tx = NativeTransaction;

    async fn query(
        &self,
        sql: &str,
        parameters: &[windlass_core::db::Value],
    ) -> Result<Vec<windlass_core::db::Row>> {
        others_first().await;
        self.0.query(sql, parameters).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&NativeTransaction) -> Result<T>,
    ) -> Result<T> {
        others_first().await;
        self.0.transaction(work).await
    }
}

/// Pends once.
async fn others_first() {
    let mut yielded = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut yielded, true) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// Runs futures as an instance does: each goes on as far as it can, then the next.
fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut running: Vec<_> = futures.into_iter().map(|f| (Box::pin(f), None)).collect();
    while running.iter().any(|(_, answer)| answer.is_none()) {
        for (future, answer) in running.iter_mut().filter(|(_, answer)| answer.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
                *answer = Some(value);
            }
        }
    }
    running
        .into_iter()
        .filter_map(|(_, answer)| answer)
        .collect()
}

fn attempt(header: String) -> Request {
    Request::new(Method::GET, "/api/v3.1/status").header("authorization", &header)
}

#[test]
fn guessing_many_passwords_at_once_gives_no_more_guesses() {
    let (db, password) = pollster::block_on(fresh());
    let db = Yielding(db);
    let mut requests: Vec<Request> = (0..8)
        .map(|guess| attempt(basic("admin", &format!("guess {guess}"))))
        .collect();
    requests.push(attempt(basic("admin", &password)));
    let answers = together(
        requests
            .iter()
            .map(|request| Identity::authenticate(&db, Family::Conductor, request))
            .collect(),
    );
    // The right one came ninth: by then the account was locked.
    assert!(answers.iter().all(Result::is_err));
}

#[test]
fn many_right_logins_at_once_lock_nobody_out() {
    let (db, password) = pollster::block_on(fresh());
    let db = Yielding(db);
    let requests: Vec<Request> = (0..8).map(|_| attempt(basic("admin", &password))).collect();
    let answers = together(
        requests
            .iter()
            .map(|request| Identity::authenticate(&db, Family::Conductor, request))
            .collect(),
    );
    assert!(answers.iter().all(Result::is_ok));
}

#[test]
fn how_many_failures_lock_an_account_is_a_setting() {
    pollster::block_on(async {
        let (db, password) = fresh().await;
        let good = basic("admin", &password);
        login(&db, &[("authorization", &good)]).await.unwrap();
        db.execute(
            "update config set value = '1' where name = 'failed_logins_before_account_lock'",
            &[],
        )
        .await
        .unwrap();
        for guess in ["one", "two"] {
            login(&db, &[("authorization", &basic("admin", guess))])
                .await
                .unwrap_err();
        }
        login(&db, &[("authorization", &good)]).await.unwrap_err();
    });
}

#[test]
fn a_user_name_that_nobody_has_leaves_the_token_to_speak() {
    pollster::block_on(async {
        let (db, _) = fresh().await;
        db.execute(
            "insert into tokens (id, user_id, secret_hash, created_at)
             values ('abcdefghij', 0, ?1, ?2)",
            params![hashing::digest("secret"), Timestamp::now()],
        )
        .await
        .unwrap();
        let found = login(
            &db,
            &[
                ("authorization", &basic("nobody", "x")),
                ("authentication-token", "ctok-abcdefghij-secret"),
            ],
        )
        .await
        .unwrap();
        assert!(found.caller.method.token().is_some());
    });
}

#[test]
fn a_header_that_decides_who_or_where_comes_once() {
    pollster::block_on(async {
        let (db, password) = fresh().await;
        let good = basic("admin", &password);
        for (name, value) in [
            ("tenant", "default_tenant"),
            ("authorization", "Basic eDp5"),
            ("authentication-token", "ctok-a-b"),
            ("execution-token", "ctok-x-y"),
        ] {
            let headers = [
                ("authorization", good.as_str()),
                ("tenant", "other_tenant"),
                ("authentication-token", "a"),
                ("execution-token", "a"),
                (name, value),
            ];
            let refusal = login(&db, &headers).await.unwrap_err();
            assert_eq!(refusal.kind(), Kind::BadParameters, "{name}");
            assert!(refusal.message().contains(name), "{refusal:?}");
            assert!(!refusal.message().contains(value), "{refusal:?}");
        }
    });
}

#[test]
fn a_remembered_token_ends_when_it_expires() {
    pollster::block_on(async {
        let (db, _) = fresh().await;
        db.execute(
            "insert into tokens (id, user_id, secret_hash, created_at, expiration_date)
             values ('abcdefghij', 0, ?1, ?2, ?3)",
            params![
                hashing::digest("secret"),
                Timestamp::now(),
                Timestamp::now().plus_millis(200)
            ],
        )
        .await
        .unwrap();
        let token = [("authentication-token", "ctok-abcdefghij-secret")];
        login(&db, &token).await.unwrap();
        std::thread::sleep(std::time::Duration::from_millis(250));
        let refusal = login(&db, &token).await.unwrap_err();
        assert_eq!(refusal.message(), "User unauthorized: Token is expired");
    });
}

/// Ann, who is a viewer in the harbour and in the quay, and an execution of hers in the harbour.
async fn with_execution() -> NativeDb {
    let (db, _) = fresh().await;
    let token = hashing::digest("an execution's");
    for (sql, values) in [
        (
            "insert into tenants (name, created_at) values ('harbour', ''), ('quay', '')",
            params![],
        ),
        (
            "insert into users (id, username, password_hash, role, created_at)
             values (7, 'ann', '', 'default', '')",
            params![],
        ),
        (
            "insert into tenant_users (tenant_name, user_id, role)
             values ('harbour', 7, 'viewer'), ('quay', 7, 'viewer')",
            params![],
        ),
        (
            "insert into executions (id, tenant_name, created_by, visibility, created_at,
                 workflow_id, status, token_hash)
             values ('run', 'harbour', 'ann', 'tenant', '', 'paint', 'started', ?1)",
            params![token],
        ),
    ] {
        db.execute(sql, values).await.unwrap();
    }
    db
}

#[test]
fn the_token_of_an_execution_ends_with_it() {
    pollster::block_on(async {
        let db = with_execution().await;
        let at = |seconds| Some(Timestamp::now().plus_seconds(seconds));
        for (status, scheduled_for, counts) in [
            ("pending", None, true),
            ("started", None, true),
            ("cancelling", None, true),
            ("force_cancelling", None, true),
            ("kill_cancelling", None, true),
            ("queued", None, false),
            ("terminated", None, false),
            ("failed", None, false),
            ("cancelled", None, false),
            ("scheduled", at(-30), true),
            ("scheduled", at(-90), false),
            ("scheduled", at(90), false),
        ] {
            // Operations are still under way: that keeps nothing alive.
            db.execute(
                "update executions set status = ?1, scheduled_for = ?2, total_operations = 5,
                     finished_operations = 1",
                params![status, scheduled_for],
            )
            .await
            .unwrap();
            for header in ["execution-token", "authentication-token"] {
                let found = login(&db, &[(header, "an execution's")]).await;
                assert_eq!(found.is_ok(), counts, "{status} {scheduled_for:?} {header}");
            }
        }
    });
}

#[test]
fn an_execution_knows_no_other_tenant() {
    pollster::block_on(async {
        let db = with_execution().await;
        for tenant in ["", "harbour"] {
            let headers = [("execution-token", "an execution's"), ("tenant", tenant)];
            let found = login(&db, &headers).await.unwrap();
            assert_eq!(found.tenant, TenantHeader::Known("harbour".into()));
            assert_eq!(found.caller.execution_id.as_deref(), Some("run"));
            let tenants: Vec<&String> = found.caller.tenants.keys().collect();
            assert_eq!(tenants, ["harbour"], "of those that Ann is in");
        }
        for tenant in ["quay", "default_tenant", "nowhere"] {
            let headers = [("execution-token", "an execution's"), ("tenant", tenant)];
            let refusal = login(&db, &headers).await.unwrap_err();
            assert_eq!(refusal.kind(), Kind::NotFound, "{tenant}");
        }
        let count = db.first("select count(*) from failed_logins", &[]).await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 0);
    });
}

#[test]
fn the_token_of_a_user_who_is_shut_out_says_so_to_who_has_all_of_it() {
    pollster::block_on(async {
        let (db, _) = fresh().await;
        db.execute(
            "insert into tokens (id, user_id, secret_hash, created_at)
             values ('abcdefghij', 0, ?1, '2024')",
            params![hashing::digest("secret")],
        )
        .await
        .unwrap();
        db.execute("update users set active = 0", &[])
            .await
            .unwrap();
        for (token, text) in [
            (
                "ctok-abcdefghij-secret",
                "User unauthorized: Authentication failed for <User username=`admin`>. Wrong credentials or locked account",
            ),
            ("ctok-abcdefghij-guess", "User unauthorized: Unauthorized"),
        ] {
            let refusal = login(&db, &[("authentication-token", token)]).await;
            assert_eq!(refusal.unwrap_err().message(), text);
        }
    });
}
