use super::*;
use crate::caller::{AuthMethod, Caller, Reach, Scope};
use crate::db::{Db, NativeDb};
use crate::error::Kind;
use crate::params;
use crate::permission::PermissionSet;
use crate::request::Request;
use http::Method;
use serde_json::{Value, json};
use std::rc::Rc;

static FIELDS: [Field; 8] = concat(
    &[
        Field::text("id", "t.id"),
        Field::integer("size", "t.size"),
        Field::boolean("is_hidden", "t.is_hidden"),
    ],
    &COMMON,
);

static THINGS: Resource = Resource {
    name: "Thing",
    table: "things t",
    fields: &FIELDS,
    search: Some(Search::scan("t.id")),
    of_tenant: true,
    counts: &[],
};

fn scope(user: &str, reach: Reach, admin: bool) -> Scope {
    let caller = Caller {
        user_id: 7,
        username: user.into(),
        role: "default".into(),
        method: AuthMethod::Basic,
        system: if admin {
            PermissionSet::all()
        } else {
            PermissionSet::default()
        },
        tenants: Default::default(),
        execution_id: None,
    };
    Scope::of(Rc::new(caller), reach, String::new())
}

async fn things() -> NativeDb {
    let db = NativeDb::in_memory();
    for sql in [
        "create table things (key integer primary key, id text, size integer, is_hidden integer,
             created_by text, tenant_name text, visibility text)",
        "create index things_by_tenant on things (tenant_name, key, visibility, created_by)",
        "create index things_global on things (key) where visibility = 'global'",
        "create index things_by_size on things (tenant_name, size, key)",
        "create index things_global_by_size on things (size, key) where visibility = 'global'",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    for (id, size, tenant, creator, visibility) in [
        ("anchor", 3, "harbour", "ann", "tenant"),
        ("beacon", 1, "quay", "quentin", "global"),
        ("crane", 2, "harbour", "ann", "private"),
        ("dock", 5, "quay", "quentin", "tenant"),
        ("engine_1", 4, "harbour", "bob", "tenant"),
    ] {
        db.execute(
            "insert into things (id, size, is_hidden, created_by, tenant_name, visibility)
             values (?1, ?2, ?2 = 4, ?3, ?4, ?5)",
            params![id, size, creator, tenant, visibility],
        )
        .await
        .unwrap();
    }
    db
}

async fn ids(db: &NativeDb, scope: &Scope, query: &str) -> (Vec<String>, i64) {
    let request = Request::new(Method::GET, &format!("/things?{query}"));
    let query = ListQuery::parse(&THINGS, &request, &["mine"]).unwrap();
    let page = page(db, &THINGS.page_statement(scope, &query))
        .await
        .unwrap();
    let items: Vec<serde_json::Value> = page.parse().unwrap();
    let ids = items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    (ids, page.total.unwrap())
}

#[test]
fn a_list_shows_what_the_caller_may_see_in_the_order_asked_for() {
    pollster::block_on(async {
        let db = things().await;
        let ann = scope("ann", Reach::Tenant("harbour".into()), false);
        let bob = scope("bob", Reach::Tenant("harbour".into()), false);
        let admin = scope("root", Reach::Everywhere, true);
        let two = scope(
            "bob",
            Reach::Tenants(vec!["harbour".into(), "quay".into()]),
            false,
        );
        for (who, query, want, total) in [
            (&ann, "", &["anchor", "beacon", "crane", "engine_1"][..], 4),
            (&bob, "", &["anchor", "beacon", "engine_1"], 3),
            (
                &admin,
                "",
                &["anchor", "beacon", "crane", "dock", "engine_1"],
                5,
            ),
            (&two, "", &["anchor", "beacon", "dock", "engine_1"], 4),
            (
                &ann,
                "_sort=-size",
                &["engine_1", "anchor", "crane", "beacon"],
                4,
            ),
            (
                &ann,
                "_sort=+size&_size=2&_offset=1",
                &["crane", "anchor"],
                4,
            ),
            (&ann, "_size=0", &[], 4),
            (&ann, "id=crane&id=beacon&id=dock", &["beacon", "crane"], 2),
            (&ann, "tenant_name=quay", &["beacon"], 1),
            (&ann, "is_hidden=True", &["engine_1"], 1),
            (&ann, "_search=E_", &["engine_1"], 1),
            (&ann, "_search=%25", &[], 0),
            (
                &ann,
                "mine=1&_unknown=1&_get_all_results=true",
                &["anchor", "beacon", "crane", "engine_1"],
                4,
            ),
        ] {
            let (got, count) = ids(&db, who, query).await;
            assert_eq!(got, want, "{query}");
            assert_eq!(count, total, "{query}");
        }
    });
}

