use super::*;
use crate::blueprints::BLUEPRINTS as BLUEPRINT;
use crate::deployment_groups::DEPLOYMENT_GROUPS;
use crate::deployment_updates::DEPLOYMENT_UPDATE;
use crate::deployments::DEPLOYMENT;
use crate::execution_groups::EXECUTION_GROUPS;
use crate::execution_schedules::SCHEDULES as SCHEDULE;
use crate::executions::EXECUTIONS as EXECUTION;
use crate::inter_deployment_dependencies::INTER_DEPLOYMENT_DEPENDENCIES;
use crate::node_instances::NODE_INSTANCE;
use crate::nodes::NODE;
use crate::{
    agents, deployment_modifications, fresh_database, metrics, migrations, plugins, sites, tenants,
    user_groups, users,
};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::rc::Rc;
use windlass_core::caller::{AuthMethod, Caller, Reach};
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::{ListQuery, Resource, page};
use windlass_core::permission::PermissionSet;
use windlass_core::{Request, Scope};

/// Tables whose lists are not counted, and why that is no matter.
const NOT_COUNTED: &[(&str, &str)] = &[
    ("log_bundles", "a few, made by hand"),
    ("snapshots", "a few, made by hand"),
    ("failed_logins", "no list of the API"),
    ("tasks_graphs", "listed by execution"),
    ("operations", "listed by execution or graph"),
    ("permissions", "a few for each role"),
    ("config", "the settings there are"),
    ("secrets_providers", "a few for each tenant"),
    ("blueprints_filters", "a few for each tenant"),
    ("deployments_filters", "a few for each tenant"),
];

