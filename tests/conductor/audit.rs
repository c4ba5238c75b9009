//! The audit trail as clients know it: listed, followed, shortened, and as a table.

use crate::samples;
use windlass_tests::{Value, Windlass, json};

#[test]
fn the_audit_trail_is_listed_followed_and_truncated() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let ann = windlass.user("ann").in_tenant("harbour");
    ann.put("/sites/pier", json!({})).expect(200);
    ann.post("/sites/pier", json!({ "location": "1,2" }))
        .expect(200);
    ann.delete("/sites/pier").expect_answer(204);
    ann.get("/audit").refused(403, "forbidden_error");
    let sites = admin.get("/audit?ref_table=sites&order_by=id").expect(200);
    let operations = samples::column(&sites, "operation");
    assert_eq!(operations, ["create", "update", "delete"]);
    let first = &sites["items"][0];
    assert_eq!(first["creator_name"], "ann");
    assert_eq!(
        first["ref_identifier"],
        json!({ "id": "pier", "tenant_name": "harbour" })
    );
    let last = admin
        .get("/audit?creator_name=ann&order_by=created_at&desc=True&size=1")
        .expect(200);
    assert_eq!(last["items"][0]["operation"], "delete");
    assert_eq!(last["metadata"]["pagination"]["total"], 3);
    assert_eq!(
        admin.get("/audit?since=2090-01-01").expect(200)["items"],
        json!([])
    );
    for bad in [
        "order_by=colour",
        "desc=perhaps",
        "size=x",
        "since=noon",
        "colour=red",
    ] {
        admin
            .get(&format!("/audit?{bad}"))
            .refused(400, "bad_parameters_error");
    }

    // Whoever follows gets what was and what comes, a line each.
    let stream = admin
        .get("/audit/stream?creator_name=ann&since=2001-01-01&timeout=0")
        .expect_answer(200);
    let text = String::from_utf8_lossy(&stream.body).into_owned();
    let lines: Vec<Value> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 3, "{text}");
    admin
        .get("/audit/stream?timeout=long")
        .refused(400, "bad_parameters_error");

    let old = json!([{
        "ref_table": "blueprints", "ref_id": 7, "ref_identifier": { "id": "b", "tenant_name": "t" },
        "operation": "create", "creator_name": "eve", "execution_id": null,
        "created_at": "2020-01-01T00:00:00Z",
    }]);
    admin.post("/audit", old).expect(200);
    admin
        .post("/audit", json!([{ "ref_table": "x" }]))
        .refused(400, "bad_parameters_error");
    assert_eq!(
        admin.get("/audit?creator_name=eve").expect(200)["items"][0]["ref_id"],
        "b"
    );
    admin.delete("/audit").refused(400, "bad_parameters_error");
    let gone = admin.delete("/audit?before=2021-01-01").expect(200);
    assert_eq!(gone, json!({ "deleted": 1 }));
    let ours = admin
        .delete("/audit?before=2090-01-01&creator_name=ann")
        .expect(200);
    assert_eq!(ours, json!({ "deleted": 3 }));
}

#[test]
fn the_trail_tells_from_where_and_is_a_table_too() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let ann = windlass.user("ann").in_tenant("harbour");
    ann.put("/sites/pier", json!({})).expect(200);
    ann.post("/sites/pier", json!({ "location": "1,2" }))
        .expect(200);
    ann.delete("/sites/pier").expect_answer(204);
    let anns = admin.get("/audit?creator_name=ann").expect(200);
    let address = anns["items"][0]["address"].as_str().expect("an address");
    let here = admin.get(&format!("/audit?address={address}&creator_name=ann"));
    assert_eq!(here.expect(200)["metadata"]["pagination"]["total"], 3);
    let table = |query: &str, accept: &str| {
        let mut request = admin.compose("GET", &format!("/api/v3.1/audit{query}"), None, None);
        request.headers.retain(|(name, _)| name != "accept");
        request.headers.push(("accept".into(), accept.into()));
        admin.send(&request)
    };
    let by_format = table(
        "?creator_name=ann&ref_table=sites&order_by=id&format=csv",
        "*/*",
    );
    assert_eq!(by_format.status, 200);
    let content_type = by_format.header("content-type").unwrap_or_default();
    assert!(content_type.starts_with("text/csv"), "{content_type}");
    let text = String::from_utf8_lossy(&by_format.body).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(
        lines[0].starts_with("id,created_at,creator_name,address,"),
        "{text}"
    );
    let want = format!(",ann,{address},create,sites,pier,harbour,");
    assert!(lines[1].ends_with(&want), "{text}");
    let by_header = table("?creator_name=ann&ref_table=sites&order_by=id", "text/csv");
    assert_eq!(by_header.body, by_format.body);
    let two = table("?creator_name=ann&size=1&offset=1&desc=true", "text/csv");
    assert_eq!(String::from_utf8_lossy(&two.body).lines().count(), 2);
    for bad in [
        "format=xml",
        "format=csv&order_by=operation",
        "format=csv&colour=red",
    ] {
        admin
            .get(&format!("/audit?{bad}"))
            .refused(400, "bad_parameters_error");
    }

    // What comes from elsewhere may hold what a spreadsheet would run.
    let entry = json!([{
        "ref_table": "blueprints", "ref_identifier": { "id": "b" }, "operation": "create",
        "creator_name": "=eve()", "address": "203.0.113.9", "created_at": "2020-01-01T00:00:00Z",
    }]);
    admin.post("/audit", entry).expect(200);
    let from = admin.get("/audit?address=203.0.113.9").expect(200);
    assert_eq!(from["items"][0]["ref_id"], "b");
    let formula = table("?address=203.0.113.9", "text/csv");
    let text = String::from_utf8_lossy(&formula.body).into_owned();
    assert!(text.contains(",'=eve(),203.0.113.9,"), "{text}");
}
