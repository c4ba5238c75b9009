use super::*;
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::{Request, params};

async fn plan(db: &NativeDb, sql: &str, values: &[windlass_core::db::Value]) -> String {
    db.plan(sql, values).await.unwrap().join("\n")
}

#[test]
fn lists_and_lookups_of_sites_follow_indexes() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let scope = Scope::system("ann", "harbour");
        for (text, index) in [
            ("", "sites_by_tenant"),
            ("_sort=created_at", "sites_by_creation"),
        ] {
            let request = Request::new(Method::GET, &format!("/sites?{text}"));
            let query = ListQuery::parse(&SITES, &request, &[]).unwrap();
            let statement = SITES.page_statement(&scope, &query);
            let plan = plan(&db, &statement.sql, &statement.parameters).await;
            assert!(plan.contains(index), "{text}: {plan}");
            assert!(plan.contains("sites_global"), "{text}: {plan}");
        }
        let one = SITES.named_statement(&scope, None, "pier");
        let shown = plan(&db, &one.sql, &one.parameters).await;
        assert!(shown.contains("sites_by_name"), "{shown}");
    });
}

#[test]
fn the_deployments_of_a_site_are_found_by_an_index() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        let values = params!["pier", None::<&str>, "harbour", false];
        let moved = plan(&db, crate::deployments::site::MOVE_TO_SITE, values).await;
        assert!(moved.contains("deployments_by_site"), "{moved}");
    });
}

#[test]
fn a_location_is_two_floats_in_range() {
    for (text, want) in [
        ("34.767420,-1", Ok("34.76742, -1.0")),
        (" 90 , -180 ", Ok("90.0, -180.0")),
        ("0.00001,-0.000025", Ok("1e-05, -2.5e-05")),
        ("0,0.0001", Ok("0.0, 0.0001")),
        ("harbour", Err("the format is expected to be")),
        ("1,2,3", Err("expected to be of type float")),
        ("1;2,", Err("expected to be of type float")),
        ("90.1,0", Err("must be a number between -90 and 90")),
        ("0,-181", Err("must be a number between -90 and 90")),
        (
            "nan,0",
            Err("Invalid latitude `nan` or longitude `0.0`. The latitude must be a number"),
        ),
        (
            "inf,-inf",
            Err("Invalid latitude `inf` or longitude `-inf`. "),
        ),
    ] {
        match (Location::parse(text), want) {
            (Ok(at), Ok(want)) => assert_eq!(at.unwrap().text, want, "{text}"),
            (Err(error), Err(part)) => assert!(error.message().contains(part), "{error:?}"),
            (got, _) => panic!("{text}: {got:?}"),
        }
    }
    assert_eq!(Location::parse("").unwrap(), None);
}

/// A new name and global visibility at once: the new name is the one that must be free everywhere.
#[test]
fn a_site_is_renamed_and_shown_to_all_at_once() {
    pollster::block_on(async {
        let db = crate::fresh_database().await;
        for name in ["harbour", "quay"] {
            let insert = "insert into tenants (name, created_at) values (?1, '')";
            db.execute(insert, params![name]).await.unwrap();
        }
        let site = async |tenant: &str, name: &str| {
            let scope = Scope::system("ann", tenant);
            db.execute(
                "insert into sites (name, tenant_name, created_by, visibility, created_at)
                 values (?1, ?2, 'ann', 'tenant', '')",
                params![name, tenant],
            )
            .await
            .unwrap();
            resource::find::<Site>(&db, &scope, name).await.unwrap()
        };
        let pier = site("harbour", "pier").await;
        site("quay", "pier").await;
        let mole = site("quay", "mole").await;
        let wide = |name: &str| Changes {
            name: Some(name.to_owned()),
            visibility: Some(Visibility::Global),
            ..Changes::default()
        };
        let rename = async |tenant: &str, site: &Site, name: &str| {
            let scope = Scope::system("ann", tenant);
            db.transaction(async |tx| save(tx, &scope, site, &wide(name)).await)
                .await
        };
        let refusal = rename("harbour", &pier, "mole").await.unwrap_err();
        assert!(refusal.message().contains("mole"), "{refusal:?}");
        rename("harbour", &pier, "buoy").await.unwrap();
        rename("quay", &mole, "lock").await.unwrap();
    });
}
