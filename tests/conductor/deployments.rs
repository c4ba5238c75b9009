//! `/deployments`, `/nodes` and `/node-instances`.

use crate::samples::{self, column, ids};
use windlass_tests::{Windlass, at_once, json};

#[test]
fn a_deployment_has_its_inputs_nodes_and_instances_at_once() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::crane(admin, "crane");
    let body = json!({ "blueprint_id": "crane", "inputs": { "reach": 20 }, "labels": [{ "team": "east" }] });
    let deployment = admin.put("/deployments/crane-1", body).expect(201);
    assert_eq!(deployment["inputs"], json!({ "reach": 20 }));
    assert_eq!(deployment["installation_status"], "inactive");
    assert_eq!(deployment["labels"][0]["key"], "team");
    let workflows = deployment["workflows"].as_array().expect("a list");
    assert!(
        workflows
            .iter()
            .any(|workflow| workflow["name"] == "install"),
        "{workflows:?}"
    );

    let nodes = admin
        .get("/nodes?deployment_id=crane-1&_sort=id")
        .expect(200);
    assert_eq!(ids(&nodes), ["crane", "quay"]);
    let instances = admin
        .get("/node-instances?deployment_id=crane-1&_sort=node_id")
        .expect(200);
    assert_eq!(
        column(&instances, "state"),
        ["uninitialized", "uninitialized"]
    );
    let [crane, quay] = [&instances["items"][0], &instances["items"][1]];
    assert_eq!(crane["host_id"], quay["id"]);
    assert_eq!(crane["relationships"][0]["target_id"], quay["id"]);

    let outputs = admin.get("/deployments/crane-1/outputs").expect(200);
    assert_eq!(
        outputs["outputs"],
        json!({ "address": "10.0.0.7", "reach": 20 })
    );
    let capabilities = admin.get("/deployments/crane-1/capabilities").expect(200);
    assert_eq!(
        capabilities["capabilities"],
        json!({ "lifts": "up to 20 t" })
    );
}

#[test]
fn inputs_are_checked_before_anything_is_stored() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let text = samples::CRANE.replace("    default: 12\n", "");
    admin
        .upload("crane", "crane.yaml", &[("crane.yaml", &text)])
        .expect(201);
    for (inputs, code) in [
        (json!({}), "missing_required_deployment_input_error"),
        (
            json!({ "reach": 5, "depth": 1 }),
            "unknown_deployment_input_error",
        ),
    ] {
        let body = json!({ "blueprint_id": "crane", "inputs": inputs });
        admin.put("/deployments/crane-1", body).refused(400, code);
        admin
            .get("/deployments/crane-1")
            .refused(404, "not_found_error");
    }
    // A constraint is found when the environment is made: the refused row stays, without nodes.
    let body = json!({ "blueprint_id": "crane", "inputs": { "reach": 600 } });
    admin
        .put("/deployments/crane-1", body)
        .refused(400, "deployment_creation_error");
    assert_eq!(
        ids(&admin.get("/nodes?deployment_id=crane-1").expect(200)),
        Vec::<&str>::new()
    );
    // A good one takes its place.
    let body = json!({ "blueprint_id": "crane", "inputs": { "reach": 6 } });
    admin.put("/deployments/crane-1", body).expect(201);
}

#[test]
fn one_of_many_who_ask_for_an_id_gets_it() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::crane(admin, "crane");
    let statuses: Vec<u16> = at_once(8, |_| {
        let body = json!({ "blueprint_id": "crane" });
        admin.put("/deployments/crane-1", body).status()
    });
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 409).count(),
        7,
        "{statuses:?}"
    );
    assert_eq!(
        ids(&admin
            .get("/node-instances?deployment_id=crane-1")
            .expect(200))
        .len(),
        2
    );
}

#[test]
fn a_deployment_is_deleted_with_all_that_is_its_own() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    admin.execute("crane", "install");
    windlass.run_pending_work();
    admin
        .delete("/deployments/crane")
        .refused(400, "dependent_exists_error");
    admin.execute("crane", "uninstall");
    windlass.run_pending_work();
    admin.delete("/deployments/crane").expect(204);
    windlass.run_pending_work();
    admin
        .get("/deployments/crane")
        .refused(404, "not_found_error");
    for list in ["/nodes", "/node-instances", "/executions", "/events"] {
        let left = admin
            .get(&format!("{list}?deployment_id=crane"))
            .expect(200);
        assert_eq!(left["metadata"]["pagination"]["total"], 0, "{list}: {left}");
    }
    admin.delete("/blueprints/crane").expect(204);
}

#[test]
fn an_update_of_a_node_instance_with_an_old_version_is_refused() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let instances = admin.get("/node-instances?node_id=crane").expect(200);
    let path = format!(
        "/node-instances/{}",
        instances["items"][0]["id"].as_str().expect("an id")
    );
    let first = admin
        .patch(
            &path,
            json!({ "version": 1, "runtime_properties": { "load": 3 } }),
        )
        .expect(200);
    assert_eq!(
        (&first["version"], &first["runtime_properties"]["load"]),
        (&json!(2), &json!(3))
    );
    let refusal = admin.patch(
        &path,
        json!({ "version": 1, "runtime_properties": { "load": 9 } }),
    );
    let text = refusal.refused(409, "conflict_error");
    assert_eq!(
        text,
        "Node instance update conflict [current version=2, update version=1]"
    );
    assert_eq!(
        admin.get(&path).expect(200)["runtime_properties"]["load"],
        3
    );
}

#[test]
fn a_blueprint_is_not_deleted_under_a_deployment_that_is_being_made() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    for round in 0..6 {
        let id = format!("crane-{round}");
        samples::crane(admin, &id);
        let answers = at_once(2, |number| match number {
            0 => admin.put(&format!("/deployments/{id}"), json!({ "blueprint_id": id })),
            _ => admin.delete(&format!("/blueprints/{id}")),
        });
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status()).collect();
        assert!(
            [[201, 400], [404, 204]].contains(&[statuses[0], statuses[1]]),
            "{statuses:?}"
        );
    }
    let broken = windlass
        .open_database()
        .query_row("pragma foreign_key_check", [], |_| Ok(()));
    assert!(broken.is_err(), "no row points to nothing");
}
