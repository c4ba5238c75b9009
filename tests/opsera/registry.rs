//! The registry: tools, whose credentials go in and never come out.

use windlass_tests::{Options, Recorder, json};

#[test]
fn a_tools_credentials_are_kept_and_used_and_never_shown() {
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let token = windlass
        .user("mia")
        .with_role_in("manager", "harbour")
        .own_token();
    let client = windlass
        .nobody()
        .without_tenant()
        .at_root()
        .with_bearer(&token);
    let jenkins = Recorder::answering(|request| {
        match request.headers.get("authorization").map(String::as_str) {
            Some("Basic Ym90OnMzY3IzdC10b2tlbg==") => (200, json!({ "mode": "NORMAL" })),
            _ => (401, json!({})),
        }
    });
    let tool = json!({ "name": "CI", "tool_identifier": "jenkins",
        "configuration": { "url": jenkins.url(), "username": "bot", "token": "s3cr3t-token" } });
    let made = client.post("/api/v1/registry/create", tool).expect(200);
    assert_eq!(made["configuration"]["token"], "***");
    let id = &made["_id"];
    let tested = client
        .post("/api/v1/registry/test", json!({ "toolId": id }))
        .expect(200);
    assert_eq!(
        tested,
        json!({ "status": "success", "message": "CI answered 200" })
    );
    let changes = json!({ "name": "Build server", "configuration": { "url": jenkins.url(), "username": "bot", "token": "***" } });
    let changed = client
        .post(
            "/api/v1/registry/update",
            json!({ "toolId": id, "tool": changes }),
        )
        .expect(200);
    assert_eq!(
        (&changed["name"], &changed["__v"]),
        (&json!("Build server"), &json!(1))
    );
    let tested = client
        .post("/api/v1/registry/test", json!({ "toolId": id }))
        .expect(200);
    assert_eq!(
        tested["status"], "success",
        "the mask left the token as it was"
    );
    let changes =
        json!({ "configuration": { "url": jenkins.url(), "username": "bot", "token": "wrong" } });
    client
        .post(
            "/api/v1/registry/update",
            json!({ "toolId": id, "tool": changes }),
        )
        .expect(200);
    let tested = client
        .post("/api/v1/registry/test", json!({ "toolId": id }))
        .expect(200);
    assert_eq!(tested["status"], "failed");
    for (body, message) in [
        (json!({ "toolId": id }), "tool is missing"),
        (
            json!({ "toolId": id, "tool": [] }),
            "tool parameter is expected to be of type dict but is of type list",
        ),
        (json!({ "tool": {} }), "toolId is missing"),
    ] {
        let refusal = client.post("/api/v1/registry/update", body).expect(400);
        assert_eq!(refusal["message"], message);
    }
    let list = client.get("/api/v1/registry/tools").expect(200);
    assert!(!list.to_string().contains("s3cr3t") && !list.to_string().contains("wrong"));
    client
        .post("/api/v1/registry/delete", json!({ "toolId": id }))
        .expect(200);
    client
        .post("/api/v1/registry/summary", json!({ "toolId": id }))
        .expect(404);
}
