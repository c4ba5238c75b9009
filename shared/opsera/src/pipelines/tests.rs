use super::*;
use crate::rows::Paging;
use crate::testing::{asker, database};
use windlass_core::db::NativeDb;
use windlass_core::{Kind, Response};

const ALL: Paging = Paging {
    limit: 1000,
    offset: 0,
};

fn sample() -> Json {
    json!({
        "name": "Deliver", "description": "d", "type": ["sdlc"], "tags": [{ "type": "t", "value": null }],
        "project": "crane", "_id": "mine", "owner": "me", "run_count": 7,
        "workflow": {
            "source": { "service": "github", "branch": "main" }, "run_count": 99,
            "schedule": { "cron": "0 3 * * *", "enabled": true },
            "plan": [{ "name": "a", "extra": { "kept": null }, "tool": { "tool_identifier": "approval" } }],
        },
    })
}

async fn create(db: &NativeDb, who: &str, object: Json) -> Result<String> {
    let asker = asker(who);
    db.transaction(async |tx| insert(tx, &asker, object.as_object().unwrap()).await)
        .await
}

async fn change(db: &NativeDb, who: &str, id: &str, object: Json) -> Result<()> {
    let asker = asker(who);
    db.transaction(async |tx| update(tx, &asker, id, object.as_object().unwrap()).await)
        .await
}

async fn shown(db: &NativeDb, who: &str, id: &str) -> Json {
    serde_json::from_str(&show(db, &asker(who), id).await.unwrap()).unwrap()
}

