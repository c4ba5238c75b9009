//! Changes to blueprints, and what depends on one.

use super::*;

#[test]
fn changes_touch_what_they_name_and_the_time_of_update() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        insert(&db, &scope, &upload("crane", State::Uploading))
            .await
            .unwrap();
        db.execute("update blueprints set updated_at = '2001'", &[])
            .await
            .unwrap();
        let crane = find(&db, &scope, "crane").await.unwrap();
        let changes = Changes {
            state: Some(State::Uploaded),
            description: Some("taller".into()),
            plan: Some(PlanTexts {
                full: Some(json!({ "nodes": [], "inputs": {} }).to_string()),
                stored: json!({}).to_string(),
                imports: vec![],
                packages: Vec::new(),
            }),
            ..Changes::default()
        };
        db.transaction(async |tx| save(tx, &scope, &crane, &changes).await)
            .await
            .unwrap();
        let after = shown(&db, &scope, "crane").await;
        assert_eq!(after["state"], "uploaded");
        assert_eq!(after["description"], "taller");
        let full = text_to_show(&db, crane.key).await.unwrap();
        assert!(matches!(full, Some(PlanText::Full(text)) if text.contains("inputs")));
        assert_eq!(after["main_file_name"], "blueprint.yaml");
        assert_ne!(after["updated_at"], "2001");
        written(&db, "new").await;
        db.transaction(async |tx| {
            save_archive(tx, &scope, &crane, &archive("new"), "blueprint_upload").await
        })
        .await
        .unwrap();
        assert_eq!(
            find(&db, &scope, "crane").await.unwrap().archive,
            Some(archive("new"))
        );
    });
}

#[test]
fn visibility_widens_only_where_the_id_is_free() {
    pollster::block_on(async {
        let db = fresh().await;
        let (harbour, quay) = (admin("harbour"), admin("quay"));
        for (scope, id) in [(&harbour, "crane"), (&quay, "crane"), (&harbour, "winch")] {
            insert(&db, scope, &upload(id, State::Uploaded))
                .await
                .unwrap();
        }
        let ann = user("ann", "harbour");
        for (scope, id, next, want) in [
            (&harbour, "crane", Visibility::Tenant, Ok(())),
            (
                &harbour,
                "crane",
                Visibility::Private,
                Err(Kind::IllegalAction),
            ),
            (&harbour, "crane", Visibility::Global, Err(Kind::Conflict)),
            (&ann, "winch", Visibility::Global, Err(Kind::Forbidden)),
            (&harbour, "winch", Visibility::Global, Ok(())),
            (
                &harbour,
                "winch",
                Visibility::Tenant,
                Err(Kind::IllegalAction),
            ),
        ] {
            let blueprint = find(&db, scope, id).await.unwrap();
            let got = db
                .transaction(async |tx| set_visibility(tx, scope, &blueprint, next).await)
                .await;
            assert_eq!(got.map_err(|error| error.kind()), want, "{id} -> {next}");
        }
        assert_eq!(
            find(&db, &quay, "winch").await.unwrap().visibility,
            Visibility::Global
        );
    });
}

#[test]
fn what_depends_on_a_blueprint_is_found() {
    pollster::block_on(async {
        let db = fresh().await;
        let (harbour, quay) = (admin("harbour"), admin("quay"));
        insert(&db, &harbour, &upload("base", State::Uploaded))
            .await
            .unwrap();
        let base = find(&db, &harbour, "base").await.unwrap();
        insert(&db, &quay, &upload("foreign", State::Uploaded))
            .await
            .unwrap();
        assert!(
            !is_imported(&db, &base).await.unwrap(),
            "its own row and another tenant's"
        );
        let mut everywhere = base.clone();
        everywhere.visibility = Visibility::Global;
        assert!(is_imported(&db, &everywhere).await.unwrap());
        insert(&db, &harbour, &upload("crane", State::Uploaded))
            .await
            .unwrap();
        assert!(is_imported(&db, &base).await.unwrap());

        assert!(dependent_deployments(&db, &base).await.unwrap().is_empty());
        db.execute(
            "insert into deployments (id, tenant_name, created_by, visibility, created_at,
                 updated_at, blueprint_key, blueprint_id, display_name)
             values ('d1', 'harbour', 'ann', 'tenant', '2024', '2024', ?1, 'base', 'd1')",
            params![base.key],
        )
        .await
        .unwrap();
        assert_eq!(dependent_deployments(&db, &base).await.unwrap(), ["d1"]);
        db.execute("delete from deployments", &[]).await.unwrap();

        db.transaction(async |tx| delete(tx, &harbour, &base).await)
            .await
            .unwrap();
        assert_eq!(
            find(&db, &harbour, "base").await.unwrap_err().kind(),
            Kind::NotFound
        );
        let left = labels::find(&db, &base).await.unwrap();
        assert!(left.is_empty());
        assert_eq!(plan(&db, &base).await.unwrap(), Value::Null);
    });
}

#[test]
fn what_an_update_refers_to_has_to_exist() {
    pollster::block_on(async {
        let db = fresh().await;
        let (harbour, quay) = (admin("harbour"), admin("quay"));
        insert(&db, &harbour, &upload("crane", State::Uploaded))
            .await
            .unwrap();
        let shown = shown(&db, &harbour, "crane").await;
        let execution = shown["upload_execution"]["id"].as_str().unwrap();
        assert!(demand_execution(&db, &harbour, execution).await.is_ok());
        let refusal = demand_execution(&db, &quay, execution).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::NotFound);
        let crane = find(&db, &harbour, "crane").await.unwrap();
        let same = demand_visibility(&db, &harbour, &crane, Visibility::Tenant).await;
        assert!(same.is_ok());
        let narrower = demand_visibility(&db, &harbour, &crane, Visibility::Private).await;
        assert_eq!(narrower.unwrap_err().kind(), Kind::IllegalAction);
    });
}

#[test]
fn a_large_plan_is_kept_in_pieces_and_replaced_as_a_whole() {
    pollster::block_on(async {
        let db = fresh().await;
        let scope = admin("harbour");
        insert(&db, &scope, &upload("crane", State::Pending))
            .await
            .unwrap();
        let crane = find(&db, &scope, "crane").await.unwrap();
        for (count, pieces) in [(300_000, 5), (100_000, 2), (10, 0)] {
            let stored = json!({ "nodes": [], "text": "größe ".repeat(count) });
            let changes = Changes {
                plan: Some(PlanTexts {
                    full: None,
                    stored: stored.to_string(),
                    imports: vec![],
                    packages: Vec::new(),
                }),
                ..Changes::default()
            };
            db.transaction(async |tx| save(tx, &scope, &crane, &changes).await)
                .await
                .unwrap();
            assert_eq!(plan(&db, &crane).await.unwrap(), stored);
            let text = PlanText::Stored(stored.to_string());
            assert_eq!(text_to_show(&db, crane.key).await.unwrap(), Some(text));
            let sql = "select count(*), coalesce(max(length(cast(text as blob))), 0)
                       from blueprint_plan_pieces";
            let row = db.first(sql, &[]).await.unwrap().unwrap();
            assert_eq!(row.integer(0).unwrap(), pieces, "{count}");
            assert!(row.integer(1).unwrap() <= 512 << 10);
        }
    });
}
