use super::*;
use crate::resource::{self, New, Origin};
use serde_json::{Value, json};
use windlass_core::db::NativeDb;
use windlass_core::http::Method;
use windlass_core::list::ListQuery;
use windlass_core::{Request, Scope, Visibility};

fn scope() -> Scope {
    Scope::system("ann", "harbour")
}

async fn database() -> NativeDb {
    let db = crate::fresh_database().await;
    let tenants = "insert into tenants (name, created_at) values ('harbour', ''), ('quay', '')";
    db.execute(tenants, &[]).await.unwrap();
    db
}

/// A blob of one byte that nobody names yet.
async fn blob(db: &NativeDb) -> windlass_core::blob::Blob {
    let mut new = crate::blobs::NewBlob::begin(db, &Default::default())
        .await
        .unwrap();
    new.write(db, b"x").await.unwrap();
    new.finish().await.unwrap()
}

/// A plugin of this version with one file.
async fn plugin(db: &NativeDb, version: &str) -> NewPlugin {
    let (wagon, file) = (blob(db).await, blob(db).await);
    NewPlugin {
        about: About {
            package_name: "cloud".into(),
            package_version: version.into(),
            distribution: Some("centos".into()),
            wheels: vec!["cloud.whl".into()],
            ..About::default()
        },
        title: None,
        wagon: Wagon {
            name: format!("cloud-{version}.wgn"),
            blob: wagon.id,
            size: wagon.size,
            sha256: wagon.sha256,
        },
        files: vec![StoredFile {
            name: "plugin.yaml".into(),
            blob: file.id,
            size: file.size,
        }],
        blueprint_labels: None,
        labels: json!({ "a": ["b"] }).as_object().cloned(),
        resource_tags: None,
    }
}

fn new(id: &str, visibility: Visibility) -> New {
    New {
        id: id.into(),
        visibility,
        origin: Origin::default(),
    }
}

async fn uploaded(db: &NativeDb, scope: &Scope, id: &str, version: &str) -> Result<()> {
    let plugin = plugin(db, version).await;
    db.transaction(async |tx| insert(tx, scope, &new(id, Visibility::Tenant), &plugin).await)
        .await
}

async fn shown(db: &NativeDb, id: &str) -> Value {
    let statement = PLUGINS.named_statement(&scope(), None, id);
    let row = db.first_json(&statement.sql, &statement.parameters).await;
    row.unwrap().expect("it is there")
}

#[test]
fn a_plugin_is_shown_as_clients_know_it() {
    pollster::block_on(async {
        let db = database().await;
        uploaded(&db, &scope(), "p1", "1.0").await.unwrap();
        let mut shown = shown(&db, "p1").await;
        shown["uploaded_at"] = json!("now");
        let wanted = json!({
            "id": "p1", "title": "cloud", "package_name": "cloud", "package_version": "1.0",
            "package_source": null, "archive_name": "cloud-1.0.wgn", "distribution": "centos",
            "distribution_version": null, "distribution_release": null,
            "supported_platform": null, "supported_py_versions": [], "wheels": ["cloud.whl"],
            "excluded_wheels": null, "blueprint_labels": null, "labels": { "a": ["b"] },
            "resource_tags": null, "uploaded_at": "now", "installation_state": [],
            "yaml_url_path": "plugin:cloud?version=1.0&distribution=centos",
            "yaml_files_paths": ["/resources/plugins/p1/plugin.yaml"],
            "created_by": "ann", "tenant_name": "harbour", "visibility": "tenant",
            "private_resource": false, "resource_availability": "tenant",
        });
        assert_eq!(shown, wanted);
    });
}

#[test]
fn the_same_archive_of_a_package_is_there_once() {
    pollster::block_on(async {
        let db = database().await;
        uploaded(&db, &scope(), "p1", "1.0").await.unwrap();
        let again = uploaded(&db, &scope(), "p2", "1.0").await.unwrap_err();
        assert_eq!(again.kind(), Kind::Conflict);
        assert!(again.message().contains("cloud-1.0.wgn"), "{again:?}");
        uploaded(&db, &scope(), "p2", "1.1").await.unwrap();
        let quay = Scope::system("ann", "quay");
        uploaded(&db, &quay, "p3", "1.0").await.unwrap();
        db.execute(
            "update plugins set visibility = 'global' where id = 'p2'",
            &[],
        )
        .await
        .unwrap();
        let hidden = uploaded(&db, &quay, "p4", "1.1").await.unwrap_err();
        assert_eq!(hidden.kind(), Kind::Conflict);
    });
}

#[test]
fn blueprints_choose_among_what_their_tenant_sees() {
    pollster::block_on(async {
        let db = database().await;
        uploaded(&db, &scope(), "p1", "1.0").await.unwrap();
        uploaded(&db, &scope(), "p2", "1.1").await.unwrap();
        let offers_of = async |tenant| {
            let scope = Scope::system("ann", tenant);
            offers(&db, &scope, "cloud").await.unwrap()
        };
        let ids: Vec<String> = offers_of("harbour")
            .await
            .into_iter()
            .map(|o| o.id)
            .collect();
        assert_eq!(ids, ["p2", "p1"]);
        assert!(offers_of("quay").await.is_empty());
        let text = |id, name| file_text(&db, scope_ref(), id, name);
        assert_eq!(
            text("p1", "plugin.yaml").await.unwrap().as_deref(),
            Some("x")
        );
        assert_eq!(text("p1", "other.yaml").await.unwrap(), None);
        assert_eq!(text("p9", "plugin.yaml").await.unwrap(), None);
        let package = |version: Option<&str>| Package {
            name: "cloud".into(),
            version: version.map(str::to_owned),
        };
        let all = vec![package(None), package(Some("1.1")), package(Some("2"))];
        let missing = first_missing(&db, scope_ref(), all).await.unwrap();
        assert_eq!(missing, Some(package(Some("2"))));
    });
}

