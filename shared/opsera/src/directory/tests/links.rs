//! Mappings, in both spellings.

use super::*;

#[test]
fn mappings_are_written_in_two_spellings_and_there_once() {
    pollster::block_on(async {
        let db = database().await;
        let plain = mapping(
            &db,
            "mia",
            json!({ "attribute1": "p1", "attribute2": "a@b.example" }),
        )
        .await
        .unwrap();
        assert_eq!(
            (&plain["mappingType"], &plain["relationship"]),
            (&json!("project-people"), &json!("many-to-many"))
        );
        assert_eq!((&plain["id"], plain.get("parent")), (&plain["_id"], None));
        let other = mapping(
            &db,
            "mia",
            json!({ "parent": "p1", "child": "c1", "relationship": "one-to-many" }),
        )
        .await
        .unwrap();
        assert_eq!(
            (&other["attribute1"], &other["child"], &other["mappingType"]),
            (&json!("p1"), &json!("c1"), &json!("parent-child"))
        );
        mapping(&db, "mia", json!({ "attribute1": "p1", "attribute2": "a@b.example", "mappingType": "project-member" })).await.unwrap();
        for (value, want) in [
            (
                json!({ "attribute1": "p1", "attribute2": "a@b.example" }),
                409,
            ),
            (json!({ "attribute1": "p1" }), 400),
            (
                json!({ "attribute1": "p", "attribute2": "q", "mappingType": "friend" }),
                400,
            ),
            (
                json!({ "attribute1": "p", "attribute2": "q", "relationship": "some" }),
                400,
            ),
        ] {
            assert_eq!(
                status(mapping(&db, "mia", value.clone()).await),
                want,
                "{value}"
            );
        }
        let mia = asker("mia");
        let id = plain["id"].as_str().unwrap();
        let same = object(json!({ "mappingType": "project-member" }));
        assert_eq!(
            status(
                db.transaction(async |tx| mappings::update(tx, &mia, id, &same).await)
                    .await
            ),
            409
        );
        let moved = object(json!({ "attribute2": "x@y.example" }));
        db.transaction(async |tx| mappings::update(tx, &mia, id, &moved).await)
            .await
            .unwrap();
        for (wrong, want) in [
            ("no/id", 400),
            ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", 404),
        ] {
            assert_eq!(
                status(mappings::show(&db, &mia, wrong).await),
                want,
                "{wrong}"
            );
        }
        assert_eq!(
            status(mappings::show(&db, &asker("root@quay"), id).await),
            404
        );
        db.transaction(async |tx| mappings::delete(tx, &mia, id).await)
            .await
            .unwrap();
        for (filters, index) in [
            (&[][..], "directory_mappings_by_tenant (tenant_name=?)"),
            (
                &[("mapping_type", "x")],
                "directory_mappings_by_type (tenant_name=? AND mapping_type=?)",
            ),
            (
                &[("relationship", "x")],
                "directory_mappings_by_relationship (tenant_name=? AND relationship=?)",
            ),
            (
                &[("attribute1", "x")],
                "directory_mappings_by_first (tenant_name=? AND attribute1=?)",
            ),
            (
                &[("attribute2", "x")],
                "directory_mappings_by_second (tenant_name=? AND attribute2=?)",
            ),
        ] {
            let (sql, values) = mappings::keys(&mia, filters, ALL);
            let plan = plan(&db, &sql, &values).await;
            assert!(
                plan.contains(index) && !plan.contains("TEMP B-TREE"),
                "{plan}"
            );
        }
    });
}
