use super::*;
use crate::TENANT;
use crate::subscriptions::tests::stage;
use serde_json::Value;
use windlass_core::db::NativeDb;
use windlass_core::{Body, Kind as Refusal};

fn settings(value: Value) -> Result<Settings> {
    Settings::read(&Body::inner(&value, "body")?)
}

fn alerts(settings: &Settings, value: Value) -> Result<Vec<Alert>> {
    read(settings, &Body::inner(&value, "body")?)?
        .into_iter()
        .collect()
}

fn of_alertmanager() -> Settings {
    settings(json!({ "type": "alertmanager", "rules": [
        { "match": { "severity": "critical", "service": "*" }, "component_from": "service",
          "attributes_from": { "region": "region" }, "impact": "outage" },
        { "match": { "service": ["Disk", "Net"] }, "component_id": 1, "impact": 1, "title": "Slow disks" },
    ] }))
    .unwrap()
}

fn alert(status: &str, fingerprint: &str, severity: &str, region: &str) -> Value {
    json!({
        "status": status, "fingerprint": fingerprint, "startsAt": "2026-01-01T00:00:00Z",
        "labels": { "alertname": "DiskDown", "service": "Disk", "severity": severity, "region": region },
        "annotations": { "summary": "10.0.0.7 does\nnot answer" },
    })
}

async fn tell(db: &NativeDb, settings: &Settings, alerts: &[Value]) -> Vec<Taken> {
    let scope = Scope::system("ann", TENANT);
    let now = Timestamp::now();
    let alerts = super::tests::alerts(settings, json!({ "version": "4", "alerts": alerts }));
    let alerts = alerts.unwrap();
    db.transaction(async |tx| {
        save(tx, &scope, "prometheus", settings, now).await?;
        let receiver = find(tx, "prometheus").await?;
        let alerts: Vec<&Alert> = alerts.iter().collect();
        take(tx, &scope, &receiver, &alerts, now).await
    })
    .await
    .unwrap()
}

#[test]
fn settings_that_cannot_be_meant_name_their_field() {
    let rule = json!({ "match": {}, "component_id": 1 });
    for (body, field) in [
        (json!({}), "type"),
        (json!({ "type": "pigeon", "rules": [rule] }), "type"),
        (json!({ "type": "generic" }), "rules"),
        (json!({ "type": "generic", "rules": [] }), "rules"),
        (
            json!({ "type": "generic", "rules": [{ "match": {} }] }),
            "rules",
        ),
        (
            json!({ "type": "generic", "rules": [{ "match": {}, "component_id": 1, "component_from": "a" }] }),
            "rules",
        ),
        (
            json!({ "type": "generic", "rules": [{ "component_id": 1 }] }),
            "match",
        ),
        (
            json!({ "type": "generic", "rules": [{ "match": { "a": [] }, "component_id": 1 }] }),
            "match",
        ),
        (
            json!({ "type": "generic", "rules": [{ "match": {}, "component_id": 1, "impact": 0 }] }),
            "impact",
        ),
        (
            json!({ "type": "generic", "rules": [{ "match": {}, "component_id": 1, "to": 0 }] }),
            "rules",
        ),
        (
            json!({ "type": "generic", "rules": [rule], "colour": 1 }),
            "colour",
        ),
        (
            json!({ "type": "alertmanager", "rules": [rule], "fields": {} }),
            "fields",
        ),
    ] {
        let refusal = settings(body.clone()).unwrap_err();
        assert_eq!(refusal.kind(), Refusal::BadParameters, "{body}");
        let named = refusal.fields().iter().any(|each| each.field == field);
        assert!(
            named || refusal.message().contains(field),
            "{body}: {}",
            refusal.message()
        );
    }
}

#[test]
fn settings_are_kept_as_they_were_read() {
    let read = of_alertmanager();
    let again: Settings = serde_json::from_value(json!(read)).unwrap();
    assert_eq!(again, read);
    assert_eq!(read.components(), [1]);
}

