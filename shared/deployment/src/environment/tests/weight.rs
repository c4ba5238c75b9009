//! What deployments weigh in the database, indexes included: thousands are made from one blueprint.

use super::*;

/// One node, and what every blueprint brings along: workflows, policy types and operations of the
/// built-in types.
const ONE_NODE: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  berth: {default: 7}
node_templates:
  lamp:
    type: cloudify.nodes.Root
outputs:
  berth: {value: {get_input: berth}}
";

/// The tables of deployments themselves. What happened to one is told by others: executions, events,
/// the audit trail.
const TABLES: &str = "'deployments', 'deployment_labels', 'nodes', 'node_instances',
    'instance_counts', 'plan_parts', 'plan_part_uses'";

async fn bytes(db: &NativeDb, tables: &str) -> i64 {
    let sql = format!(
        "select sum(pgsize) from dbstat where name in (
             select name from sqlite_master where tbl_name in ({tables}))"
    );
    number(db, &sql).await
}

async fn make_many(db: &NativeDb, scope: &Scope, numbers: std::ops::Range<i64>) {
    for number in numbers {
        let wanted = wanted(db, scope, &format!("lamp-{number:05}"), json!({})).await;
        make(db, scope, wanted).await.unwrap();
    }
}

#[test]
fn a_deployment_of_one_node_is_small() {
    pollster::block_on(async {
        const COUNT: i64 = 300;
        let (db, scope) = harbour(ONE_NODE).await;
        // The first brings what all have in common.
        make_many(&db, &scope, 0..1).await;
        let before = bytes(&db, TABLES).await;
        make_many(&db, &scope, 1..COUNT + 1).await;
        let each = (bytes(&db, TABLES).await - before) / COUNT;
        println!("a deployment of one node: {each} bytes");
        assert!(each < 1500, "{each} bytes each");
    });
}
