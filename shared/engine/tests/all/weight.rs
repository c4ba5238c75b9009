//! What events weigh in the database, indexes included: there are more of them than of anything else.

use crate::common::{World, http};
use serde_json::json;

#[test]
fn an_event_is_small() {
    let world = World::new();
    for number in 0..40 {
        let operations = json!({ "create": http("create"), "start": http("start") });
        world.node(&format!("server_{number:02}"), operations, &[]);
    }
    let number = |sql: &str| world.text(sql).parse::<i64>().unwrap();
    let bytes = || {
        number(
            "select sum(pgsize) || '' from dbstat where name in (
                 select name from sqlite_master where tbl_name = 'events')",
        )
    };
    let (before, mut ids) = (bytes(), Vec::new());
    for _ in 0..4 {
        for workflow in ["install", "uninstall"] {
            ids.push(world.start(workflow, json!({})));
            world.work();
        }
    }
    for id in &ids {
        assert_eq!(world.status(id), "terminated");
    }
    let count = number("select count(*) || '' from events");
    let each = (bytes() - before) / count;
    println!("an event: {each} bytes, of {count}");
    assert!(each < 400, "{each} bytes each");
}
