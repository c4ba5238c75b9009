//! What a tick costs while nothing is due: the same, however much has ended before.

use crate::common::{World, run};
use windlass_engine::{leases, shell_leases, sweep};

/// The steps that SQLite makes for a tick and for what it looks after, with so many ended executions, and of each an
/// operation, a lease that has ended, and an event.
fn steps_of_a_tick(ended: usize) -> i64 {
    let world = World::new();
    for sql in [
        "insert into executions (id, tenant_name, created_by, visibility, created_at, ended_at, deployment_key,
             deployment_id, blueprint_id, workflow_id, status)
         select 'e' || k, 'harbour', 'ann', 'tenant', '2023-01-01T00:00:00.000Z', '2023-01-01T00:00:01.000Z', d.key,
             d.id, d.blueprint_id, 'install', iif(k % 10, 'terminated', 'failed')
         from n, deployments d where d.id = 'd'",
        "insert into tasks_graphs (id, execution_key, execution_id, name, tenant_name, created_by, visibility, created_at)
         select 'g' || k, e.key, e.id, 'install', 'harbour', 'ann', 'tenant', '2023-01-01T00:00:00.000Z'
         from n join executions e on e.id = 'e' || k",
        "insert into operations (id, tasks_graph_key, tasks_graph_id, execution_key, name, type, state, queue,
             tenant_name, created_by, visibility, created_at, updated_at)
         select 'o' || k, g.key, g.id, g.execution_key, 'create', 'RemoteTask', 'succeeded', 'central_deployment_agent',
             'harbour', 'ann', 'tenant', '2023-01-01T00:00:00.000Z', '2023-01-01T00:00:00.000Z'
         from n join tasks_graphs g on g.id = 'g' || k",
        "insert into operation_leases (id, operation_key, worker, created_by, token_hash, seconds, expires_at, result_hash)
         select 'l' || k, o.key, 'north', 'ann', 'x', 60, '2023-01-01T00:00:00.000Z', 'x'
         from n join operations o on o.id = 'o' || k",
        "insert into events (execution_key, list_key, is_log, timestamp, event_type, message)
         select e.key, t.id, 0, 1000 * k, 'task_started', 'x'
         from n join executions e on e.id = 'e' || k join tenants t on t.name = e.tenant_name",
    ] {
        world.sql(&format!(
            "with recursive n (k) as (select 1 union all select k + 1 from n where k < {ended}) {}",
            sql
        ));
    }
    world.tick().unwrap();
    world.db.steps();
    assert_eq!(world.tick().unwrap().ran, 0);
    let now = world.now();
    assert_eq!(run(sweep(&world.db, now)).unwrap(), 0);
    run(leases::expire(&world.db, now)).unwrap();
    run(shell_leases::expire(&world.db, now)).unwrap();
    world.db.steps()
}

#[test]
fn a_tick_with_nothing_due_costs_the_same_after_many_executions() {
    let [few, many] = [10, 10_000].map(steps_of_a_tick);
    println!("10: {few} steps, 10,000: {many}");
    assert!(few > 0);
    assert_eq!(few, many);
}
