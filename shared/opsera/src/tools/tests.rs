use super::*;
use crate::testing::{asker, database};
use serde_json::json;
use windlass_core::db::NativeDb;

fn object(value: Json) -> Map<String, Json> {
    value.as_object().unwrap().clone()
}

async fn register(db: &NativeDb, who: &str, value: Json) -> Result<String> {
    let asker = asker(who);
    db.transaction(async |tx| insert(tx, &asker, &object(value)).await)
        .await
}

async fn change(db: &NativeDb, who: &str, id: &str, value: Json) -> Result<()> {
    let asker = asker(who);
    db.transaction(async |tx| update(tx, &asker, id, &object(value)).await)
        .await
}

async fn shown(db: &NativeDb, who: &str, id: &str) -> Result<Json> {
    let text = show(db, &asker(who), id).await?;
    Ok(serde_json::from_str(&text).unwrap())
}

fn jenkins() -> Json {
    json!({ "name": " CI ", "tool_identifier": "jenkins", "tags": [{ "type": "a", "value": null }],
        "configuration": { "url": "https://ci.example/", "username": "bot", "token": "s3cr3t-token" } })
}

#[test]
fn a_tool_is_shown_as_it_came_without_its_credentials() {
    pollster::block_on(async {
        let db = database().await;
        let id = register(&db, "mia", jenkins()).await.unwrap();
        let tool = shown(&db, "vic", &id).await.unwrap();
        assert_eq!(tool["_id"], id);
        assert_eq!(
            (&tool["name"], &tool["account"]),
            (&json!("CI"), &json!("harbour"))
        );
        assert_eq!(tool["owner"], "000000000000000000000009");
        assert_eq!(
            tool["configuration"],
            json!({ "url": "https://ci.example/", "username": "bot", "token": "***" })
        );
        assert_eq!(tool["tags"], json!([{ "type": "a", "value": null }]));
        assert_eq!((&tool["active"], &tool["__v"]), (&json!(true), &json!(0)));
        let opened = open(&db, "harbour", &id).await.unwrap().unwrap();
        assert_eq!(opened.text(&["token"]), Some("s3cr3t-token"));
        assert_eq!(
            (opened.kind, opened.url()),
            (Some(StepKind::Jenkins), Ok("https://ci.example"))
        );
        let kept = "select group_concat(document || coalesce(credentials, '')) from tools";
        let kept = db.first(kept, &[]).await.unwrap().unwrap();
        assert!(!kept.text(0).unwrap().contains("s3cr3t"));
        assert!(open(&db, "quay", &id).await.unwrap().is_none());
    });
}

#[test]
fn an_update_replaces_root_properties_whole() {
    pollster::block_on(async {
        let db = database().await;
        let id = register(&db, "mia", jenkins()).await.unwrap();
        let before = shown(&db, "mia", &id).await.unwrap();
        change(&db, "mia", &id, json!({})).await.unwrap();
        assert_eq!(shown(&db, "mia", &id).await.unwrap(), before);
        let sent = json!({ "_id": "x", "createdAt": "then", "__v": 9, "owner": "me", "description": "d",
            "configuration": { "url": "https://ci.example/", "token": "***" } });
        change(&db, "mia", &id, sent).await.unwrap();
        let after = shown(&db, "mia", &id).await.unwrap();
        assert_eq!(after["_id"], id);
        assert_eq!(
            (&after["__v"], &after["owner"]),
            (&json!(1), &before["owner"])
        );
        assert_eq!(
            after["configuration"],
            json!({ "url": "https://ci.example/", "token": "***" })
        );
        let opened = open(&db, "harbour", &id).await.unwrap().unwrap();
        assert_eq!(opened.text(&["token", "username"]), Some("s3cr3t-token"));
        change(
            &db,
            "mia",
            &id,
            json!({ "configuration": { "token": "another" } }),
        )
        .await
        .unwrap();
        let opened = open(&db, "harbour", &id).await.unwrap().unwrap();
        assert_eq!(opened.text(&["token"]), Some("another"));
    });
}

