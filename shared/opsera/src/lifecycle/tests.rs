use super::*;
use crate::access::Asker;
use crate::testing::{asker, database};
use serde_json::json;
use windlass_core::db::NativeDb;

async fn create(db: &NativeDb, who: &str, plan: Json) -> String {
    let object = json!({ "name": "Deliver", "workflow": { "plan": plan } });
    let asker = asker(who);
    db.transaction(async |tx| pipelines::insert(tx, &asker, object.as_object().unwrap()).await)
        .await
        .unwrap()
}

async fn run_as(db: &NativeDb, who: &str, id: &str) -> Result<Started> {
    let asker = asker(who);
    db.transaction(async |tx| run(tx, &asker, id, &Map::new(), Timestamp::now()).await)
        .await
}

async fn told(db: &NativeDb, asker: &Asker, id: &str, number: Option<i64>) -> RunStanding {
    status(db, asker, id, number).await.unwrap().1
}

async fn answered(
    db: &NativeDb,
    who: &str,
    id: &str,
    step: Option<&str>,
    with: Answer,
) -> Result<Refusal> {
    let asker = asker(who);
    db.transaction(async |tx| answer(tx, &asker, id, step, with, Timestamp::now()).await)
        .await
}

async fn count(db: &NativeDb, sql: &str) -> i64 {
    db.first(sql, &[])
        .await
        .unwrap()
        .unwrap()
        .integer(0)
        .unwrap()
}

fn approval(name: &str) -> Json {
    json!({ "name": name, "tool": { "tool_identifier": "approval" } })
}

fn wait(name: &str) -> Json {
    json!({ "name": name, "tool": { "tool_identifier": "wait", "configuration": { "seconds": 900 } } })
}

#[test]
fn runs_are_begun_stopped_and_reset_in_the_words_of_the_original() {
    pollster::block_on(async {
        let db = database().await;
        let ann = asker("ann");
        let id = create(&db, "ann", json!([wait("a"), approval("b")])).await;
        assert_eq!(told(&db, &ann, &id, None).await, RunStanding::Idle);
        assert_eq!(run_as(&db, "ann", &id).await.unwrap(), Started::Run(1));
        let pending = "Will not start another job until this pending status is resolved.";
        let busy = format!("Pipeline {id} is currently in a running state.  {pending}");
        assert_eq!(
            run_as(&db, "bob", &id).await.unwrap(),
            Started::Refused(busy)
        );
        let refused = db
            .transaction(async |tx| reset(tx, &ann, &id).await)
            .await
            .unwrap();
        assert_eq!(
            refused,
            Some(format!(
                "Pipeline {id} is currently in a running state. Stop it before reset."
            ))
        );
        let refused = db
            .transaction(async |tx| pipelines::delete(tx, &ann, &id).await)
            .await
            .unwrap();
        assert!(refused.is_some());
        // A wait is under way with nothing, so it is stopped at once.
        let stopped = db.transaction(async |tx| stop(tx, &ann, &id, Timestamp::now()).await);
        assert!(stopped.await.unwrap());
        assert_eq!(
            told(&db, &ann, &id, None).await,
            RunStanding::Run(1, RunState::Stopped)
        );
        assert_eq!(count(&db, "select count(*) from queue").await, 0);
        let again = db.transaction(async |tx| stop(tx, &ann, &id, Timestamp::now()).await);
        assert!(!again.await.unwrap());
        db.transaction(async |tx| reset(tx, &ann, &id).await)
            .await
            .unwrap();
        assert_eq!(told(&db, &ann, &id, None).await, RunStanding::Idle);
        assert_eq!(
            told(&db, &ann, &id, Some(1)).await,
            RunStanding::Run(1, RunState::Stopped)
        );
        assert_eq!(told(&db, &ann, &id, Some(2)).await, RunStanding::Unknown(2));
        assert_eq!(run_as(&db, "ann", &id).await.unwrap(), Started::Run(2));
        let actions: Vec<String> = db
            .first_json("select json_group_array(action) from audit_log", &[])
            .await
            .unwrap()
            .unwrap();
        let want =
            ["create", "start", "stop", "reset", "start"].map(|word| format!("pipeline_{word}"));
        assert_eq!(actions, want);
    });
}

#[test]
fn a_pipeline_that_is_locked_off_or_empty_does_not_start() {
    pollster::block_on(async {
        let db = database().await;
        let ann = asker("ann");
        let empty = create(&db, "ann", json!([])).await;
        let refused = run_as(&db, "ann", &empty).await.unwrap();
        assert!(matches!(refused, Started::Refused(why) if why.contains("without steps")));
        let id = create(&db, "ann", json!([wait("a")])).await;
        db.transaction(async |tx| pipelines::set_locked(tx, &ann, &id, true).await)
            .await
            .unwrap();
        let refused = run_as(&db, "ann", &id).await.unwrap();
        assert!(matches!(refused, Started::Refused(why) if why.contains("currently locked")));
        db.transaction(async |tx| pipelines::set_locked(tx, &ann, &id, false).await)
            .await
            .unwrap();
        let off = json!({ "active": false });
        db.transaction(async |tx| pipelines::update(tx, &ann, &id, off.as_object().unwrap()).await)
            .await
            .unwrap();
        let refused = run_as(&db, "ann", &id).await.unwrap();
        assert!(matches!(refused, Started::Refused(why) if why.contains("not active")));
        assert_eq!(count(&db, "select count(*) from pipeline_runs").await, 0);
    });
}

