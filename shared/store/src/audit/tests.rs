use super::*;
use serde_json::{Value, json};
use windlass_core::db::{Db, NativeDb};
use windlass_core::list::{Paging, SortKey, page};

const PAGE: Paging = Paging {
    size: 100,
    offset: 0,
    all_results: false,
    with_total: true,
};

fn scope() -> Scope {
    Scope::system("ann", "harbour")
}

async fn trail() -> NativeDb {
    let db = crate::fresh_database().await;
    db.execute("delete from audit_log", &[]).await.unwrap();
    db.transaction(async |tx| {
        insert(tx, &scope(), "site_create", "Site", "pier").await?;
        insert(tx, &Scope::system("bob", ""), "user_update", "User", "eve").await?;
        insert_as(
            tx,
            &scope(),
            Operation::Update,
            "plugin_upload",
            "Plugin",
            "p",
        )
        .await?;
        insert(tx, &scope(), "node_instance_delete", "NodeInstance", "i").await
    })
    .await
    .unwrap();
    db
}

async fn listed(
    db: &NativeDb,
    filter: &Filter,
    order: SortKey<'_>,
    paging: Paging,
) -> (Vec<Value>, i64) {
    let query = list_query(filter, order, paging).unwrap();
    let statement = AUDIT_LOG.page_statement(&scope(), &query);
    let page = page(db, &statement).await.unwrap();
    (page.parse().unwrap(), page.total.unwrap())
}

fn by(name: &str, descending: bool) -> SortKey<'_> {
    SortKey { name, descending }
}

#[test]
fn entries_are_told_in_the_words_of_the_api() {
    pollster::block_on(async {
        let db = trail().await;
        let (entries, total) = listed(&db, &Filter::default(), by("created_at", false), PAGE).await;
        assert_eq!(total, 4);
        let shown: Vec<Value> = entries
            .iter()
            .map(|entry| {
                json!([
                    entry["operation"],
                    entry["ref_table"],
                    entry["ref_identifier"],
                    entry["creator_name"]
                ])
            })
            .collect();
        assert_eq!(
            json!(shown),
            json!([
                ["create", "sites", { "id": "pier", "tenant_name": "harbour" }, "ann"],
                ["update", "users", { "username": "eve", "tenant_name": null }, "bob"],
                ["update", "plugins", { "id": "p", "tenant_name": "harbour" }, "ann"],
                ["delete", "node_instances", { "id": "i", "tenant_name": "harbour" }, "ann"],
            ])
        );
        let (last, _) = listed(
            &db,
            &Filter::default(),
            by("id", true),
            Paging { size: 1, ..PAGE },
        )
        .await;
        assert_eq!(last[0]["ref_table"], "node_instances");
        let anns = Filter {
            creator_name: Some("ann".into()),
            others: vec![("operation".into(), "update".into())],
            ..Filter::default()
        };
        assert_eq!(listed(&db, &anns, by("id", false), PAGE).await.1, 1);
        let future = Filter {
            since: Some(Timestamp::now().plus_seconds(60)),
            ..Filter::default()
        };
        assert_eq!(listed(&db, &future, by("id", false), PAGE).await.1, 0);
        assert!(list_query(&Filter::default(), by("colour", false), PAGE).is_err());
    });
}

#[test]
fn whoever_follows_gets_each_entry_once() {
    pollster::block_on(async {
        let db = trail().await;
        let filter = Filter::default();
        let (first, place) = after(&db, &scope(), &filter, 0, 3).await.unwrap();
        let (rest, end) = after(&db, &scope(), &filter, place, 3).await.unwrap();
        assert_eq!((first.len(), rest.len()), (3, 1));
        assert_eq!(newest(&db, &scope()).await.unwrap(), end);
        assert_eq!(
            after(&db, &scope(), &filter, end, 3).await.unwrap(),
            (vec![], end)
        );
    });
}

#[test]
fn whoever_follows_looks_at_each_entry_once() {
    pollster::block_on(async {
        let db = trail().await;
        let end = newest(&db, &scope()).await.unwrap();
        let future = Filter {
            since: Some(Timestamp::now().plus_seconds(60)),
            ..Filter::default()
        };
        let bobs = Filter {
            creator_name: Some("bob".into()),
            ..Filter::default()
        };
        let from = async |filter, place, most| {
            let (entries, place) = after(&db, &scope(), filter, place, most).await.unwrap();
            (entries.len(), place)
        };
        assert_eq!(from(&future, 0, 3).await, (0, end));
        assert_eq!(from(&bobs, 0, 3).await, (1, end));
        assert_eq!(from(&bobs, 0, 1).await, (1, end - 2));
        let bad = Filter {
            others: vec![("colour".into(), "red".into())],
            ..Filter::default()
        };
        assert!(after(&db, &scope(), &bad, i64::MAX, 1).await.is_err());
    });
}