#[test]
fn a_stored_credential_does_not_go_to_another_address() {
    pollster::block_on(async {
        let db = database().await;
        let id = register(&db, "mia", jenkins()).await.unwrap();
        let before = shown(&db, "mia", &id).await.unwrap();
        for changes in [
            json!({ "configuration": { "url": "https://evil.example", "token": "***" } }),
            json!({ "configuration": { "toolURL": "https://evil.example", "token": "***" } }),
            json!({ "configuration": { "url": "https://ci.example/", "baseUrl": "https://evil.example",
                "token": "***" } }),
            json!({ "configuration": { "token": "***" } }),
            json!({ "tool_identifier": "github" }),
        ] {
            let refusal = change(&db, "mia", &id, changes.clone()).await.unwrap_err();
            assert_eq!(refusal.kind().wire().0, 400, "{changes}");
            assert!(refusal.message().contains("give the credentials again"));
        }
        assert_eq!(shown(&db, "mia", &id).await.unwrap(), before);
        // With its credentials given again it goes anywhere, and without an address changed `***` stays.
        let moved = json!({ "tool_identifier": "gitlab",
            "configuration": { "url": "https://new.example", "token": "another" } });
        change(&db, "mia", &id, moved).await.unwrap();
        let kept = json!({ "name": "n", "configuration": { "url": "https://new.example",
            "token": "***", "job": "j" } });
        change(&db, "mia", &id, kept).await.unwrap();
        let opened = open(&db, "harbour", &id).await.unwrap().unwrap();
        assert_eq!(opened.text(&["token"]), Some("another"));
        let emptied = json!({ "configuration": { "url": "https://evil.example" } });
        change(&db, "mia", &id, emptied).await.unwrap();
        let opened = open(&db, "harbour", &id).await.unwrap().unwrap();
        assert_eq!(opened.text(&["token"]), None);
    });
}

#[test]
fn who_may_not_is_refused_and_nothing_is_stored() {
    pollster::block_on(async {
        let db = database().await;
        let id = register(&db, "mia", jenkins()).await.unwrap();
        let ruled = json!({ "name": "r", "tool_identifier": "webhook", "roles": [
            { "user": "BOB", "role": "user" }, { "group": "crew", "role": "manager" }] });
        let ruled = register(&db, "mia", ruled).await.unwrap();
        for who in ["ann", "vic"] {
            assert_eq!(
                register(&db, who, jenkins())
                    .await
                    .unwrap_err()
                    .kind()
                    .wire()
                    .0,
                403,
                "{who}"
            );
            assert_eq!(
                change(&db, who, &id, json!({ "a": 1 }))
                    .await
                    .unwrap_err()
                    .kind()
                    .wire()
                    .0,
                403
            );
        }
        for (who, status) in [
            ("bob", 200),
            ("ann", 403),
            ("vic", 403),
            ("mia", 200),
            ("root", 200),
            ("root@quay", 404),
        ] {
            let status_of = shown(&db, who, &ruled)
                .await
                .map_or_else(|error| error.kind().wire().0, |_| 200);
            assert_eq!(status_of, status, "{who}");
        }
        for (value, part) in [
            (json!({}), "name is missing"),
            (
                json!({ "name": "a\nb", "tool_identifier": "x" }),
                "name has control characters",
            ),
            (json!({ "name": "a" }), "tool_identifier is missing"),
            (
                json!({ "name": "a", "tool_identifier": "x", "active": 1 }),
                "active must be true or false",
            ),
            (
                json!({ "name": "a", "tool_identifier": "x", "roles": {} }),
                "roles: must be a list",
            ),
            (
                json!({ "name": "a", "tool_identifier": "x", "roles": [{ "user": "a", "role": "king" }] }),
                "roles: each names",
            ),
            (
                json!({ "name": "a", "tool_identifier": "x", "configuration": [] }),
                "configuration must be an object",
            ),
            (
                json!({ "name": "a", "tool_identifier": "x", "y": "z".repeat(300_000) }),
                "more than the allowed 262144",
            ),
        ] {
            let refusal = register(&db, "mia", value).await.unwrap_err();
            assert!(refusal.message().contains(part), "{refusal:?}");
        }
        let count = db
            .first("select count(*) from tools", &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(count.integer(0).unwrap(), 2);
    });
}

#[test]
fn lists_end_at_a_thousand_and_follow_their_index() {
    pollster::block_on(async {
        let db = database().await;
        let first = register(&db, "mia", jenkins()).await.unwrap();
        db.execute(
            "insert into tools (id, tenant_name, created_by, name, tool_identifier, created_at, updated_at)
             with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000)
             select printf('%024d', i), 'harbour', 'ann', 'tool', 'x', '', '' from n",
            &[],
        )
        .await
        .unwrap();
        let paging = Paging {
            limit: 1000,
            offset: 0,
        };
        let listed = list(&db, &asker("vic"), paging).await.unwrap();
        let response = listed.respond(&db);
        let body = response.made.unwrap().read().await.unwrap();
        let tools: Vec<Json> = serde_json::from_slice(&body).unwrap();
        assert_eq!(tools.len(), 1000);
        assert!(
            tools.iter().all(|tool| tool["_id"] != first),
            "the oldest is left out"
        );
        let sql = format!(
            "select t.key, 1 from tools t where {} order by t.key desc limit ?5 offset ?6",
            access::listed()
        );
        let values = asker("ann").with(params![10, 0]);
        let plan = crate::testing::plan(&db, &sql, &values).await;
        assert!(plan.contains("tools_by_tenant (tenant_name=?)"), "{plan}");
        assert!(!plan.contains("TEMP B-TREE FOR ORDER"), "{plan}");
    });
}

