//! Stories of the handlers, on the native database and an in-memory blob store.

use serde_json::{Value, json};
use windlass_core::app::{self, Identity as _};
use windlass_core::db::{Db, NativeDb};
use windlass_core::http::Method;
use windlass_core::platform::{TICK_TOKEN_HEADER, TICK_TOKEN_KEY, kv};
use windlass_core::router::Router;
use windlass_core::{Family, Request, Response, params};
use windlass_identity::Identity;
use windlass_store::queue;

mod large;
mod plugins_updates;
mod uploads;

const CRANE: &str = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
description: a crane
blueprint_labels: {Team: {values: [dock]}}
node_templates: {arm: {type: cloudify.nodes.Root}}
";

const BROKEN: &str = "tosca_definitions_version: cloudify_dsl_1_4
node_templates: {arm: {type: nonsense}}
";

const USER_OF_CRANE: &str = "tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml, 'c--blueprint:crane']
";

/// A tar archive with this main file.
fn archive(main_file: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(main_file.len() as u64);
    builder
        .append_data(&mut header, "dir/blueprint.yaml", main_file.as_bytes())
        .unwrap();
    builder.into_inner().unwrap()
}

struct Application {
    db: NativeDb,
    router: Router<NativeDb>,
}

impl Application {
    async fn start() -> Self {
        let db = NativeDb::in_memory();
        Identity::prepare(&db).await.unwrap();
        let router = Router::new(crate::routes()).unwrap();
        let application = Self { db, router };
        application.tenant_with("quay", "quentin", "user").await;
        application
            .tenant_with("default_tenant", "vera", "viewer")
            .await;
        application
    }

    /// A tenant with a user, who logs in with a token.
    async fn tenant_with(&self, tenant: &str, user: &str, role: &str) {
        for (sql, parameters) in [
            (
                "insert or ignore into tenants (name, created_at) values (?1, '2024')",
                params![tenant],
            ),
            (
                "insert into users (username, password_hash, role, created_at)
                 values (?1, '', 'default', '2024')",
                params![user],
            ),
            (
                "insert into tenant_users (tenant_name, user_id, role)
                 select ?2, id, ?3 from users where username = ?1",
                params![user, tenant, role],
            ),
            (
                "insert into tokens (id, user_id, secret_hash, created_at)
                 select ?1, id, ?2, '2024' from users where username = ?1",
                params![user, windlass_core::hashing::digest("secret")],
            ),
        ] {
            self.db.execute(sql, parameters).await.unwrap();
        }
    }

    /// The answer to a request of somebody.
    async fn ask(&self, who: &str, method: Method, path: &str, body: &[u8]) -> Response {
        let tenant = if who == "quentin" {
            "quay"
        } else {
            "default_tenant"
        };
        let token = format!("ctok-{who}-secret");
        let mut request = Request::new(method, &format!("/api/v3.1{path}"))
            .header("authentication-token", &token)
            .header("tenant", tenant);
        request.body = body.to_vec();
        let (db, id) = (self.db.clone(), "test".to_owned());
        let family = Family::Conductor;
        let mut response = app::handle::<Identity, _>(&self.router, db, family, request, id).await;
        if let Some((blob, size)) = response.blob.take() {
            response.body = windlass_core::blob::read(&blob, size).await.unwrap();
        }
        if let Some(made) = response.made.take() {
            response.body = made.read().await.unwrap();
        }
        response
    }

    /// Does what the queue holds of uploads, as the scheduler would have it done.
    async fn run_uploads(&self) {
        let now = windlass_core::Timestamp::now();
        kv::set(TICK_TOKEN_KEY, b"tick").await.unwrap();
        let rows = queue::lease(&self.db, "holder", 10, 5000, now).await;
        for row in rows.unwrap() {
            assert_eq!(row.work, queue::Work::BlueprintUpload);
            let path = format!("/api/v3.1/blueprints/{}/continue-upload", row.subject);
            let mut request = Request::new(Method::POST, &path).header(TICK_TOKEN_HEADER, "tick");
            let body = json!({ "holder": "holder", "key": row.key });
            request.body = body.to_string().into_bytes();
            let (db, id) = (self.db.clone(), "test".to_owned());
            let family = Family::Conductor;
            let response = app::handle::<Identity, _>(&self.router, db, family, request, id);
            assert_eq!(response.await.status, 200);
        }
    }

    /// How many blobs belong to no row.
    async fn loose_blobs(&self) -> i64 {
        windlass_store::blobs::count_loose(&self.db).await.unwrap()
    }

