//! `/execution-schedules`.

use crate::samples::{self, column, ids};
use windlass_tests::{Value, Windlass, json};

const NIGHTLY: &str = "/execution-schedules/nightly?deployment_id=crane";

/// Lets the next occurrence be now. The moments after it stay as far away as they are.
fn let_it_occur(windlass: &Windlass) {
    let now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
    let database = windlass.open_database();
    database
        .execute_batch(&format!(
            "update execution_schedules set next_occurrence = {now};
             update queue set not_before = 0 where kind = 'execution_schedule'"
        ))
        .expect("the schedule is there");
}

#[test]
fn a_schedule_starts_its_workflow_again_and_again() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let body = json!({
        "workflow_id": "install", "since": "2999-01-01T03:00:00", "recurrence": "1 day", "count": 2,
        "execution_arguments": { "dry_run": true },
    });
    admin.put(NIGHTLY, body).expect(201);
    windlass.run_pending_work();
    let path = "/executions?workflow_id=install&_include=id,status,is_dry_run,scheduled_for";
    assert_eq!(ids(&admin.get(path).expect(200)), [""; 0]);

    let_it_occur(&windlass);
    windlass.run_pending_work();
    let executions = admin.get(path).expect(200);
    assert_eq!(column(&executions, "status"), [&json!("terminated")]);
    assert_eq!(column(&executions, "is_dry_run"), [&json!(true)]);
    assert_ne!(column(&executions, "scheduled_for"), [&Value::Null]);
    let schedule = admin.get(NIGHTLY).expect(200);
    assert_eq!(schedule["latest_execution_status"], "terminated");
    assert_eq!(schedule["next_occurrence"], "2999-01-01T03:00:00.000Z");

    // Disabled it starts nothing, whatever the time is.
    admin
        .patch(NIGHTLY, json!({ "enabled": false }))
        .expect(201);
    let_it_occur(&windlass);
    windlass.run_pending_work();
    assert_eq!(ids(&admin.get(path).expect(200)).len(), 1);

    admin.delete(NIGHTLY).expect(204);
    admin.get(NIGHTLY).refused(404, "not_found_error");
    assert_eq!(ids(&admin.get(path).expect(200)).len(), 1);
}

#[test]
fn an_occurrence_is_not_lost_when_the_application_is_killed() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let later = json!({
        "deployment_id": "crane", "workflow_id": "install", "scheduled_time": "299901010300+0000",
    });
    let answer = admin.post("/executions", later).expect(201);
    assert_eq!(
        (&answer["id"], &answer["status"]),
        (&Value::Null, &json!("scheduled"))
    );
    // Its rule names one moment only, which passes.
    let passes = "update execution_schedules set since = '2026-01-01T03:00:00.000Z'";
    let database = windlass.open_database();
    assert_eq!(database.execute(passes, []).expect("it is a row"), 1);
    drop(database);
    let_it_occur(&windlass);
    let windlass = windlass.kill().start();
    windlass.run_pending_work();
    let admin = windlass.admin();
    let executions = admin.get("/executions?workflow_id=install").expect(200);
    assert_eq!(column(&executions, "status"), [&json!("terminated")]);
    let schedules = admin.get("/execution-schedules").expect(200);
    assert_eq!(column(&schedules, "next_occurrence"), [&Value::Null]);
    // A schedule goes with its deployment.
    admin.execute("crane", "uninstall");
    windlass.run_pending_work();
    admin.delete("/deployments/crane").expect(204);
    assert_eq!(ids(&admin.get("/execution-schedules").expect(200)), [""; 0]);
}

/// A blueprint whose deployments get a schedule.
const WITH_SCHEDULE: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports:
  - cloudify/types/types.yaml
deployment_settings:
  default_schedules:
    nightly:
      workflow: execute_operation
      since: '+4 hours'
      recurrence: 1 day
      count: 2
      workflow_parameters: { operation: cloudify.interfaces.lifecycle.check }
node_templates:
  quay:
    type: cloudify.nodes.Root
";

#[test]
fn a_blueprint_gives_schedules_to_its_deployments() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let deploy = |id: &str, text: &str| {
        let files = [("quay.yaml", text)];
        admin.upload(id, "quay.yaml", &files).expect(201);
        let body = json!({ "blueprint_id": id });
        admin.put(&format!("/deployments/{id}"), body)
    };
    deploy("quay", WITH_SCHEDULE).expect(201);
    let path = "/execution-schedules/nightly?deployment_id=quay";
    let schedule = admin.get(path).expect(200);
    assert_eq!(
        schedule["parameters"],
        json!({ "operation": "cloudify.interfaces.lifecycle.check" })
    );
    assert_eq!(
        schedule["all_next_occurrences"].as_array().map(Vec::len),
        Some(2)
    );
    let_it_occur(&windlass);
    windlass.run_pending_work();
    let executions = admin
        .get("/executions?workflow_id=execute_operation")
        .expect(200);
    assert_eq!(column(&executions, "status"), [&json!("terminated")]);

    let unknown = WITH_SCHEDULE.replace("workflow: execute_operation", "workflow: sing");
    deploy("choir", &unknown).refused(400, "deployment_creation_error");
    let creation = admin.get("/executions?deployment_id=choir").expect(200);
    let error = column(&creation, "error")[0].as_str().expect("an error");
    assert!(error.contains("Workflow sing does not exist"), "{error}");
    assert_eq!(
        ids(&admin
            .get("/execution-schedules?deployment_id=choir")
            .expect(200)),
        [""; 0]
    );
}