#[test]
fn whoever_follows_goes_on_when_keys_begin_again() {
    pollster::block_on(async {
        let db = trail().await;
        let (filter, end) = (Filter::default(), newest(&db, &scope()).await.unwrap());
        let later = Timestamp::now().plus_seconds(1);
        truncate(&db, &scope(), later, None, None).await.unwrap();
        let (gone, place) = after(&db, &scope(), &filter, end, 3).await.unwrap();
        assert_eq!((gone, place), (vec![], 1));
        db.transaction(async |tx| insert(tx, &scope(), "site_create", "Site", "quay").await)
            .await
            .unwrap();
        let (entries, place) = after(&db, &scope(), &filter, place, 3).await.unwrap();
        assert_eq!((&entries[0]["ref_id"], place), (&json!("quay"), 2));
    });
}

#[test]
fn what_is_truncated_leaves_a_trace() {
    pollster::block_on(async {
        let db = trail().await;
        let later = Timestamp::now().plus_seconds(1);
        let gone = truncate(&db, &scope(), later, Some("bob"), None)
            .await
            .unwrap();
        assert_eq!(gone, 1);
        let entries = [Injected {
            ref_table: "blueprints".into(),
            target_id: "b".into(),
            tenant_name: None,
            operation: Operation::Delete,
            creator_name: None,
            execution_id: Some("e".into()),
            address: None,
            created_at: Timestamp::from_millis(0),
        }];
        db.transaction(async |tx| inject(tx, &scope(), &entries).await)
            .await
            .unwrap();
        let of_execution = Filter {
            execution_id: Some("e".into()),
            ..Filter::default()
        };
        let (found, _) = listed(&db, &of_execution, by("created_at", false), PAGE).await;
        assert_eq!(found[0]["created_at"], "1970-01-01T00:00:00.000Z");
        let (all, total) = listed(&db, &Filter::default(), by("id", false), PAGE).await;
        assert_eq!(total, 6, "{all:?}");
        assert_eq!(crate::counts::audit(&db).await.unwrap(), []);
    });
}

#[test]
fn the_trail_is_read_along_indexes() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let ann = Filter {
            creator_name: Some("ann".into()),
            ..Filter::default()
        };
        let execution = Filter {
            execution_id: Some("e".into()),
            ..Filter::default()
        };
        let since = Filter {
            since: Some(Timestamp::now()),
            ..Filter::default()
        };
        for (filter, index) in [
            (Filter::default(), "audit_log_by_time"),
            (since, "audit_log_by_time"),
            (ann, "audit_log_by_user"),
            (execution, "audit_log_by_execution"),
        ] {
            let query = list_query(&filter, by("created_at", false), PAGE).unwrap();
            let statement = AUDIT_LOG.page_statement(&scope(), &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{filter:?}: {plan}");
        }
    });
}

#[test]
fn tables_are_called_as_the_original_calls_them() {
    for (resource, table) in [
        ("Site", "sites"),
        ("NodeInstance", "node_instances"),
        ("TasksGraph", "tasks_graphs"),
        ("Delivery", "deliveries"),
        ("LDAP", "ldaps"),
    ] {
        assert_eq!(table_of(resource), table);
    }
}

#[test]
fn the_trail_is_kept_for_as_long_as_the_setting_says() {
    pollster::block_on(async {
        let db = trail().await;
        let count = async || {
            let row = db.first("select count(*) from audit_log", &[]).await;
            row.unwrap().unwrap().integer(0).unwrap()
        };
        let day = |days: i64| Timestamp::now().plus_seconds(days * 86_400);
        let all = count().await;
        assert_eq!(forget_old(&db, day(399)).await.unwrap(), 0, "too soon");
        let set = |days: i64| {
            format!("update config set value = '{days}' where name = 'audit_retention_days'")
        };
        db.execute(&set(0), &[]).await.unwrap();
        assert_eq!(forget_old(&db, day(9_000)).await.unwrap(), 0, "for ever");
        db.execute(&set(10), &[]).await.unwrap();
        assert_eq!(forget_old(&db, day(9)).await.unwrap(), 0);
        assert_eq!(forget_old(&db, day(11)).await.unwrap(), all as u64);
        assert_eq!(count().await, 0);
        let plan = db
            .plan(
                "select 1 from audit_log where created_at < ?1 limit 1",
                params!["2024"],
            )
            .await
            .unwrap();
        assert!(plan.join(" ").contains("audit_log_by_time"), "{plan:?}");
    });
}

