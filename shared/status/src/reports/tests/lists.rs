//! What lists show of what was reported.

use super::*;

#[test]
fn lists_show_the_oldest_first_and_leave_out_the_oldest() {
    pollster::block_on(async {
        let db = database(&[("A", &["region=EU"]), ("Ab", &[]), ("B%", &[])]).await;
        for (id, impact, ended) in [(1, MINOR, true), (2, MAJOR, true), (3, OUTAGE, false)] {
            assert_eq!(post(&db, "A", impact, "x").await, Outcome::Taken(id));
            if ended {
                testing::close(&db, id, Timestamp::now(), Timestamp::now())
                    .await
                    .unwrap();
            }
        }
        let list = async |active: Option<bool>, limit, offset| -> Vec<i64> {
            let window = Window {
                active: active.map(|active| (active, Timestamp::now())),
                limit,
                offset,
            };
            let text = list_json(&db, &Scope::public(), &window).await.unwrap();
            let list: Vec<Value> = serde_json::from_str(&text).unwrap();
            list.iter().filter_map(|item| item["id"].as_i64()).collect()
        };
        assert_eq!(list(None, 10, 0).await, [1, 2, 3]);
        assert_eq!(list(None, 2, 0).await, [2, 3]);
        assert_eq!(list(None, 2, 1).await, [1, 2]);
        assert_eq!(list(None, 0, 0).await, [0_i64; 0]);
        assert_eq!(list(Some(true), 10, 0).await, [3]);
        assert_eq!(list(Some(false), 10, 0).await, [1, 2]);
        for (prefix, want) in [("", 3), ("A", 2), ("Ab", 1), ("a", 0), ("%", 0), ("B%", 1)] {
            let text = list_with_incidents(&db, &Scope::public(), of_name(prefix))
                .await
                .unwrap();
            let list: Vec<Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(list.len(), want, "{prefix}");
        }
        let second = components::Window {
            limit: 1,
            offset: 1,
            ..of_name("")
        };
        let text = list_with_incidents(&db, &Scope::public(), second)
            .await
            .unwrap();
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!((list.len(), &list[0]["name"]), (1, &json!("Ab")));
        let text = list_with_incidents(&db, &Scope::public(), of_name(""))
            .await
            .unwrap();
        assert!(
            text.starts_with(r#"[{"attributes":[{"name":"region","value":"EU"}],"id":1,"incidents":[{"end_date":""#),
            "{text}"
        );
        let attribute = &of(&["region=EU"])[0];
        let found = find_with_incidents(&db, &Scope::public(), "A", attribute)
            .await
            .unwrap()
            .unwrap();
        let found: Value = serde_json::from_str(&found).unwrap();
        assert_eq!(found["incidents"][2]["end_date"], Value::Null);
        assert_eq!(
            find_with_incidents(&db, &Scope::public(), "Ab", attribute)
                .await
                .unwrap(),
            None
        );
    });
}

#[test]
fn a_report_reads_what_is_open_and_not_the_past() {
    pollster::block_on(async {
        let db = database(&[("A", &[])]).await;
        let sql = SEEN
            .replace("{JSON}", Component::JSON)
            .replace("{PUBLIC}", PUBLIC)
            .replace("{MAINTENANCE}", EFFECTIVE_MAINTENANCE)
            .replace("{COMPONENT}", BY_NAME);
        let plan = db
            .plan(&sql, params!["A", "[]", "[]", Timestamp::now()])
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains("SCAN i\n"), "{plan}");
        assert!(
            !plan.contains("SCAN o\n") && !plan.contains("SCAN c\n"),
            "{plan}"
        );
    });
}

#[test]
fn answers_stay_small_however_much_has_happened() {
    pollster::block_on(async {
        let names: Vec<String> = (0..300).map(|number| format!("C{number}")).collect();
        let components: Vec<(&str, &[&str])> =
            names.iter().map(|n| (n.as_str(), &[][..])).collect();
        let db = database(&components).await;
        for name in &names {
            assert_eq!(post(&db, name, MAJOR, "all of it").await, Outcome::Taken(1));
        }
        let updates = read(&db, 1).await["updates"].clone();
        assert_eq!(updates.as_array().unwrap().len(), 50);
        assert_eq!(updates[0]["text"], "C299 () added to all of it");
        for id in 2..=250 {
            testing::close(&db, id - 1, Timestamp::now(), Timestamp::now())
                .await
                .unwrap();
            assert_eq!(post(&db, "C7", MINOR, "again").await, Outcome::Taken(id));
        }
        let text = list_with_incidents(&db, &Scope::public(), of_name("C7"))
            .await
            .unwrap();
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        let of_c7 = list[0]["incidents"].as_array().unwrap();
        assert_eq!(of_c7.len(), 200);
        assert_eq!(
            (&of_c7[0]["id"], &of_c7[199]["id"]),
            (&json!(51), &json!(250))
        );
    });
}
