use super::row::find_any;
use super::*;
use crate::TENANT;
use crate::components::list as components;
use crate::subscriptions::tests::stage;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use windlass_core::db::{Db as _, NativeDb};
use windlass_core::outbound::{Clock, Outbound, OutboundRequest, OutboundResponse};
use windlass_core::platform::set_variable;
use windlass_core::{Body, Kind, Result, Scope, Timestamp};
use windlass_store::queue::{self, Work};

/// A network whose every server answers so; nothing for one that does not.
struct Server(RefCell<Option<(u16, &'static str)>>);

impl Outbound for Server {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, String> {
        assert_eq!(request.url, "https://disk.example.com/health");
        let answer = *self.0.borrow();
        let (status, body) = answer.ok_or("connection refused")?;
        Ok(OutboundResponse {
            status,
            headers: Vec::new(),
            body: body.into(),
        })
    }
}

struct Watch(Cell<Timestamp>);

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.0.get()
    }

    async fn sleep(&self, _millis: i64) {}
}

struct Stage {
    db: NativeDb,
    clock: Watch,
    server: Server,
}

impl Stage {
    async fn new(more: Value) -> Self {
        let mut body =
            json!({ "component_id": 1, "type": "http", "url": "https://disk.example.com/health" });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        let stage = Self {
            db: stage().await,
            clock: Watch(Cell::new(Timestamp::now())),
            server: Server(RefCell::new(Some((200, "well")))),
        };
        stage.set(body).await.unwrap();
        stage
    }

    async fn set(&self, body: Value) -> Result<()> {
        let (component, settings) = Settings::read(&Body::inner(&body, "body")?, false)?;
        let now = self.clock.now();
        self.db
            .transaction(async |tx| {
                let component = components::find(tx, component).await?;
                save(tx, &scope(), "disk", &component, &settings, now).await
            })
            .await
    }

    /// Lets a minute pass, in which the server answers so.
    async fn minute(&self, answer: Option<(u16, &'static str)>) {
        *self.server.0.borrow_mut() = answer;
        self.clock.0.set(self.clock.now().plus_seconds(60));
        let now = self.clock.now();
        let rows = queue::lease(&self.db, "me", 10, 5000, now).await.unwrap();
        for row in rows.iter().filter(|row| row.work == Work::StatusProbe) {
            run(&self.db, &self.server, &self.clock, "me", row)
                .await
                .unwrap();
        }
    }

    async fn probe(&self) -> Probe {
        find_any(&self.db, "disk").await.unwrap().unwrap()
    }

    /// The titles of incidents, and whether they are open.
    async fn incidents(&self) -> Vec<(String, bool)> {
        let sql = "select title, ended_at is null from status_incidents order by id";
        let rows = self.db.query(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.text(0).unwrap().to_owned(),
                    row.integer(1).unwrap() == 1,
                )
            })
            .collect()
    }
}

fn scope() -> Scope {
    Scope::system("ann", TENANT)
}

#[test]
fn so_many_failures_open_and_so_many_successes_close() {
    pollster::block_on(async {
        let stage = Stage::new(json!({ "failures_to_open": 2, "successes_to_close": 2 })).await;
        let told = "Disk (EU) does not answer".to_owned();
        stage.minute(Some((200, "well"))).await;
        stage.minute(None).await;
        stage.minute(Some((200, "well"))).await;
        stage.minute(Some((503, ""))).await;
        assert_eq!(stage.incidents().await, [], "one at a time is nothing");
        stage.minute(None).await;
        assert_eq!(stage.incidents().await, [(told.clone(), true)]);
        let probe = stage.probe().await;
        assert!(probe.is_down);
        assert_eq!(probe.last_error.as_deref(), Some("connection refused"));
        stage.minute(None).await;
        stage.minute(Some((200, "well"))).await;
        stage.minute(None).await;
        assert_eq!(stage.incidents().await, [(told.clone(), true)]);
        stage.minute(Some((302, ""))).await;
        stage.minute(Some((200, "well"))).await;
        assert_eq!(stage.incidents().await, [(told, false)]);
        let probe = stage.probe().await;
        assert_eq!(
            (probe.is_down, probe.successes, probe.last_error),
            (false, 2, None)
        );

        let slots = history(&stage.db, 1, 96, stage.clock.now()).await.unwrap();
        let (checks, failures) = slots.iter().fold((0, 0), |(checks, failures), slot| {
            (checks + slot.checks, failures + slot.failures)
        });
        assert_eq!((checks, failures), (10, 5));
        assert_eq!(charted(&stage.db).await.unwrap(), [1]);
    });
}

