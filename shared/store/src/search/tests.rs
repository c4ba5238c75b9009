use super::*;
use crate::deployments::{DEPLOYMENT, DEPLOYMENT_LIST};
use crate::fresh_database;
use windlass_core::Scope;
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::{ListQuery, Page, page};
use windlass_core::{Request, Timestamp};

/// A database with a blueprint, and nothing that is searched for.
async fn harbour() -> NativeDb {
    let db = fresh_database().await;
    for sql in [
        "insert into tenants (name, created_at) values ('harbour', '')",
        "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
         values ('crane', 'harbour', 'ann', 'tenant', '', '', 'uploaded')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    db
}

/// Deployments with numbers from `from` on; what each is called says all that is searched for below.
async fn deployments(db: &NativeDb, from: i64, count: i64) {
    let sql =
        "with recursive n (k) as (select ?1 union all select k + 1 from n where k < ?1 + ?2 - 1)
         insert into deployments (id, tenant_name, created_by, visibility, created_at, updated_at,
             blueprint_key, blueprint_id, display_name)
         select 'north-' || k, 'harbour', 'ann', iif(k % 7, 'tenant', 'global'), '2024-' || k, '',
             (select key from blueprints), 'crane', 'Name_' || (k % 10) || '%\"Öl ' || k from n";
    db.execute(sql, params![from, count]).await.unwrap();
}

fn query(text: &str) -> ListQuery {
    let request = Request::new(Method::GET, &format!("/deployments?{text}"));
    DEPLOYMENT_LIST.parse(&request, &[]).unwrap()
}

/// What a search finds, which has to be what it finds without an index.
async fn found(db: &NativeDb, text: &str) -> Page {
    let scope = Scope::system("ann", "harbour");
    let query = query(text);
    let plain = page(db, &DEPLOYMENT.page_statement(&scope, &query))
        .await
        .unwrap();
    let indexed = DEPLOYMENT.page(db, &scope, &query).await.unwrap();
    assert_eq!(indexed, plain, "{text}");
    indexed
}

const SEARCHES: [&str; 16] = [
    "_search=north-1",
    "_search=NORTH-12",
    "_search=orth-123",
    "_search=th-1234567",
    "_search=no",
    "_search=",
    "_search_name=name_3",
    "_search_name=%25%22%C3%96l",
    "_search_name=%C3%B6l",
    "_search_name=ame%25",
    "_search_name=e_1",
    "_search=north-77&_search_name=Name_5",
    "_search=x&_search_name=Name_5",
    "_search=north-2&_sort=-created_at&_size=3&_offset=2",
    "_search=north-3&_sort=display_name",
    "_search=anchor",
];

#[test]
fn a_search_finds_the_same_with_its_index_and_without() {
    pollster::block_on(async {
        let db = harbour().await;
        // Few rows, none of which is in the index; then many at once; then one after the other.
        deployments(&db, 1, 40).await;
        for text in SEARCHES {
            found(&db, text).await;
        }
        deployments(&db, 41, 700).await;
        for number in 741..770 {
            deployments(&db, number, 1).await;
        }
        for text in SEARCHES {
            found(&db, text).await;
        }
        assert_eq!(found(&db, "_search=north-768").await.total.unwrap(), 1);
        assert_eq!(found(&db, "_search=NORTH-7").await.total.unwrap(), 81);
        assert_eq!(
            found(&db, "_search_name=%22%C3%96l%207")
                .await
                .total
                .unwrap(),
            81
        );
    });
}

#[test]
fn a_large_table_is_asked_for_what_is_rare_and_finds_the_same() {
    pollster::block_on(async {
        let db = harbour().await;
        deployments(&db, 1, 21_000).await;
        for text in SEARCHES {
            found(&db, text).await;
        }
        for (text, total) in [
            ("_search=north-20777", 1),
            ("_search=rth-2077", 11),
            // Rare in the sample, frequent in fact: the others are asked too.
            ("_search=north-1999", 11),
            // More than are worth looking up.
            ("_search=th-1", 11_111),
        ] {
            assert_eq!(found(&db, text).await.total.unwrap(), total, "{text}");
        }
        let narrow = query("_search=north-20777")
            .narrowed(&db, &DEPLOYMENT)
            .await;
        let key = "select json_group_array(key) from deployments where id = 'north-20777'";
        let key = db.first(key, &[]).await.unwrap().unwrap();
        assert_eq!(narrow.unwrap().among, key.0.into_iter().next());
    });
}

#[test]
fn the_index_follows_renaming_deletion_and_keys_that_are_used_again() {
    pollster::block_on(async {
        let db = harbour().await;
        deployments(&db, 1, 600).await;
        for sql in [
            "update deployments set display_name = 'anchor ' || key where key % 50 = 0",
            "update deployments set display_name = 'anchor ' || key where key = 600",
            "delete from deployments where key between 30 and 70",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        assert_eq!(found(&db, "_search_name=Anchor").await.total.unwrap(), 11);
        for text in SEARCHES {
            found(&db, text).await;
        }
        // All gone, so new rows get the keys of old ones.
        db.execute("delete from deployments", &[]).await.unwrap();
        deployments(&db, 5_000, 20).await;
        assert_eq!(found(&db, "_search=north-50").await.total.unwrap(), 20);
        assert_eq!(found(&db, "_search=north-3").await.total.unwrap(), 0);
        // A key before those that are there.
        db.execute("update deployments set key = key + 3000", &[])
            .await
            .unwrap();
        db.transaction(async |tx| rebuild(tx).await).await.unwrap();
        deployments(&db, 9_000, 300).await;
        assert_eq!(found(&db, "_search=north-9").await.total.unwrap(), 300);
        assert_eq!(found(&db, "_search=north-50").await.total.unwrap(), 20);
    });
}

#[test]
fn what_a_failed_transaction_wrote_is_not_found() {
    pollster::block_on(async {
        let db = harbour().await;
        deployments(&db, 1, 300).await;
        db.execute("begin", &[]).await.unwrap();
        deployments(&db, 1_000, 600).await;
        assert_eq!(found(&db, "_search=north-10").await.total.unwrap(), 111);
        db.execute("rollback", &[]).await.unwrap();
        assert_eq!(found(&db, "_search=north-10").await.total.unwrap(), 11);
        deployments(&db, 2_000, 300).await;
        assert_eq!(
            found(&db, "_search=north-2").await.total.unwrap(),
            300 + 111
        );
    });
}

#[test]
fn a_rebuilt_index_finds_everything() {
    pollster::block_on(async {
        let db = harbour().await;
        deployments(&db, 1, 400).await;
        db.execute("drop trigger deployments_search_inserted", &[])
            .await
            .unwrap();
        deployments(&db, 401, 400).await;
        db.execute("update search_indexes set up_to = 5000", &[])
            .await
            .unwrap();
        let scope = Scope::system("ann", "harbour");
        let lost = DEPLOYMENT
            .page(&db, &scope, &query("_search=north-79"))
            .await;
        assert_eq!(
            lost.unwrap().total,
            Some(1),
            "the index was told that it has all"
        );
        db.transaction(async |tx| rebuild(tx).await).await.unwrap();
        assert_eq!(found(&db, "_search=north-79").await.total.unwrap(), 11);
    });
}

#[test]
fn every_index_is_filled_and_emptied_with_its_table() {
    pollster::block_on(async {
        let db = harbour().await;
        deployments(&db, 1, 300).await;
        for sql in [
            "insert into nodes (deployment_key, deployment_id, id, tenant_name, created_by, visibility, type,
                 properties, number_of_instances,
                 planned_number_of_instances, deploy_number_of_instances, min_number_of_instances,
                 max_number_of_instances)
             select key, id, 'north-' || key, tenant_name, created_by, visibility, '', '{}', 1, 1, 1, 1, 1
             from deployments",
            "insert into node_instances (deployment_key, deployment_id, id, node_id, tenant_name,
                 created_by, visibility, \"index\", relationships, scaling_groups)
             select key, id, 'north-' || key, 'n', tenant_name, created_by, visibility, 1, '[]', '[]' from deployments",
            "insert into blueprints (id, tenant_name, created_by, visibility, created_at, updated_at, state)
             select 'north-' || key, tenant_name, 'ann', 'tenant', '', '', 'uploaded' from deployments",
        ] {
            db.execute(sql, &[]).await.unwrap();
        }
        for (expected, sql) in [
            (256, "select 1"),
            (0, "delete from deployments"),
            (0, "delete from blueprints"),
        ] {
            db.execute(sql, &[]).await.unwrap();
            for (index, _) in INDEXES {
                if expected == 0 && index == "blueprints_search" && !sql.ends_with("blueprints") {
                    continue;
                }
                let matches = format!("select count(*) from {index} where {index} match '\"nor\"'");
                let row = db.first(&matches, &[]).await.unwrap().unwrap();
                let count = row.integer(0).unwrap();
                // The first blueprint has a key, but another name.
                let expected = expected - i64::from(expected > 0 && index == "blueprints_search");
                assert_eq!(count, expected, "{index} after {sql}");
            }
        }
    });
}

#[test]
fn a_search_looks_up_its_candidates_and_sorts_only_those() {
    pollster::block_on(async {
        let db = harbour().await;
        deployments(&db, 1, 600).await;
        let scope = Scope::system("ann", "harbour");
        for sort in [
            "",
            "&_search_name=number",
            "&_sort=-created_at",
            "&_sort=display_name",
            "&_sort=id",
        ] {
            let query = query(&format!("_search=north-555{sort}"));
            let narrow = query.narrowed(&db, &DEPLOYMENT).await.unwrap();
            let statement = DEPLOYMENT.page_statement(&scope, &narrow);
            assert!(statement.sql.contains("among"), "{}", statement.sql);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let walks = |line: &&String| {
                line.contains(" t ")
                    && (line.starts_with("SCAN")
                        || !line.contains("key=?") && !line.contains("rowid=?"))
            };
            let walks: Vec<_> = plan.iter().filter(walks).collect();
            assert!(walks.is_empty(), "{sort}: {plan:#?}");
        }
    });
}

#[test]
fn creating_one_row_after_the_other_stays_cheap() {
    pollster::block_on(async {
        let db = harbour().await;
        let begun = Timestamp::now();
        for number in 0..600 {
            deployments(&db, number, 1).await;
        }
        let sql = "select up_to from search_indexes where name = 'deployments_search'";
        let row = db.first(sql, &[]).await.unwrap().unwrap();
        assert_eq!(
            row.integer(0).unwrap(),
            512,
            "twice 256 rows at once since {begun}"
        );
    });
}
