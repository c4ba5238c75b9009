use super::*;

#[test]
fn lists_are_filtered_and_paged() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let open_one = stage.incident("Volumes are slow", &[1]).await;
        let over = stage.incident("Images are slow", &[2]).await;
        stage
            .say(
                over,
                Patch {
                    status: "resolved",
                    ..Patch::default()
                },
                0,
            )
            .await
            .unwrap();
        let running = stage.maintenance(-5, 60).await;
        advance(&stage.db, running, stage.now).await.unwrap();
        let planned = stage.maintenance(30, 60).await;
        let all = Filter::default;
        for (what, filter, want) in [
            ("all", all(), vec![planned, running, over, open_one]),
            (
                "kinds",
                Filter {
                    kinds: Some(vec![EventKind::Incident, EventKind::Info]),
                    ..all()
                },
                vec![over, open_one],
            ),
            (
                "going on",
                Filter {
                    is_active: true,
                    ..all()
                },
                vec![running, open_one],
            ),
            (
                "status",
                Filter {
                    status: Some("planned"),
                    ..all()
                },
                vec![planned],
            ),
            (
                "from",
                Filter {
                    from: Some(stage.at(-5)),
                    ..all()
                },
                vec![planned, running],
            ),
            (
                "until",
                Filter {
                    until: Some(stage.at(0)),
                    ..all()
                },
                vec![over],
            ),
            (
                "impact",
                Filter {
                    impact: Some(2),
                    ..all()
                },
                vec![over, open_one],
            ),
            (
                "by monitors",
                Filter {
                    is_system: Some(true),
                    ..all()
                },
                vec![],
            ),
            (
                "by people",
                Filter {
                    is_system: Some(false),
                    impact: Some(0),
                    ..all()
                },
                vec![planned, running],
            ),
            (
                "components",
                Filter {
                    components: Some(vec![2, 9]),
                    ..all()
                },
                vec![planned, running, over],
            ),
            (
                "none of them",
                Filter {
                    components: Some(vec![4]),
                    ..all()
                },
                vec![],
            ),
        ] {
            assert_eq!(stage.list(&Scope::public(), filter).await, want, "{what}");
        }
        let page = list(&stage.db, &Scope::public(), &all(), 3, 3, stage.now)
            .await
            .unwrap();
        let events: Vec<Json> = serde_json::from_str(&page.items).unwrap();
        assert_eq!(
            (page.total, events.len(), &events[0]["id"]),
            (4, 1, &json!(open_one))
        );
        let page = list(&stage.db, &Scope::public(), &all(), 3, 300, stage.now)
            .await
            .unwrap();
        assert_eq!((page.total, page.items.as_str()), (4, "[]"));
    });
}

#[test]
fn pages_follow_an_index() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        for filter in [
            Filter::default(),
            Filter {
                kinds: Some(vec![EventKind::Maintenance]),
                ..Filter::default()
            },
            Filter {
                status: Some("fixing"),
                ..Filter::default()
            },
            Filter {
                is_active: true,
                ..Filter::default()
            },
            Filter {
                from: Some(stage.now),
                ..Filter::default()
            },
        ] {
            let (sql, values) =
                super::super::list::list_statement(&Scope::public(), &filter, 50, 0, stage.now);
            let plan = stage.db.plan(&sql, &values).await.unwrap();
            let sorts = plan
                .iter()
                .filter(|line| line.contains("TEMP B-TREE"))
                .count();
            assert_eq!(sorts, 0, "{filter:?}: {plan:#?}");
        }
    });
}

#[test]
fn a_list_of_much_is_read_in_pieces_in_its_order() {
    pollster::block_on(async {
        let stage = Stage::set().await;
        let sql = "with recursive n (n) as (select 1 union all select n + 1 from n where n < 1000)
             insert into status_incidents (kind, title, description, impact, started_at, is_system,
                 status, created_at, created_by, updated_at)
             select 'incident', 'Volumes are slow', printf('%.*c', 1400, 'x'), 1,
                 strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n, 'unixepoch'), 0, 'detected', '',
                 'ann', '' from n";
        stage.db.execute(sql, &[]).await.unwrap();
        let (scope, filter) = (Scope::public(), Filter::default());
        let page = super::super::list::list(&stage.db, &scope, &filter, 1000, 0, stage.now).await;
        let page = page.unwrap();
        assert_eq!(page.total, 1000);
        assert!(page.items.len() > 1 << 20, "{}", page.items.len());
        let events: Vec<Json> = serde_json::from_str(&page.items).unwrap();
        let starts: Vec<&str> = events
            .iter()
            .filter_map(|event| event["start_date"].as_str())
            .collect();
        assert_eq!(starts.len(), 1000);
        assert!(starts.is_sorted_by(|a, b| a > b), "the newest first");
    });
}
