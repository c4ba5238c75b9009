use super::*;

#[test]
fn an_incident_lives_as_people_say() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let version = status::version(&stage.db).await.unwrap();
        let id = stage.incident("Volumes are slow", &[1, 2]).await;
        assert_eq!(
            stage.event(id).await,
            json!({
                "id": id, "title": "Volumes are slow", "description": null, "impact": 2,
                "components": [1, 2], "start_date": "2026-05-06T11:30:00.000Z", "end_date": null,
                "system": false, "type": "incident", "status": "detected",
                "updates": [{
                    "id": 0, "status": "detected", "text": "The incident was detected.",
                    "timestamp": "2026-05-06T11:30:00.000Z",
                }],
                "creator": "anna", "contact_email": null, "version": 1,
            })
        );
        let public = find_json(&stage.db, &Scope::public(), id).await.unwrap();
        assert!(!public.contains("anna"), "{public}");
        assert!(!public.contains("version"), "{public}");

        stage
            .say(
                id,
                Patch {
                    status: "impact changed",
                    impact: Some(3),
                    title: Some("Volumes are gone"),
                    ..Patch::default()
                },
                1,
            )
            .await
            .unwrap();
        stage
            .say(
                id,
                Patch {
                    status: "resolved",
                    ..Patch::default()
                },
                2,
            )
            .await
            .unwrap();
        let event = stage.event(id).await;
        for (field, want) in [
            ("title", json!("Volumes are gone")),
            ("impact", json!(3)),
            ("status", json!("resolved")),
            ("end_date", json!("2026-05-06T12:02:00.000Z")),
            ("version", json!(3)),
        ] {
            assert_eq!(event[field], want, "{field}");
        }
        stage
            .say(
                id,
                Patch {
                    status: "reopened",
                    ..Patch::default()
                },
                3,
            )
            .await
            .unwrap();
        assert_eq!(stage.event(id).await["end_date"], json!(null));

        let by_other = Scope::system("bert", TENANT);
        let patch = Patch {
            message: "Not mine to tell.",
            status: "fixing",
            update_date: Some(stage.at(4)),
            ..Patch::default()
        };
        for (scope, version, is_operator, text) in [
            (
                &by_other,
                None,
                false,
                "only operators may change an event of somebody else",
            ),
            (
                &stage.scope,
                Some(3),
                true,
                "version conflict: event has been modified by another user",
            ),
            (
                &stage.scope,
                Some(5),
                false,
                "version conflict: event has been modified by another user",
            ),
        ] {
            let told = change(
                &stage.db,
                scope,
                id,
                &patch,
                version,
                is_operator,
                stage.at(4),
            )
            .await;
            assert_eq!(told.unwrap_err().message(), text);
        }
        let told = change(&stage.db, &stage.scope, 99, &patch, None, true, stage.at(4)).await;
        assert_eq!(told.unwrap_err().message(), "event does not exist");
        assert!(status::version(&stage.db).await.unwrap() > version);
        let audited: Vec<String> = stage
            .db
            .first_json(
                "select json_group_array(action) from audit_log where target_type = 'Event'",
                &[],
            )
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            audited,
            [
                "status_event_create",
                "status_event_update",
                "status_event_update",
                "status_event_update"
            ]
        );
    });
}

#[test]
fn a_persons_edit_ends_what_monitors_may() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        for edit in ["change", "rewrite", "extract"] {
            let id = stage.incident("Volumes are slow", &[1, 2]).await;
            let sql = "update status_incidents set is_system = 1 where id = ?1";
            stage.db.execute(sql, params![id]).await.unwrap();
            let (db, scope, now) = (&stage.db, &stage.scope, stage.at(1));
            match edit {
                "change" => stage
                    .say(
                        id,
                        Patch {
                            status: "fixing",
                            ..Patch::default()
                        },
                        1,
                    )
                    .await
                    .unwrap(),
                "rewrite" => drop(
                    rewrite_update(db, scope, id, Some(0), "In other words.", now)
                        .await
                        .unwrap(),
                ),
                _ => drop(extract(db, scope, id, &[2], now).await.unwrap()),
            }
            let event = stage.event(id).await;
            assert_eq!(
                (&event["system"], &event["version"]),
                (&json!(false), &json!(2)),
                "{edit}"
            );
        }
    });
}

#[test]
fn an_update_is_put_in_other_words() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.incident("Much is slow", &[1, 2]).await;
        stage.incident("More of it", &[1]).await;
        let (db, scope) = (&stage.db, &stage.scope);
        let told = rewrite_update(db, scope, id, Some(1), "<b>Volumes</b> left", stage.now).await;
        let updates: Json = serde_json::from_str(&told.unwrap()).unwrap();
        assert_eq!(updates[1]["text"], "<b>Volumes</b> left");
        let row = db
            .first(
                "select count(*) from status_updates where incident_id = ?1 and is_markup",
                params![id],
            )
            .await
            .unwrap();
        assert_eq!(
            row.unwrap().integer(0).unwrap(),
            0,
            "what people write is no markup"
        );
        for (place, text, want) in [
            (Some(2), "In other words.", "update does not exist"),
            (None, "In other words.", "update does not exist"),
            (Some(-1), "In other words.", "update does not exist"),
            (
                Some(0),
                "short",
                "text must have 10 to 200 characters, has 5",
            ),
        ] {
            let told = rewrite_update(db, scope, id, place, text, stage.now).await;
            assert_eq!(told.unwrap_err().message(), want);
        }
    });
}

#[test]
fn a_client_that_writes_whole_seconds_is_heard_within_the_first() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let created = stage.now.plus_millis(350);
        let new = NewEvent {
            kind: EventKind::Maintenance,
            title: "New disks",
            description: Some("Disks are exchanged"),
            impact: 0,
            started_at: stage.at(10),
            ended_at: Some(stage.at(20)),
            contact_email: Some("anna@example.com"),
            components: &[1],
        };
        let opened = open(&stage.db, &stage.scope, &new, true, created).await;
        let Opened::Taken(placed) = opened.unwrap() else {
            panic!("nothing is in the way");
        };
        let id = placed[0].incident_id.unwrap();
        let patch = Patch {
            message: "As we have just seen.",
            status: "cancelled",
            update_date: Some(stage.now),
            ..Patch::default()
        };
        let now = stage.now.plus_millis(900);
        change(&stage.db, &stage.scope, id, &patch, Some(1), true, now)
            .await
            .unwrap();
        let event = stage.event(id).await;
        let told: Vec<_> = texts(&event).iter().map(|(status, _)| *status).collect();
        assert_eq!(told, ["planned", "cancelled"]);
    });
}
