//! `/events`.

use crate::samples::{self, column};
use windlass_tests::{Caller, Value, Windlass, json};

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

/// One event of a stream: its id, its type and its data.
type Sent = (String, String, Value);

/// What a stream sends until it ends, read as the standard of server-sent events says.
fn followed(caller: Caller<'_>, path: &str, last: Option<&str>) -> Vec<Sent> {
    let mut request = caller.compose("GET", path, None, None);
    if let Some(id) = last {
        let header = ("last-event-id".to_owned(), id.to_owned());
        request.headers.push(header);
    }
    let answer = caller.send(&request);
    assert_eq!(answer.status, 200, "{path}");
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = String::from_utf8(answer.body).expect("text");
    let block = |block: &str| {
        let field = |name: &str| {
            let mut lines = block.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let data = serde_json::from_str(field("data")?).expect("JSON");
        let (id, name) = (field("id").unwrap_or_default(), field("event")?);
        Some((id.to_owned(), name.to_owned(), data))
    };
    text.split("\n\n").filter_map(block).collect()
}

#[test]
fn an_execution_is_followed_from_its_beginning_to_its_end() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let execution = admin.execute("crane", "install");
    let id = execution["id"].as_str().expect("an id");
    // It runs meanwhile; the stream ends when it does.
    let path = format!("/executions/{id}/events/stream");
    let mut sent = followed(admin, &path, None);
    let end = sent.pop().expect("an end");
    assert_eq!(
        (end.1.as_str(), &end.2),
        ("end", &json!({ "status": "terminated" }))
    );
    let list = admin.get(&format!("/events?execution_id={id}")).expect(200);
    let data: Vec<&Value> = sent.iter().map(|(_, _, data)| data).collect();
    let items: Vec<&Value> = list["items"].as_array().expect("a list").iter().collect();
    assert_eq!(data, items);
    for (id, name, data) in &sent {
        assert_eq!(id, &data["_storage_id"].to_string());
        assert_eq!(name, &data["event_type"]);
    }
    // Who was cut off goes on behind the last one it got, without loss or repetition.
    for cut in [0, 1, sent.len() - 1, sent.len()] {
        let last = cut.checked_sub(1).map_or("0", |last| &sent[last].0);
        let rest = followed(admin, &path, Some(last));
        assert_eq!(rest[..rest.len() - 1], sent[cut..], "after {cut}");
    }
    let started = format!("{path}?event_type=workflow_started&_include=message");
    let [only, _end] = &followed(admin, &started, None)[..] else {
        panic!("one event and the end")
    };
    let data = json!({ "message": "Starting 'install' workflow execution" });
    assert_eq!(only.2, data);

    let stranger = windlass.user("stranger").in_tenant("quay");
    stranger.get(&path).refused(404, "not_found_error");
    for wrong in ["?_timeout=long", "?_timeout=241", "?colour=red"] {
        let path = format!("{path}{wrong}");
        admin.get(&path).refused(400, "bad_parameters_error");
    }
    admin
        .get("/events/stream")
        .refused(400, "bad_parameters_error");
}

#[test]
fn a_deployment_is_followed_from_now_on_for_a_while() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let path = "/events/stream?deployment_id=crane";
    let now = followed(admin, &format!("{path}&_timeout=0"), None);
    assert_eq!(now, []);
    let all = followed(admin, &format!("{path}&_timeout=0"), Some("0"));
    assert_eq!(all.len(), 2, "those of its creation: {all:?}");
    let live = std::thread::scope(|scope| {
        let live = scope.spawn(|| followed(admin, &format!("{path}&_timeout=3"), None));
        // The stream begins before the workflow does, or reads from the row it began behind.
        std::thread::sleep(std::time::Duration::from_millis(300));
        admin.execute("crane", "install");
        live.join().expect("the stream ends")
    });
    windlass.run_pending_work();
    let last = &all[1].0;
    let behind = followed(admin, &format!("{path}&_timeout=0"), Some(last));
    assert_eq!(live, behind);
    assert!(live.len() > 5, "{live:?}");
}
