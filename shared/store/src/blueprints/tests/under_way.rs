//! Uploads that go on after their client was answered.

use super::*;

/// The row of the queue about an upload that goes on, lent to this holder.
async fn lent(db: &NativeDb, holder: &str) -> crate::queue::Leased {
    let now = Timestamp::now().plus_seconds(60);
    let mut rows = crate::queue::lease(db, holder, 10, 1000, now)
        .await
        .unwrap();
    rows.pop().unwrap()
}

#[test]
fn an_upload_that_goes_on_is_ended_by_whoever_holds_it() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = user("ann", "harbour");
        let mut begun = upload("crane", State::Pending);
        begun.goes_on = true;
        begun.found.plan = None;
        begun.labels = Vec::new();
        begun.archive = None;
        begun.execution.as_mut().unwrap().parameters = json!({ "url": "http://a/b" });
        insert(&db, &scope, &begun).await.unwrap();
        let row = lent(&db, "one").await;
        assert_eq!(row.work, crate::queue::Work::BlueprintUpload);
        assert_eq!(find_under_way(&db, "two", row.key).await.unwrap(), None);
        let under_way = find_under_way(&db, "one", row.key).await.unwrap().unwrap();
        let rest = &under_way.rest;
        assert_eq!(rest.url.as_deref(), Some("http://a/b"));
        assert!(!rest.has_labels && !rest.sees_private);
        advance(&db, &under_way, State::Uploading).await.unwrap();
        let take = async |under_way: &UnderWay| {
            written(&db, "blob").await;
            db.transaction(async |tx| take_archive(tx, under_way, &archive("blob")).await)
                .await
        };
        let mut deleted = under_way.clone();
        deleted.blueprint.key = 99;
        assert_eq!(take(&deleted).await.unwrap_err().kind(), Kind::Conflict);
        take(&under_way).await.unwrap();
        let after = find_under_way(&db, "one", row.key).await.unwrap().unwrap();
        assert_eq!(after.blueprint.state, State::Extracting);
        assert_eq!(after.blueprint.archive, Some(archive("blob")));

        // Somebody else takes it over, and gets it back to the first.
        let hold = "update queue set lease_holder = ?1";
        db.execute(hold, params!["two"]).await.unwrap();
        let found = found(State::Uploaded);
        let end = async || {
            db.transaction(async |tx| end(tx, &scope, &after, &found).await)
                .await
                .unwrap()
        };
        assert!(!end().await, "it is not theirs");
        advance(&db, &after, State::Parsing).await.unwrap();
        assert_eq!(take(&after).await.unwrap_err().kind(), Kind::Conflict);
        db.transaction(async |tx| give_up(tx, "one", &row, "late").await)
            .await
            .unwrap();
        let theirs = find_under_way(&db, "two", row.key).await.unwrap().unwrap();
        assert_eq!(theirs.blueprint.state, State::Extracting);
        db.execute(hold, params!["one"]).await.unwrap();
        assert!(end().await);
        let shown = shown(&db, &scope, "crane").await;
        assert_eq!(shown["state"], "uploaded");
        assert_eq!(shown["labels"][0]["key"], "own");
        assert_eq!(shown["upload_execution"]["status"], "terminated");
        assert!(shown["plan"].as_str().unwrap().starts_with("/plan/"));
        assert!(!end().await, "it has ended");
        // A worker that was too late for everything changes nothing.
        advance(&db, &after, State::Parsing).await.unwrap();
        assert_eq!(shown_state(&db, &scope).await, "uploaded");
    });
}

async fn shown_state(db: &NativeDb, scope: &Scope) -> String {
    let shown = shown(db, scope, "crane").await;
    shown["state"].as_str().unwrap().to_owned()
}

#[test]
fn an_upload_that_goes_on_can_fail_and_be_given_up() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        for (id, is_given_up, state) in [
            ("crane", false, "invalid"),
            ("winch", true, "failed_uploading"),
        ] {
            let mut begun = upload(id, State::Uploading);
            begun.goes_on = true;
            insert(&db, &scope, &begun).await.unwrap();
            let row = lent(&db, "one").await;
            let under_way = find_under_way(&db, "one", row.key).await.unwrap().unwrap();
            assert!(under_way.rest.has_labels && under_way.rest.sees_private);
            if is_given_up {
                db.transaction(async |tx| give_up(tx, "one", &row, "it broke").await)
                    .await
                    .unwrap();
            } else {
                let found = found(State::Invalid);
                db.transaction(async |tx| end(tx, &scope, &under_way, &found).await)
                    .await
                    .unwrap();
            }
            let shown = shown(&db, &scope, id).await;
            assert_eq!(shown["state"], state);
            assert_eq!(shown["error"], "it broke");
            assert_eq!(shown["upload_execution"]["status"], "failed");
            assert_eq!(find(&db, &scope, id).await.unwrap().archive, None);
        }
        assert_eq!(loose(&db).await, json!(["crane", "winch"]));
    });
}