#[test]
fn an_answer_has_to_be_as_expected() {
    pollster::block_on(async {
        let more =
            json!({ "failures_to_open": 1, "expected_statuses": [200, 418], "contains": "well" });
        let stage = Stage::new(more).await;
        for (answer, error) in [
            (Some((200, "all is well")), None),
            (Some((418, "well")), None),
            (Some((204, "well")), Some("it answered 204")),
            (
                Some((200, "ill")),
                Some("it answered 200 without the expected text"),
            ),
            (None, Some("connection refused")),
        ] {
            stage.minute(answer).await;
            assert_eq!(
                stage.probe().await.last_error.as_deref(),
                error,
                "{answer:?}"
            );
        }
    });
}

#[test]
fn a_probe_that_is_deleted_or_moved_lets_go() {
    pollster::block_on(async {
        let stage = Stage::new(json!({ "failures_to_open": 1 })).await;
        stage.minute(None).await;
        assert!(stage.incidents().await[0].1);
        let moved = json!({ "component_id": 2, "type": "http", "url": "https://disk.example.com/health",
            "failures_to_open": 1, "title": "Disks do not answer" });
        stage.set(moved).await.unwrap();
        assert!(!stage.incidents().await[0].1);
        stage.minute(None).await;
        assert_eq!(
            stage.incidents().await[1],
            ("Disks do not answer".to_owned(), true)
        );
        let probe = stage.probe().await;
        let now = stage.clock.now();
        stage
            .db
            .transaction(async |tx| delete(tx, &scope(), &probe, now).await)
            .await
            .unwrap();
        assert!(!stage.incidents().await[1].1);
        for table in [
            "status_probe_slots",
            "status_signals",
            "queue where kind = 'status_probe'",
        ] {
            let sql = format!("select count(*) from {table}");
            let row = stage.db.first(&sql, &[]).await.unwrap().unwrap();
            assert_eq!(row.integer(0).unwrap(), 0, "{table}");
        }
        assert!(list(&stage.db, &Scope::public(), 1, 0).await.is_err());
        let found = find(&stage.db, &Scope::engine(), "disk").await;
        assert_eq!(found.unwrap_err().kind(), Kind::NotFound);
    });
}

#[test]
fn a_row_whose_holder_died_is_passed_over_and_goes_on() {
    pollster::block_on(async {
        let stage = Stage::new(json!({})).await;
        let now = stage.clock.now().plus_seconds(1);
        let rows = queue::lease(&stage.db, "me", 10, 5000, now).await.unwrap();
        let row = rows
            .iter()
            .find(|row| row.work == Work::StatusProbe)
            .unwrap();
        pass_over(&stage.db, "me", row, now).await.unwrap();
        stage.minute(None).await;
        assert_eq!(stage.probe().await.failures, 0, "a minute after that");
        stage.minute(Some((200, "well"))).await;
        assert_eq!(stage.probe().await.successes, 1);
        assert_eq!(
            list(&stage.db, &Scope::engine(), 9, 0).await.unwrap().total,
            1
        );
    });
}

