use super::*;
use crate::events::EventKind;
use crate::subscriptions::tests::{confirm, find, request};
use crate::subscriptions::{Format, NewSubscription, Secret};
use crate::testing;
use crate::testing::NewIncident;
use std::cell::{Cell, RefCell};
use windlass_core::db::NativeDb;
use windlass_core::outbound::{OutboundRequest, OutboundResponse};
use windlass_core::platform::{kv, set_variable};
use windlass_core::{params, secretbox};
use windlass_store::queue::Work;

const HOOK: &str = "https://hooks.example.com/status";
const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

type Answering = dyn Fn(&OutboundRequest) -> Result<OutboundResponse, String>;

/// The network of a test: records what is sent, answers what it is told to.
struct Network {
    answer: Box<Answering>,
    sent: RefCell<Vec<OutboundRequest>>,
}

impl Network {
    fn answering(status: u16) -> Self {
        Self::with(move |request| {
            Ok(OutboundResponse {
                status,
                headers: Vec::new(),
                // As a receiver that echoes whatever it is sent.
                body: serde_json::from_slice::<Value>(&request.body).unwrap_or_default()["data"]
                    .to_string()
                    .into_bytes(),
            })
        })
    }

    fn with(
        answer: impl Fn(&OutboundRequest) -> Result<OutboundResponse, String> + 'static,
    ) -> Self {
        Self {
            answer: Box::new(answer),
            sent: RefCell::default(),
        }
    }

    fn header(&self, place: usize, name: &str) -> String {
        let sent = self.sent.borrow();
        let mut headers = sent[place].headers.iter();
        headers.find(|(known, _)| known == name).unwrap().1.clone()
    }
}

impl Outbound for Network {
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, String> {
        let answer = (self.answer)(&request);
        self.sent.borrow_mut().push(request);
        answer
    }
}

struct Watch(Cell<Timestamp>);

impl Watch {
    fn forward(&self, seconds: i64) {
        self.0.set(self.0.get().plus_seconds(seconds));
    }
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        self.0.get()
    }

    async fn sleep(&self, _millis: i64) {}
}

struct Stage {
    db: NativeDb,
    clock: Watch,
}

impl Stage {
    async fn set() -> Self {
        kv::set(secretbox::ENCRYPTION_KEY_KEY, b"a key")
            .await
            .unwrap();
        set_variable("public_url", "https://status.example.com/");
        let db = NativeDb::in_memory();
        windlass_store::migrations::apply(&db).await.unwrap();
        db.execute(
            "insert into status_components (name, attributes, attributes_key, position, created_at)
             values ('Disk', '[]', '[]', 1, '2026-01-01T00:00:00.000Z')",
            &[],
        )
        .await
        .unwrap();
        Self {
            db,
            clock: Watch(Cell::new(Timestamp::now())),
        }
    }

    async fn ask(&self, channel: Channel, target: &str) -> String {
        let new = NewSubscription {
            channel,
            format: Format::Standard,
            target,
            region: None,
            components: &[],
        };
        let secret = Secret::new().await.unwrap();
        let now = self.clock.now();
        request(&self.db, &new, &secret, now)
            .await
            .unwrap()
            .unwrap()
    }

    async fn confirmed(&self, channel: Channel, target: &str) -> String {
        let id = self.ask(channel, target).await;
        let now = self.clock.now();
        confirm(&self.db, &id, now).await.unwrap();
        id
    }

    async fn incident(&self) {
        let now = self.clock.now();
        let new = NewIncident {
            kind: EventKind::Incident,
            title: "Disks are slow",
            description: None,
            impact: 1,
            started_at: now,
            ended_at: None,
            is_system: true,
            status: "analysing",
            contact_email: None,
            components: &[1],
        };
        testing::insert(&self.db, &new, "m", now).await.unwrap();
        // The trigger has a clock of its own.
        self.db
            .execute(
                "update queue set not_before = 0 where kind = 'status_notification'",
                &[],
            )
            .await
            .unwrap();
    }

    /// Runs what is due, once each, and what comes due by it.
    async fn work(&self, network: &Network) {
        for _ in 0..10 {
            let now = self.clock.now();
            let rows = queue::lease(&self.db, "me", 10, 5000, now).await.unwrap();
            if rows.is_empty() {
                return;
            }
            for row in rows {
                self.run(network, &row).await;
            }
        }
        panic!("it does not end");
    }

    /// Does what a row of the status page wants, as the scheduler would have it done.
    async fn run(&self, network: &Network, row: &Leased) {
        let (db, clock, now) = (&self.db, &self.clock, self.clock.now());
        let done = match row.work {
            Work::StatusNotification => fan_out(db, "me", row, now).await,
            Work::StatusRun => follow_run(db, "me", row).await,
            Work::StatusSubscriptionExpiry => expire(db, "me", row, now).await,
            Work::StatusConfirmation => super::confirm(db, network, clock, "me", row).await,
            Work::StatusDelivery => deliver(db, network, clock, "me", row).await,
            other => panic!("{other} is none of the status page's notices"),
        };
        done.unwrap();
    }

