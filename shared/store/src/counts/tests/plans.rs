//! Which way pages and counted totals go: the indexes that large tables have for filters and sorts.

use super::*;

/// A list, the index of the tenant's rows that its page walks along, and that of global ones.
const WAYS: [(&Resource, &str, &str, &str); 25] = [
    (&BLUEPRINT, "", "blueprints_by_tenant", "blueprints_global"),
    (
        &BLUEPRINT,
        "_sort=id",
        "sqlite_autoindex_blueprints_1",
        "blueprints_global_by_id",
    ),
    (
        &BLUEPRINT,
        "_sort=-created_at",
        "blueprints_by_creation",
        "blueprints_global_by_creation",
    ),
    (
        &BLUEPRINT,
        "_sort=updated_at",
        "blueprints_by_update",
        "blueprints_global_by_update",
    ),
    (
        &DEPLOYMENT,
        "",
        "deployments_by_tenant",
        "deployments_global",
    ),
    (
        &DEPLOYMENT,
        "_sort=-id",
        "sqlite_autoindex_deployments_1",
        "deployments_global_by_id",
    ),
    (
        &DEPLOYMENT,
        "_sort=created_at",
        "deployments_by_creation",
        "deployments_global_by_creation",
    ),
    (
        &DEPLOYMENT,
        "_sort=display_name",
        "deployments_by_name",
        "deployments_global_by_name",
    ),
    (
        &DEPLOYMENT,
        "_sort=blueprint_id",
        "deployments_by_blueprint_id",
        "deployments_global_by_blueprint",
    ),
    (
        &DEPLOYMENT,
        "blueprint_id=b1",
        "deployments_by_blueprint_id",
        "deployments_global_by_blueprint",
    ),
    (
        &DEPLOYMENT,
        "deployment_status=good",
        "deployments_by_status",
        "deployments_global_by_status",
    ),
    (
        &DEPLOYMENT,
        "installation_status=active",
        "deployments_by_installation",
        "deployments_global_by_installation",
    ),
    (&NODE, "", "nodes_by_tenant", "nodes_global"),
    (
        &NODE,
        "deployment_id=d1",
        "nodes_by_deployment",
        "nodes_global_by_deployment",
    ),
    (
        &NODE_INSTANCE,
        "",
        "node_instances_by_tenant",
        "node_instances_global",
    ),
    (
        &NODE_INSTANCE,
        "deployment_id=d1",
        "node_instances_by_deployment_id",
        "node_instances_global_by_deployment",
    ),
    (
        &NODE_INSTANCE,
        "state=started",
        "node_instances_by_state",
        "node_instances_global_by_state",
    ),
    (&EXECUTION, "", "executions_by_tenant", "executions_global"),
    (
        &EXECUTION,
        "_sort=-created_at",
        "executions_by_creation",
        "executions_global_by_creation",
    ),
    (
        &EXECUTION,
        "deployment_id=d1",
        "executions_by_deployment_id",
        "executions_global_by_deployment",
    ),
    (
        &EXECUTION,
        "workflow_id=install",
        "executions_by_workflow",
        "executions_global_by_workflow",
    ),
    (
        &EXECUTION,
        "status=failed",
        "executions_by_tenant_status",
        "executions_global_by_status",
    ),
    (
        &EXECUTION,
        "status=failed&_sort=-created_at",
        "executions_by_status_and_creation",
        "executions_global_by_status_and_creation",
    ),
    (&sites::SITES, "", "sites_by_tenant", "sites_global"),
    (
        &sites::SITES,
        "_sort=created_at",
        "sites_by_creation",
        "sites_global",
    ),
];

/// How SQLite finds a page of a list as Ann of the harbour asks for it.
async fn plan_of(db: &NativeDb, resource: &Resource, asked: &str) -> Vec<String> {
    let ann = scope("ann", Reach::Tenant("harbour".into()), false);
    let request = Request::new(Method::GET, &format!("/x?{asked}"));
    let query = ListQuery::parse(resource, &request, &[]).unwrap();
    let statement = resource.page_statement(&ann, &query);
    let plan = db.plan(&statement.sql, &statement.parameters).await;
    plan.unwrap()
}

#[test]
fn pages_walk_along_an_index_of_the_tenant_and_one_of_what_is_global() {
    pollster::block_on(async {
        let db = fresh_database().await;
        for (resource, text, own, global) in WAYS {
            let plan = plan_of(&db, resource, &format!("{text}&_size=20")).await;
            let uses = |index: &str| {
                let end =
                    |line: &String| line.ends_with(index) || line.contains(&format!("{index} "));
                plan.iter().any(end)
            };
            let at = format!("{} {text}", resource.name);
            assert!(uses(own), "{at}, {own}: {plan:#?}");
            assert!(uses(global), "{at}, {global}: {plan:#?}");
        }
    });
}

#[test]
fn what_is_counted_is_counted_along_an_index_that_has_it_all() {
    pollster::block_on(async {
        let db = fresh_database().await;
        for (resource, text) in [
            (&BLUEPRINT, "created_by=ann"),
            (&BLUEPRINT, "_search=x"),
            (&DEPLOYMENT, "created_by=ann"),
            (&DEPLOYMENT, "_search=x"),
            (&NODE, "_search=x"),
            (&NODE_INSTANCE, "_search=x"),
            (&EXECUTION, "created_by=ann"),
        ] {
            let plan = plan_of(&db, resource, &format!("{text}&_size=0")).await;
            let covering = plan
                .iter()
                .filter(|line| line.contains("t USING COVERING INDEX"));
            assert!(covering.count() >= 2, "{} {text}: {plan:#?}", resource.name);
        }
    });
}

#[test]
fn totals_from_the_numbers_search_for_them() {
    pollster::block_on(async {
        let db = fresh_database().await;
        for (resource, text) in KEPT.iter().copied() {
            let plan = plan_of(&db, resource, &format!("{text}&_size=0")).await;
            let reads = plan.iter().filter(|line| line.contains("row_counts"));
            let scans = reads.clone().filter(|line| line.starts_with("SCAN"));
            assert!(
                reads.count() >= 1 && scans.count() == 0,
                "{text}: {plan:#?}"
            );
            // Neither those of the tenant nor the global ones are found by reading all.
            let all = "row_counts USING PRIMARY KEY (counts=?)";
            assert!(
                !resource.of_tenant || plan.iter().all(|line| !line.contains(all)),
                "{text}: {plan:#?}"
            );
        }
    });
}
