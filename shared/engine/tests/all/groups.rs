//! Executions of groups: as many at a time as the group may have.

use crate::common::{Answer, World, http, run};
use serde_json::json;
use windlass_core::Visibility;
use windlass_core::db::Db;
use windlass_deployment::environment::Removal;
use windlass_deployment::groups;
use windlass_engine::control::Action;
use windlass_engine::execution_groups::{self, GroupStart};
use windlass_store::resource::{self, New, Origin};

/// A group of deployments `d`, `d1`, `d2` and so on, whose node asks `https://api.example/<deployment>`.
fn fleet(world: &World, count: usize) {
    world.sql(
        "insert into deployment_groups (key, id, tenant_name, created_by, visibility, created_at)
         values (1, 'fleet', 'harbour', 'ann', 'tenant', ''), (2, 'good', 'harbour', 'ann', 'tenant', ''),
             (3, 'bad', 'harbour', 'ann', 'tenant', '')",
    );
    for number in 0..count {
        let id = match number {
            0 => "d".to_owned(),
            number => format!("d{number}"),
        };
        if number > 0 {
            world.deployment(&id);
        }
        world.node_of(
            &id,
            &format!("n{number}"),
            "cloudify.nodes.Root",
            json!({ "create": http(&id) }),
            &[],
        );
    }
    world.sql("insert into deployment_group_members select 1, key from deployments");
}

fn start(world: &World, id: &str, concurrency: i64) {
    let new = New {
        id: id.into(),
        visibility: Visibility::Tenant,
        origin: Origin::default(),
    };
    let request = GroupStart {
        deployment_group_id: "fleet".into(),
        workflow_id: "install".into(),
        concurrency,
        ..GroupStart::default()
    };
    let now = world.now();
    run(world.db.transaction(async |tx| {
        execution_groups::start(tx, &world.scope, new.clone(), &request, now).await
    }))
    .unwrap();
}

fn members(world: &World, group: i64) -> String {
    world.text(&format!(
        "select coalesce(group_concat(d.id, ' '), '') from (select d.id from deployment_group_members m
             join deployments d on d.key = m.deployment_key where m.group_key = {group} order by d.key) d"
    ))
}

fn with_status(world: &World, status: &str) -> i64 {
    let sql = format!("select count(*) from executions where status = '{status}'");
    let row = run(world.db.first(&sql, &[])).unwrap().unwrap();
    row.integer(0).unwrap()
}

#[test]
fn never_more_run_than_may_and_all_come_to_an_end() {
    let world = World::new();
    fleet(&world, 7);
    start(&world, "g", 2);
    let mut most = 0;
    for _ in 0..200 {
        let active = with_status(&world, "pending") + with_status(&world, "started");
        most = most.max(active);
        if world.tick().unwrap().ran == 0 {
            break;
        }
    }
    assert_eq!((most, with_status(&world, "terminated")), (2, 7));
    assert_eq!(world.net.paths().len(), 7);
}

#[test]
fn deployments_are_sorted_by_how_their_executions_end() {
    let world = World::new();
    fleet(&world, 4);
    world
        .net
        .answers(|request, _| match request.url.ends_with("d2") {
            true => Answer::Status(500, "{}"),
            false => Answer::Status(200, "{}"),
        });
    start(&world, "g", 0);
    run(world.db.transaction(async |tx| {
        let targets = (Some("good"), Some("bad"));
        execution_groups::set_targets(tx, &world.scope, "g", targets).await?;
        execution_groups::set_concurrency(tx, &world.scope, "g", 5, world.now()).await
    }))
    .unwrap();
    for _ in 0..100 {
        world.work();
        world.pass(60_000);
    }
    assert_eq!(members(&world, 2), "d d1 d3");
    assert_eq!(members(&world, 3), "d2");
}

#[test]
fn a_group_is_stopped_as_a_whole_and_goes_on_as_one() {
    let world = World::new();
    fleet(&world, 5);
    start(&world, "g", 2);
    let act = |action| {
        let now = world.now();
        run(world.db.transaction(async |tx| {
            execution_groups::act(tx, &world.scope, action, "g", now).await
        }))
        .unwrap();
    };
    world.until_under_way();
    act(Action::Cancel);
    assert_eq!(with_status(&world, "queued"), 0);
    world.work();
    assert_eq!(with_status(&world, "cancelled"), 5);
    // Cancelling what has ended is no error.
    act(Action::Kill);
    act(Action::Resume);
    assert_eq!(
        (
            with_status(&world, "pending"),
            with_status(&world, "queued")
        ),
        (2, 3)
    );
    world.pass(10_000);
    world.work();
    assert_eq!(with_status(&world, "terminated"), 5);
}

