//! `_total=false`: pages without the number of all.

use crate::samples::{self, CRANE};
use windlass_tests::{Value, Windlass, json};

#[test]
fn every_list_leaves_its_total_out_and_refuses_what_is_no_truth_value() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    admin.execute("crane", "install");
    windlass.run_pending_work();
    for list in [
        "/blueprints?",
        "/deployments?",
        "/deployments?_filter_id=csys-environment-filter&",
        "/deployments?_search=cra&",
        "/nodes?",
        "/node-instances?",
        "/node-instances?_evaluate_functions=true&",
        "/executions?",
        "/events?",
        "/audit?",
        "/tenants?",
        "/users?",
        "/permissions?",
        "/tokens?",
        "/sites?",
        "/secrets?",
        "/plugins?",
        "/snapshots?",
        "/agents?",
        "/filters/deployments?",
        "/labels/deployments?",
        "/labels/blueprints/kind?",
        "/deployment-groups?",
        "/execution-groups?",
        "/execution-schedules?",
        "/deployment-updates?",
        "/deployments/inter-deployment-dependencies?",
        "/summary/deployments?_target_field=blueprint_id&",
    ] {
        let whole = admin.get(&format!("{list}_total=true")).expect(200);
        let page = admin.get(&format!("{list}_total=False")).expect(200);
        let (total, all) = (
            &page["metadata"]["pagination"]["total"],
            &whole["metadata"]["pagination"]["total"],
        );
        assert!(all.is_u64(), "{list}: {whole}");
        assert_eq!(total, &Value::Null, "{list}: {page}");
        for kept in ["offset", "size"] {
            assert_eq!(
                page["metadata"]["pagination"][kept],
                whole["metadata"]["pagination"][kept]
            );
        }
        if !list.starts_with("/audit") {
            let count = |page: &Value| page["items"].as_array().map(Vec::len);
            assert_eq!(count(&page), count(&whole), "{list}");
        }
        let refusal = admin.get(&format!("{list}_total=none"));
        let text = refusal.refused(400, "bad_parameters_error");
        assert!(text.contains("_total"), "{list}: {text}");
    }
}

#[test]
fn a_search_without_a_total_tells_nothing_of_what_it_left_out() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    samples::deployed(admin, "quay");
    let rules = json!({ "filter_rules": [
        { "key": "id", "values": ["cra"], "operator": "contains", "type": "attribute" },
    ] });
    for (query, pagination, filtered) in [
        (
            "_size=1",
            json!({ "total": 1, "offset": 0, "size": 1 }),
            json!(1),
        ),
        (
            "_size=1&_total=false",
            json!({ "total": null, "offset": 0, "size": 1 }),
            Value::Null,
        ),
    ] {
        let path = format!("/searches/deployments?{query}");
        let found = admin.post(&path, rules.clone()).expect(200);
        assert_eq!(samples::ids(&found), ["crane"]);
        assert_eq!(found["metadata"]["pagination"], pagination);
        assert_eq!(found["metadata"]["filtered"], filtered);
    }
}

/// Instances remember what they have counted. Whatever anybody changes is in the next page, and nobody's total
/// has what they may not see.
#[test]
fn a_total_is_as_new_as_its_page_for_everybody() {
    let windlass = Windlass::start();
    let (ann, bob) = (
        windlass.user("ann").in_tenant("harbour"),
        windlass.user("bob").in_tenant("harbour"),
    );
    let files = [("crane.yaml", CRANE)];
    ann.upload("crane", "crane.yaml", &files).expect(201);
    let rules = json!({ "filter_rules": [
        { "key": "place", "values": ["port"], "operator": "any_of", "type": "label" },
        { "key": "id", "values": ["d"], "operator": "starts_with", "type": "attribute" },
    ] });
    let demand = |of_ann: usize, of_bob: usize, after: &str| {
        for (who, total) in [(ann, of_ann), (bob, of_bob)] {
            // Once counted, then remembered.
            for _ in 0..3 {
                let path = "/searches/deployments?_size=1";
                let found = who.post(path, rules.clone()).expect(200);
                assert_eq!(found["metadata"]["pagination"]["total"], total, "{after}");
            }
        }
    };
    demand(0, 0, "nothing is there");
    for (id, visibility) in [("d1", "tenant"), ("d2", "private"), ("d3", "tenant")] {
        let body = json!({
            "blueprint_id": "crane", "labels": [{ "place": "port" }], "visibility": visibility,
        });
        ann.put(&format!("/deployments/{id}"), body).expect(201);
    }
    demand(3, 2, "three came, one of them private");
    let labels = json!({ "labels": [{ "place": "sea" }] });
    ann.patch("/deployments/d3", labels).expect(200);
    demand(2, 1, "one has another label");
    let wider = json!({ "visibility": "tenant" });
    ann.patch("/deployments/d2/set-visibility", wider)
        .expect(200);
    demand(2, 2, "one is seen by all");
    ann.delete("/deployments/d1").expect(204);
    demand(1, 1, "one is gone");
}