async fn body(response: Response) -> Vec<Json> {
    let bytes = response.made.unwrap().read().await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

async fn number(db: &NativeDb, sql: &str) -> i64 {
    db.first(sql, &[])
        .await
        .unwrap()
        .unwrap()
        .integer(0)
        .unwrap()
}

#[test]
fn a_pipeline_is_shown_as_it_came_and_as_it_stands() {
    pollster::block_on(async {
        let db = database().await;
        let id = create(&db, "ann", sample()).await.unwrap();
        let got = shown(&db, "vic", &id).await;
        assert_eq!((&got["_id"], &got["name"]), (&json!(id), &json!("Deliver")));
        assert_eq!(
            (&got["owner_name"], &got["account"]),
            (&json!("ann"), &json!("harbour"))
        );
        assert_eq!(
            (&got["project"], &got["delivery"]),
            (&json!("crane"), &json!(true))
        );
        assert_eq!(got["tags"], json!([{ "type": "t", "value": null }]));
        let workflow = &got["workflow"];
        assert_eq!(
            (&workflow["status"], &workflow["run_count"]),
            (&json!("idle"), &json!(0))
        );
        assert_eq!(workflow["source"]["branch"], "main");
        assert_eq!(workflow["plan"][0]["extra"], json!({ "kept": null }));
        assert_eq!(workflow["plan"][0]["status"], "idle");
        assert_eq!(
            number(
                &db,
                "select count(*) from queue where kind = 'pipeline_schedule'"
            )
            .await,
            1
        );
    });
}

#[test]
fn an_update_replaces_root_properties_and_those_of_the_workflow() {
    pollster::block_on(async {
        let db = database().await;
        let id = create(&db, "ann", sample()).await.unwrap();
        let before = shown(&db, "ann", &id).await;
        let schedule = json!({ "enabled": false });
        change(
            &db,
            "ann",
            &id,
            json!({ "name": "Other", "tags": [], "workflow": { "schedule": schedule } }),
        )
        .await
        .unwrap();
        let after = shown(&db, "ann", &id).await;
        assert_eq!(
            (&after["name"], &after["tags"]),
            (&json!("Other"), &json!([]))
        );
        assert_eq!(
            (&after["description"], &after["__v"]),
            (&json!("d"), &json!(1))
        );
        assert_eq!(after["workflow"]["plan"], before["workflow"]["plan"]);
        assert_eq!(
            number(&db, "select count(*) from queue").await,
            0,
            "no schedule is left"
        );
        assert_eq!(number(&db, "select count(*) from pipeline_plans").await, 1);
        let plan = json!([{ "name": "b", "tool": { "tool_identifier": "approval" } }]);
        change(&db, "ann", &id, json!({ "workflow": { "plan": plan } }))
            .await
            .unwrap();
        assert_eq!(
            number(&db, "select count(*) from pipeline_plans").await,
            1,
            "the old steps are gone"
        );
        for (wrong, text) in [
            (json!({ "name": "" }), "name is missing"),
            (json!({ "workflow": 7 }), "workflow must be an object"),
            (
                json!({ "workflow": { "plan": 7 } }),
                "must be a list of steps",
            ),
            (
                json!({ "workflow": { "schedule": { "cron": "often" } } }),
                "is no cron line",
            ),
            (
                json!({ "workflow": { "source": [] } }),
                "workflow.source must be an object",
            ),
            (
                json!({ "delivery": "yes" }),
                "delivery must be true or false",
            ),
            (
                json!({ "x": "y".repeat(300_000) }),
                "more than the allowed 262144",
            ),
        ] {
            let refusal = change(&db, "ann", &id, wrong).await.unwrap_err();
            assert!(refusal.message().contains(text), "{refusal:?}");
        }
        assert_eq!(shown(&db, "ann", &id).await["name"], "Other");
    });
}

#[test]
fn tools_that_steps_call_must_be_there_and_usable() {
    pollster::block_on(async {
        let db = database().await;
        let tool = json!({ "name": "t", "tool_identifier": "jenkins", "roles": [{ "user": "bob", "role": "user" }] });
        let mia = asker("mia");
        let tool =
            db.transaction(async |tx| tools::insert(tx, &mia, tool.as_object().unwrap()).await);
        let tool = tool.await.unwrap();
        let plan = |id: &str| {
            let tool = json!({ "tool_identifier": "jenkins", "configuration": { "toolConfigId": id, "job": "j" } });
            json!({ "name": "p", "workflow": { "plan": [{ "name": "a", "tool": tool }] } })
        };
        create(&db, "bob", plan(&tool)).await.unwrap();
        let refusal = create(&db, "ann", plan(&tool)).await.unwrap_err();
        assert_eq!(refusal.kind().wire().0, 403);
        let refusal = create(&db, "ann", plan(&"0".repeat(24))).await.unwrap_err();
        assert!(
            refusal.message().contains("toolConfigId: Tool not found"),
            "{refusal:?}"
        );
        let refusal = create(&db, "root@quay", plan(&tool)).await.unwrap_err();
        assert_eq!(
            refusal.kind().wire().0,
            400,
            "another account's tool is none"
        );
        let gone = db
            .transaction(async |tx| tools::delete(tx, &mia, &tool).await)
            .await
            .unwrap_err();
        assert_eq!(
            gone.message(),
            format!("Tool {tool} is used by the pipeline `p`")
        );
    });
}

#[test]
fn lists_are_filtered_and_follow_their_indexes() {
    pollster::block_on(async {
        let db = database().await;
        let open = create(&db, "ann", sample()).await.unwrap();
        let mut ruled = sample();
        ruled["name"] = json!("Ruled'; drop table pipelines; --");
        ruled["roles"] = json!([{ "user": "bob", "role": "user" }]);
        let ruled_id = create(&db, "mia", ruled.clone()).await.unwrap();
        for (who, want) in [
            ("ann", vec![&open]),
            ("bob", vec![&ruled_id, &open]),
            ("vic", vec![&open]),
            ("mia", vec![&ruled_id, &open]),
            ("root@quay", vec![]),
        ] {
            let listed = list(&db, &asker(who), Narrowed::default(), ALL)
                .await
                .unwrap();
            let items = body(listed.respond(&db)).await;
            let ids: Vec<&str> = items
                .iter()
                .map(|item| item["_id"].as_str().unwrap())
                .collect();
            assert_eq!(ids, want, "{who}");
        }
        for (narrowed, want) in [
            (
                Narrowed {
                    name: ruled["name"].as_str(),
                    ..Narrowed::default()
                },
                1,
            ),
            (
                Narrowed {
                    name: Some("none"),
                    ..Narrowed::default()
                },
                0,
            ),
            (
                Narrowed {
                    status: Some("idle"),
                    ..Narrowed::default()
                },
                2,
            ),
            (
                Narrowed {
                    status: Some("paused"),
                    ..Narrowed::default()
                },
                0,
            ),
        ] {
            let listed = list(&db, &asker("mia"), narrowed, ALL).await.unwrap();
            assert_eq!(body(listed.respond(&db)).await.len(), want, "{narrowed:?}");
        }
        let wrong = Narrowed {
            status: Some("asleep"),
            ..Narrowed::default()
        };
        assert!(list(&db, &asker("mia"), wrong, ALL).await.is_err());
        for (narrowed, index) in [
            (Narrowed::default(), "pipelines_by_tenant (tenant_name=?)"),
            (
                Narrowed {
                    name: Some("x"),
                    ..Narrowed::default()
                },
                "pipelines_by_name (tenant_name=? AND name=?)",
            ),
        ] {
            let (sql, values) = view::keys(&asker("ann"), narrowed, ALL);
            let plan = crate::testing::plan(&db, &sql, &values).await;
            assert!(
                plan.contains(index) && !plan.contains("TEMP B-TREE FOR ORDER"),
                "{plan}"
            );
        }
    });
}

#[test]
fn a_copy_is_somebodys_own_with_steps_of_its_own() {
    pollster::block_on(async {
        let db = database().await;
        let id = create(&db, "ann", sample()).await.unwrap();
        let bob = asker("bob");
        let copy = db
            .transaction(async |tx| duplicate(tx, &bob, &id, None).await)
            .await
            .unwrap();
        let (before, after) = (shown(&db, "bob", &id).await, shown(&db, "bob", &copy).await);
        assert_eq!(
            (&after["name"], &after["owner_name"]),
            (&json!("Deliver (copy)"), &json!("bob"))
        );
        assert_ne!(
            after["workflow"]["plan"][0]["_id"],
            before["workflow"]["plan"][0]["_id"]
        );
        let vic = asker("vic");
        let refusal = db
            .transaction(async |tx| duplicate(tx, &vic, &id, None).await)
            .await
            .unwrap_err();
        assert_eq!(refusal.kind().wire().0, 403);
        db.transaction(async |tx| delete(tx, &bob, &copy).await)
            .await
            .unwrap();
        assert_eq!(number(&db, "select count(*) from pipelines").await, 1);
    });
}

#[test]
fn only_who_may_have_commands_run_writes_steps_that_do() {
    pollster::block_on(async {
        let db = database().await;
        let plan = |environment: Json, seconds: i64| {
            json!({ "name": "Deliver", "workflow": { "plan": [
                { "name": "a", "_id": "0123456789abcdef01234567", "active": false, "tool": { "tool_identifier": "shell",
                    "configuration": { "script": "true", "queue": "q", "environment": environment } } },
                { "name": "b", "_id": "0123456789abcdef01234568", "tool": { "tool_identifier": "wait",
                    "configuration": { "seconds": seconds } } },
            ] } })
        };
        let refused = create(&db, "ann", plan(json!({}), 1)).await.unwrap_err();
        assert_eq!(refused.kind(), Kind::Forbidden);
        assert!(
            refused.message().contains("action opsera_shell"),
            "{}",
            refused.message()
        );
        let id = create(&db, "mia", plan(json!({}), 1)).await.unwrap();
        let sql = "update pipelines set created_by = 'ann'";
        db.execute(sql, &[]).await.unwrap();
        for (who, changes, may) in [
            ("ann", json!({ "description": "d" }), true),
            ("ann", plan(json!({}), 1), true),
            ("ann", plan(json!({ "A": "b" }), 1), false),
            ("ann", plan(json!({}), 2), false),
            ("mia", plan(json!({ "A": "b" }), 2), true),
            ("ann", json!({ "workflow": { "plan": [] } }), true),
        ] {
            let changed = change(&db, who, &id, changes.clone()).await;
            assert_eq!(changed.is_ok(), may, "{who}: {changes}: {changed:?}");
        }
        let id = create(&db, "mia", plan(json!({}), 1)).await.unwrap();
        let copy = async |who: &str| {
            let asker = asker(who);
            db.transaction(async |tx| duplicate(tx, &asker, &id, None).await)
                .await
        };
        assert_eq!(copy("ann").await.unwrap_err().kind(), Kind::Forbidden);
        copy("mia").await.unwrap();
    });
}
