//! The people of the status page's stories, and what they say.

use windlass_tests::{Caller, Options, Reply, Value, Windlass, json, monitor_token};

/// A Windlass that knows its monitors' secret, and people whose tokens open the Status Dashboard.
pub struct Desk {
    pub windlass: Windlass,
    pub operator: String,
    pub creator: String,
    pub viewer: String,
    pub monitor: String,
}

impl Desk {
    pub fn open() -> Self {
        let windlass = Options::default().with_monitors().start();
        let token = |name: &str, role: &str| {
            let user = windlass.user(name).with_role_in(role, "default_tenant");
            user.own_token()
        };
        let (operator, creator) = (token("olga", "operations"), token("carl", "user"));
        let viewer = token("vera", "viewer");
        let monitor = monitor_token("probe");
        Self {
            windlass,
            operator,
            creator,
            viewer,
            monitor,
        }
    }

    pub fn anybody(&self) -> Caller<'_> {
        self.windlass.passer_by()
    }

    pub fn operator(&self) -> Caller<'_> {
        self.anybody().with_bearer(&self.operator)
    }

    pub fn creator(&self) -> Caller<'_> {
        self.anybody().with_bearer(&self.creator)
    }

    pub fn viewer(&self) -> Caller<'_> {
        self.anybody().with_bearer(&self.viewer)
    }

    pub fn monitor(&self) -> Caller<'_> {
        self.anybody().with_bearer(&self.monitor)
    }

    /// Adds a component; its number.
    pub fn component(&self, name: &str) -> i64 {
        let created = self.creator().post("/v2/components", component(name));
        created.expect(201)["id"].as_i64().expect("a number")
    }

    pub fn event(&self, id: i64) -> Value {
        self.operator().get(&format!("/v2/events/{id}")).expect(200)
    }
}

pub fn component(name: &str) -> Value {
    json!({ "name": name, "attributes": [
        { "name": "type", "value": "disk" },
        { "name": "region", "value": "EU" },
        { "name": "category", "value": "Storage" },
    ] })
}

/// So many minutes from now, as clients write times.
pub fn at(minutes: i64) -> String {
    let clock = rusqlite::Connection::open_in_memory().expect("SQLite knows the time");
    let sql = "select strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?1 || ' minutes')";
    clock
        .query_row(sql, [minutes], |row| row.get(0))
        .expect("a time")
}

pub fn incident(components: &[i64]) -> Value {
    json!({
        "title": "Volumes are slow", "type": "incident", "impact": 2,
        "components": components, "start_date": at(-30),
    })
}

pub fn maintenance(components: &[i64], from: i64, to: i64) -> Value {
    json!({
        "title": "New disks for volumes", "type": "maintenance", "impact": 0,
        "description": "All disks are exchanged.", "contact_email": "olga@example.com",
        "components": components, "start_date": at(from), "end_date": at(to),
    })
}

/// An update that was written `minutes` from now.
pub fn update(status: &str, minutes: i64) -> Value {
    json!({ "message": "As we have just seen.", "status": status, "update_date": at(minutes) })
}

/// The same with more fields.
pub fn with(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

/// Opens an event; its number.
pub fn opened(caller: Caller<'_>, event: Value) -> i64 {
    placed(&caller.post("/v2/events", event).expect(200))
}

/// The number of the event that an answer places its first component on.
pub fn placed(answer: &Value) -> i64 {
    let id = answer["result"][0]["incident_id"].as_i64();
    id.unwrap_or_else(|| panic!("no event in {answer}"))
}

pub fn statuses(event: &Value) -> Vec<&str> {
    let updates = event["updates"].as_array().expect("a list of updates");
    let status =
        |update: &'_ Value| -> Option<usize> { update["id"].as_u64().map(|id| id as usize) };
    for (place, update) in updates.iter().enumerate() {
        assert_eq!(status(update), Some(place), "{event}");
    }
    updates
        .iter()
        .filter_map(|u| u["status"].as_str())
        .collect()
}

pub fn ids(list: &Value) -> Vec<i64> {
    let events = list["data"].as_array().expect("a list of events");
    events
        .iter()
        .filter_map(|event| event["id"].as_i64())
        .collect()
}

#[track_caller]
pub fn refused(reply: Reply<'_>, status: u16, text: &str) {
    assert_eq!(reply.expect(status), json!({ "errMsg": text }));
}
