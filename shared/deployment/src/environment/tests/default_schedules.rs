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