#[test]
fn of_the_trail_so_much_is_kept_as_the_setting_says() {
    pollster::block_on(async {
        let db = trail().await;
        let keys = async || -> Vec<i64> {
            let rows = db
                .query("select key from audit_log order by key", &[])
                .await;
            let rows = rows.unwrap();
            rows.iter().map(|row| row.integer(0).unwrap()).collect()
        };
        let all = keys().await;
        let forget = async |most: usize| {
            let sql = "update config set value = ?1 where name = 'audit_retention_count'";
            db.execute(sql, params![most.to_string()]).await.unwrap();
            forget_old(&db, Timestamp::now()).await.unwrap()
        };
        assert_eq!(forget(0).await, 0, "all");
        assert_eq!(forget(all.len()).await, 0);
        assert_eq!(forget(2).await, all.len() as u64 - 2);
        assert_eq!(keys().await, all[all.len() - 2..]);
    });
}

/// All of a table, piece by piece.
async fn exported(db: &NativeDb, mut table: Table) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let piece = table.next(db, &scope()).await.unwrap();
        if piece.is_empty() {
            return lines;
        }
        lines.extend(piece);
    }
}

#[test]
fn entries_tell_from_where_they_were_asked_for() {
    pollster::block_on(async {
        let db = trail().await;
        let origin = windlass_core::caller::Origin {
            request_id: "r".into(),
            address: Some("192.0.2.7".into()),
        };
        let scope = scope().asked_by(&origin);
        db.transaction(async |tx| insert(tx, &scope, "site_create", "Site", "quay").await)
            .await
            .unwrap();
        let from = |address: &str| Filter {
            others: vec![("address".into(), address.into())],
            ..Filter::default()
        };
        let (found, total) = listed(&db, &from("192.0.2.7"), by("id", false), PAGE).await;
        assert_eq!((&found[0]["ref_id"], total), (&json!("quay"), 1));
        assert_eq!(found[0]["address"], "192.0.2.7");
        let (all, _) = listed(&db, &Filter::default(), by("id", false), PAGE).await;
        assert_eq!(
            all[0]["address"],
            Value::Null,
            "nobody asked over the network"
        );
        assert_eq!(
            listed(&db, &from("192.0.2.8"), by("id", false), PAGE)
                .await
                .1,
            0
        );
    });
}

#[test]
fn a_table_has_each_entry_once_in_its_order() {
    pollster::block_on(async {
        let db = trail().await;
        // Many at the same moment: a place among them is the moment and the number.
        db.execute(
            "with recursive n (k) as (select 1 union all select k + 1 from n where k < 2500)
             insert into audit_log (created_at, username, tenant_name, action, target_type, target_id)
             select '2020-01-01T00:00:0' || (k % 3) || '.000Z', 'eve', 't', 'a', 'b', 'c' || k from n",
            &[],
        )
        .await
        .unwrap();
        let all = Filter::default();
        let eves = Filter {
            creator_name: Some("eve".into()),
            ..Filter::default()
        };
        for (filter, order, skipped, size, want) in [
            (&all, ("created_at", false), 0, None, 2504),
            (&all, ("created_at", true), 0, None, 2504),
            (&all, ("id", false), 0, None, 2504),
            (&all, ("id", true), 3, None, 2501),
            (&eves, ("created_at", false), 10, Some(1200), 1200),
            (&eves, ("created_at", true), 2490, Some(1200), 10),
        ] {
            let table = Table::new(filter.clone(), order, skipped, size).unwrap();
            let lines = exported(&db, table).await;
            let place = |line: &Vec<String>| {
                let number: i64 = line[0].parse().unwrap();
                match order.0 {
                    "id" => (String::new(), number),
                    _ => (line[1].clone(), number),
                }
            };
            let mut places: Vec<_> = lines.iter().map(place).collect();
            if order.1 {
                places.reverse();
            }
            assert!(places.is_sorted_by(|a, b| a < b), "{order:?}");
            assert_eq!(places.len(), want, "{order:?} {skipped} {size:?}");
        }
        assert!(Table::new(all.clone(), ("operation", false), 0, None).is_err());
        let bad = Filter {
            others: vec![("colour".into(), "red".into())],
            ..Filter::default()
        };
        let mut table = Table::new(bad, ("id", false), 0, None).unwrap();
        assert!(table.next(&db, &scope()).await.is_err());
    });
}

#[test]
fn a_table_goes_on_along_an_index() {
    pollster::block_on(async {
        let db = trail().await;
        let ann = Filter {
            creator_name: Some("ann".into()),
            ..Filter::default()
        };
        for (filter, order, index) in [
            (
                Filter::default(),
                "created_at",
                "audit_log_by_time (created_at>?",
            ),
            (Filter::default(), "id", "PRIMARY KEY (rowid>?)"),
            (
                ann,
                "created_at",
                "audit_log_by_user (username=? AND created_at>?",
            ),
        ] {
            let mut table = Table::new(filter, (order, false), 0, Some(3)).unwrap();
            table.next(&db, &scope()).await.unwrap();
            let (sql, values) = table.statement().unwrap();
            let plan = db.plan(&sql, &values).await.unwrap().join("\n");
            assert!(plan.contains(index), "{order}: {plan}");
        }
    });
}