const TENANTS_THERE: [&str; 3] = ["harbour", "quay", "lock"];
const CREATORS: [&str; 3] = ["ann", "bob", "mia"];

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// The statements that one step of a history may be. `{c}` and the like are rolled for each.
const STEPS: &[&str] = &[
    "insert or ignore into deployment_updates (id, tenant_name, created_by, visibility, created_at, deployment_key, deployment_id, state)
     select 'd{n}-' || key, tenant_name, '{c}', '{v}', '', key, id, '{s}' from deployments where id = 'd{m}'",
    "update deployment_updates set state = '{s}' where key % 3 = {bit}",
    "insert or ignore into plugins_updates (id, tenant_name, created_by, visibility, created_at, blueprint_key, blueprint_id, state)
     select 'u{n}-' || key, tenant_name, '{c}', '{v}', '', key, id, '{s}' from blueprints where id = 'b{m}'",
    "update plugins_updates set state = '{s}' where key % 3 = {bit}",
    "insert or ignore into deployment_modifications (id, tenant_name, created_by, visibility, created_at,
         deployment_key, deployment_id, status, modified_nodes, context)
     select 'm{n}' || key, tenant_name, '{c}', '{v}', '', key, id, 'started', '{}', '{}' from deployments where id = 'd{n}'",
    "update deployment_modifications set status = 'finished' where id like 'm{n}%'",
    "delete from deployment_modifications where visibility = '{v}' and id like 'm{m}%'",
    "insert or ignore into blueprint_labels (blueprint_key, key, value, created_at, created_by)
     select key, 'k{n}', '{v}', '', '{c}' from blueprints where id = 'b{m}'",
    "insert or ignore into deployment_labels (deployment_key, key, value, created_at, created_by)
     select key, 'k{bit}', '{v}', '', '{c}' from deployments",
    "insert or ignore into deployment_labels (deployment_key, key, value, created_at, created_by)
     select key, 'k{n}', '{v}', '', '{c}' from deployments where id = 'd{m}'",
    "delete from deployment_labels where key = 'k{n}' and value = '{v}'",
    "delete from blueprint_labels where value = '{v}' and key = 'k{n}'",
    "delete from blueprints where id = 'b{n}' and not exists (select 1 from deployments where blueprint_key = blueprints.key)",
    "insert or ignore into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state, is_hidden)
     values ('b{n}', '{t}', '{c}', '{v}', '', '', 'uploaded', {bit})",
    "insert or ignore into deployments (id, tenant_name, created_by, visibility, created_at, updated_at, blueprint_key, blueprint_id, display_name)
     select 'd{n}', tenant_name, '{c}', '{v}', '', '', key, id, 'd' from blueprints where id = 'b{m}'",
    "insert or ignore into nodes (deployment_key, deployment_id, id, tenant_name, created_by, visibility, type,
         properties, number_of_instances, planned_number_of_instances,
         deploy_number_of_instances, min_number_of_instances, max_number_of_instances)
     select key, id, 'n{n}', tenant_name, created_by, visibility, '', '{}', 1, 1, 1, 1, 1 from deployments",
    "insert or ignore into node_instances (deployment_key, deployment_id, id, node_id, tenant_name, created_by, visibility, \"index\", relationships, scaling_groups, state)
     select key, id, 'i{n}' || key, 'n', tenant_name, created_by, visibility, 1, '[]', '[]', '{s}' from deployments where key % 2 = {bit}",
    "insert or ignore into executions (id, tenant_name, created_by, visibility, created_at, deployment_key, workflow_id, status, is_system_workflow)
     select 'e{n}' || key, tenant_name, created_by, visibility, '', key, '{w}', 'pending', {bit} from deployments where id = 'd{m}'",
    "insert into events (execution_key, list_key, is_log, timestamp)
     select x.key, iif(x.visibility = 'global', -1, t.id), {bit}, 0 from executions x join tenants t on t.name = x.tenant_name",
    "insert into events (execution_key, list_key, is_log, timestamp)
     select x.key, iif(x.visibility = 'global', -1, t.id), 0, 1 from executions x join tenants t on t.name = x.tenant_name",
    "insert or ignore into sites (name, tenant_name, created_by, visibility, created_at) values ('s{n}', '{t}', '{c}', '{v}', '')",
    "insert or ignore into agents (name, tenant_name, created_by, visibility, created_at, node_instance_key, node_instance_id, node_id, deployment_id, state)
     select 'g{n}' || key, tenant_name, '{c}', '{v}', '', key, id, node_id, deployment_id, '{s}' from node_instances where key % 3 = {bit}",
    "update or ignore agents set visibility = '{v}', created_by = '{c}' where key % 2 = {bit}",
    "insert or ignore into plugins (id, tenant_name, created_by, visibility, created_at, title, package_name, package_version,
         archive_name, supported_py_versions, wheels, archive_blob, archive_size, archive_sha256)
     values ('p{n}', '{t}', '{c}', '{v}', '', '', '', '', '', '[]', '[]', 'b{n}', 1, '')",
    "insert or ignore into metrics (id, tenant_name, created_by, visibility, created_at, blueprint_id, deployment_id, execution_id,
         timestamp, name, value) values ('m{n}', '{t}', '{c}', '{v}', '', '', '', '', '', '', '')",
    "delete from metrics where id = 'm{n}' and key % 2 = {bit}",
    "insert into audit_log (created_at, username, action, target_type, target_id) values ('', '{c}', '', '', '')",
    "delete from audit_log where key % 3 = {bit}",
    "update plugins set visibility = '{v}', created_by = '{c}' where id = 'p{n}'",
    "delete from plugins where id = 'p{n}' and key % 2 = {bit}",
    "insert or ignore into execution_schedules (id, deployment_key, deployment_id, tenant_name, created_by, visibility, created_at,
         workflow_id, rule, since)
     select 's{n}', key, id, tenant_name, '{c}', visibility, '', '{w}', '{}', '' from deployments where id = 'd{m}'",
    "delete from execution_schedules where id = 's{n}'",
    "update execution_schedules set visibility = '{v}', created_by = '{c}' where id = 's{n}'",
    "insert or ignore into inter_deployment_dependencies (id, tenant_name, created_by, visibility, created_at, dependency_creator, source_key, target_key)
     select 'p{n}', tenant_name, '{c}', visibility, '', 'x', key, key from deployments where id = 'd{m}' limit 1",
    "insert or ignore into deployment_groups (id, tenant_name, created_by, visibility, created_at) values ('g{n}', '{t}', '{c}', '{v}', '')",
    "insert or ignore into execution_groups (id, tenant_name, created_by, visibility, created_at, workflow_id, concurrency)
     values ('h{n}', '{t}', '{c}', '{v}', '', '{w}', 1)",
    "insert or ignore into secrets (id, tenant_name, created_by, visibility, created_at, updated_at, value)
     values ('s{n}', '{t}', '{c}', '{v}', '', '', 'v')",
    "insert or ignore into users (username, password_hash, role, created_at) values ('u{n}', '', 'default', '')",
    "insert or ignore into user_groups (name, role, created_at) values ('g{n}', 'default', '')",
    "insert or ignore into tokens (id, user_id, secret_hash, created_at, is_implicit)
     select 't{n}', id, '', '', {bit} from users where username = 'u{m}'",
    "insert or ignore into tenants (name, created_at) values ('x{n}', '')",
    "insert or ignore into adjutant_tasks (uuid, task_type, hash_key, created_on) values ('a{n}', '{w}', '', '')",
    "insert or ignore into adjutant_notifications (uuid, task_key, notes, error, created_on)
     select 'o{n}' || key, key, '{}', {bit}, '' from adjutant_tasks where uuid = 'a{m}'",
    "insert or ignore into adjutant_mails (id, task_key, stage, recipient, created_on)
     select 'm{n}' || key, key, '{w}', '', '' from adjutant_tasks where uuid = 'a{m}'",
    "update adjutant_mails set state = 'sent' where key % 3 = {bit}",
    "update adjutant_tasks set standing = {bit} where uuid = 'a{n}'",
    "update adjutant_notifications set acknowledged = {bit} where key % 3 = {bit}",
    "delete from adjutant_tasks where uuid = 'a{n}'",
    "insert into sites (name, tenant_name, created_by, visibility, created_at) values ('s{n}', '{t}', '{c}', '{v}', '')
     on conflict (tenant_name, name) do update set visibility = excluded.visibility, created_by = excluded.created_by",
    "update blueprints set visibility = '{v}' where id = 'b{n}'",
    "update blueprints set is_hidden = {bit} where id = 'b{n}'",
    "update deployments set visibility = '{v}', created_by = '{c}' where id = 'd{n}'",
    "update deployments set installation_status = '{s}', deployment_status = 'good' where id = 'd{n}'",
    "update deployments set blueprint_id = 'b{n}' where id = 'd{m}'",
    "update nodes set visibility = '{v}' where deployment_id = 'd{n}'",
    "update node_instances set state = '{s}' where key % 3 = {bit}",
    "update executions set status = '{s}', created_by = '{c}' where key % 3 = {bit}",
    "update executions set tenant_name = '{t}', visibility = '{v}' where key % 3 = {bit}",
    "update or ignore sites set tenant_name = '{t}', created_by = '{c}' where name = 's{n}'",
    "update or ignore secrets set visibility = '{v}', created_by = '{c}' where id = 's{n}'",
    "delete from secrets where id = 's{n}' and visibility = '{v}'",
    "delete from deployments where id = 'd{n}'",
    "delete from users where username = 'u{n}'",
    "delete from events where storage_id % 5 = {bit}",
    "delete from executions where key % 5 = {bit}",
    "delete from sites where visibility = '{v}' and name = 's{n}'",
];

