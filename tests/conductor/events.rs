//! `/events`.

use crate::samples::{self, column};
use windlass_tests::{Value, Windlass};

#[test]
fn the_events_of_an_execution_tell_it_in_order() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let execution = admin.execute("crane", "install");
    windlass.run_pending_work();
    let path = format!(
        "/events?execution_id={}",
        execution["id"].as_str().expect("an id")
    );
    let events = admin.get(&path).expect(200);
    let messages: Vec<&str> = column(&events, "message")
        .into_iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        messages.first(),
        Some(&"Starting 'install' workflow execution"),
        "{messages:?}"
    );
    assert_eq!(
        messages.last(),
        Some(&"'install' workflow execution succeeded"),
        "{messages:?}"
    );

    // The crane is on the quay, so the quay comes first.
    let items = events["items"].as_array().expect("a list");
    let started = |node: &str| {
        items.iter().position(|event| {
            event["node_name"] == node
                && event["message"]
                    .as_str()
                    .is_some_and(|text| text.starts_with("Node instance started"))
        })
    };
    assert!(
        started("quay").is_some() && started("quay") < started("crane"),
        "{messages:?}"
    );

    let times: Vec<&str> = column(&events, "timestamp")
        .into_iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let page = admin
        .get(&format!("{path}&_size=2&_offset=1&_include=message"))
        .expect(200);
    assert_eq!(column(&page, "message"), messages[1..3]);
    admin
        .get("/events?colour=red")
        .refused(400, "bad_parameters_error");
}
