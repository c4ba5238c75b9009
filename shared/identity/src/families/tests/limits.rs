//! Failed logins by address.

use super::*;

fn from<'t>(address: &'t str, token: &'t str) -> [(&'static str, &'t str); 2] {
    [("spin-client-addr", address), ("x-auth-token", token)]
}

#[test]
fn an_address_that_fails_too_often_waits_and_others_do_not() {
    pollster::block_on(async {
        let db = fresh().await;
        let token = token_of(&db, 7, NewToken::default()).await;
        let known = token_of(&db, 7, NewToken::default()).await;
        call(&db, Family::Adjutant, &from("192.0.2.7:1", &known))
            .await
            .unwrap();
        for attempt in 0..21 {
            let guess = format!("ctok-abcdefghij-{attempt}");
            let refusal = call(&db, Family::Adjutant, &from("192.0.2.7:1", &guess)).await;
            assert_eq!(refusal.unwrap_err().kind(), Kind::Unauthorized, "{attempt}");
        }
        for family in [Family::Adjutant, Family::Conductor] {
            let headers = [
                ("spin-client-addr", "192.0.2.7:2"),
                ("x-auth-token", &token),
                ("authentication-token", &token),
            ];
            let refusal = call(&db, family, &headers).await.unwrap_err();
            let answer = app::failure(family, &refusal);
            assert_eq!(answer.status, 429, "{family:?}");
            let wait = answer
                .headers
                .iter()
                .find(|(name, _)| *name == "retry-after");
            let seconds: u32 = wait.unwrap().1.parse().unwrap();
            assert!((50..=61).contains(&seconds), "{seconds}");
        }
        // Nothing was verified, so nothing more was counted.
        let count = db.first("select count(*) from failed_logins", &[]).await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 21);
        // Whoever is remembered goes on, and so does everybody elsewhere.
        call(&db, Family::Adjutant, &from("192.0.2.7:3", &known))
            .await
            .unwrap();
        call(&db, Family::Adjutant, &from("192.0.2.8:1", &token))
            .await
            .unwrap();
        let unforwarded = [
            ("spin-client-addr", "192.0.2.7:1"),
            ("x-forwarded-for", "192.0.2.8"),
            ("x-auth-token", "ctok-abcdefghij-x"),
        ];
        let refusal = call(&db, Family::Adjutant, &unforwarded).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::TooManyRequests);

        let minute_ago = Timestamp::now().plus_seconds(-60);
        db.execute("update failed_logins set at = ?1", params![minute_ago])
            .await
            .unwrap();
        let another = token_of(&db, 7, NewToken::default()).await;
        call(&db, Family::Adjutant, &from("192.0.2.7:1", &another))
            .await
            .unwrap();
        // The next failure sweeps the old ones.
        let guess = from("192.0.2.9:1", "ctok-abcdefghij-x");
        call(&db, Family::Adjutant, &guess).await.unwrap_err();
        let count = db.first("select count(*) from failed_logins", &[]).await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 1);
    });
}

#[test]
fn what_is_no_guess_is_not_counted() {
    pollster::block_on(async {
        let db = fresh().await;
        let past = NewToken {
            expiration: Some(Timestamp::now().plus_seconds(-5)),
            ..NewToken::default()
        };
        let expired = token_of(&db, 8, past).await;
        let scoped = token_of(&db, 7, scoped(&["conductor"])).await;
        for token in [expired.as_str(), &scoped, "notused", ""] {
            let headers = [("spin-client-addr", "192.0.2.7:1"), ("x-auth-token", token)];
            call(&db, Family::Adjutant, &headers).await.unwrap_err();
        }
        let address = [("spin-client-addr", "192.0.2.7:1")];
        call(&db, Family::Conductor, &address).await.unwrap_err();
        let count = db.first("select count(*) from failed_logins", &[]).await;
        assert_eq!(count.unwrap().unwrap().integer(0).unwrap(), 0);
        let plan = db
            .plan(
                "select coalesce(max(v.version), 0), count(f.at), min(f.at), max(v.maintenance)
                 from identity_version v
                 left join failed_logins f on f.address = ?1 and f.at > ?2",
                params!["192.0.2.7", "2024"],
            )
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("failed_logins_by_address"), "{plan}");
    });
}