    async fn text(&self, sql: &str) -> String {
        let row = self.db.first(sql, params![]).await.unwrap();
        row.map_or(String::new(), |row| row.text(0).unwrap().to_owned())
    }

    async fn delivery(&self) -> String {
        self.text("select state || ' ' || attempts from status_deliveries")
            .await
    }
}

#[test]
fn a_webhook_confirms_itself_and_is_told_signed_texts() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.ask(Channel::Webhook, HOOK).await;
        let silent = Network::with(|_| {
            Ok(OutboundResponse {
                status: 200,
                ..OutboundResponse::default()
            })
        });
        stage.work(&silent).await;
        let found = find(&stage.db, &id).await.unwrap().unwrap();
        assert!(!found.is_confirmed, "it did not answer with the challenge");
        let network = Network::answering(200);
        stage.clock.forward(MINUTE);
        stage.work(&network).await;
        let found = find(&stage.db, &id).await.unwrap().unwrap();
        assert!(found.is_confirmed);
        assert_eq!(network.header(0, "webhook-id"), format!("cnf_{id}"));
        stage.incident().await;
        stage.work(&network).await;
        assert_eq!(stage.delivery().await, "delivered 1");
        let body: Value = serde_json::from_slice(&network.sent.borrow()[1].body).unwrap();
        assert_eq!(body["type"], "incident.opened");
        assert_eq!(
            body["data"]["url"],
            "https://status.example.com/incidents/1"
        );
        assert_eq!(body["data"]["components"][0]["name"], "Disk");
        assert!(network.header(1, "webhook-signature").starts_with("v1,"));
        assert!(network.header(1, "webhook-id").starts_with("dlv_"));
        let unit = stage.text("select cast(count(*) as text) from queue").await;
        assert_eq!(unit, "0", "nothing is left, the expiry included");
    });
}

#[test]
fn a_failing_webhook_is_tried_for_a_day_with_one_id() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        stage.confirmed(Channel::Webhook, HOOK).await;
        stage.incident().await;
        let network = Network::answering(503);
        let begun = stage.clock.now();
        stage.work(&network).await;
        assert_eq!(stage.delivery().await, "pending 1");
        while stage.delivery().await.starts_with("pending") {
            stage.clock.forward(MINUTE / 2);
            stage.work(&network).await;
        }
        let hours = (stage.clock.now().millis() - begun.millis()) / 3_600_000;
        assert!((20..=30).contains(&hours), "{hours} hours");
        assert_eq!(stage.delivery().await, "failed 11");
        let first = network.header(0, "webhook-id");
        for place in 0..11 {
            assert_eq!(network.header(place, "webhook-id"), first);
        }
        let bodies: Vec<_> = network
            .sent
            .borrow()
            .iter()
            .map(|one| one.body.clone())
            .collect();
        assert!(
            bodies.iter().all(|body| *body == bodies[0]),
            "the text is frozen"
        );
        // A week of that, and nobody calls it any more.
        stage.clock.forward(7 * DAY);
        let (scope, now) = (Scope::system("ann", crate::TENANT), stage.clock.now());
        stage
            .db
            .transaction(async |tx| outbox::redrive_all(tx, &scope, now).await)
            .await
            .unwrap();
        stage.work(&network).await;
        let reason = stage
            .text("select disabled_reason from status_subscriptions")
            .await;
        assert!(reason.contains("seven days"), "{reason}");
        stage.clock.forward(DAY);
        stage.work(&network).await;
        assert_eq!(network.sent.borrow().len(), 12);
        assert_eq!(stage.delivery().await, "failed 2");
    });
}

#[test]
fn a_receiver_says_when_or_that_it_is_gone() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.confirmed(Channel::Webhook, HOOK).await;
        stage.incident().await;
        let busy = Network::with(|_| {
            Ok(OutboundResponse {
                status: 429,
                headers: vec![("retry-after".into(), "7200".into())],
                body: Vec::new(),
            })
        });
        stage.work(&busy).await;
        stage.clock.forward(7000);
        stage.work(&busy).await;
        assert_eq!(busy.sent.borrow().len(), 1);
        stage.clock.forward(300);
        stage.work(&Network::answering(410)).await;
        assert_eq!(stage.delivery().await, "failed 2");
        let found = find(&stage.db, &id).await.unwrap().unwrap();
        assert!(found.is_disabled);
    });
}