/// A database after so many steps.
async fn after(steps: usize, seed: u64) -> NativeDb {
    let db = fresh_database().await;
    for tenant in TENANTS_THERE {
        let sql = "insert into tenants (name, created_at) values (?1, '')";
        db.execute(sql, &[tenant.into()]).await.unwrap();
    }
    let mut dice = Dice(seed);
    for _ in 0..steps {
        db.execute(&rolled(&mut dice), &[]).await.unwrap();
    }
    db
}

/// The next step of a history.
fn rolled(dice: &mut Dice) -> String {
    dice.of(STEPS)
        .replace("{t}", dice.of(&TENANTS_THERE))
        .replace("{c}", dice.of(&CREATORS))
        .replace("{v}", dice.of(&["private", "tenant", "global"]))
        .replace("{s}", dice.of(&["pending", "started", "terminated"]))
        .replace("{w}", dice.of(&["install", "scale"]))
        .replace("{bit}", dice.of(&["0", "1"]))
        .replace("{n}", &dice.below(12).to_string())
        .replace("{m}", &dice.below(12).to_string())
}

/// A statement without what its layout is.
fn words(sql: &str) -> String {
    let sql = sql.replacen("CREATE TRIGGER", "create trigger", 1);
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_schema_has_the_triggers_of_everything_that_is_counted() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let mut missing = String::new();
        let of_one_table = ALL.iter().filter(|counts| !counts.table.starts_with('('));
        let of_versions = ALL.iter().filter_map(|counts| counts.version);
        let of_versions = of_versions.flat_map(|version| version.triggers());
        for trigger in of_one_table
            .flat_map(|counts| counts.triggers())
            .chain(of_versions)
        {
            let name = trigger.split(' ').nth(2).unwrap();
            let sql = "select sql from sqlite_master where type = 'trigger' and name = ?1";
            let there = db.first(sql, &[name.into()]).await.unwrap();
            let there = there.map(|row| words(row.text(0).unwrap()));
            if there != Some(words(&trigger)) {
                let _ = writeln!(missing, "{trigger};");
            }
        }
        assert!(missing.is_empty(), "put these into a migration:\n{missing}");
    });
}

