//! What holds, whatever happened.

use super::History;
use windlass_tests::Windlass;

/// The order in which installing goes through the states, and uninstalling. What needs no call is passed over, so any
/// state may follow an earlier one.
const INSTALL: [&str; 8] = [
    "uninitialized",
    "initializing",
    "creating",
    "created",
    "configuring",
    "configured",
    "starting",
    "started",
];
const UNINSTALL: [&str; 4] = ["stopping", "stopped", "deleting", "deleted"];

/// Whether a workflow may move an instance from one state to another.
fn may_move(workflow: &str, old: &str, new: &str) -> bool {
    let is_later = |order: &[&str]| {
        let place = |state: &str| order.iter().position(|known| *known == state);
        place(new).is_some_and(|new| place(old).is_none_or(|old| old < new))
    };
    let is_known = INSTALL.contains(&new) || UNINSTALL.contains(&new);
    match workflow {
        "install" => is_later(&INSTALL),
        "uninstall" => is_later(&UNINSTALL),
        "reinstall" | "heal" | "rollback" | "scale" | "update" => is_known,
        // What starts, stops or asks, and what is no run at all, leaves them as they are.
        _ => false,
    }
}

/// At any time: what it would be, and SQL that finds it.
const NEVER: [(&str, &str); 7] = [
    (
        "two run on one deployment",
        "select deployment_id from executions where status in
             ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')
         group by deployment_key having count(*) > 1",
    ),
    (
        "a deployment is modified twice at once",
        "select deployment_id from deployment_modifications where status = 'started'
         group by deployment_key having count(*) > 1",
    ),
    (
        "a group miscounts its executions",
        "select g.id || ' counts ' || json_array(g.executions, g.waiting, g.pending, g.running, g.ended, g.failed)
         from execution_groups g where
             (g.executions, g.waiting, g.pending, g.running, g.ended, g.failed) <> (
                 select count(*), coalesce(sum(status in ('queued', 'scheduled')), 0),
                     coalesce(sum(status = 'pending'), 0),
                     coalesce(sum(status in ('pending', 'started', 'cancelling', 'force_cancelling',
                         'kill_cancelling')), 0),
                     coalesce(sum(status in ('terminated', 'failed', 'cancelled')), 0),
                     coalesce(sum(status = 'failed'), 0)
                 from executions e where e.execution_group_key = g.key)",
    ),
    (
        "an operation that has ended is leased",
        "select o.id || ' ' || o.state from operation_leases l join operations o on o.key = l.operation_key
         where o.state in ('succeeded', 'failed') and l.result_hash is null",
    ),
    (
        "deployments depend on each other",
        "with recursive reached (source, target) as (
             select source_key, target_key from inter_deployment_dependencies where target_key is not null union
             select r.source, d.target_key from reached r
             join inter_deployment_dependencies d on d.source_key = r.target where d.target_key is not null)
         select d.id from reached join deployments d on d.key = source where source = target",
    ),
    (
        "deployments are above themselves",
        "with recursive parents (child, parent) as (
             select d.id, l.value from deployments d
             join deployment_labels l on l.deployment_key = d.key and l.key = 'csys-obj-parent'),
         reached (child, parent) as (
             select child, parent from parents union
             select r.child, p.parent from reached r join parents p on p.child = r.parent)
         select child from reached where child = parent",
    ),
    (
        "an instance belongs to no node",
        "select i.id from node_instances i where not exists (
             select 1 from nodes n where n.deployment_key = i.deployment_key and n.id = i.node_id)",
    ),
];

