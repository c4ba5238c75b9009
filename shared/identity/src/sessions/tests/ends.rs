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
fn a_piece_of_expired_sessions_takes_no_others_along() {
    pollster::block_on(async {
        let db = fresh().await;
        let (_, first) = given(&db, 7, None).await;
        let (_, child) = next(&db, &first).await.unwrap();
        assert_eq!(child.expires_at, first.expires_at);
        let most = PIECE * i64::try_from(PIECES).unwrap();
        // One session was shown for thousands of others, and for chains of others.
        let fill =
            "insert into sessions (key, user_id, secret_hash, epoch, methods, scope, parent_key,
                 chain_key, created_at, expires_at)
             with recursive n (n) as (select 1 union all select n + 1 from n where n < ?1)
             select n, 7, '', 0, '[]', 'unscoped', iif(n % 2 or n % 100 = 0, ?2, max(n - 2, 2)), ?2,
                 printf('2024-01-01T00:%06d', n), '2024-01-02' from n";
        let values = params![most + 100, first.key];
        db.execute("pragma defer_foreign_keys = on", &[])
            .await
            .unwrap();
        db.execute(
            "update sessions set created_at = '2024', expires_at = '2024-01-02'",
            &[],
        )
        .await
        .unwrap();
        db.execute(fill, values).await.unwrap();
        let left = async || {
            let row = db.first("select count(*) from sessions", &[]).await;
            row.unwrap().unwrap().integer(0).unwrap()
        };
        assert_eq!(left().await, most + 102);
        sweep(&db, Timestamp::now()).await.unwrap();
        assert_eq!(left().await, 102);
        sweep(&db, Timestamp::now()).await.unwrap();
        assert_eq!(left().await, 0);
    });
}

#[test]
fn every_way_in_which_a_session_goes_has_its_index() {
    pollster::block_on(async {
        let db = fresh().await;
        for (sql, index) in [
            (
                "select key from sessions where expires_at <= ?1
                     order by expires_at, created_at desc limit 9",
                "sessions_by_end",
            ),
            (
                "delete from sessions where user_id = ?1",
                "sessions_by_user",
            ),
            (
                "delete from sessions where tenant_name = ?1",
                "sessions_by_tenant",
            ),
            (
                "delete from sessions where token_key = ?1",
                "sessions_by_token",
            ),
            (
                "delete from sessions where parent_key = ?1",
                "sessions_by_parent",
            ),
        ] {
            let plan = db.plan(sql, params![1]).await.unwrap().join("; ");
            assert!(
                plan.contains(index) && !plan.contains("TEMP"),
                "{sql}: {plan}"
            );
        }
    });
}