#[test]
fn messages_that_are_none_are_refused_as_a_whole() {
    let generic =
        settings(json!({ "type": "generic", "rules": [{ "match": {}, "component_id": 1 }] }));
    let generic = generic.unwrap();
    let manager = of_alertmanager();
    let fires = alert("firing", "a", "critical", "EU");
    for (settings, body) in [
        (&manager, json!({})),
        (&manager, json!({ "alerts": {} })),
        (&manager, json!({ "alerts": [{ "status": "firing" }, 7] })),
        (
            &manager,
            json!({ "alerts": [{ "status": "burning", "fingerprint": "a" }] }),
        ),
        (&manager, json!({ "alerts": vec![fires.clone(); 1001] })),
        (&generic, json!({})),
        (&generic, json!({ "fingerprint": "a" })),
        (&generic, json!({ "status": "down" })),
        (
            &generic,
            json!({ "status": "down", "fingerprint": "a\u{0}" }),
        ),
    ] {
        let refusal = alerts(settings, body.clone()).unwrap_err();
        assert_eq!(refusal.kind(), Refusal::BadParameters, "{body}");
    }
    assert_eq!(alerts(&manager, json!({ "alerts": [] })).unwrap(), []);
}

#[test]
fn a_generic_alert_says_where_its_fields_are() {
    let settings = settings(json!({ "type": "generic",
        "rules": [{ "match": { "monitor.kind": "http" }, "component_id": 1 }],
        "fields": { "fingerprint": "monitor.id", "status": "up", "title": "msg", "resolved": ["true", "1"] },
    }));
    let settings = settings.unwrap();
    let read = |up: Value| {
        let body =
            json!({ "monitor": { "id": 7, "kind": "http" }, "up": up, "msg": " it\tis \u{202e}" });
        alerts(&settings, body).unwrap().remove(0)
    };
    let told = read(json!(false));
    assert_eq!((told.fingerprint.as_str(), told.is_firing), ("7", true));
    assert_eq!(told.title, "it is");
    assert!(settings.rules[0].fits(&told.fields));
    assert!(!read(json!(true)).is_firing);
    assert!(!read(json!(1)).is_firing);
    assert!(read(json!("no")).is_firing);
}

#[test]
fn alerts_open_and_close_incidents() {
    pollster::block_on(async {
        let db = stage().await;
        let settings = of_alertmanager();
        let fires = alert("firing", "a", "critical", "US");
        let told = tell(&db, &settings, std::slice::from_ref(&fires)).await;
        assert_eq!((told[0].incident_id, told[0].ignored), (Some(1), None));
        assert_eq!(told, tell(&db, &settings, &[fires]).await, "told again");
        let row = db.first(
            "select i.title, i.impact, c.component_id, (select title from status_signals)
             from status_incidents i join status_incident_components c on c.incident_id = i.id",
            &[],
        );
        let row = row.await.unwrap().unwrap();
        assert_eq!(row.text(0).unwrap(), "Disk (US) has a problem");
        assert_eq!((row.integer(1).unwrap(), row.integer(2).unwrap()), (3, 2));
        assert_eq!(row.text(3).unwrap(), "10.0.0.7 does not answer");

        let told = tell(
            &db,
            &settings,
            &[
                alert("resolved", "a", "critical", "US"),
                alert("resolved", "unknown", "critical", "US"),
                alert("firing", "b", "critical", "MARS"),
                alert("firing", "c", "warning", "US"),
                json!({ "status": "firing", "fingerprint": "d" }),
            ],
        )
        .await;
        let became: Vec<_> = told
            .iter()
            .map(|each| (each.incident_id, each.ignored))
            .collect();
        assert_eq!(
            became,
            [
                (Some(1), None),
                (None, None),
                (None, Some("there is no such component")),
                (Some(2), None),
                (None, Some("no rule fits")),
            ]
        );
        let rows = db.query(
            "select title, ended_at is null from status_incidents order by id",
            &[],
        );
        let rows = rows.await.unwrap();
        assert_eq!(rows[0].integer(1).unwrap(), 0);
        assert_eq!(rows[1].text(0).unwrap(), "Slow disks");
        assert_eq!(rows[1].integer(1).unwrap(), 1);
    });
}