/// In the end, when nothing is left to be done.
const IN_THE_END: [(&str, &str); 5] = [
    (
        "it is left in the queue",
        "select kind || ' ' || subject from queue where kind <> 'execution_schedule'",
    ),
    (
        "it never ends",
        "select e.id || ' ' || workflow_id || ' ' || status || ' ' || (
             select json_group_array(name || ' ' || state || ' ' || coalesce(queue, '')) from operations o
             where o.execution_key = e.key and o.state not in ('pending', 'succeeded')) from executions e
         where status not in ('terminated', 'failed', 'cancelled')",
    ),
    (
        "an update never ends",
        "select id || ' ' || state from deployment_updates where state not in ('successful', 'failed', 'preview')",
    ),
    // The latest run that went through says in which state the instances are.
    (
        "it is not what the latest run made of it",
        "select d.id || ' ' || e.workflow_id || ' ' || i.id || ' ' || i.state
         from deployments d join executions e on e.key = (select max(key) from executions
             where deployment_key = d.key and is_dry_run = 0
               and workflow_id not in ('create_deployment_environment', 'check_status'))
         join node_instances i on i.deployment_key = d.key
         where e.status = 'terminated' and e.resume = 0 and e.finished_operations = e.total_operations
           and (e.workflow_id in ('install', 'reinstall') and i.state <> 'started'
             or e.workflow_id = 'uninstall' and i.state <> 'deleted')
           and not exists (select 1 from deployment_modifications m where m.deployment_key = d.key)
           and not exists (select 1 from audit_log a where a.action = 'execution_status_update' and a.target_id = e.id)",
    ),
    // As many instances as nodes say, where no update or scaling went wrong.
    (
        "there are not as many instances as there should be",
        "select n.deployment_id || ' ' || n.id || ' ' || n.number_of_instances from nodes n
         where n.number_of_instances <> (select count(*) from node_instances i
                 where i.deployment_key = n.deployment_key and i.node_id = n.id)
             and not exists (select 1 from executions e where e.deployment_key = n.deployment_key
                 and e.workflow_id in ('update', 'scale') and e.status <> 'terminated')
             and not exists (select 1 from deployment_modifications m where m.deployment_key = n.deployment_key
                 and m.status = 'started')",
    ),
];

/// Lets the database note how instances go from state to state, and by which workflow.
pub fn note_states(windlass: &Windlass) {
    let sql = "create table model_moves (workflow text not null, old text not null, new text not null);
               create trigger model_moves_noted after update of state on node_instances when old.state <> new.state begin
                   insert into model_moves values (coalesce((
                       select iif(is_dry_run, 'a dry run', workflow_id) from executions
                       where deployment_key = new.deployment_key and status not in ('queued', 'scheduled')
                       order by status in ('terminated', 'failed', 'cancelled'), coalesce(started_at, created_at) desc
                       limit 1), ''), old.state, new.state);
               end";
    windlass
        .open_database()
        .execute_batch(sql)
        .expect("instances have states");
}

impl History {
    pub fn check(&mut self, windlass: &Windlass) {
        self.demand(windlass, &NEVER);
        let sql = "select json_array(workflow, old, new) from model_moves";
        let wrong = texts(windlass, sql).into_iter().filter(|noted| {
            let [workflow, old, new]: [String; 3] =
                serde_json::from_str(noted).expect("three texts");
            !may_move(&workflow, &old, &new)
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(
            wrong.is_empty(),
            "states go as no table says: {wrong:?}\n{}",
            self.told()
        );
        let known = self.known(windlass);
        let there = texts(windlass, "select create_execution from deployments");
        let is_lost =
            |(id, creation): &(&String, &String)| !known.contains(*id) && there.contains(creation);
        let lost = self.acknowledged.iter().filter(is_lost);
        let lost: Vec<&String> = lost.map(|(id, _)| id).collect();
        assert!(lost.is_empty(), "{lost:?} are lost\n{}", self.told());
        // The others went with their deployments.
        self.acknowledged.retain(|id, _| known.contains(id));
    }

    pub fn check_end(&mut self, windlass: &Windlass) {
        self.work_to_the_end(windlass);
        // What waits for nothing but a word has an end too.
        self.let_groups_go_on(windlass);
        self.work_to_the_end(windlass);
        self.check(windlass);
        self.demand(windlass, &IN_THE_END);
        let audit = windlass.host_command(&["audit-store"]);
        assert!(!audit.contains("wrong: "), "{audit}\n{}", self.told());
    }

    fn demand(&self, windlass: &Windlass, none: &[(&str, &str)]) {
        for (what, sql) in none {
            let found = texts(windlass, sql);
            assert!(found.is_empty(), "{what}: {found:?}\n{}", self.told());
        }
    }
}

fn texts(windlass: &Windlass, sql: &str) -> Vec<String> {
    let database = windlass.open_database();
    let mut statement = database.prepare(sql).expect("SQL");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a text")).collect()
}