#[test]
fn approvals_pause_a_run_and_answers_go_on_with_it() {
    pollster::block_on(async {
        let db = database().await;
        let ann = asker("ann");
        let mut second = approval("second");
        second["dependencies"] = json!([]);
        second["tool"]["configuration"] =
            json!({ "approvers": [{ "user": "BOB" }, { "group": "crew" }] });
        let id = create(&db, "ann", json!([approval("first"), second, wait("end")])).await;
        run_as(&db, "ann", &id).await.unwrap();
        assert_eq!(
            told(&db, &ann, &id, None).await,
            RunStanding::Run(1, RunState::Paused)
        );
        let pending = "Will not start another job until this pending status is resolved.";
        let paused = format!("Pipeline {id} is currently in a paused state.  {pending}");
        assert_eq!(
            run_as(&db, "ann", &id).await.unwrap(),
            Started::Refused(paused)
        );
        let refusal = answered(&db, "vic", &id, None, Answer::Approve)
            .await
            .unwrap_err();
        assert_eq!(refusal.kind().wire().0, 403, "guests approve nothing");
        let refusal = answered(&db, "ann", &id, Some("x"), Answer::Approve)
            .await
            .unwrap_err();
        assert_eq!(refusal.kind().wire().0, 400);
        // ann is no approver of the second, so only the first is answered.
        assert_eq!(
            answered(&db, "ann", &id, None, Answer::Approve)
                .await
                .unwrap(),
            None
        );
        let refusal = answered(&db, "ann", &id, None, Answer::Approve)
            .await
            .unwrap_err();
        assert_eq!(refusal.kind().wire().0, 403);
        assert_eq!(
            told(&db, &ann, &id, None).await,
            RunStanding::Run(1, RunState::Paused)
        );
        assert_eq!(
            answered(&db, "bob", &id, None, Answer::Approve)
                .await
                .unwrap(),
            None
        );
        assert_eq!(
            told(&db, &ann, &id, None).await,
            RunStanding::Run(1, RunState::Running)
        );
        let text = answered(&db, "bob", &id, None, Answer::Approve)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            text,
            format!("Pipeline {id} does not wait for an approval.")
        );
    });
}

#[test]
fn a_denied_run_fails_and_is_resumed_where_it_was() {
    pollster::block_on(async {
        let db = database().await;
        let ann = asker("ann");
        let id = create(&db, "ann", json!([approval("first"), approval("second")])).await;
        run_as(&db, "ann", &id).await.unwrap();
        answered(&db, "ann", &id, None, Answer::Approve)
            .await
            .unwrap();
        answered(&db, "ann", &id, None, Answer::Deny).await.unwrap();
        assert_eq!(
            told(&db, &ann, &id, None).await,
            RunStanding::Run(1, RunState::Failed)
        );
        let resumed = async || {
            let now = Timestamp::now();
            db.transaction(async |tx| resume(tx, &ann, &id, now).await)
                .await
                .unwrap()
        };
        assert_eq!(resumed().await, None);
        assert_eq!(
            told(&db, &ann, &id, None).await,
            RunStanding::Run(1, RunState::Paused)
        );
        let sql = "select count(*) from pipeline_steps where state = 'success'";
        assert_eq!(count(&db, sql).await, 1, "the first is not asked again");
        assert_eq!(resumed().await, None, "as if it were approved");
        assert_eq!(
            told(&db, &ann, &id, None).await,
            RunStanding::Run(1, RunState::Success)
        );
        assert_eq!(
            resumed().await,
            Some(format!("Pipeline {id} has nothing to resume."))
        );
    });
}

#[test]
fn two_starts_at_once_are_one_run() {
    pollster::block_on(async {
        let db = database().await;
        let id = create(&db, "ann", json!([wait("a")])).await;
        let mut runs = Vec::new();
        for who in ["ann", "bob", "mia", "root"] {
            runs.push(run_as(&db, who, &id).await.unwrap());
        }
        let begun = runs
            .iter()
            .filter(|started| matches!(started, Started::Run(_)));
        assert_eq!(begun.count(), 1);
    });
}

#[test]
fn each_does_what_their_standing_and_the_rules_let_them() {
    pollster::block_on(async {
        let db = database().await;
        let id = create(&db, "ann", json!([approval("a")])).await;
        let rules = json!({ "roles": [{ "user": "bob", "role": "guest" }, { "user": "vic", "role": "manager" }] });
        let ann = asker("ann");
        db.transaction(async |tx| {
            pipelines::update(tx, &ann, &id, rules.as_object().unwrap()).await
        })
        .await
        .unwrap();
        for (who, sees, runs, changes) in [
            ("ann", 200, 200, 200),
            ("bob", 200, 403, 403),
            ("vic", 200, 403, 403),
            ("mia", 200, 200, 200),
            ("root", 200, 200, 200),
            ("ann@quay", 404, 404, 404),
            ("root@quay", 404, 404, 404),
        ] {
            let asker = asker(who);
            let code =
                |result: Result<()>| result.map_or_else(|error| error.kind().wire().0, |()| 200);
            let seen = status(&db, &asker, &id, None).await.map(drop);
            let run = run_as(&db, who, &id).await.map(drop);
            let empty = Map::new();
            let changed = db
                .transaction(async |tx| pipelines::update(tx, &asker, &id, &empty).await)
                .await;
            assert_eq!(
                (code(seen), code(run), code(changed)),
                (sees, runs, changes),
                "{who}"
            );
        }
    });
}
