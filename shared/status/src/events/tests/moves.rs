use super::*;

#[test]
fn a_component_is_told_of_in_the_newest_incident() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let alone = stage.incident("Names are <lost>", &[3]).await;
        let both = stage.incident("Both are slow", &[1, 2]).await;
        let new = stage.incident("All is \"lost\"", &[1, 3, 4]).await;

        let event = stage.event(both).await;
        assert_eq!(
            (&event["components"], &event["end_date"]),
            (&json!([2]), &json!(null))
        );
        let link = format!("<a href='/incidents/{new}'>All is &quot;lost&quot;</a>");
        assert_eq!(
            texts(&event)[1],
            ("SYSTEM", format!("Volumes () moved to {link}").as_str())
        );

        // Its last component stays, so that one can see what it was about.
        let event = stage.event(alone).await;
        assert_eq!(
            (&event["components"], &event["status"]),
            (&json!([3]), &json!("resolved"))
        );
        assert_eq!(event["end_date"], json!(stage.now));
        assert_eq!(
            texts(&event)[1..],
            [
                (
                    "SYSTEM",
                    format!("&lt;Names&gt; () moved to {link}").as_str()
                ),
                ("SYSTEM", "Incident closed by system"),
            ]
        );
        let event = stage.event(new).await;
        let from = format!("<a href='/incidents/{alone}'>Names are &lt;lost&gt;</a>");
        assert_eq!(
            texts(&event)[1],
            (
                "SYSTEM",
                format!("&lt;Names&gt; () moved from {from}").as_str()
            )
        );
        assert_eq!(event["components"], json!([1, 3, 4]));

        // Both of its components at once: the second is the last one.
        let pair = stage.incident("Two of them", &[1, 2]).await;
        stage.incident("Two again", &[1, 2]).await;
        let event = stage.event(pair).await;
        assert_eq!(
            (&event["components"], &event["status"]),
            (&json!([2]), &json!("resolved"))
        );
    });
}

#[test]
fn no_incident_is_told_of_what_is_under_maintenance() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let planned = stage.maintenance(-5, 60).await;
        let new = NewEvent {
            kind: EventKind::Incident,
            title: "Volumes are slow",
            description: None,
            impact: 1,
            started_at: stage.now,
            ended_at: None,
            contact_email: None,
            components: &[2, 4],
        };
        let opened = open(&stage.db, &stage.scope, &new, true, stage.now)
            .await
            .unwrap();
        let placed = Placed::under_maintenance(2, planned);
        assert_eq!(opened, Opened::UnderMaintenance(vec![placed]));
        assert_eq!(stage.list(&stage.scope, Filter::default()).await, [planned]);
        // Neither what is over nor what is not agreed to is in the way.
        for status in ["completed", "cancelled", "pending_review"] {
            let sql = "update status_incidents set status = ?2 where id = ?1";
            stage
                .db
                .execute(sql, params![planned, status])
                .await
                .unwrap();
            let opened = open(&stage.db, &stage.scope, &new, true, stage.now)
                .await
                .unwrap();
            assert!(matches!(opened, Opened::Taken(_)), "{status}");
        }
    });
}

#[test]
fn components_get_an_incident_of_their_own() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.incident("Much is slow", &[1, 2, 3]).await;
        let (db, scope, now) = (&stage.db, &stage.scope, stage.at(1));
        for (components, text) in [
            (vec![4], "component 4 is not in the incident"),
            (
                vec![1, 2, 3],
                "can not move all components to the new incident, keep at least one",
            ),
        ] {
            let told = extract(db, scope, id, &components, now).await;
            assert_eq!(told.unwrap_err().message(), text);
        }
        let part = extract(db, scope, id, &[3, 1], now).await.unwrap();
        let event = stage.event(part).await;
        for (field, want) in [
            ("title", json!("Much is slow (<Names>, Volumes)")),
            ("components", json!([1, 3])),
            ("start_date", json!("2026-05-06T11:30:00.000Z")),
            ("impact", json!(2)),
            ("status", json!("detected")),
            ("system", json!(false)),
        ] {
            assert_eq!(event[field], want, "{field}");
        }
        assert_eq!(
            texts(&event)[0],
            (
                "SYSTEM",
                format!("&lt;Names&gt; () moved from <a href='/incidents/{id}'>Much is slow</a>")
                    .as_str()
            )
        );
        assert_eq!(stage.event(id).await["components"], json!([2]));

        testing::close(db, id, now, now).await.unwrap();
        let told = extract(db, scope, id, &[2], now).await.unwrap_err();
        assert_eq!(told.message(), "wrong status for closed incident");
        let planned = stage.maintenance(5, 60).await;
        let told = extract(db, scope, planned, &[1], now).await.unwrap_err();
        assert_eq!(
            told.message(),
            "extract is only available for incident type events"
        );
    });
}