#[test]
fn a_private_address_is_not_called() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        stage
            .confirmed(Channel::Webhook, "http://169.254.169.254/latest")
            .await;
        stage.incident().await;
        let network = Network::answering(200);
        stage.work(&network).await;
        assert_eq!(network.sent.borrow().len(), 0);
        assert_eq!(stage.delivery().await, "failed 1");
    });
}

#[test]
fn mail_goes_to_a_service_as_json() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        set_variable("mail_url", "https://key:secret@mail.example.com/send?x=1");
        set_variable("mail_from", "Harbour <status@example.com>");
        let id = stage.ask(Channel::Email, "ann@example.com").await;
        let network = Network::answering(202);
        stage.work(&network).await;
        {
            let sent = network.sent.borrow();
            assert_eq!(sent[0].url, "https://mail.example.com/send?x=1");
            let body: Value = serde_json::from_slice(&sent[0].body).unwrap();
            assert_eq!(body["to"], "ann@example.com");
            let text = body["text"].as_str().unwrap();
            assert!(
                text.contains("https://status.example.com/status/subscriptions/confirm?token="),
                "{text}"
            );
            assert_eq!(
                body["headers"]["List-Unsubscribe-Post"],
                "List-Unsubscribe=One-Click"
            );
        }
        assert_eq!(network.header(0, "authorization"), "Basic a2V5OnNlY3JldA==");
        confirm(&stage.db, &id, stage.clock.now()).await.unwrap();
        stage.incident().await;
        stage.work(&network).await;
        assert_eq!(stage.delivery().await, "delivered 1");
        let body: Value = serde_json::from_slice(&network.sent.borrow()[1].body).unwrap();
        assert_eq!(body["subject"], "Incident opened: Disks are slow");
        let message_id = body["headers"]["Message-ID"].as_str().unwrap();
        assert!(message_id.starts_with("<dlv_") && message_id.ends_with("@status.example.com>"));
    });
}

#[test]
fn a_confirmation_that_cannot_come_about_is_not_asked_for_again() {
    pollster::block_on(async {
        for (target, status, asked, why) in [
            ("http://169.254.169.254/latest", 200, 0, "private"),
            (HOOK, 410, 1, "410"),
        ] {
            let stage = Stage::set().await;
            let id = stage.ask(Channel::Webhook, target).await;
            let network = Network::answering(status);
            for _ in 0..3 {
                stage.work(&network).await;
                stage.clock.forward(MINUTE);
            }
            assert_eq!(network.sent.borrow().len(), asked, "{target}");
            let found = find(&stage.db, &id).await.unwrap().unwrap();
            assert!(!found.is_confirmed, "{target}");
            let told = stage
                .text("select last_error from status_subscriptions")
                .await;
            assert!(told.contains(why), "{target}: {told}");
            let left = stage.text("select group_concat(kind) from queue").await;
            assert_eq!(left, "status_subscription_expiry", "{target}");
        }
    });
}

#[test]
fn a_receiver_that_confirms_late_says_when() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.ask(Channel::Webhook, HOOK).await;
        let later = Network::with(|_| {
            Ok(OutboundResponse {
                status: 503,
                headers: vec![("retry-after".into(), "600".into())],
                ..OutboundResponse::default()
            })
        });
        stage.work(&later).await;
        let network = Network::answering(200);
        stage.clock.forward(599);
        stage.work(&network).await;
        assert_eq!(network.sent.borrow().len(), 0, "too soon");
        stage.clock.forward(1);
        stage.work(&network).await;
        let found = find(&stage.db, &id).await.unwrap().unwrap();
        assert!(found.is_confirmed);
    });
}

#[test]
fn what_nobody_confirms_expires() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.ask(Channel::Webhook, HOOK).await;
        let network = Network::answering(500);
        for _ in 0..50 {
            stage.clock.forward(3600);
            stage.work(&network).await;
        }
        assert!(find(&stage.db, &id).await.unwrap().is_none());
        assert_eq!(network.sent.borrow().len(), 8);
        assert_eq!(
            stage.text("select cast(count(*) as text) from queue").await,
            "0"
        );
    });
}

#[test]
fn a_row_that_was_given_up_is_a_failed_delivery() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        stage.confirmed(Channel::Webhook, HOOK).await;
        stage.incident().await;
        let now = stage.clock.now();
        for work in [Work::StatusNotification, Work::StatusDelivery] {
            let rows = queue::lease(&stage.db, "me", 1, 5000, now).await.unwrap();
            assert_eq!(rows[0].work, work);
            if work == Work::StatusNotification {
                let network = Network::answering(200);
                stage.run(&network, &rows[0]).await;
            } else {
                give_up_delivery(&stage.db, "me", &rows[0], "it never came back", now)
                    .await
                    .unwrap();
            }
        }
        assert_eq!(stage.delivery().await, "failed 1");
    });
}
