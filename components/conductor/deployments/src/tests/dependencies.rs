//! Inter-deployment dependencies through the routes.

use super::*;

const ALL: &str = "/deployments/inter-deployment-dependencies";

fn uses(creator: &str, source: &str, target: &str) -> Value {
    json!({
        "dependency_creator": creator, "source_deployment": source, "target_deployment": target,
        "target_deployment_func": null, "external_source": null, "external_target": null,
    })
}

#[test]
fn a_dependency_is_made_shown_and_deleted() {
    let harbour = Harbour::new();
    let made = harbour.ask(
        "admin",
        "PUT",
        ALL,
        uses("component.tug_x1", "d1", "d2"),
        200,
    );
    let mut shown = made.clone();
    for name in ["id", "created_at"] {
        assert!(shown[name].as_str().is_some_and(|text| text.len() > 20));
        shown[name] = json!("");
    }
    assert_eq!(
        shown,
        json!({
            "id": "", "dependency_creator": "component.tug_x1", "source_deployment_id": "d1",
            "target_deployment_id": "d2", "target_deployment_func": null, "external_source": null,
            "external_target": null, "created_at": "", "created_by": "admin",
            "tenant_name": "harbour", "visibility": "tenant", "private_resource": false,
            "resource_availability": "tenant",
        })
    );
    let again = harbour.ask(
        "admin",
        "PUT",
        ALL,
        uses("component.tug_x1", "d1", "d2"),
        200,
    );
    assert_eq!(again["id"], made["id"]);
    for query in [
        "",
        "?source_deployment_id=d1",
        "?_sort=-created_at",
        "?target_deployment_id=d2",
    ] {
        let listed = harbour.ids("admin", &format!("{ALL}{query}"));
        assert_eq!(listed, [made["id"].as_str().unwrap()], "{query}");
    }
    assert!(harbour.ids("admin@quay", ALL).is_empty());
    let consumers = |want: Value| {
        let labels =
            harbour.ask("admin", "GET", "/deployments/d2", Value::Null, 200)["labels"].clone();
        let labels = labels.as_array().unwrap().iter();
        let ids = labels.filter(|label| label["key"] == "csys-consumer-id");
        assert_eq!(
            ids.map(|label| label["value"].clone()).collect::<Value>(),
            want
        );
    };
    consumers(json!(["d1"]));
    assert_eq!(
        harbour.ids("admin", "/deployments?_dependencies_of=d1"),
        ["d2"]
    );
    assert_eq!(
        harbour.ids("admin", "/deployments?_environments_only=1"),
        ["d1"]
    );
    let refusal = harbour.ask("admin", "DELETE", "/deployments/d2", Value::Null, 400);
    assert_eq!(refusal["error_code"], "dependent_exists_error");
    let refusal = harbour.ask("admin", "PUT", ALL, uses("x", "d2", "d1"), 409);
    assert_eq!(
        refusal["message"],
        "cyclic dependency between deployments d2 and d1"
    );
    let mut gone = uses("component.tug_x1", "d1", "d2");
    gone["is_component_deletion"] = json!(false);
    harbour.ask("admin", "DELETE", ALL, gone.clone(), 204);
    harbour.ask("admin", "DELETE", ALL, gone, 404);
    consumers(json!([]));
}