#[test]
fn a_connection_is_enough_for_tcp() {
    pollster::block_on(async {
        set_variable("outbound_allow_private", "true");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let stage = Stage::new(json!({})).await;
        let body =
            json!({ "component_id": 1, "type": "tcp", "address": address, "failures_to_open": 1 });
        let (_, settings) = Settings::read(&Body::inner(&body, "body").unwrap(), true).unwrap();
        let now = stage.clock.now();
        stage
            .db
            .transaction(async |tx| {
                let component = components::find(tx, 1).await?;
                save(tx, &scope(), "disk", &component, &settings, now).await
            })
            .await
            .unwrap();
        stage.minute(None).await;
        assert_eq!(stage.probe().await.successes, 1);
        drop(listener);
        stage.minute(None).await;
        let probe = stage.probe().await;
        assert!(probe.is_down && probe.last_error.is_some(), "{probe:?}");
    });
}

#[test]
fn settings_that_cannot_be_meant_name_their_field() {
    let http = |more: Value| {
        let mut body = json!({ "component_id": 1, "type": "http", "url": "https://example.com" });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    };
    let tcp = |address: &str| json!({ "component_id": 1, "type": "tcp", "address": address });
    for (body, field) in [
        (
            json!({ "type": "http", "url": "https://example.com" }),
            "component_id",
        ),
        (http(json!({ "type": "icmp" })), "type"),
        (http(json!({ "url": "ftp://example.com" })), "url"),
        (http(json!({ "url": "http://127.0.0.1/" })), "url"),
        (http(json!({ "url": "http://a:b@example.com/" })), "url"),
        (http(json!({ "method": "POST" })), "method"),
        (
            http(json!({ "method": "HEAD", "contains": "a" })),
            "contains",
        ),
        (
            http(json!({ "expected_statuses": [99] })),
            "expected_statuses",
        ),
        (http(json!({ "interval_seconds": 9 })), "interval_seconds"),
        (http(json!({ "timeout_seconds": 31 })), "timeout_seconds"),
        (http(json!({ "failures_to_open": 0 })), "failures_to_open"),
        (
            http(json!({ "successes_to_close": 101 })),
            "successes_to_close",
        ),
        (http(json!({ "impact": "awful" })), "impact"),
        (http(json!({ "address": "a:1" })), "address"),
        (http(json!({ "colour": "red" })), "colour"),
        (tcp("example.com"), "address"),
        (tcp("example.com:0"), "address"),
        (tcp("::1:5432"), "address"),
        (tcp("10.0.0.1:5432"), "address"),
        (tcp("a/b:5432"), "address"),
    ] {
        let read = Settings::read(&Body::inner(&body, "body").unwrap(), false);
        let refusal = read.unwrap_err();
        assert_eq!(refusal.kind(), Kind::BadParameters, "{body}");
        let named = refusal.fields().iter().any(|each| each.field == field);
        assert!(named || refusal.message().contains(field), "{body}");
    }
    let body = tcp("db.example.com:5432");
    let (component, settings) =
        Settings::read(&Body::inner(&body, "body").unwrap(), false).unwrap();
    assert_eq!((component, settings.target()), (1, "db.example.com:5432"));
    assert_eq!(
        (
            settings.interval_seconds,
            settings.failures_to_open,
            settings.impact
        ),
        (60, 3, 3)
    );
}

#[test]
fn history_is_read_along_its_keys() {
    pollster::block_on(async {
        let db = stage().await;
        let sql = "explain query plan select sum(s.checks)
            from status_probes p join status_probe_slots s on s.probe_id = p.id
            where p.component_id = 1 and s.slot > 2 and s.slot <= 3 group by s.slot order by s.slot";
        let plan = db.query(sql, &[]).await.unwrap();
        let plan: Vec<&str> = plan.iter().map(|row| row.text(3).unwrap()).collect();
        assert!(
            plan.iter()
                .any(|step| step.contains("status_probes_by_component")),
            "{plan:?}"
        );
        assert!(
            plan.iter()
                .any(|step| step.contains("probe_id=? AND slot>?")),
            "{plan:?}"
        );
    });
}
