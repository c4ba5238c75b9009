//! Large tables, made by SQL: through the API a million of rows would take an hour.

use anyhow::{Context, Result};
use rusqlite::{Connection, Transaction};

/// Rows that a filter finds however many there are.
pub const FEW: i64 = 100;

/// The statements, in the order in which the rows refer to each other. `?1` is how many rows there
/// are; of users and the like a hundredth. Filters find a half, a third or a hundredth of the rows, or
/// [`FEW`] of them. Names have as many digits in both sizes, so that a search finds as many of them.
const STATEMENTS: [&str; 13] = [
    "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
     select 'blueprint-' || digits, 'default_tenant', 'admin', iif(k > 100, 'tenant', 'global'), at, at, 'uploaded' from numbers where k <= ?1",
    "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at, blueprint_key,
         blueprint_id, display_name, installation_status, deployment_status)
     select 'deployment-' || digits, 'default_tenant', 'admin', case when k <= 20 then 'global' when k % 50 then 'tenant' else 'private' end,
         at, at, b.key, b.id, 'Deployment number ' || digits, iif(k % 3, 'active', 'inactive'), iif(k % 3, 'good', 'in_progress')
     from numbers, blueprints b
     where k <= ?1 and b.id = case when k <= 100 then 'blueprint-0000001' when k % 2 then 'blueprint-0000002' else 'blueprint-0000003' end",
    "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
     select key, 'team', 'team-' || (key % 20), '', 'admin' from deployments where key <= ?1
     union all select key, 'rack', 'rack-' || (key / 100), '', 'admin' from deployments where key <= ?1",
    "insert into executions (id, tenant_name, created_by, visibility, created_at, deployment_key, deployment_id, blueprint_id,
         workflow_id, status, is_system_workflow)
     select 'execution-' || digits, 'default_tenant', 'admin', 'tenant', at, d.key, d.id, d.blueprint_id,
         iif(k % 2, 'install', 'scale'), case k % 100 when 0 then 'cancelled' when 1 then 'failed' else 'terminated' end, k % 10 = 0
     from numbers join deployments d on d.id = 'deployment-' || printf('%07d', (k + 99) / 100) where k <= ?1",
    "insert into tasks_graphs (id, execution_key, execution_id, name, tenant_name, created_by, visibility, created_at)
     select 'graph-' || digits, e.key, e.id, 'install', 'default_tenant', 'admin', 'tenant', at
     from numbers join executions e on e.id = 'execution-' || printf('%07d', (k + 9) / 10) where k <= ?1",
    "insert into operations (id, tasks_graph_key, tasks_graph_id, execution_key, name, type, state, tenant_name, created_by,
         visibility, created_at)
     select 'operation-' || digits, g.key, g.id, g.execution_key, 'create', 'RemoteTask', 'succeeded', 'default_tenant', 'admin', 'tenant', at
     from numbers join tasks_graphs g on g.id = 'graph-' || printf('%07d', (k + 9) / 10) where k <= ?1",
    "insert into nodes (deployment_key, deployment_id, id, tenant_name, created_by, visibility, type, properties,
         number_of_instances, planned_number_of_instances, deploy_number_of_instances,
         min_number_of_instances, max_number_of_instances)
     select d.key, d.id, 'node-' || digits, 'default_tenant', 'admin', 'tenant', 'cloudify.nodes.Root', '{}', 1, 1, 1, 1, 1
     from numbers join deployments d on d.id = 'deployment-' || printf('%07d', (k + 99) / 100) where k <= ?1",
    "insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name, created_by, visibility, \"index\",
         relationships, scaling_groups, state)
     select deployment_key, deployment_id, 'instance-' || digits, 'node-' || digits, 'default_tenant', 'admin', 'tenant', 1, '[]', '[]',
         iif(k % 3, 'started', 'uninitialized')
     from numbers join nodes n on n.id = 'node-' || digits and n.deployment_key = (select key from deployments where id = 'deployment-' || printf('%07d', (k + 99) / 100))
     where k <= ?1",
    "insert into events (execution_key, list_key, is_log, timestamp, event_type, message)
     select e.key, t.id, k % 4 = 0, 1000 * (1700000000 + k), iif(k % 4, 'task_started', null), 'A task of the workflow was started'
     from numbers join executions e on e.id = 'execution-' || printf('%07d', (k + 99) / 100) join tenants t on t.name = e.tenant_name
     where k <= ?1",
    "insert into sites (name, tenant_name, created_by, visibility, created_at)
     select 'site-' || digits, 'default_tenant', 'admin', 'tenant', at from numbers where k <= ?1 / 100",
    "insert into users (username, password_hash, role, created_at)
     select 'user-' || digits, '', 'default', at from numbers where k <= ?1 / 100",
    "insert into user_groups (name, role, created_at)
     select 'group-' || digits, 'default', at from numbers where k <= ?1 / 100",
    "insert into tokens (id, user_id, secret_hash, created_at)
     select 'token-' || digits, u.id, '', at from numbers join users u on u.username = 'user-' || digits where k <= ?1 / 100",
];

/// More, where few are usual: a hundredth of the rows.
const OF_THE_INSTALLATION: [&str; 3] = [
    "insert into tenants (name, created_at) select 'tenant-' || digits, at from numbers where k <= ?1 / 100",
    "insert into status_components (name, attributes, attributes_key, position, created_at)
     select 'component-' || digits, '[]', '[]', k, at from numbers where k <= 20 and ?1 > 0",
    "insert into status_incidents (kind, title, impact, started_at, ended_at, is_system, status, created_at, created_by, updated_at)
     select 'incident', 'Slow answers', 1, at, at, 1, 'resolved', at, 'admin', at from numbers where k <= ?1 / 100",
];

/// Fills the tables of an installation that has been used once, up to so many rows each.
pub fn fill(database: &mut Connection, rows: i64) -> Result<()> {
    database.execute_batch(
        "pragma synchronous = off;
         pragma cache_size = -400000;
         pragma wal_autocheckpoint = 20000;",
    )?;
    database.execute_batch(
        "create temp table numbers (k integer primary key, digits text not null, at text not null)",
    )?;
    database.execute(
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < ?1)
         insert into numbers select k, printf('%07d', k), strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + k, 'unixepoch') from n",
        [rows],
    )?;
    for sql in STATEMENTS.iter().chain(&OF_THE_INSTALLATION) {
        let begun = std::time::Instant::now();
        let transaction: Transaction<'_> = database.transaction()?;
        let table = sql.split(' ').nth(2).context("the table in a statement")?;
        let count = transaction.execute(sql, [rows])?;
        transaction.commit()?;
        let seconds = begun.elapsed().as_secs_f64();
        eprintln!("  {table}: {count} rows in {seconds:.1} s");
    }
    database.execute_batch("drop table numbers; pragma wal_checkpoint(truncate);")?;
    Ok(())
}