    /// The JSON of an answer that has this status.
    async fn expect(
        &self,
        who: &str,
        method: Method,
        path: &str,
        body: &[u8],
        status: u16,
    ) -> Value {
        let response = self.ask(who, method.clone(), path, body).await;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert_eq!(response.status, status, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

async fn harbour() -> Application {
    let application = Application::start().await;
    application
        .tenant_with("default_tenant", "ann", "user")
        .await;
    application
}

#[test]
fn an_upload_can_be_read_and_downloaded_and_is_gone_when_deleted() {
    pollster::block_on(async {
        let app = harbour().await;
        let bytes = archive(CRANE);
        let crane = app
            .expect("ann", Method::PUT, "/blueprints/crane", &bytes, 201)
            .await;
        assert_eq!(crane["state"], "uploaded");
        assert_eq!(crane["labels"][0]["key"], "team");
        assert_eq!(crane["plan"]["nodes"][0]["name"], "arm");
        let path = "/blueprints/crane?_include=description";
        let got = app.expect("vera", Method::GET, path, b"", 200).await;
        assert_eq!(got, json!({ "description": "a crane" }));
        let download = app
            .ask("vera", Method::GET, "/blueprints/crane/archive", b"")
            .await;
        assert_eq!(download.body, bytes);
        let name = (
            "content-disposition",
            "attachment; filename=\"crane.tar\"".to_owned(),
        );
        assert!(download.headers.contains(&name));
        app.expect("vera", Method::DELETE, "/blueprints/crane", b"", 403)
            .await;
        app.expect("ann", Method::DELETE, "/blueprints/crane", b"", 204)
            .await;
        app.expect("ann", Method::GET, "/blueprints/crane", b"", 404)
            .await;
    });
}

#[test]
fn a_failed_upload_stays_with_its_reason_until_the_next_one() {
    pollster::block_on(async {
        let app = harbour().await;
        let path = "/blueprints/crane";
        for (bytes, state, code) in [
            (
                b"no archive".to_vec(),
                "failed_uploading",
                "bad_parameters_error",
            ),
            (archive(BROKEN), "invalid", "invalid_blueprint_error"),
        ] {
            let refusal = app.expect("ann", Method::PUT, path, &bytes, 400).await;
            assert_eq!(refusal["error_code"], code, "{refusal}");
            let failed = app.expect("ann", Method::GET, path, b"", 200).await;
            assert_eq!(failed["state"], state);
            assert!(failed["error"].is_string() && failed["plan"].is_null());
        }
        let asynchronous = format!("{path}?async_upload=True");
        let begun = app
            .expect("ann", Method::PUT, &asynchronous, &archive(BROKEN), 201)
            .await;
        assert_eq!(begun["state"], "uploading");
        assert_eq!(begun["upload_execution"]["status"], "started");
        // Until it has ended it is in the way of another.
        app.expect("ann", Method::PUT, path, &archive(CRANE), 409)
            .await;
        app.expect("ann", Method::DELETE, path, b"", 400).await;
        app.run_uploads().await;
        let failed = app.expect("ann", Method::GET, path, b"", 200).await;
        assert_eq!(failed["state"], "invalid", "{failed}");
        assert_eq!(failed["upload_execution"]["status"], "failed");
        assert_eq!(app.loose_blobs().await, 1, "its archive is left to a sweep");
        app.expect("ann", Method::PUT, path, &archive(CRANE), 201)
            .await;
        let refusal = app
            .expect("ann", Method::PUT, path, &archive(CRANE), 409)
            .await;
        assert_eq!(refusal["error_code"], "conflict_error");
    });
}

#[test]
fn what_is_refused_leaves_nothing() {
    pollster::block_on(async {
        let app = harbour().await;
        let bytes = archive(CRANE);
        for (who, path, status) in [
            ("vera", "/blueprints/crane", 403),
            ("nobody", "/blueprints/crane", 401),
            ("ann", "/blueprints/1crane", 400),
            ("ann", "/blueprints/crane?visibility=global", 403),
            ("ann", "/blueprints/crane?visibility=wide", 400),
            ("ann", "/blueprints/crane?labels=csys-mine=x", 400),
            ("ann", "/blueprints/crane?created_by=vera", 403),
            ("ann", "/blueprints/crane?_include=x", 400),
            (
                "ann",
                "/blueprints/crane?blueprint_archive_url=http://example.com/a",
                400,
            ),
            (
                "ann",
                "/blueprints/crane?skip_execution=true&state=uploaded",
                400,
            ),
        ] {
            app.expect(who, Method::PUT, path, &bytes, status).await;
        }
        // Else its password would be in what the upload was asked to do, for everybody to read.
        for url in [
            "http://ann:secret@example.com/a.zip",
            "ftp://ann:secret@example.com/a.zip",
            "http://ann:se%20cret@example.com",
            "ann:secret@example.com/a.zip",
        ] {
            let path = format!("/blueprints/crane?blueprint_archive_url={url}");
            let refusal = app.expect("ann", Method::PUT, &path, b"", 400).await;
            let text = refusal["message"].as_str().unwrap();
            assert!(text.contains("user name or password"), "{text}");
        }
        let list = app
            .expect("ann", Method::GET, "/blueprints", b"", 200)
            .await;
        assert_eq!(list["items"], json!([]));
        assert_eq!(app.loose_blobs().await, 0);
    });
}

#[test]
fn another_tenant_sees_a_private_blueprint_as_little_as_a_plain_one() {
    pollster::block_on(async {
        let app = harbour().await;
        let bytes = archive(CRANE);
        app.expect(
            "ann",
            Method::PUT,
            "/blueprints/mine?visibility=private",
            &bytes,
            201,
        )
        .await;
        app.expect("ann", Method::PUT, "/blueprints/crane", &bytes, 201)
            .await;
        for (who, id, status) in [
            ("ann", "mine", 200),
            ("vera", "mine", 404),
            ("vera", "crane", 200),
            ("quentin", "crane", 404),
        ] {
            app.expect(who, Method::GET, &format!("/blueprints/{id}"), b"", status)
                .await;
            let path = format!("/blueprints/{id}/archive");
            let response = app.ask(who, Method::GET, &path, b"").await;
            assert_eq!(response.status, status, "{who} {path}");
        }
        let body = br#"{"labels": []}"#;
        app.expect("quentin", Method::PATCH, "/blueprints/crane", body, 404)
            .await;
        app.expect("quentin", Method::PUT, "/blueprints/crane", &bytes, 201)
            .await;
    });
}

#[test]
fn an_imported_blueprint_is_deleted_by_force_only() {
    pollster::block_on(async {
        let app = harbour().await;
        app.expect(
            "ann",
            Method::PUT,
            "/blueprints/user",
            &archive(USER_OF_CRANE),
            400,
        )
        .await;
        app.expect(
            "ann",
            Method::PUT,
            "/blueprints/crane",
            &archive(CRANE),
            201,
        )
        .await;
        let path = "/blueprints/user";
        let user = app
            .expect("ann", Method::PUT, path, &archive(USER_OF_CRANE), 201)
            .await;
        assert_eq!(user["plan"]["imported_blueprints"], json!(["crane"]));
        let refusal = app
            .expect("ann", Method::DELETE, "/blueprints/crane", b"", 405)
            .await;
        assert_eq!(refusal["error_code"], "blueprint_in_use");
        app.expect(
            "ann",
            Method::DELETE,
            "/blueprints/crane?force=True",
            b"",
            204,
        )
        .await;
    });
}

#[test]
fn a_validation_answers_like_an_upload_and_keeps_no_blueprint() {
    pollster::block_on(async {
        let app = harbour().await;
        let path = "/blueprints/crane/validate";
        for (main_file, status) in [(CRANE, "terminated"), (BROKEN, "failed")] {
            let answer = app
                .expect("ann", Method::PUT, path, &archive(main_file), 201)
                .await;
            assert_eq!(answer["state"], "validating");
            assert_eq!(answer["upload_execution"]["status"], status);
            app.expect("ann", Method::GET, "/blueprints/crane", b"", 404)
                .await;
        }
        app.expect("ann", Method::PUT, path, b"no archive", 400)
            .await;
    });
}

#[test]
fn labels_are_replaced_as_a_whole_and_listed() {
    pollster::block_on(async {
        let app = harbour().await;
        let path = "/blueprints/crane";
        app.expect("ann", Method::PUT, path, &archive(CRANE), 201)
            .await;
        let body = br#"{"labels": [{"Env": ["b", "a"]}]}"#;
        let crane = app.expect("ann", Method::PATCH, path, body, 200).await;
        assert_eq!(crane["labels"].as_array().map(Vec::len), Some(2));
        let keys = app
            .expect("vera", Method::GET, "/labels/blueprints", b"", 200)
            .await;
        assert_eq!(keys["items"], json!(["env"]));
        let values = app
            .expect("vera", Method::GET, "/labels/blueprints/ENV", b"", 200)
            .await;
        assert_eq!(values["items"], json!(["a", "b"]));
        for (body, status) in [
            (&b"{}"[..], 400),
            (b"{\"labels\": null}", 400),
            (b"{\"colour\": \"red\"}", 400),
            (b"{\"state\": \"invalid\", \"labels\": []}", 409),
        ] {
            app.expect("ann", Method::PATCH, path, body, status).await;
        }
    });
}

#[test]
fn an_icon_becomes_part_of_the_archive() {
    pollster::block_on(async {
        let app = harbour().await;
        app.expect(
            "ann",
            Method::PUT,
            "/blueprints/crane",
            &archive(CRANE),
            201,
        )
        .await;
        app.expect(
            "ann",
            Method::PATCH,
            "/blueprints/crane/icon",
            b"picture",
            200,
        )
        .await;
        let download = app
            .ask("ann", Method::GET, "/blueprints/crane/archive", b"")
            .await;
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(download.body.as_slice()));
        let names: Vec<_> = tar
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().into_owned())
            .collect();
        assert_eq!(
            names,
            ["dir/blueprint.yaml", "dir/icon.png"].map(std::path::PathBuf::from)
        );
        app.expect(
            "quentin",
            Method::PATCH,
            "/blueprints/crane/icon",
            b"x",
            404,
        )
        .await;
        app.expect(
            "ann",
            Method::PUT,
            "/blueprints/crane/archive",
            b"none",
            400,
        )
        .await;
        let path = "/blueprints/crane/archive";
        assert_eq!(
            app.expect("ann", Method::PUT, path, &archive(CRANE), 200)
                .await,
            Value::Null
        );
    });
}