#[test]
fn every_table_of_a_list_is_counted_or_stays_small() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let listed = "select name from sqlite_master m where type = 'table' and exists (
            select 1 from pragma_table_info(m.name) where name in ('visibility', 'username', 'permission', 'updater_name'))
            or name in ('tenants', 'user_groups', 'tokens')";
        let counted: BTreeSet<&str> = ALL.iter().map(|counts| counts.table).collect();
        let own = ["row_counts"];
        for row in db.query(listed, &[]).await.unwrap() {
            let table = row.text(0).unwrap();
            let small = NOT_COUNTED.iter().any(|(name, _)| *name == table);
            assert!(
                small != counted.contains(table) || own.contains(&table),
                "{table}: it needs `Counts`, or a reason in NOT_COUNTED"
            );
        }
    });
}

#[test]
fn what_rows_are_counted_by_is_never_null() {
    pollster::block_on(async {
        let db = fresh_database().await;
        for counts in ALL {
            for column in counts.by {
                if counts.table.starts_with('(') {
                    continue;
                }
                let sql = "select \"notnull\" from pragma_table_info(?1) where name = ?2";
                let row = db
                    .first(sql, &[counts.table.into(), (*column).into()])
                    .await;
                let row = row.unwrap().expect("the column is there");
                assert_eq!(row.integer(0).unwrap(), 1, "{}.{column}", counts.table);
            }
        }
    });
}

#[test]
fn the_numbers_are_the_truth_after_any_changes() {
    pollster::block_on(async {
        let mut seen = BTreeSet::new();
        for seed in 1..=10 {
            let db = after(1200, seed).await;
            assert_eq!(audit(&db).await.unwrap(), [], "seed {seed}");
            let kept = "select distinct counts from row_counts";
            for row in db.query(kept, &[]).await.unwrap() {
                seen.insert(row.text(0).unwrap().to_owned());
            }
            let zeros = "select count(*) from row_counts where rows <= 0";
            let zeros = db.first(zeros, &[]).await.unwrap().unwrap();
            assert_eq!(zeros.integer(0).unwrap(), 0);
        }
        assert_eq!(seen.len(), ALL.len(), "everything was counted: {seen:?}");
    });
}