#[test]
fn each_kind_logs_in_in_its_own_way_and_tells_no_secret() {
    let tool = |kind: StepKind, configuration: Json| Tool {
        name: "T".into(),
        kind: Some(kind),
        is_active: true,
        configuration: object(configuration),
        secrets: vec!["s3cr3t".into()],
    };
    let all = json!({ "url": "https://t.example/", "username": "u", "token": "s3cr3t" });
    for (kind, url, header) in [
        (
            StepKind::Jenkins,
            "https://t.example/api/json?tree=mode",
            ("authorization", "Basic dTpzM2NyM3Q="),
        ),
        (
            StepKind::Github,
            "https://t.example/rate_limit",
            ("authorization", "Bearer s3cr3t"),
        ),
        (
            StepKind::Gitlab,
            "https://t.example/api/v4/user",
            ("private-token", "s3cr3t"),
        ),
        (
            StepKind::Argo,
            "https://t.example/api/v1/session/userinfo",
            ("authorization", "Bearer s3cr3t"),
        ),
        (
            StepKind::Webhook,
            "https://t.example",
            ("authorization", "Basic dTpzM2NyM3Q="),
        ),
    ] {
        let tool = tool(kind, all.clone());
        let request = probe::test(&tool, false).unwrap();
        assert_eq!(request.url, url);
        assert!(
            request
                .headers
                .contains(&(header.0.into(), header.1.into())),
            "{request:?}"
        );
        let answer = |status, body: &str| windlass_core::outbound::OutboundResponse {
            status,
            headers: Vec::new(),
            body: body.into(),
        };
        probe::conclude(&tool, Ok(answer(200, r#"{"loggedIn": true}"#))).unwrap();
        let refusal = probe::conclude(&tool, Ok(answer(401, "no s3cr3t"))).unwrap_err();
        assert_eq!(refusal, "T answered 401 to the test: no ***");
        let long = format!("{}s3cr3t", "x".repeat(297));
        let refusal = probe::conclude(&tool, Ok(answer(401, &long))).unwrap_err();
        assert!(refusal.ends_with("xx***"), "{refusal}");
        assert!(probe::conclude(&tool, Err("unreachable".into())).is_err());
    }
    let local = tool(StepKind::Jenkins, json!({ "url": "http://10.0.0.1" }));
    assert!(probe::test(&local, false).is_err());
    let none = tool(StepKind::Wait, all);
    assert!(probe::test(&none, false).is_err());
    let split = tool(
        StepKind::Webhook,
        json!({ "url": "https://t.example", "headers": { "a": "b\r\nc: d" } }),
    );
    assert!(probe::test(&split, false).is_err());
}
