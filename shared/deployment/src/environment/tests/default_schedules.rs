//! Schedules that a blueprint gives to its deployments.

use super::*;

const QUAY: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
deployment_settings:
  default_schedules:
    early: {workflow: uninstall, since: '+1 hour', recurrence: 1 day}
    nightly:
      workflow: install
      since: '+4 hours'
      recurrence: 1 day
      count: 2
      workflow_parameters: {ignore_failure: true}
node_templates:
  quay: {type: cloudify.nodes.Root}
";

#[test]
fn a_deployment_comes_with_the_schedules_of_its_blueprint() {
    pollster::block_on(async {
        let (db, scope) = harbour(QUAY).await;
        let quay = wanted(&db, &scope, "quay", json!({})).await;
        let made = make(&db, &scope, quay).await.unwrap();
        assert!(matches!(made, Outcome::Created(_)), "{made:?}");
        let sql = "select count(*) from execution_schedules where id = 'nightly' and deployment_id = 'quay'
             and created_by = 'admin' and next_occurrence > created_at";
        assert_eq!(number(&db, sql).await, 1);
    });
}

/// The deployment stays to tell why, as with everything else that its blueprint makes impossible.
#[test]
fn a_schedule_of_what_is_no_workflow_fails_the_environment() {
    pollster::block_on(async {
        for (from, to, want) in [
            (
                "workflow: install",
                "workflow: sing",
                "Default schedule `nightly`: Workflow sing does not exist in the deployment quay",
            ),
            (
                "count: 2",
                "until: '2020-01-01 00:00:00'",
                "Default schedule `nightly`: ",
            ),
        ] {
            let (db, scope) = harbour(&QUAY.replace(from, to)).await;
            let quay = wanted(&db, &scope, "quay", json!({})).await;
            let made = make(&db, &scope, quay).await.unwrap();
            let Outcome::Failed(_, reason) = made else {
                panic!("{to}: {made:?}")
            };
            assert!(reason.starts_with(want), "{reason}");
            let count = number(&db, "select count(*) from execution_schedules").await;
            assert_eq!(count, 0, "{to}");
        }
    });
}

/// The definitions of a database that did not keep them, as its migration finds them out.
async fn found_out(db: &NativeDb) -> Value {
    db.execute("update execution_schedules set definition = null", &[])
        .await
        .unwrap();
    let migration = include_str!("../../../../store/schema/078_schedules_and_children.sql");
    let (first, _) = migration.split_once(";\n").unwrap();
    db.execute(first, &[]).await.unwrap();
    let sql = "select json_group_object(id, json(definition)) from execution_schedules";
    let row = db.first(sql, &[]).await.unwrap().unwrap();
    serde_json::from_str(row.text(0).unwrap()).unwrap()
}

#[test]
fn schedules_of_before_are_known_as_their_blueprints() {
    pollster::block_on(async {
        let (db, scope) = harbour(QUAY).await;
        let quay = wanted(&db, &scope, "quay", json!({})).await;
        make(&db, &scope, quay).await.unwrap();
        // What somebody adds comes when the environment is there.
        for sql in [
            "update executions set started_at = '2026-01-01T00:00:00.000Z', ended_at = '2026-01-01T00:00:01.000Z'",
            "update blueprints set created_at = '2025-01-01T00:00:00.000Z'",
            "update execution_schedules set created_at = '2026-01-01T00:00:00.500Z'",
            "insert into execution_schedules (id, deployment_key, deployment_id, tenant_name, created_by, visibility,
                 created_at, workflow_id, rule, since)
             select 'weekly', deployment_key, deployment_id, tenant_name, created_by, visibility,
                 '2026-01-01T00:00:01.001Z', workflow_id, rule, since from execution_schedules where id = 'nightly'",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let kept = "select json_group_object(id, json(definition)) from execution_schedules";
        let row = db.first(kept, &[]).await.unwrap().unwrap();
        let kept: Value = serde_json::from_str(row.text(0).unwrap()).unwrap();
        assert_eq!(
            kept["nightly"]["workflow_parameters"],
            json!({ "ignore_failure": true })
        );
        assert_eq!(kept["weekly"], Value::Null);
        assert_eq!(found_out(&db).await, kept);

        // A long plan is in pieces.
        for sql in [
            "insert into blueprint_plan_pieces (blueprint_key, form, number, text)
             select blueprint_key, 'stored', 1, substr(stored, 101) from blueprint_plans
             union all select blueprint_key, 'stored', 0, substr(stored, 1, 100) from blueprint_plans",
            "update blueprint_plans set stored = ''",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        assert_eq!(found_out(&db).await, kept);

        // So plans were kept at first.
        let whole = "update blueprint_plans set stored = (
             select json_extract(group_concat(text, ''), '$.sections') from (
                 select text from blueprint_plan_pieces order by number))";
        db.execute(whole, &[]).await.unwrap();
        assert_eq!(found_out(&db).await, kept);

        // The blueprint by that name is another one by now: whose they are is known, what it said is not.
        let again = "update blueprints set created_at = '2026-01-02T00:00:00.000Z'";
        db.execute(again, &[]).await.unwrap();
        let unknown = json!({ "early": {}, "nightly": {}, "weekly": null });
        assert_eq!(found_out(&db).await, unknown);
    });
}