#[test]
fn differences_are_told_and_mended() {
    pollster::block_on(async {
        let db = after(400, 7).await;
        let truth = "select json_group_array(json_array(counts, tenant_name, first, second, visibility, created_by, rows))
            from (select * from row_counts order by 1, 2, 3, 4, 5, 6)";
        let before: serde_json::Value = db.first_json(truth, &[]).await.unwrap().unwrap();
        for sql in [
            "update row_counts set rows = rows + 5 where counts = 'tenants'",
            "delete from row_counts where counts = 'sites'",
            "insert into row_counts values ('nodes', 'nowhere', '', '', 'tenant', '', 3)",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        let differences = audit(&db).await.unwrap();
        let of = |name: &str| differences.iter().filter(|one| one.counts == name).count();
        assert_eq!((of("tenants"), of("nodes"), of("users")), (1, 1, 0));
        assert!(of("sites") > 0);
        let tenants = differences
            .iter()
            .find(|one| one.counts == "tenants")
            .unwrap();
        assert_eq!(tenants.kept, tenants.counted + 5);
        db.transaction(async |tx| rebuild(tx).await).await.unwrap();
        assert_eq!(audit(&db).await.unwrap(), []);
        let after: serde_json::Value = db.first_json(truth, &[]).await.unwrap().unwrap();
        assert_eq!(after, before);
    });
}

/// Somebody, with a reach, who may be a manager everywhere.
fn scope(name: &str, reach: Reach, is_manager: bool) -> Scope {
    let caller = Caller {
        user_id: 7,
        username: name.into(),
        role: "default".into(),
        method: AuthMethod::Basic,
        system: match is_manager {
            true => PermissionSet::all(),
            false => PermissionSet::default(),
        },
        tenants: Default::default(),
        execution_id: None,
    };
    Scope::of(Rc::new(caller), reach, String::new())
}

fn scopes() -> Vec<Scope> {
    let harbour = || Reach::Tenant("harbour".into());
    let two = || Reach::Tenants(vec!["harbour".into(), "quay".into()]);
    vec![
        scope("ann", harbour(), false),
        scope("bob", harbour(), true),
        scope("ann", two(), false),
        scope("mia", two(), true),
        scope("ann", Reach::Everywhere, false),
        scope("bob", Reach::Everywhere, true),
        Scope::public(),
        Scope::engine(),
    ]
}

/// Lists whose totals need no counting, with their filters.
const KEPT: &[(&Resource, &str)] = &[
    (&agents::AGENTS, ""),
    (&BLUEPRINT, ""),
    (&BLUEPRINT, "is_hidden=false"),
    (&BLUEPRINT, "visibility=private&visibility=global"),
    (&DEPLOYMENT, ""),
    (&DEPLOYMENT, "blueprint_id=b3"),
    (
        &DEPLOYMENT,
        "blueprint_id=b3&blueprint_id=b4&tenant_name=harbour",
    ),
    (&DEPLOYMENT, "installation_status=started"),
    (&DEPLOYMENT, "deployment_status=good&private_resource=true"),
    (&NODE, ""),
    (&NODE_INSTANCE, ""),
    (&NODE_INSTANCE, "state=started"),
    (&EXECUTION, ""),
    (
        &EXECUTION,
        "is_system_workflow=false&status=started&status=pending",
    ),
    (&EXECUTION, "status_display=completed"),
    (&EXECUTION, "workflow_id=install"),
    (&DEPLOYMENT_UPDATE, "state=started"),
    (&metrics::METRICS, ""),
    (&plugins::PLUGINS, ""),
    (&crate::plugins_updates::PLUGINS_UPDATE, "state=started"),
    (&SCHEDULE, ""),
    (&sites::SITES, ""),
    (&INTER_DEPLOYMENT_DEPENDENCIES, ""),
    (&DEPLOYMENT_GROUPS, ""),
    (&EXECUTION_GROUPS, ""),
    (&deployment_modifications::DEPLOYMENT_MODIFICATION, ""),
    (
        &deployment_modifications::DEPLOYMENT_MODIFICATION,
        "status=started",
    ),
    (&tenants::TENANTS, ""),
    (&users::USERS, ""),
    (&user_groups::USER_GROUPS, ""),
];

/// Lists whose totals are counted.
const COUNTED: [(&Resource, &str); 4] = [
    (&DEPLOYMENT, "id=d1"),
    (&DEPLOYMENT, "created_by=ann"),
    (&EXECUTION, "workflow_id=install&status=started"),
    (&users::USERS, "username=u1"),
];

#[test]
fn totals_from_the_numbers_are_those_of_counting() {
    pollster::block_on(async {
        let db = after(600, 11).await;
        for scope in scopes() {
            for (resource, text) in KEPT.iter().copied().chain(COUNTED) {
                let request = Request::new(Method::GET, &format!("/x?{text}&_size=0"));
                let query = ListQuery::parse(resource, &request, &[]).unwrap();
                let counting = Resource {
                    counts: &[],
                    ..*resource
                };
                let kept = resource.page_statement(&scope, &query);
                let counted = counting.page_statement(&scope, &query);
                let is_kept = KEPT.contains_list(resource, text);
                assert_eq!(
                    kept.sql.contains("sum(t.rows)"),
                    is_kept,
                    "{} {text}",
                    resource.name
                );
                let total = page(&db, &kept).await.unwrap().total;
                let truth = page(&db, &counted).await.unwrap().total;
                assert_eq!(total, truth, "{} {text}: {}", resource.name, kept.sql);
            }
        }
    });
}

/// Which lists are among some.
trait Lists {
    fn contains_list(&self, resource: &Resource, text: &str) -> bool;
}

impl Lists for [(&Resource, &str)] {
    fn contains_list(&self, resource: &Resource, text: &str) -> bool {
        self.iter()
            .any(|(one, of)| one.name == resource.name && *of == text)
    }
}

#[test]
fn a_database_of_before_is_counted_once() {
    pollster::block_on(async {
        let db = after(400, 13).await;
        // Tables that came later were counted from their first row on.
        let later = [
            "adjutant_tasks",
            "agents",
            "audit_log",
            "deployment_groups",
            "deployment_modifications",
            "deployment_updates",
            "execution_groups",
            "execution_schedules",
            "inter_deployment_dependencies",
            "metrics",
            "plugins",
            "plugins_updates",
            "secrets",
        ];
        for later in later {
            let sql = format!("delete from {later}");
            db.execute(&sql, &[]).await.unwrap();
        }
        db.execute("delete from row_counts", &[]).await.unwrap();
        // Events have been counted again since, by the migration that split them.
        let fills = migrations::named("counts")
            .into_iter()
            .filter(|sql| !sql.contains("\nfrom events "))
            .chain(migrations::named("events"))
            .chain(migrations::named("all_tokens"))
            .chain(migrations::named("labels_of_deployments"))
            .filter(|sql| sql.starts_with("insert into row_counts\n"));
        for sql in fills {
            db.execute(&sql, &[]).await.unwrap();
        }
        assert_eq!(audit(&db).await.unwrap(), []);
    });
}

#[test]
fn nothing_replaces_rows_of_a_counted_table() {
    // It would delete rows that no trigger hears of.
    let counted: BTreeSet<&str> = ALL.iter().map(|counts| counts.table).collect();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("shared"), root.join("components")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".sql") || name.ends_with(".rs") && !name.contains("tests") {
                let text = words(&std::fs::read_to_string(&path).unwrap());
                for table in text.split("replace into ").skip(1) {
                    let table = table.split(' ').next().unwrap();
                    assert!(!counted.contains(table), "{}: {table}", path.display());
                }
                files += 1;
            }
        }
    }
    assert!(files > 100, "only {files} files were read");
}

mod plans;
mod remembered;
