use super::*;
use crate::testing::{asker, database};
use windlass_core::http::Method;

fn push(branch: &str) -> Json {
    json!({
        "ref": format!("refs/heads/{branch}"), "after": "c0ffee", "pusher": { "name": "ann" },
        "repository": { "full_name": "harbour/crane" },
        "head_commit": { "message": "m", "timestamp": "2026-02-01T10:00:00+02:00", "url": "u" },
    })
}

fn signed(body: &Json, secret: &str, delivery: &str) -> Request {
    let mut request = Request::new(Method::POST, "/x")
        .header("x-github-event", "push")
        .header("x-github-delivery", delivery);
    request.body = body.to_string().into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&request.body);
    let signature = format!("sha256={}", blob::hex(&mac.finalize().into_bytes()));
    request.header("x-hub-signature-256", &signature)
}

#[test]
fn a_signed_push_begins_a_run_once() {
    pollster::block_on(async {
        let db = database().await;
        let ann = asker("ann");
        let pipeline = json!({ "name": "p", "workflow": {
            "source": { "branch": "main" },
            "plan": [{ "name": "a", "tool": { "tool_identifier": "approval" } }] } });
        let object = pipeline.as_object().unwrap();
        let (id, secret) = db
            .transaction(async |tx| {
                let id = super::super::insert(tx, &ann, object).await?;
                let secret = enable(tx, &ann, &id).await?;
                Ok((id, secret))
            })
            .await
            .unwrap();
        let now = Timestamp::now();
        let refused = take(&db, &id, &signed(&push("main"), "guess", "1"), now)
            .await
            .unwrap_err();
        assert_eq!(refused.kind().wire().0, 401);
        let unknown = take(&db, "nothing", &signed(&push("main"), &secret, "1"), now).await;
        assert_eq!(unknown.unwrap_err().kind().wire().0, 401);
        let other = take(&db, &id, &signed(&push("dev"), &secret, "1"), now)
            .await
            .unwrap();
        assert_eq!(
            other,
            Taken::Nothing("The pipeline is for `main`, not `dev`.".into())
        );
        let taken = take(&db, &id, &signed(&push("main"), &secret, "1"), now)
            .await
            .unwrap();
        assert_eq!(taken, Taken::Run(1));
        let again = take(&db, &id, &signed(&push("main"), &secret, "1"), now)
            .await
            .unwrap();
        assert_eq!(
            again,
            Taken::Nothing("This delivery was taken before.".into())
        );
        let busy = take(&db, &id, &signed(&push("main"), &secret, "2"), now)
            .await
            .unwrap();
        assert!(matches!(busy, Taken::Nothing(why) if why.contains("paused state.  Will not")));
        let sql = "select json_array(cause, started_by, committed_at, source ->> 'commit') from pipeline_runs";
        let run: Json = db.first_json(sql, &[]).await.unwrap().unwrap();
        assert_eq!(run, json!(["push", "ann", 1_769_932_800_000_i64, "c0ffee"]));
        // GitLab sends the secret itself.
        let mut request = Request::new(Method::POST, "/x")
            .header("x-gitlab-event", "Push Hook")
            .header("x-gitlab-token", &secret);
        request.body = b"{}".to_vec();
        let refusal = take(&db, &id, &request, now).await.unwrap_err();
        assert_eq!(refusal.message(), "The push has no ref");
        // Whoever may not run things any more starts nothing by a push either.
        db.execute("delete from tenant_users where user_id = 7", &[])
            .await
            .unwrap();
        let late = take(&db, &id, &signed(&push("main"), &secret, "3"), now)
            .await
            .unwrap();
        assert_eq!(
            late,
            Taken::Nothing("Whoever the pipeline runs for may not run it any more.".into())
        );
    });
}

#[test]
fn a_push_runs_in_the_name_of_whoever_changed_what_it_does() {
    pollster::block_on(async {
        let db = database().await;
        let (ann, mia) = (asker("ann"), asker("mia"));
        let pipeline = json!({ "name": "p", "roles": [{ "user": "ann", "role": "manager" }], "workflow": {
            "plan": [{ "name": "a", "tool": { "tool_identifier": "approval" } }] } });
        let id = db
            .transaction(async |tx| {
                super::super::insert(tx, &mia, pipeline.as_object().unwrap()).await
            })
            .await
            .unwrap();
        let actor = async || find_any(&db, &id).await.unwrap().unwrap().runs_as;
        assert_eq!(actor().await, "mia");
        for (who, changes, want) in [
            (&ann, json!({ "description": "d" }), "mia"),
            (&ann, json!({ "workflow": { "source": null } }), "mia"),
            (
                &ann,
                json!({ "workflow": { "source": { "branch": "main" } } }),
                "ann",
            ),
            (
                &mia,
                json!({ "workflow": { "schedule": { "cron": "0 3 * * *" } } }),
                "mia",
            ),
            (
                &ann,
                json!({ "workflow": { "plan": [{ "name": "b", "tool": { "tool_identifier": "approval" } }] } }),
                "ann",
            ),
        ] {
            let changes = changes.as_object().unwrap();
            db.transaction(async |tx| super::super::update(tx, who, &id, changes).await)
                .await
                .unwrap();
            assert_eq!(actor().await, want, "{changes:?}");
        }
        db.transaction(async |tx| enable(tx, &mia, &id).await)
            .await
            .unwrap();
        assert_eq!(actor().await, "mia");
        db.transaction(async |tx| disable(tx, &ann, &id).await)
            .await
            .unwrap();
        assert_eq!(actor().await, "mia");
        let secret = db
            .transaction(async |tx| enable(tx, &ann, &id).await)
            .await
            .unwrap();
        let now = Timestamp::now();
        let taken = take(&db, &id, &signed(&push("main"), &secret, "1"), now).await;
        assert_eq!(taken.unwrap(), Taken::Run(1));
        let sql = "select json_array(r.started_by, p.created_by)
             from pipeline_runs r join pipelines p on p.key = r.pipeline_key";
        let run: Json = db.first_json(sql, &[]).await.unwrap().unwrap();
        assert_eq!(run, json!(["ann", "mia"]));
    });
}
