//! How sessions are removed, few at a time.

use super::*;

#[test]
fn expired_sessions_are_removed_in_pieces_and_no_others() {
    pollster::block_on(async {
        let db = fresh().await;
        let (value, _) = given(&db, 7, None).await;
        let most = PIECE * i64::try_from(PIECES).unwrap();
        let fill =
            "insert into sessions (key, user_id, secret_hash, epoch, methods, scope, chain_key,
                 created_at, expires_at)
             with recursive n (n) as (select 1 union all select n + 1 from n where n < ?1)
             select n, 7, '', 0, '[]', 'unscoped', n, '2024', '2024' from n";
        db.execute(fill, params![most + 300]).await.unwrap();
        let left = async || {
            let row = db.first("select count(*) from sessions", &[]).await;
            row.unwrap().unwrap().integer(0).unwrap()
        };
        let version = "select version from identity_version";
        let before = db.first(version, &[]).await.unwrap();
        sweep(&db, Timestamp::now()).await.unwrap();
        assert_eq!(left().await, 301);
        sweep(&db, Timestamp::now()).await.unwrap();
        sweep(&db, Timestamp::now()).await.unwrap();
        assert_eq!(left().await, 1);
        assert_eq!(
            db.first(version, &[]).await.unwrap(),
            before,
            "nobody is forgotten for it"
        );
        assert!(counts(&db, &value).await);
    });
}

#[test]
fn a_chain_of_sessions_ends_somewhere_and_can_be_ended() {
    pollster::block_on(async {
        let db = fresh().await;
        let (first, mut session) = given(&db, 7, None).await;
        let mut last = first.clone();
        for _ in 1..LONGEST_CHAIN {
            (last, session) = next(&db, &session).await.unwrap();
        }
        let refusal = next(&db, &session).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::Unauthorized);
        assert!(counts(&db, &last).await);
        let root = find(&db, &first).await.unwrap().unwrap();
        let scope = Scope::system("admin", "");
        let ended = db.transaction(async |tx| delete(tx, &scope, &root).await);
        ended.await.unwrap();
        assert!(!counts(&db, &last).await);
    });
}

#[test]
fn what_was_shown_for_many_ends_as_one_row() {
    pollster::block_on(async {
        let db = fresh().await;
        let shown = token(&db, None).await;
        let ann = user(&db, 7).await;
        let by_token = Shown::Token(Method::Token, shown);
        let mut values = Vec::new();
        for _ in 0..50 {
            let made = insert(&db, &ann, &by_token, Extent::Unscoped, None).await;
            values.push(made.unwrap());
        }
        let (_, first) = values[0].clone();
        for _ in 0..50 {
            values.push(next(&db, &first).await.unwrap());
        }
        let rows = async || {
            let row = db.first("select count(*) from sessions", &[]).await;
            row.unwrap().unwrap().integer(0).unwrap()
        };
        // The first is shown for fifty others.
        let scope = Scope::system("admin", "");
        let ended = db.transaction(async |tx| delete(tx, &scope, &first).await);
        ended.await.unwrap();
        assert_eq!(rows().await, 99, "no other row was touched");
        for (place, (value, _)) in values.iter().enumerate() {
            assert_eq!(
                counts(&db, value).await,
                (1..50).contains(&place),
                "{place}"
            );
        }
        let gone = "delete from tokens where key = ?1";
        db.execute(gone, params![shown.key]).await.unwrap();
        assert_eq!(rows().await, 99);
        for (value, _) in &values {
            assert!(!counts(&db, value).await);
        }
        // Another token is given the same number.
        let other = token(&db, None).await;
        assert_eq!(other.key, shown.key);
        for (value, _) in &values {
            assert!(!counts(&db, value).await);
        }
        let later = Timestamp::now().plus_seconds(LIFETIME + 1);
        sweep(&db, later).await.unwrap();
        assert_eq!(rows().await, 0);
    });
}

#[test]
fn a_session_is_found_by_keys_alone() {
    pollster::block_on(async {
        let db = fresh().await;
        let plan = db.plan(FIND, params![1]).await.unwrap();
        let scans: Vec<_> = plan
            .iter()
            .filter(|line| line.contains("SCAN") && !line.contains("SCAN shown"))
            .filter(|line| !line.contains("SCAN first") && !line.contains("CONSTANT"))
            .collect();
        assert!(scans.is_empty(), "{plan:?}");
    });
}

#[test]
fn expired_sessions_are_found_by_their_index() {
    pollster::block_on(async {
        let db = fresh().await;
        let sql = "select key from sessions where expires_at <= ?1
             order by expires_at, created_at desc limit 9";
        let plan = db.plan(sql, params![1]).await.unwrap().join("; ");
        assert!(
            plan.contains("sessions_by_end") && !plan.contains("TEMP"),
            "{plan}"
        );
    });
}

#[test]
fn who_and_what_is_deleted_leaves_sessions_that_count_for_nobody() {
    pollster::block_on(async {
        let db = fresh().await;
        let mut values = Vec::new();
        for (user, tenant) in [(7, None), (7, Some("harbour")), (0, Some("harbour"))] {
            values.push(given(&db, user, tenant).await.0);
        }
        let counting = async || {
            let mut counting = Vec::new();
            for value in &values {
                counting.push(counts(&db, value).await);
            }
            counting
        };
        assert_eq!(counting().await, [true, true, true]);
        db.execute("delete from tenants where name = 'harbour'", &[])
            .await
            .unwrap();
        assert_eq!(counting().await, [true, false, false]);
        db.execute("delete from users where id = 7", &[])
            .await
            .unwrap();
        assert_eq!(counting().await, [false, false, false]);
        let rows = db.first("select count(*) from sessions", &[]).await;
        assert_eq!(rows.unwrap().unwrap().integer(0).unwrap(), 3, "no cascade");
        // Somebody else is given the same number.
        let sql = "insert into users (id, username, password_hash, role, created_at)
             values (7, 'eve', '', 'default', '')";
        db.execute(sql, &[]).await.unwrap();
        assert_eq!(counting().await, [false, false, false]);
    });
}
