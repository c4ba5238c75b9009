//! Users, groups and projects, in parts.

use super::*;

fn names(part: &Part) -> Vec<&str> {
    part.items
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect()
}

#[test]
fn lists_come_in_parts_each_thing_once() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = scope_of(&db, 0).await;
        let mut seen = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let window = Window {
                marker: marker.as_deref(),
                limit: 3,
            };
            let part = users(&db, &scope, None, None, &window).await.unwrap();
            seen.extend(names(&part).into_iter().map(str::to_owned));
            if !part.has_more {
                break;
            }
            marker = part
                .items
                .last()
                .and_then(|item| item["id"].as_str())
                .map(str::to_owned);
        }
        assert_eq!(seen, ["admin", "Ann", "bob", "eve"]);
        let all = Window {
            marker: None,
            limit: 9,
        };
        for (name, enabled, want) in [
            (Some("ANN"), None, &["Ann"][..]),
            (Some("an"), None, &[]),
            (None, Some(false), &[]),
            (Some("bob"), Some(true), &["bob"]),
        ] {
            let part = users(&db, &scope, name, enabled, &all).await.unwrap();
            assert_eq!(names(&part), want, "{name:?} {enabled:?}");
        }
        let after = |marker| Window {
            marker: Some(marker),
            limit: 9,
        };
        assert_eq!(
            names(&users(&db, &scope, None, None, &after("8")).await.unwrap()),
            ["eve"]
        );
        assert!(
            users(&db, &scope, None, None, &after("x"))
                .await
                .unwrap()
                .items
                .is_empty()
        );
        assert_eq!(
            names(&users_in(&db, &scope, "3", None, &all).await.unwrap()),
            ["eve"]
        );
        assert!(
            users_in(&db, &scope, "x", None, &all)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        assert_eq!(
            names(&groups(&db, &scope, None, &all).await.unwrap()),
            ["deck"]
        );
        assert_eq!(
            names(&groups(&db, &scope, Some("DECK"), &all).await.unwrap()),
            ["deck"]
        );
        assert_eq!(
            names(&groups_of(&db, &scope, "9", None, &all).await.unwrap()),
            ["deck"]
        );
        assert!(
            groups_of(&db, &scope, "7", None, &all)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        assert_eq!(
            user(&db, &scope, "7").await.unwrap().unwrap()["name"],
            "Ann"
        );
        assert!(user(&db, &scope, "ann").await.unwrap().is_none());
        assert_eq!(
            group(&db, &scope, "3").await.unwrap().unwrap()["name"],
            "deck"
        );
        assert!(group(&db, &scope, "4").await.unwrap().is_none());
    });
}

#[test]
fn projects_are_seen_by_who_is_in_them() {
    pollster::block_on(async {
        let db = fresh().await;
        let all = Window {
            marker: None,
            limit: 9,
        };
        for (id, want) in [
            (0, &["default_tenant", "harbour", "quay"][..]),
            (7, &["harbour", "quay"]),
            (8, &["harbour"]),
            // Her group makes her an administrator.
            (9, &["default_tenant", "harbour", "quay"]),
        ] {
            let scope = scope_of(&db, id).await;
            let part = projects(&db, &scope, None, &all).await.unwrap();
            assert_eq!(names(&part), want, "{id}");
            let seen = project(&db, &scope, "quay").await.unwrap().is_some();
            assert_eq!(seen, want.contains(&"quay"), "{id}");
            assert!(project(&db, &scope, "sea").await.unwrap().is_none());
            let part = projects(&db, &scope, Some("quay"), &all).await.unwrap();
            assert_eq!(part.items.len(), usize::from(seen), "{id}");
        }
        let scope = scope_of(&db, 0).await;
        let part = projects_of(&db, &scope, "9", None, &all).await.unwrap();
        assert_eq!(names(&part), ["harbour"]);
        let next = Window {
            marker: Some("harbour"),
            limit: 1,
        };
        assert_eq!(
            names(&projects(&db, &scope, None, &next).await.unwrap()),
            ["quay"]
        );
    });
}