#[test]
fn an_item_of_another_tenant_is_not_found() {
    pollster::block_on(async {
        let db = things().await;
        let ann = scope("ann", Reach::Tenant("harbour".into()), false);
        let bob = scope("bob", Reach::Tenant("harbour".into()), false);
        let nobody = Scope::public();
        for (who, id, visible) in [
            (&ann, "crane", true),
            (&bob, "crane", false),
            (&bob, "dock", false),
            (&bob, "beacon", true),
            (&nobody, "anchor", false),
        ] {
            let statement = THINGS.find_statement(who, None, "t.id = {}", [id.into()]);
            let row = db
                .first(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            assert_eq!(row.is_some(), visible, "{id}");
        }
    });
}

#[test]
fn a_condition_with_alternatives_opens_no_door_to_other_tenants() {
    pollster::block_on(async {
        let db = things().await;
        let bob = scope("bob", Reach::Tenant("harbour".into()), false);
        let condition = "t.id = {} or t.size = {}";
        let statement = THINGS.find_statement(&bob, None, condition, ["dock".into(), 5_i64.into()]);
        let row = db
            .first(&statement.sql, &statement.parameters)
            .await
            .unwrap();
        assert_eq!(row, None);
    });
}

#[test]
fn unknown_names_and_bad_numbers_are_refused_before_any_sql() {
    for (query, kind, text) in [
        (
            "_include=id,x",
            Kind::NoSuchIncludeField,
            "Include keys '['x']' do not exist. Allowed keys are: ['id', 'size', 'is_hidden', 'created_by', 'tenant_name', 'visibility', 'private_resource', 'resource_availability']",
        ),
        (
            "x=1&y=2",
            Kind::BadParameters,
            "Filter keys '['x', 'y']' do not exist.",
        ),
        (
            "_sort=-x",
            Kind::BadParameters,
            "Sort keys '['x']' do not exist.",
        ),
        ("_size=-1", Kind::BadParameters, "_size must be an integer"),
        (
            "_offset=ten",
            Kind::BadParameters,
            "_offset must be an integer",
        ),
        (
            "_size=99999999999999999999",
            Kind::BadParameters,
            "_size must be an integer",
        ),
        (
            "_all_tenants=maybe",
            Kind::BadParameters,
            "_all_tenants must be <true/false>, got maybe",
        ),
        (
            "is_hidden=1",
            Kind::BadParameters,
            "is_hidden must be <true/false>, got 1",
        ),
        (
            "size=big",
            Kind::BadParameters,
            "size: `big` is not a number",
        ),
    ] {
        let request = Request::new(Method::GET, &format!("/things?{query}"));
        let refusal = ListQuery::parse(&THINGS, &request, &[]).unwrap_err();
        assert_eq!(refusal.kind(), kind, "{query}");
        assert!(refusal.message().contains(text), "{query}: {refusal:?}");
    }
}

#[test]
fn a_page_follows_indexes_and_sorts_nothing_but_itself() {
    pollster::block_on(async {
        let db = things().await;
        let ann = scope("ann", Reach::Tenant("harbour".into()), false);
        for (query, index) in [("", "things_by_tenant"), ("_sort=size", "things_by_size")] {
            let request = Request::new(Method::GET, &format!("/things?{query}"));
            let query = ListQuery::parse(&THINGS, &request, &[]).unwrap();
            let statement = THINGS.page_statement(&ann, &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .join("\n");
            assert!(plan.contains("MERGE (UNION ALL)"), "{plan}");
            assert!(plan.contains(index), "{plan}");
            assert!(!plan.contains("TEMP B-TREE FOR ORDER BY"), "{plan}");
            // The only scan of the table is along the partial index of global rows.
            assert!(
                plan.lines()
                    .all(|line| !line.starts_with("SCAN t") || line.contains("global")),
                "{plan}"
            );
        }
    });
}

#[test]
fn includes_choose_the_fields_and_their_order() {
    let include = THINGS.parse_include(Some("size, id,size")).unwrap();
    assert_eq!(
        THINGS.object_sql(include.as_deref()),
        "json_object('size', t.size, 'id', t.id)"
    );
    let known = THINGS.fields().include_known(Some("size,x,id")).unwrap();
    let known: Vec<&str> = known.iter().map(|field| field.name).collect();
    assert_eq!(known, ["size", "id"]);
    assert!(THINGS.parse_include(Some("")).unwrap().is_none());
}

#[test]
fn a_listing_adds_searches_and_sort_keys_to_its_resource() {
    static LISTING: Listing = Listing {
        more_searches: &[("_search_creator", "t.created_by")],
        sort: |key| {
            let Some(letter) = key.name.strip_prefix("letter:") else {
                return Ok(None);
            };
            Ok(Some(key.by("instr(t.id, {})", [letter.into()])))
        },
        ..Listing::of(&THINGS)
    };
    pollster::block_on(async {
        let db = things().await;
        let ann = scope("ann", Reach::Tenant("harbour".into()), false);
        for (text, want) in [
            (
                "_search=crane&_search_creator=BOB",
                &["crane", "engine_1"][..],
            ),
            ("_search_creator=BOB", &["engine_1"]),
            ("id=crane&_sort=letter:c", &["crane"]),
            // Where an `n` is: sixth, fourth, second, second.
            (
                "_sort=-letter:n,id",
                &["beacon", "crane", "anchor", "engine_1"],
            ),
        ] {
            let request = Request::new(Method::GET, &format!("/things?{text}"));
            let query = LISTING.parse(&request, &[]).unwrap();
            let page = page(&db, &THINGS.page_statement(&ann, &query))
                .await
                .unwrap();
            let items: Vec<serde_json::Value> = page.parse().unwrap();
            let ids: Vec<&str> = items
                .iter()
                .map(|item| item["id"].as_str().unwrap())
                .collect();
            assert_eq!(ids, want, "{text}");
        }
        let request = Request::new(Method::GET, "/things?_sort=x,letter:a,-y");
        let refusal = LISTING.parse(&request, &[]).unwrap_err();
        assert!(
            refusal.message().starts_with("Sort keys '['x', 'y']'"),
            "{refusal:?}"
        );
    });
}

#[test]
fn a_selection_takes_no_notice_of_fields_order_and_pages() {
    let request = Request::new(Method::GET, "/x?_include=x&_sort=x&_size=x&_search=a&id=b");
    let query = Listing::of(&THINGS).parse_selection(&request, &[]).unwrap();
    assert!(query.include.is_none() && query.sort.is_empty());
    assert_eq!(query.conditions.len(), 2);
    let request = Request::new(Method::GET, "/x?x=1");
    assert!(Listing::of(&THINGS).parse_selection(&request, &[]).is_err());
}

#[test]
fn what_is_private_in_several_tenants_is_seen_by_who_manages_them() {
    pollster::block_on(async {
        let db = things().await;
        let tenants = || Reach::Tenants(vec!["harbour".into(), "quay".into()]);
        let manager = {
            let caller = Caller {
                tenants: [(
                    "harbour".to_owned(),
                    crate::caller::Membership {
                        roles: Vec::new(),
                        permissions: PermissionSet::all(),
                    },
                )]
                .into(),
                ..(*scope("mia", tenants(), false).caller().unwrap()).clone()
            };
            Scope::of(Rc::new(caller), tenants(), String::new())
        };
        for (who, id, visible) in [
            (&scope("bob", tenants(), false), "crane", false),
            (&scope("ann", tenants(), false), "crane", true),
            (&scope("bob", tenants(), false), "dock", true),
            (&manager, "crane", true),
        ] {
            let statement = THINGS.named_statement(who, None, id);
            let row = db
                .first(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            assert_eq!(row.is_some(), visible, "{id} by {}", who.username());
            let (ids, _) = ids(&db, who, "").await;
            assert_eq!(
                ids.contains(&id.to_owned()),
                visible,
                "{id} by {}",
                who.username()
            );
        }
    });
}

#[test]
fn without_a_total_nothing_is_counted_and_the_envelope_keeps_its_shape() {
    pollster::block_on(async {
        let db = things().await;
        let scope = scope("root", Reach::Everywhere, true);
        let read = |query: &str| {
            let request = Request::new(Method::GET, &format!("/things?{query}"));
            ListQuery::parse(&THINGS, &request, &[])
        };
        for (query, total, filtered) in [
            ("_size=2", json!(3), json!(2)),
            ("_size=2&_total=TRUE", json!(3), json!(2)),
            ("_size=2&_total=false", Value::Null, Value::Null),
        ] {
            let mut query = read(query).unwrap();
            query.and("t.size > {}", [2.into()]);
            let statement = THINGS.page_statement(&scope, &query);
            let is_counted = statement.sql.contains("select count(*) from things");
            assert_eq!(is_counted, !total.is_null(), "{}", statement.sql);
            let all = ListQuery::everything();
            let page = THINGS.open_page_of(&db, &scope, &query, &all).await;
            let answer = page.unwrap().respond(&query);
            let answer: Value = serde_json::from_slice(&answer.body).unwrap();
            let pagination = json!({ "total": total, "offset": 0, "size": 2 });
            let metadata = json!({ "pagination": pagination, "filtered": filtered });
            assert_eq!(answer["metadata"], metadata);
            assert_eq!(answer["items"].as_array().map(Vec::len), Some(2));
            // What is known without counting is left out too: who asks gets one answer everywhere.
            let known = Page::of(json!([]), 7).respond(&query);
            let known: Value = serde_json::from_slice(&known.body).unwrap();
            assert_eq!(
                known["metadata"]["pagination"]["total"].is_null(),
                total.is_null()
            );
        }
        let of = SummaryOf {
            target: &FIELDS[0],
            sub: None,
            count: "things",
        };
        let query = read("_total=false&_size=2").unwrap();
        let summary = THINGS.summary(&db, &scope, &query, of).await.unwrap();
        assert_eq!((summary.items.len(), summary.total), (2, None));
        let refusal = read("_total=none").unwrap_err();
        assert_eq!(refusal.kind(), Kind::BadParameters);
        assert!(refusal.message().contains("_total"), "{refusal:?}");
    });
}
