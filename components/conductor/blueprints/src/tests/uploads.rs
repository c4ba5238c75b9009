//! Uploads that nobody waits for, and how large one may be.

use super::*;

#[test]
fn what_nobody_waits_for_is_done_by_the_queue() {
    pollster::block_on(async {
        let app = harbour().await;
        let path = "/blueprints/crane";
        let query = format!("{path}?async_upload=true&_include=id,state");
        let begun = app
            .expect("ann", Method::PUT, &query, &archive(CRANE), 201)
            .await;
        assert_eq!(begun, json!({ "id": "crane", "state": "uploading" }));
        let download = app
            .ask("ann", Method::GET, "/blueprints/crane/archive", b"")
            .await;
        assert_eq!(download.body, archive(CRANE), "its bytes are there already");
        app.run_uploads().await;
        let crane = app.expect("vera", Method::GET, path, b"", 200).await;
        assert_eq!(crane["state"], "uploaded");
        assert_eq!(crane["labels"][0]["key"], "team");
        assert_eq!(crane["upload_execution"]["status"], "terminated");

        // Labels of the request count for more than the blueprint's own.
        let query = "/blueprints/two?async_upload=true&labels=a=b";
        app.expect("ann", Method::PUT, query, &archive(CRANE), 201)
            .await;
        // One that was deleted meanwhile leaves nothing to do.
        let query = "/blueprints/three?async_upload=true";
        app.expect("ann", Method::PUT, query, &archive(CRANE), 201)
            .await;
        let three = "/blueprints/three?force=true";
        app.expect("ann", Method::DELETE, three, b"", 204).await;
        app.run_uploads().await;
        let two = app
            .expect("ann", Method::GET, "/blueprints/two", b"", 200)
            .await;
        assert_eq!(two["labels"].as_array().map(Vec::len), Some(1));
        assert_eq!(two["labels"][0]["key"], "a");
        assert_eq!(
            app.loose_blobs().await,
            1,
            "that of `three` is left to a sweep"
        );

        // No other server can be reached here: the failure stays visible.
        let query = "/blueprints/four?async_upload=true&blueprint_archive_url=http://example.com/a";
        let begun = app.expect("ann", Method::PUT, query, b"", 201).await;
        assert_eq!(begun["state"], "pending");
        app.run_uploads().await;
        let four = app
            .expect("ann", Method::GET, "/blueprints/four", b"", 200)
            .await;
        assert_eq!(four["state"], "failed_uploading");
        let error = four["error"].as_str().unwrap();
        assert!(error.contains("could not be downloaded"), "{error}");
        let left = app.db.first("select 1 from queue", &[]).await.unwrap();
        assert_eq!(left, None);
    });
}

#[test]
fn an_archive_url_that_cannot_be_used_leaves_a_failed_upload() {
    pollster::block_on(async {
        let app = harbour().await;
        for (index, (url, reason)) in [
            ("nonsense", "`nonsense` is not the URL of an archive"),
            ("http://", "is not the URL of an archive"),
            ("file:///etc/passwd", "is not the URL of an archive"),
            ("http://exa%20mple.com/a", "is not the URL of an archive"),
            ("http://example.com/%00", "is not the URL of an archive"),
            ("ftp://example.com/a.zip", "by ftp"),
            ("http://169.254.169.254/", "private or local address"),
        ]
        .into_iter()
        .enumerate()
        {
            let path = format!("/blueprints/crane-{index}");
            let query = format!("blueprint_archive_url={url}");
            let put = format!("{path}?{query}");
            let refusal = app.expect("ann", Method::PUT, &put, b"", 400).await;
            assert_eq!(refusal["error_code"], "invalid_blueprint_error", "{url}");
            let text = refusal["message"].as_str().unwrap();
            assert!(text.contains("has failed uploading"), "{text}");
            let failed = app.expect("ann", Method::GET, &path, b"", 200).await;
            assert_eq!(failed["state"], "failed_uploading", "{url}");
            assert_eq!(failed["upload_execution"]["status"], "failed", "{url}");
            let error = failed["error"].as_str().unwrap();
            assert!(error.contains(reason), "{error}");

            // Who does not wait finds the same, and another upload takes its place.
            let put = format!("{path}?{query}&async_upload=true");
            let begun = app.expect("ann", Method::PUT, &put, b"", 201).await;
            assert_eq!(begun["state"], "pending", "{url}");
            app.run_uploads().await;
            let later = app.expect("ann", Method::GET, &path, b"", 200).await;
            assert_eq!(later["state"], "failed_uploading", "{url}");
            assert_eq!(later["error"], failed["error"], "{url}");
            app.expect("ann", Method::PUT, &path, &archive(CRANE), 201)
                .await;

            let validate = format!("/blueprints/draft/validate?{query}");
            let answer = app.expect("ann", Method::PUT, &validate, b"", 201).await;
            assert_eq!(answer["status"], "failed", "{url}");
            assert_eq!(answer["error"], failed["error"], "{url}");
        }
        app.expect("ann", Method::GET, "/blueprints/draft", b"", 404)
            .await;
    });
}

