use super::*;
use serde_json::json;
use windlass_core::db::NativeDb;

fn time(text: &str) -> Timestamp {
    Timestamp::parse("time", text).unwrap()
}

/// A catalogue of `count` components, each in the region `EU`.
async fn catalogue(db: &NativeDb, count: i64) {
    windlass_store::migrations::apply(db).await.unwrap();
    for id in 1..=count {
        db.execute(
            "insert into status_components (id, name, attributes, attributes_key, region, position, created_at)
             values (?1, 'Volumes ' || ?1, '[]', '[]', 'EU', ?1, '2020-01-01T00:00:00.000Z')",
            params![id],
        )
        .await
        .unwrap();
    }
}

/// An event on a component, of the kind that its impact belongs to.
async fn event(
    db: &NativeDb,
    component: i64,
    impact: i64,
    status: &str,
    from: &str,
    to: Option<&str>,
) {
    let kind = if impact == 0 {
        "maintenance"
    } else {
        "incident"
    };
    let id = db
        .first(
            "insert into status_incidents (kind, title, impact, started_at, ended_at, is_system,
                 status, created_at, created_by, updated_at)
             values (?1, 'x', ?2, ?3, ?4, 1, ?5, ?3, 'x', ?3) returning id",
            params![kind, impact, time(from), to.map(time), status],
        )
        .await
        .unwrap()
        .unwrap();
    db.execute(
        "insert into status_incident_components values (?1, ?2)",
        params![id.integer(0).unwrap(), component],
    )
    .await
    .unwrap();
}

#[test]
fn downtime_counts_once_in_the_month_it_was_in() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        catalogue(&db, 5).await;
        let now = time("2026-03-11T00:00:00Z");
        // Six hours of January and twelve of February.
        event(
            &db,
            1,
            3,
            "resolved",
            "2026-01-31T18:00:00Z",
            Some("2026-02-01T12:00:00Z"),
        )
        .await;
        // Overlaps it, and adds an hour.
        event(
            &db,
            1,
            3,
            "resolved",
            "2026-02-01T06:00:00Z",
            Some("2026-02-01T13:00:00Z"),
        )
        .await;
        // Within the first one.
        event(
            &db,
            1,
            3,
            "resolved",
            "2026-02-01T01:00:00Z",
            Some("2026-02-01T02:00:00Z"),
        )
        .await;
        // Lesser ones are no downtime.
        event(
            &db,
            1,
            2,
            "resolved",
            "2026-02-10T00:00:00Z",
            Some("2026-02-20T00:00:00Z"),
        )
        .await;
        // Open until now: ten days of March.
        event(&db, 2, 3, "fixing", "2026-03-01T00:00:00Z", None).await;
        // Begun before the twelve months, over in their first: April 2025.
        event(
            &db,
            3,
            3,
            "resolved",
            "2025-01-01T00:00:00Z",
            Some("2025-04-04T00:00:00Z"),
        )
        .await;
        // Of the future and over before: neither counts.
        event(&db, 4, 3, "detected", "2026-03-12T00:00:00Z", None).await;
        event(
            &db,
            4,
            3,
            "resolved",
            "2024-01-01T00:00:00Z",
            Some("2025-03-31T23:00:00Z"),
        )
        .await;

        let told = by_component(&db, now).await.unwrap();
        assert_eq!(told.len(), 5);
        assert_eq!(
            (told[0].name.as_str(), told[0].region.as_str()),
            ("Volumes 1", "EU")
        );
        for (component, changed) in [
            (1, vec![((2026, 2), 98.06548), ((2026, 1), 99.19355)]),
            (2, vec![((2026, 3), 67.74194)]),
            (3, vec![((2025, 4), 90.0)]),
            (4, vec![]),
            (5, vec![]),
        ] {
            let months = &told[component - 1].months;
            let names: Vec<_> = months
                .iter()
                .map(|m| (m.month.year(), m.month.number()))
                .collect();
            assert_eq!(
                (names.len(), names[0], names[11]),
                (12, (2026, 3), (2025, 4))
            );
            for month in months {
                let name = (month.month.year(), month.month.number());
                let wanted = changed.iter().find(|(known, _)| *known == name);
                let wanted = wanted.map_or(100.0, |(_, percentage)| *percentage);
                assert_eq!(
                    month.percentage,
                    Some(wanted),
                    "component {component}, {name:?}"
                );
            }
        }
    });
}

#[test]
fn a_month_before_a_component_was_listed_tells_nothing() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        catalogue(&db, 2).await;
        db.execute(
            "update status_components set created_at = '2026-02-28T23:59:59.999Z'",
            &[],
        )
        .await
        .unwrap();
        // An outage that was recorded for the time before.
        let (from, to) = ("2025-12-31T00:00:00Z", Some("2026-01-01T00:00:00Z"));
        event(&db, 2, 3, "resolved", from, to).await;
        let told = by_component(&db, time("2026-03-11T00:00:00Z"))
            .await
            .unwrap();
        for (component, known) in [(0, 2), (1, 4)] {
            let months = &told[component].months;
            for (place, month) in months.iter().enumerate() {
                let is_known = month.percentage.is_some();
                assert_eq!(is_known, place < known, "{component} {place}");
            }
        }
        assert_eq!(told[1].months[2].percentage, Some(100.0));
        assert!(told[1].months[3].percentage < Some(100.0));
    });
}