#[test]
fn many_are_made_at_once_or_put_in_place_of_all() {
    let harbour = Harbour::new();
    let some = |creators: &[&str]| -> Value {
        let one =
            |creator: &&str| json!({ "dependency_creator": creator, "target_deployment": "d2" });
        creators.iter().map(one).collect()
    };
    let body =
        |all: Value| json!({ "source_deployment_id": "d1", "inter_deployment_dependencies": all });
    let made = harbour.ask("admin", "POST", ALL, body(some(&["a", "b"])), 200);
    assert_eq!(made["metadata"]["pagination"]["total"], 2);
    assert_eq!(made["items"][0].as_object().unwrap().len(), 1);
    let creators = || {
        let list = harbour.ask("admin", "GET", ALL, Value::Null, 200)["items"].clone();
        let creators = list.as_array().unwrap().iter();
        creators
            .map(|one| one["dependency_creator"].clone())
            .collect::<Value>()
    };
    assert_eq!(creators(), json!(["a", "b"]));
    let url = "/deployments/d1/inter-deployment-dependencies";
    harbour.ask("admin", "PUT", url, body(some(&["c"])), 200);
    assert_eq!(creators(), json!(["c"]));
    // What is refused leaves all as it was.
    let mut bad = some(&["d", "e"]);
    bad[1]["target_deployment"] = json!("d9");
    harbour.ask("admin", "PUT", url, body(bad.clone()), 404);
    harbour.ask("admin", "POST", ALL, body(bad), 404);
    assert_eq!(creators(), json!(["c"]));
    let many: Vec<String> = (0..1001).map(|number| format!("c{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    harbour.ask("admin", "PUT", url, body(some(&many)), 400);
    harbour.ask("admin", "PUT", url, body(json!([])), 200);
    assert_eq!(creators(), json!([]));
}

#[test]
fn what_no_dependency_can_be_is_refused() {
    let harbour = Harbour::new();
    let without = |name: &str| {
        let mut body = uses("x", "d1", "d2");
        body[name] = Value::Null;
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = uses("x", "d1", "d2");
        body[name] = value;
        body
    };
    for (who, body, status, text) in [
        (
            "viewer",
            uses("x", "d1", "d2"),
            403,
            "inter_deployment_dependency_create",
        ),
        (
            "admin",
            without("dependency_creator"),
            400,
            "Missing dependency_creator in json",
        ),
        (
            "admin",
            without("source_deployment"),
            400,
            "Missing source_deployment in json",
        ),
        (
            "admin",
            without("target_deployment"),
            404,
            "Given target deployment",
        ),
        (
            "admin",
            with("target_deployment_func", json!("x")),
            400,
            "type dict",
        ),
        (
            "admin",
            uses("x", "d9", "d2"),
            404,
            "Given source deployment with ID `d9` does not exist.",
        ),
        (
            "admin",
            uses("x", "d1", "d9"),
            404,
            "Given target deployment with ID `d9` does not exist.",
        ),
        (
            "admin@quay",
            uses("x", "d1", "d2"),
            404,
            "Given source deployment with ID `d1`",
        ),
        (
            "admin",
            uses("x", "d1", "d1"),
            409,
            "cyclic dependency between deployments d1 and d1",
        ),
        (
            "admin",
            with("visibility", json!("all")),
            400,
            "Invalid visibility: `all`",
        ),
        (
            "admin",
            with("created_by", json!("nobody")),
            400,
            "User nobody does not exist.",
        ),
    ] {
        let refusal = harbour.ask(who, "PUT", ALL, body, status);
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(text), "{text}: {message}");
    }
    assert!(harbour.ids("admin", ALL).is_empty());
    let unknown = with("target_deployment_func", json!({ "get_input": "x" }));
    let mut unknown = unknown;
    unknown["target_deployment"] = Value::Null;
    let made = harbour.ask("admin", "PUT", ALL, unknown, 200);
    assert_eq!(made["target_deployment_id"], Value::Null);
    assert_eq!(made["target_deployment_func"], json!({ "get_input": "x" }));
}

#[test]
fn a_private_deployment_keeps_whom_it_uses_to_itself() {
    let harbour = Harbour::new();
    harbour
        .sql("update deployments set visibility = 'private', created_by = 'ann' where id = 'd1'");
    harbour.sql(
        "insert into inter_deployment_dependencies (id, tenant_name, created_by, visibility, created_at,
             dependency_creator, source_key, source_deployment_id, target_key, target_deployment_id)
         values ('x', 'harbour', 'ann', 'private', '', 'x', 1, 'd1', 2, 'd2')",
    );
    harbour.sql("update deployments set visibility = 'tenant' where id = 'd1'");
    assert_eq!(harbour.ids("admin", ALL), ["x"]);
}