#[test]
fn settings_limit_archives_and_what_they_unpack_to() {
    pollster::block_on(async {
        let app = harbour().await;
        let set = "update config set value = ?2 where name = ?1";
        for (name, value) in [
            ("blueprint_folder_max_size_mb", 1),
            ("blueprint_folder_max_files", 3),
        ] {
            app.db.execute(set, params![name, value]).await.unwrap();
        }
        // What no compression makes smaller.
        let mut state = 1_u64;
        let noise: Vec<u8> = (0..1_200_000)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect();
        let packed = |entries: &[(&str, &[u8])]| {
            let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            let mut builder = tar::Builder::new(encoder);
            for (name, content) in entries {
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, name, *content).unwrap();
            }
            builder.into_inner().unwrap().finish().unwrap()
        };
        let main = ("dir/blueprint.yaml", CRANE.as_bytes());
        let size = "blueprint_folder_max_size_mb";
        for (bytes, status, setting) in [
            (noise.clone(), 413, size),
            (packed(&[main, ("dir/noise", &noise)]), 413, size),
            (packed(&[main, ("dir/zeros", &[0; 1_100_000])]), 400, size),
            (
                packed(&[main, ("dir/1", b""), ("dir/2", b""), ("dir/3", b"")]),
                400,
                "blueprint_folder_max_files",
            ),
        ] {
            for path in ["/blueprints/crane", "/blueprints/crane/validate"] {
                let refusal = app.expect("ann", Method::PUT, path, &bytes, status).await;
                let message = refusal["message"].as_str().unwrap();
                assert!(message.contains(setting), "{message}");
            }
            app.expect("ann", Method::GET, "/blueprints/crane", b"", 404)
                .await;
            assert_eq!(app.loose_blobs().await, 0);
        }
        let fits = packed(&[main, ("dir/1", &noise[..900_000]), ("dir/2", b"")]);
        app.expect("ann", Method::PUT, "/blueprints/crane", &fits, 201)
            .await;
    });
}

#[test]
fn every_archive_is_read_to_its_end() {
    pollster::block_on(async {
        let app = harbour().await;
        let whole = archive(CRANE);
        let cut = &whole[..700];
        app.expect("ann", Method::PUT, "/blueprints/crane", &whole, 201)
            .await;
        for (path, status) in [
            ("/blueprints/crane/archive", 400),
            ("/blueprints/restored?skip_execution=true", 400),
            ("/blueprints/new", 400),
            ("/blueprints/new2/validate", 201),
        ] {
            let answer = app.expect("ann", Method::PUT, path, cut, status).await;
            assert!(answer.to_string().contains("damaged"), "{path}: {answer}");
        }
        let download = app
            .ask("ann", Method::GET, "/blueprints/crane/archive", b"")
            .await;
        assert_eq!(download.body, whole);
        assert_eq!(app.loose_blobs().await, 0);
    });
}

#[test]
fn what_is_being_downloaded_outlives_its_blueprint() {
    pollster::block_on(async {
        let app = harbour().await;
        let mut read = Vec::new();
        let path = "/blueprints/crane";
        let blob = async || {
            let scope = windlass_core::Scope::system("ann", "default_tenant");
            let crane = windlass_store::blueprints::find(&app.db, &scope, "crane").await;
            let archive = crane.unwrap().archive.unwrap();
            (archive.blob, archive.size)
        };
        app.expect("ann", Method::PUT, path, &archive(CRANE), 201)
            .await;
        read.push(blob().await);
        let put = format!("{path}/archive");
        app.expect("ann", Method::PUT, &put, &archive(CRANE), 200)
            .await;
        read.push(blob().await);
        let icon = format!("{path}/icon");
        app.expect("ann", Method::PATCH, &icon, b"picture", 200)
            .await;
        read.push(blob().await);
        app.expect("ann", Method::DELETE, path, b"", 204).await;
        for (blob, size) in &read {
            let bytes = windlass_core::blob::read(blob, *size).await;
            assert_eq!(bytes.unwrap().len() as u64, *size);
        }
        let in_an_hour = windlass_core::Timestamp::now().plus_seconds(3601);
        let swept = windlass_store::blobs::sweep(&app.db, in_an_hour).await;
        assert_eq!(swept.unwrap(), 3);
        for (blob, size) in &read {
            assert!(windlass_core::blob::read(blob, *size).await.is_err());
        }
    });
}