/// Ten thousand wait: stored in one request, and who is next is found without looking at all of them.
#[test]
fn thousands_wait_without_making_the_next_start_slower() {
    let world = World::new();
    fleet(&world, 1);
    world.sql(
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < 9999)
         insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name, workflow_parts)
         select 'x' || k, 'harbour', 'ann', 'tenant', '', '', 1, 'bp', 'x', d.workflow_parts
         from n, deployments d where d.id = 'd'",
    );
    world.sql("insert or ignore into deployment_group_members select 1, key from deployments");
    let began = std::time::Instant::now();
    start(&world, "g", 0);
    let stored = began.elapsed();
    let began = std::time::Instant::now();
    for _ in 0..100 {
        run(world.db.transaction(async |tx| {
            windlass_engine::dequeue::start_waiting(tx, world.now()).await
        }))
        .unwrap();
    }
    let paused = began.elapsed() / 100;
    let now = world.now();
    run(world.db.transaction(async |tx| {
        execution_groups::set_concurrency(tx, &world.scope, "g", 5, now).await
    }))
    .unwrap();
    let began = std::time::Instant::now();
    let mut ticks = 0_u32;
    while with_status(&world, "terminated") < 60 && ticks < 1000 {
        world.tick().unwrap();
        ticks += 1;
    }
    let each = began.elapsed() / 60;
    println!(
        "10,000 stored: {stored:?}; a look at a paused group: {paused:?}; each execution: {each:?}"
    );
    assert!(with_status(&world, "terminated") >= 60);
    assert!(paused.as_millis() < 20, "{paused:?}");
}

/// The steps that SQLite makes to delete a group of so many deployments with all of them: for the request,
/// and for all that follows. They may be the children of one that stays.
fn steps_of_deletion(count: usize, have_parent: bool) -> [i64; 2] {
    let world = World::new();
    fleet(&world, 1);
    world.sql(&format!(
        "with recursive n (k) as (select 1 union all select k + 1 from n where k < {count} - 1)
         insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name, workflow_parts)
         select 'x' || k, 'harbour', 'ann', 'tenant', '', '', 1, 'bp', 'x', d.workflow_parts
         from n, deployments d where d.id = 'd'",
    ));
    world.sql("insert or ignore into deployment_group_members select 1, key from deployments");
    if have_parent {
        world.sql(
            "insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
                 blueprint_key, blueprint_id, display_name, workflow_parts)
             select 'parent', 'harbour', 'ann', 'tenant', '', '', 1, 'bp', 'x', workflow_parts
             from deployments where id = 'd'",
        );
        world.sql(
            "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
             select key, 'csys-obj-parent', 'parent', '', 'ann' from deployments where id <> 'parent'",
        );
    }
    world.db.steps();
    let now = world.now();
    run(world.db.transaction(async |tx| {
        let group = resource::find_own(tx, &world.scope, "fleet").await?;
        let removal = Removal::default();
        groups::delete_deployments(tx, &world.scope, &group, removal, false, now).await
    }))
    .unwrap();
    let asked = world.db.steps();
    world.work();
    let followed = world.db.steps();
    let left = world.text("select group_concat(id) || '' from deployments");
    assert_eq!(left == "parent", have_parent, "{left}");
    [asked, followed]
}

#[test]
fn deleting_many_deployments_grows_with_their_number() {
    for have_parent in [false, true] {
        let [few, many] = [500, 2000].map(|count| steps_of_deletion(count, have_parent));
        println!("500: {few:?} steps, 2,000: {many:?}");
        for (few, many) in few.into_iter().zip(many) {
            assert!(many < few * 5, "{few} -> {many}");
        }
    }
}

/// The child's own deletion waits as well, and is not in its parent's way.
#[test]
fn a_group_is_deleted_with_parents_and_children_in_it() {
    let world = World::new();
    fleet(&world, 3);
    for (child, parent) in [("d1", "d"), ("d2", "d1")] {
        world.sql(&format!(
            "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
             select key, 'csys-obj-parent', '{parent}', '', 'ann' from deployments where id = '{child}'"
        ));
    }
    let now = world.now();
    run(world.db.transaction(async |tx| {
        let group = resource::find_own(tx, &world.scope, "fleet").await?;
        let removal = Removal {
            recursive: true,
            ..Removal::default()
        };
        groups::delete_deployments(tx, &world.scope, &group, removal, false, now).await
    }))
    .unwrap();
    world.work();
    assert_eq!(world.text("select count(*) || '' from deployments"), "0");
}
