use super::*;

#[test]
fn a_maintenance_follows_the_clock() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.maintenance(10, 20).await;
        assert_eq!(stage.next(id).await, Some(10));
        let status = async |minutes| {
            advance(&stage.db, id, stage.at(minutes)).await.unwrap();
            stage.event(id).await["status"].as_str().unwrap().to_owned()
        };
        assert_eq!(status(9).await, "planned");
        assert_eq!(
            (status(10).await.as_str(), stage.next(id).await),
            ("in_progress", Some(20))
        );
        assert_eq!(
            (status(10).await.as_str(), stage.next(id).await),
            ("in_progress", Some(20))
        );
        assert_eq!(
            (status(25).await.as_str(), stage.next(id).await),
            ("completed", None)
        );
        assert_eq!(status(25).await, "completed");
        let event = stage.event(id).await;
        let told: Vec<_> = event["updates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|u| (&u["status"], &u["timestamp"]))
            .collect();
        assert_eq!(
            json!(told),
            json!([
                ["planned", stage.now],
                ["in_progress", stage.at(10)],
                ["completed", stage.at(20)],
            ])
        );
        // What is gone was taken out of the way by somebody else.
        advance(&stage.db, 99, stage.now).await.unwrap();
    });
}

#[test]
fn a_window_that_is_moved_is_waited_for_anew() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let id = stage.maintenance(10, 20).await;
        let to = |from, to| Patch {
            status: "modified",
            start_date: Some(stage.at(from)),
            end_date: Some(stage.at(to)),
            ..Patch::default()
        };
        stage.say(id, to(30, 40), 1).await.unwrap();
        assert_eq!(stage.next(id).await, Some(30), "later");
        stage.say(id, to(5, 40), 2).await.unwrap();
        assert_eq!(stage.next(id).await, Some(5), "earlier");

        // Whoever works on the old window finds the row gone, and the new one is not lost.
        let leased = queue::lease(&stage.db, "tick", 5, 60_000, stage.at(6))
            .await
            .unwrap();
        stage.say(id, to(30, 40), 6).await.unwrap();
        let finished = queue::finish(&stage.db, "tick", &[leased[0].key])
            .await
            .unwrap();
        assert!(finished.is_empty());
        assert_eq!(stage.next(id).await, Some(30));

        stage
            .say(
                id,
                Patch {
                    status: "cancelled",
                    ..Patch::default()
                },
                7,
            )
            .await
            .unwrap();
        assert_eq!(stage.next(id).await, None);
        advance(&stage.db, id, stage.at(50)).await.unwrap();
        assert_eq!(stage.event(id).await["status"], "cancelled");
        let told = stage.say(id, to(60, 70), 51).await.unwrap_err();
        assert_eq!(
            told.message(),
            "status transition not allowed for current event state"
        );
        let patch = Patch {
            message: "Without a version.",
            status: "modified",
            update_date: Some(stage.at(52)),
            ..to(60, 70)
        };
        let told = change(
            &stage.db,
            &stage.scope,
            id,
            &patch,
            None,
            true,
            stage.at(52),
        )
        .await;
        assert_eq!(
            told.unwrap_err().message(),
            "version is required for maintenance events"
        );
    });
}

#[test]
fn what_has_to_be_reviewed_is_not_public() {
    pollster::block_on(async {
        let stage = Stage::set().await;
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
        let propose = async || match open(&stage.db, &stage.scope, &new, false, stage.now)
            .await
            .unwrap()
        {
            Opened::Taken(placed) => placed[0].incident_id.unwrap(),
            Opened::UnderMaintenance(placed) => panic!("{placed:?}"),
        };
        let (id, other) = (propose().await, propose().await);
        assert_eq!(stage.next(id).await, None);
        assert_eq!(
            stage.list(&Scope::public(), Filter::default()).await,
            [0; 0]
        );
        assert_eq!(
            stage.list(&stage.scope, Filter::default()).await,
            [other, id]
        );
        let told = find_json(&stage.db, &Scope::public(), id)
            .await
            .unwrap_err();
        assert_eq!(told.message(), "event does not exist");

        stage
            .say(
                id,
                Patch {
                    status: "reviewed",
                    ..Patch::default()
                },
                1,
            )
            .await
            .unwrap();
        assert_eq!(stage.next(id).await, Some(1), "the clock plans it");
        advance(&stage.db, id, stage.at(2)).await.unwrap();
        assert_eq!(stage.next(id).await, Some(10));
        stage
            .say(
                other,
                Patch {
                    status: "cancelled",
                    ..Patch::default()
                },
                1,
            )
            .await
            .unwrap();
        assert_eq!(stage.list(&Scope::public(), Filter::default()).await, [id]);
        stage
            .say(
                id,
                Patch {
                    status: "cancelled",
                    ..Patch::default()
                },
                3,
            )
            .await
            .unwrap();
        assert_eq!(
            stage.list(&Scope::public(), Filter::default()).await,
            [id],
            "it was public"
        );
    });
}
