use super::*;
use crate::TENANT;
use crate::subscriptions::tests::stage;
use windlass_core::Kind;

fn now() -> Timestamp {
    Timestamp::parse("now", "2026-05-01T10:00:00Z").unwrap()
}

fn content(value: Value) -> Result<Content> {
    Content::read(&Body::inner(&value, "body")?, now())
}

fn maintenance() -> Value {
    json!({
        "title": "New disks", "type": "maintenance", "impact": 0, "components": [2, 1, 2],
        "description": "Disks are exchanged.", "contact_email": "desk@example.com",
        "duration_minutes": 90,
    })
}

#[test]
fn a_template_is_refused_for_what_its_event_would_be() {
    let with = |more: Value| {
        let mut body = maintenance();
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    };
    for more in [
        json!({ "title": "" }),
        json!({ "type": "party" }),
        json!({ "impact": 2 }),
        json!({ "description": "short" }),
        json!({ "contact_email": "nobody" }),
        json!({ "components": [] }),
        json!({ "components": ["1"] }),
        json!({ "duration_minutes": 0 }),
        json!({ "type": "incident", "impact": 1 }),
        json!({ "start_date": "2026-01-01T00:00:00Z" }),
    ] {
        let refusal = content(with(more.clone())).unwrap_err();
        assert_eq!(refusal.kind(), Kind::BadParameters, "{more}");
    }
    assert_eq!(content(maintenance()).unwrap().components, [1, 2]);
}

#[test]
fn what_is_given_goes_before_what_the_template_says() {
    let template = content(maintenance()).unwrap();
    let given = json!({ "template": "disks", "title": "Newer disks", "start_date": "2026-05-02T00:00:00Z" });
    let filled = template
        .fill(&Body::inner(&given, "body").unwrap(), now())
        .unwrap();
    for (name, value) in [
        ("title", json!("Newer disks")),
        ("type", json!("maintenance")),
        ("components", json!([1, 2])),
        ("start_date", json!("2026-05-02T00:00:00Z")),
        ("end_date", json!("2026-05-02T01:30:00.000Z")),
    ] {
        assert_eq!(filled.get(name), Some(&value), "{name}");
    }
    assert_eq!(
        (filled.get("template"), filled.get("duration_minutes")),
        (None, None)
    );
    let nothing = Body::inner(&json!({ "end_date": "2026-05-01T11:00:00Z" }), "body").unwrap();
    let filled = template.fill(&nothing, now()).unwrap();
    assert_eq!(filled.get("start_date"), Some(&json!(now())));
    assert_eq!(filled.get("end_date"), Some(&json!("2026-05-01T11:00:00Z")));
}

#[test]
fn templates_are_kept_listed_and_deleted() {
    pollster::block_on(async {
        let db = stage().await;
        let (scope, insider) = (Scope::system("ann", TENANT), Scope::engine());
        let content = content(maintenance()).unwrap();
        let make = async |id: String| {
            db.transaction(async |tx| save(tx, &scope, &id, &content, now()).await)
                .await
        };
        for number in 0..MOST {
            make(format!("t{number}")).await.unwrap();
        }
        make("t1".into()).await.unwrap();
        assert_eq!(
            make("more".into()).await.unwrap_err().kind(),
            Kind::Conflict
        );
        assert!(list(&db, &Scope::public(), 1, 0).await.is_err());
        assert_eq!(list(&db, &insider, 1, 0).await.unwrap().total, MOST);
        let found = find(&db, &insider, "t1").await.unwrap();
        assert_eq!(found.content, content);
        db.transaction(async |tx| delete(tx, &scope, &found).await)
            .await
            .unwrap();
        let gone = find(&db, &insider, "t1").await.unwrap_err();
        assert_eq!(gone.kind(), Kind::NotFound);
    });
}
