//! `/summary`.

use super::Harbour;
use serde_json::{Value, json};
use windlass_core::db::Db as _;

#[test]
fn summaries_count_by_one_field_or_two() {
    let harbour = Harbour::new();
    for (who, url, want) in [
        (
            "bob",
            "blueprints?_target_field=visibility",
            json!([{ "visibility": "tenant", "blueprints": 1 }]),
        ),
        (
            "ann",
            "blueprints?_target_field=tenant_name&_sub_field=visibility",
            json!([{ "tenant_name": "harbour", "blueprints": 2,
            "by visibility": [{ "visibility": "private", "blueprints": 1 }, { "visibility": "tenant", "blueprints": 1 }] }]),
        ),
        (
            "ann",
            "deployments?_target_field=blueprint_id",
            json!([{ "blueprint_id": "crane", "deployments": 3 }, { "blueprint_id": "lamp", "deployments": 3 }]),
        ),
        (
            "bob",
            "deployments?_target_field=blueprint_id",
            json!([{ "blueprint_id": "crane", "deployments": 2 }, { "blueprint_id": "lamp", "deployments": 3 }]),
        ),
        (
            "ann",
            "deployments?_target_field=site_name&id=d1&id=d3",
            json!([{ "site_name": null, "deployments": 1 }, { "site_name": "pier", "deployments": 1 }]),
        ),
        (
            "ann",
            "executions?_target_field=status",
            json!([{ "status": "failed", "executions": 4 }, { "status": "terminated", "executions": 2 }]),
        ),
        (
            "ann",
            "executions?_target_field=status_display&status=terminated",
            json!([{ "status_display": "completed", "executions": 2 }]),
        ),
        (
            "ann",
            "nodes?_target_field=deployment_id&deployment_id=d1",
            json!([{ "deployment_id": "d1", "nodes": 2 }]),
        ),
        (
            "ann",
            "node_instances?_target_field=state&_sub_field=index",
            json!([
            { "state": "deleted", "node_instances": 4, "by index": [{ "index": 1, "node_instances": 4 }] },
            { "state": "started", "node_instances": 2, "by index": [{ "index": 1, "node_instances": 2 }] }]),
        ),
        (
            "ann@quay",
            "deployments?_target_field=blueprint_id",
            json!([]),
        ),
        (
            "root@quay",
            "deployments?_target_field=tenant_name&_all_tenants=true",
            json!([{ "tenant_name": "harbour", "deployments": 6 }]),
        ),
    ] {
        let summary = harbour.get(who, &format!("/summary/{url}"));
        assert_eq!(summary["items"], want, "{who} {url}");
        assert!(summary["metadata"].get("filtered").is_none());
    }
    // Pages are of pairs, and a sum covers those of its page.
    let url =
        "/summary/deployments?_target_field=tenant_name&_sub_field=blueprint_id&_size=1&_offset=1";
    let page = harbour.get("ann", url);
    assert_eq!(
        page["items"],
        json!([{ "tenant_name": "harbour", "deployments": 3, "by blueprint_id": [{ "blueprint_id": "lamp", "deployments": 3 }] }])
    );
    assert_eq!(
        page["metadata"]["pagination"],
        json!({ "total": 2, "offset": 1, "size": 1 })
    );
}

#[test]
fn schedules_are_summed_up_by_workflow() {
    let harbour = Harbour::new();
    let schedules =
        "insert into execution_schedules (id, deployment_key, deployment_id, tenant_name, created_by,
             visibility, created_at, workflow_id, rule, since)
         select 's' || d.key || w.value, d.key, d.id, 'harbour', 'ann', 'tenant', '', w.value, '{}', ''
         from deployments d, json_each('[\"heal\", \"restart\"]') w where d.key < 3 or w.value = 'heal'";
    pollster::block_on(harbour.db.execute(schedules, &[])).unwrap();
    let url = "/summary/execution_schedules?_target_field=workflow_id";
    assert_eq!(
        harbour.get("ann", url)["items"],
        json!([{ "workflow_id": "heal", "execution_schedules": 6 }, { "workflow_id": "restart", "execution_schedules": 2 }])
    );
    assert_eq!(harbour.get("ann@quay", url)["items"], json!([]));
    // `cfy deployments schedule summary` always asks for this one.
    let by_recurrence = harbour.get("ann", &format!("{url}&_sub_field=recurrence"));
    assert_eq!(
        by_recurrence["items"][1],
        json!({ "workflow_id": "restart", "execution_schedules": 2,
            "by recurrence": [{ "recurrence": null, "execution_schedules": 2 }] })
    );
}

#[test]
fn deployments_and_executions_of_a_group_are_summed_up() {
    let harbour = Harbour::new();
    for sql in [
        "insert into deployment_groups (key, id, tenant_name, created_by, visibility, created_at)
         values (1, 'fleet', 'harbour', 'ann', 'tenant', '')",
        "insert into deployment_group_members (group_key, deployment_key)
         select 1, key from deployments order by key limit 2",
        "insert into execution_groups (key, id, tenant_name, created_by, visibility, created_at,
             deployment_group_key, workflow_id, concurrency)
         values (1, 'run', 'harbour', 'ann', 'tenant', '', 1, 'heal', 5)",
    ] {
        pollster::block_on(harbour.db.execute(sql, &[])).unwrap();
    }
    let deployments = "/summary/deployments?_target_field=tenant_name&deployment_group_id=fleet";
    assert_eq!(
        harbour.get("ann", deployments)["items"],
        json!([{ "tenant_name": "harbour", "deployments": 2 }])
    );
    let executions = "/summary/executions?_target_field=status&execution_group_id=run";
    assert_eq!(harbour.get("ann", executions)["items"], json!([]));
    for url in [
        "deployments?_target_field=tenant_name&deployment_group_id=zz",
        "executions?_target_field=status&execution_group_id=zz",
    ] {
        harbour.refused(
            "ann",
            &format!("GET /summary/{url}"),
            Value::Null,
            404,
            "zz",
        );
    }
}

#[test]
fn what_is_summed_up_by_no_field_is_refused() {
    let harbour = Harbour::new();
    for (who, url, status, text) in [
        (
            "ann",
            "deployments",
            400,
            "Invalid summary field: None. Allowed values: blueprint_id, tenant_name, visibility, site_name, deployment_status",
        ),
        (
            "ann",
            "deployments?_target_field=inputs",
            400,
            "Invalid summary field: inputs.",
        ),
        (
            "ann",
            "deployments?_target_field=site_name&_sub_field=x",
            400,
            "Invalid summary field: x.",
        ),
        (
            "ann",
            "nodes?_target_field=visibility&_sub_field=visibility",
            400,
            "are the same",
        ),
        (
            "ann",
            "nodes?_target_field=visibility&x=y",
            400,
            "Filter keys '['x']' do not exist",
        ),
        (
            "eve",
            "executions?_target_field=status",
            403,
            "execution_list",
        ),
    ] {
        harbour.refused(
            who,
            &format!("GET /summary/{url}"),
            Value::Null,
            status,
            text,
        );
    }
}
