//! Activity: who changed what, and where tokens were shown.

use windlass_tests::{Windlass, json};

#[test]
fn changes_and_uses_of_tokens_are_told_to_those_who_look_after_the_account() {
    let windlass = Windlass::start();
    let mia = windlass.user("mia").with_role_in("manager", "harbour");
    let all = mia.own_token();
    let audit = mia
        .post("/tokens", json!({ "scopes": ["security-logs"] }))
        .expect(200);
    let audit = audit["value"].as_str().unwrap().to_owned();
    let nobody = windlass.nobody().without_tenant().at_root();
    let client = nobody.with_bearer(&all);
    mia.put("/sites/pier", json!({})).expect(200);
    let made = client
        .post("/api/v1/pipeline/create", json!({ "name": "P" }))
        .expect(200);
    let auditor = nobody.with_bearer(&audit);
    let actions = auditor
        .get("/api/v1/logs/user/actions?type=pipeline")
        .expect(200);
    assert_eq!(actions["count"], 1);
    let told = &actions["data"][0];
    assert_eq!(
        (&told["type"], &told["action"]),
        (&json!("pipeline"), &json!("create"))
    );
    assert_eq!(
        (&told["target_id"], &told["account"]),
        (&made["_id"], &json!("harbour"))
    );
    let actions = auditor.get("/api/v1/logs/user/actions?count=1").expect(200);
    assert_eq!(actions["count"], 1);
    let uses = auditor
        .get("/api/v1/logs/user/tokens?scope=security-logs")
        .expect(200);
    assert!(uses["count"].as_u64().unwrap() >= 1, "{uses}");
    assert_eq!(
        uses["data"][0]["target"], "/v1/logs/user/tokens",
        "this request is among them"
    );
    // A token that was good for nothing here was shown all the same.
    auditor.get("/api/v1/pipeline/pipelines").expect(403);
    auditor
        .get("/api/v1/logs/user/actions?date=tomorrow")
        .expect(400);
    let ann = windlass.user("ann").in_tenant("harbour").own_token();
    nobody
        .with_bearer(&ann)
        .get("/api/v1/logs/user/actions")
        .expect(403);
    let bob = windlass
        .user("bob")
        .with_role_in("manager", "quay")
        .own_token();
    let theirs = nobody
        .with_bearer(&bob)
        .get("/api/v1/logs/user/actions")
        .expect(200);
    assert_eq!(theirs["count"], 0);
}