#[test]
fn a_year_that_begins_among_the_months_is_the_months_own() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        catalogue(&db, 1).await;
        for (now, first, last) in [
            ("2026-12-31T23:59:59.999Z", (2026, 12), (2026, 1)),
            ("2026-01-01T00:00:00Z", (2026, 1), (2025, 2)),
            ("2024-02-29T12:00:00Z", (2024, 2), (2023, 3)),
            ("9999-12-31T23:59:59Z", (9999, 12), (9999, 1)),
        ] {
            let told = by_component(&db, time(now)).await.unwrap();
            let names: Vec<_> = told[0]
                .months
                .iter()
                .map(|m| (m.month.year(), m.month.number()))
                .collect();
            assert_eq!((names[0], names[11]), (first, last), "{now}");
        }
    });
}

#[test]
fn a_day_tells_how_long_each_impact_was() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        catalogue(&db, 3).await;
        let now = time("2026-03-04T06:00:00Z");
        event(
            &db,
            1,
            1,
            "resolved",
            "2026-03-01T23:00:00Z",
            Some("2026-03-02T02:00:00Z"),
        )
        .await;
        event(
            &db,
            1,
            1,
            "resolved",
            "2026-03-02T01:00:00Z",
            Some("2026-03-02T03:00:00Z"),
        )
        .await;
        event(
            &db,
            1,
            3,
            "resolved",
            "2026-03-02T00:00:00.000Z",
            Some("2026-03-02T00:00:00.001Z"),
        )
        .await;
        event(
            &db,
            1,
            0,
            "planned",
            "2026-03-03T12:00:00Z",
            Some("2026-03-03T13:00:00Z"),
        )
        .await;
        // Neither did these take place.
        event(
            &db,
            1,
            0,
            "cancelled",
            "2026-03-03T00:00:00Z",
            Some("2026-03-04T00:00:00Z"),
        )
        .await;
        event(
            &db,
            1,
            0,
            "pending_review",
            "2026-03-03T00:00:00Z",
            Some("2026-03-04T00:00:00Z"),
        )
        .await;
        event(&db, 2, 2, "fixing", "2026-02-01T00:00:00Z", None).await;

        let from = day_of(time("2026-03-01T05:00:00Z"));
        let told = days(&db, from, from + 4, now).await.unwrap();
        let hour = 3600;
        for (component, day, seconds, worst) in [
            (1, 0, [0, hour, 0, 0], Some(1)),
            (1, 1, [0, 3 * hour, 0, 1], Some(3)),
            (1, 2, [hour, 0, 0, 0], Some(0)),
            (1, 3, [0; 4], None),
            (2, 0, [0, 0, 24 * hour, 0], Some(2)),
            // Only so far.
            (2, 3, [0, 0, 6 * hour, 0], Some(2)),
            (2, 4, [0; 4], None),
            (3, 0, [0; 4], None),
        ] {
            let told = &told[component - 1];
            assert_eq!(told.days.len(), 5);
            let day_told = &told.days[day];
            assert_eq!(
                (day_told.seconds, day_told.worst()),
                (seconds, worst),
                "component {component}, day {day}"
            );
        }
        assert_eq!(told[0].days[1].percentage(), 99.99884);
        assert_eq!(start_of(from).to_string(), "2026-03-01T00:00:00.000Z");
        assert!(
            days(&db, from, from - 1, now).await.unwrap()[0]
                .days
                .is_empty()
        );
    });
}

/// What a page asks for: 50 components, 1,000 incidents in 90 days. A generous limit, because the
/// tests are built without optimisation; optimised it takes less than 2 ms.
#[test]
fn ninety_days_are_told_quickly() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        catalogue(&db, 50).await;
        let now = time("2026-03-31T12:00:00Z");
        let begin = now.plus_seconds(-90 * 86_400);
        let incidents: Vec<_> = (0..1000_i64)
            .map(|number| {
                let start = begin.plus_seconds(number * 7_700);
                json!([
                    number % 50 + 1,
                    number % 3 + 1,
                    start,
                    start.plus_seconds(5_000)
                ])
            })
            .collect();
        let incidents = serde_json::Value::from(incidents);
        for sql in [
            "insert into status_incidents (id, kind, title, impact, started_at, ended_at, is_system,
                 status, created_at, created_by, updated_at)
             select key + 1, 'incident', 'x', value ->> 1, value ->> 2, value ->> 3, 1, 'resolved',
                 value ->> 2, 'x', value ->> 2 from json_each(?1)",
            "insert into status_incident_components select key + 1, value ->> 0 from json_each(?1)",
        ] {
            db.execute(sql, params![&incidents]).await.unwrap();
        }
        let today = day_of(now);
        let mut best = u128::MAX;
        for _ in 0..20 {
            let begun = std::time::Instant::now();
            let told = days(&db, today - 89, today, now).await.unwrap();
            best = best.min(begun.elapsed().as_micros());
            assert_eq!((told.len(), told[0].days.len()), (50, 90));
        }
        println!("90 days of 50 components and 1,000 incidents: {best} µs");
        assert!(best < 100_000, "{best} µs");
    });
}
