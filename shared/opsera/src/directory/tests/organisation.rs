//! The organisation and who is below a node of it.

use super::*;

#[test]
fn an_organisation_has_no_circles_and_knows_who_is_below() {
    pollster::block_on(async {
        let db = database().await;
        let first = link(&db, "Harbour", "Docks").await.unwrap();
        assert_eq!(
            (&first["mappingType"], &first["relationship"]),
            (&json!("parent-child"), &json!("org-hierarchy"))
        );
        link(&db, "Docks", "Cranes").await.unwrap();
        link(&db, "Docks", "Boats").await.unwrap();
        for (parent, child, text) in [
            ("Docks", "Docks", "parent and child must differ"),
            ("Cranes", "Harbour", "cyclic hierarchy"),
            ("Docks", "Cranes", "Mapping already exists"),
        ] {
            let refusal = link(&db, parent, child).await.unwrap_err();
            assert_eq!(refusal.message(), text);
        }
        // Neither does a change close one, nor the other spelling of a link.
        let mia = asker("mia");
        let id = first["id"].as_str().unwrap();
        let change = object(json!({ "attribute1": "Cranes" }));
        let refusal = db
            .transaction(async |tx| mappings::update(tx, &mia, id, &change).await)
            .await
            .unwrap_err();
        assert_eq!(refusal.message(), "cyclic hierarchy");
        let spelled = json!({ "attribute1": "Cranes", "attribute2": "Harbour", "relationship": "org-hierarchy" });
        assert_eq!(status(mapping(&db, "mia", spelled).await), 400);
        let tree = hierarchy::tree(&db, &mia, None).await.unwrap();
        let leaf = |name: &str| json!({ "name": name, "type": "Team", "children": [] });
        let docks =
            json!({ "name": "Docks", "type": "Team", "children": [leaf("Cranes"), leaf("Boats")] });
        assert_eq!(
            tree,
            json!({ "count": 1, "data": [{ "name": "Harbour", "children": [docks] }] })
        );
        let below = hierarchy::tree(&db, &mia, Some("Docks")).await.unwrap();
        assert_eq!(below["data"][0]["children"].as_array().unwrap().len(), 2);
        person(
            &db,
            "mia",
            json!({ "email": "a@b.example", "team": "Cranes" }),
        )
        .await
        .unwrap();
        person(
            &db,
            "mia",
            json!({ "email": "c@d.example", "organization": "Harbour" }),
        )
        .await
        .unwrap();
        project(
            &db,
            "mia",
            json!({ "projectId": "p", "projectName": "P", "group": "Boats", "team": "Boats" }),
        )
        .await
        .unwrap();
        for (node, people_there, projects_there) in [
            ("Harbour", 2, 1),
            ("Docks", 1, 1),
            ("Cranes", 1, 0),
            ("none", 0, 0),
        ] {
            let found = read(people::list(&db, &mia, Some(node), ALL).await.unwrap(), &db).await;
            assert_eq!(found["count"], people_there, "{node}");
            let found = read(
                projects::list(&db, &mia, Some(node), ALL).await.unwrap(),
                &db,
            )
            .await;
            assert_eq!(found["count"], projects_there, "{node}");
        }
        for sql in [hierarchy::CLOSES, &hierarchy::below("?1", "?2")] {
            let values = windlass_core::params!["harbour", "a", "b", 0];
            let values = if sql == hierarchy::CLOSES {
                values
            } else {
                &values[..2]
            };
            let plan = plan(&db, sql, values).await;
            assert!(plan.contains("(tenant_name=? AND attribute1=?)"), "{plan}");
        }
    });
}