#[test]
fn a_receiver_is_listed_and_forgets_what_fires_when_it_goes() {
    pollster::block_on(async {
        let db = stage().await;
        let settings = of_alertmanager();
        let fires = [
            alert("firing", "a", "critical", "EU"),
            alert("firing", "b", "warning", "EU"),
        ];
        tell(&db, &settings, &fires).await;
        let (insider, public) = (Scope::engine(), Scope::public());
        assert!(list(&db, &public, 10, 0).await.is_err());
        assert_eq!(list(&db, &insider, 10, 0).await.unwrap().total, 1);
        let receiver = find(&db, "prometheus").await.unwrap();
        assert_eq!(receiver.settings, settings);
        assert!(list_firing(&db, &public, &receiver, 10, 0).await.is_err());
        let page = list_firing(&db, &insider, &receiver, 1, 1).await.unwrap();
        assert_eq!(page.total, 2);
        assert!(page.items.contains("\"b\"") && !page.items.contains("\"a\""));
        let scope = Scope::system("ann", TENANT);
        db.transaction(async |tx| delete(tx, &scope, &receiver).await)
            .await
            .unwrap();
        let refusal = find(&db, "prometheus").await.unwrap_err();
        assert_eq!(refusal.kind(), Refusal::NotFound);
        let left = db.first("select count(*) from status_signals", &[]).await;
        assert_eq!(left.unwrap().unwrap().integer(0).unwrap(), 0);
    });
}

#[test]
fn there_are_so_many_receivers_and_no_more() {
    pollster::block_on(async {
        let db = stage().await;
        let (settings, now) = (of_alertmanager(), Timestamp::now());
        let scope = Scope::system("ann", TENANT);
        let make = async |id: String| {
            db.transaction(async |tx| save(tx, &scope, &id, &settings, now).await)
                .await
        };
        for number in 0..MOST {
            make(format!("r{number}")).await.unwrap();
        }
        make("r1".into()).await.unwrap();
        assert_eq!(
            make("more".into()).await.unwrap_err().kind(),
            Refusal::Conflict
        );
    });
}

#[test]
fn a_full_receiver_takes_nothing_new_and_goes_on_with_what_it_has() {
    pollster::block_on(async {
        let db = stage().await;
        let settings = of_alertmanager();
        let fire = |fingerprint: &str| alert("firing", fingerprint, "critical", "EU");
        let known = tell(&db, &settings, &[fire("a")]).await;
        assert!(known[0].incident_id.is_some(), "{known:?}");
        db.execute(
            "with recursive n (k) as (select 2 union all select k + 1 from n where k < 1000)
             insert into status_signals (source, source_id, fingerprint, component_id, impact, title, since, is_ours)
             select 'receiver', 'prometheus', 'f' || k, 1, 1, '', '', 0 from n",
            &[],
        )
        .await
        .unwrap();
        let taken = tell(&db, &settings, &[fire("a"), fire("b")]).await;
        assert_eq!(taken[0].incident_id, known[0].incident_id);
        assert_eq!(taken[1].ignored, Some("too many alerts fire already"));
    });
}

#[test]
fn an_alert_that_cannot_be_used_is_refused_alone() {
    let manager = of_alertmanager();
    let fires = alert("firing", "a", "critical", "EU");
    let mut burning = fires.clone();
    burning["status"] = json!("burning");
    let body = json!({ "alerts": [burning, fires, 7, { "status": "firing" }] });
    let read = read(&manager, &Body::inner(&body, "body").unwrap()).unwrap();
    let told: Vec<_> = read
        .iter()
        .map(|alert| match alert {
            Ok(alert) => alert.fingerprint.as_str(),
            Err(why) => why.message(),
        })
        .collect();
    assert_eq!(
        told,
        [
            "The status of an alert is `firing` or `resolved`",
            "a",
            "alerts[2] parameter is expected to be of type dict but is of type int",
            "`fingerprint` must name the alert, in at most 256 characters",
        ]
    );
}
