//! A blueprint with as many nodes as there may be, from its upload to its end.

use windlass_tests::{Windlass, json};

const NODES: usize = 10_000;

#[test]
fn ten_thousand_nodes_live_like_one() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let mut yaml = String::from(
        "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\nnode_templates:\n",
    );
    for number in 0..NODES {
        yaml.push_str(&format!("  n{number}: {{type: cloudify.nodes.Root}}\n"));
    }
    // Its plan, which is in the answer, has 136 MB.
    let uploaded = admin.upload("fleet", "fleet.yaml", &[("fleet.yaml", &yaml)]);
    let answer = uploaded.expect_answer(201);
    assert!(answer.body.len() > 100 << 20, "{}", answer.body.len());
    assert!(answer.body.ends_with(b"}"));
    let list = admin.get("/blueprints?_include=id,state").expect(200);
    assert_eq!(list["items"][0]["state"], "uploaded");

    let wanted = json!({ "blueprint_id": "fleet" });
    admin.put("/deployments/fleet", wanted).expect(201);
    let nodes = admin.get("/nodes?_size=1000&_offset=9000").expect(200);
    assert_eq!(nodes["metadata"]["pagination"]["total"], NODES);
    assert_eq!(nodes["items"][999]["id"], "n9999");
    let refusal = admin.get("/nodes?_get_all_results=true");
    let refusal = refusal.refused(400, "bad_parameters_error");
    assert!(refusal.contains("_size="), "{refusal}");

    admin.execute("fleet", "install");
    windlass.run_pending_work();
    let list = admin.get("/deployments?_include=installation_status");
    let list = list.expect(200);
    assert_eq!(list["items"][0]["installation_status"], "active");
    admin.delete("/deployments/fleet?force=true").expect(204);
    admin.delete("/blueprints/fleet").expect(204);
}
