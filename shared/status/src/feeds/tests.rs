use super::*;
use crate::events::{EventKind, NewUpdate};
use crate::subscriptions::tests::stage;
use crate::testing;
use crate::testing::NewIncident;

#[test]
fn a_feed_has_the_latest_of_its_region() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        for number in 0..12 {
            let new = NewIncident {
                kind: EventKind::Incident,
                title: &format!("Incident {number}"),
                description: None,
                impact: 1,
                started_at: now.plus_seconds(number - 100),
                ended_at: None,
                is_system: true,
                status: if number == 11 {
                    "pending_review"
                } else {
                    "analysing"
                },
                contact_email: None,
                components: if number == 10 { &[2] } else { &[1, 3] },
            };
            let id = testing::insert(&db, &new, "m", now).await.unwrap();
            for text in ["first", "second"] {
                let update = NewUpdate {
                    status: "fixing",
                    text,
                    is_markup: false,
                    at: now,
                };
                testing::add_update(&db, id, &update, "m", now)
                    .await
                    .unwrap();
            }
        }
        let of = |region, component| Filter { region, component };
        for (filter, first, count) in [
            (of(Some("EU"), None), Some("Incident 9"), 10),
            (of(Some("US"), None), Some("Incident 10"), 1),
            (of(Some("EU"), Some("Net")), Some("Incident 9"), 10),
            (of(Some("US"), Some("Net")), None, 0),
            (Filter::default(), Some("Incident 10"), 10),
        ] {
            let items = latest(&db, &Scope::public(), &filter).await.unwrap();
            assert_eq!(
                items.first().map(|item| item.title.as_str()),
                first,
                "{filter:?}"
            );
            assert_eq!(items.len(), count, "{filter:?}");
            assert_eq!(
                is_known(&db, &filter).await.unwrap(),
                count > 0,
                "{filter:?}"
            );
        }
        let item = &latest(&db, &Scope::public(), &of(Some("EU"), None))
            .await
            .unwrap()[0];
        assert_eq!(
            (item.kind, item.created_at.millis()),
            (EventKind::Incident, now.millis())
        );
        let texts: Vec<&str> = item.updates.iter().map(|one| one.text.as_str()).collect();
        assert_eq!(texts, ["second", "first"]);
        assert!(
            maintenances(&db, &Scope::public(), &Filter::default(), now)
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn a_calendar_has_the_maintenances_that_people_know_of() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        for (title, days, status, component) in [
            ("next week", 7, "planned", 1),
            ("tomorrow", 1, "planned", 2),
            ("long ago", -400, "completed", 1),
            ("secret", 2, "pending_review", 1),
            ("never shown", 3, "cancelled", 1),
            ("called off", 4, "cancelled", 1),
        ] {
            let at = now.plus_seconds(days * 86_400);
            let new = NewIncident {
                kind: EventKind::Maintenance,
                title,
                description: Some("Work"),
                impact: 0,
                started_at: at,
                ended_at: Some(at.plus_seconds(3600)),
                is_system: false,
                status,
                contact_email: None,
                components: &[component],
            };
            let id = testing::insert(&db, &new, "ann", now).await.unwrap();
            if title == "called off" {
                let update = NewUpdate {
                    status: "planned",
                    text: "We plan",
                    is_markup: false,
                    at: now,
                };
                testing::add_update(&db, id, &update, "ann", now)
                    .await
                    .unwrap();
            }
        }
        let titles = async |filter: Filter<'_>| -> Vec<String> {
            let dates = maintenances(&db, &Scope::public(), &filter, now)
                .await
                .unwrap();
            dates.into_iter().map(|date| date.title).collect()
        };
        assert_eq!(
            titles(Filter::default()).await,
            ["tomorrow", "called off", "next week"]
        );
        let us = Filter {
            region: Some("US"),
            component: None,
        };
        assert_eq!(titles(us).await, ["tomorrow"]);
        let dates = maintenances(&db, &Scope::public(), &us, now).await.unwrap();
        assert_eq!(dates[0].components, ["Disk (US)"]);
        assert_eq!(
            (dates[0].version, dates[0].description.as_deref()),
            (1, Some("Work"))
        );
    });
}