/// The scope of `harbour`, for closures that cannot own one.
fn scope_ref() -> &'static Scope {
    Box::leak(Box::new(scope()))
}

#[test]
fn what_is_deleted_leaves_its_blobs_to_the_sweep() {
    pollster::block_on(async {
        let db = database().await;
        uploaded(&db, &scope(), "p1", "1.0").await.unwrap();
        assert_eq!(crate::blobs::count_loose(&db).await.unwrap(), 0);
        db.transaction(async |tx| {
            let plugin: Plugin = resource::find_own(tx, &scope(), "p1").await?;
            let place = installation::Place::Manager("m1");
            let state = installation::State::Error;
            installation::request(tx, &scope(), &plugin, &[place]).await?;
            installation::report(tx, &scope(), &plugin, place, state, Some("no room")).await
        })
        .await
        .unwrap();
        let states = &shown(&db, "p1").await["installation_state"];
        let wanted =
            json!([{ "state": "error", "error": "no room", "manager": "m1", "agent": null }]);
        assert_eq!(*states, wanted);
        db.transaction(async |tx| {
            let plugin: Plugin = resource::find_own(tx, &scope(), "p1").await?;
            assert_eq!(files(tx, &plugin).await?.len(), 1);
            assert_eq!(wagon(tx, &plugin).await?.size, 1);
            delete(tx, &scope(), &plugin).await
        })
        .await
        .unwrap();
        assert_eq!(crate::blobs::count_loose(&db).await.unwrap(), 2);
    });
}

#[test]
fn users_of_a_plugin_are_named_as_far_as_they_are_seen() {
    pollster::block_on(async {
        let db = database().await;
        uploaded(&db, &scope(), "p1", "1.0").await.unwrap();
        db.execute(
            "insert into blueprints (key, id, tenant_name, created_by, visibility, created_at,
                 updated_at, state)
             values (1, 'crane', 'harbour', 'bob', 'tenant', '', '', 'uploaded'),
                 (2, 'mine', 'harbour', 'ann', 'private', '', '', 'uploaded'),
                 (3, 'secret', 'harbour', 'bob', 'private', '', '', 'uploaded'),
                 (4, 'theirs', 'quay', 'bob', 'tenant', '', '', 'uploaded'),
                 (5, 'shared', 'quay', 'bob', 'global', '', '', 'uploaded'),
                 (6, 'new', 'harbour', 'ann', 'tenant', '', '', 'parsing')",
            &[],
        )
        .await
        .unwrap();
        let uses = "insert into blueprint_plugins select key, 'cloud', '1.0' from blueprints";
        db.execute(uses, &[]).await.unwrap();
        let using = async || {
            let scope = Scope::in_name_of("ann", "harbour");
            let plugin: Plugin = resource::find(&db, &scope, "p1").await.unwrap();
            let Users { named, others } = blueprints_using(&db, &scope, &plugin).await.unwrap();
            (named.join(" "), others)
        };
        assert_eq!(using().await, ("crane mine".into(), 1));
        db.execute("update plugins set visibility = 'global'", &[])
            .await
            .unwrap();
        assert_eq!(using().await, ("crane mine shared".into(), 2));
    });
}

#[test]
fn a_snapshot_under_way_is_in_the_way() {
    pollster::block_on(async {
        let db = database().await;
        for (status, is_free) in [("terminated", true), ("started", false), ("queued", false)] {
            db.execute("delete from executions", &[]).await.unwrap();
            db.execute(
                "insert into executions (id, tenant_name, created_by, visibility, created_at,
                     workflow_id, status) values ('e', 'quay', 'a', 'tenant', '', 'create_snapshot', ?1)",
                &[status.into()],
            )
            .await
            .unwrap();
            assert_eq!(demand_no_snapshot(&db).await.is_ok(), is_free, "{status}");
        }
        let plan = db
            .plan(&snapshot_under_way(), &[])
            .await
            .unwrap()
            .join("\n");
        assert!(plan.contains("executions_by_status"), "{plan}");
    });
}

#[test]
fn lists_and_lookups_of_plugins_follow_indexes() {
    pollster::block_on(async {
        let db = database().await;
        for (text, index) in [
            ("", "plugins_by_tenant"),
            ("_sort=-uploaded_at", "plugins_by_creation"),
            ("_sort=package_name", "plugins_of_tenant_by_package"),
            ("package_name=cloud", "plugins_of_tenant_by_package"),
        ] {
            let request = Request::new(Method::GET, &format!("/plugins?{text}"));
            let query = ListQuery::parse(&PLUGINS, &request, &[]).unwrap();
            let statement = PLUGINS.page_statement(&scope(), &query);
            let plan = db
                .plan(&statement.sql, &statement.parameters)
                .await
                .unwrap();
            let plan = plan.join("\n");
            assert!(plan.contains(index), "{text}: {plan}");
            assert!(plan.contains("plugins_global"), "{text}: {plan}");
        }
    });
}
