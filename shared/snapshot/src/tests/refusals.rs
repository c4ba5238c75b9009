//! Archives that are not restored, and what is there afterwards.

use super::*;

/// The archive with a file that was changed.
fn with_changed(archive: &[u8], name: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut old = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut new = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..old.len() {
        let mut file = old.by_index(at).unwrap();
        let path = file.name().unwrap().into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        if path == name {
            content = change(content);
        }
        new.start_file(path, SimpleFileOptions::default()).unwrap();
        new.write_all(&content).unwrap();
    }
    new.finish().unwrap().into_inner()
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |content| {
        let text = String::from_utf8(content).unwrap();
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    }
}

#[test]
fn what_is_damaged_or_foreign_is_refused_and_changes_nothing() {
    pollster::block_on(async {
        let first = filled().await;
        let snapshot = create(&first, "s").await;
        let archive = bytes(&first, &snapshot).await;
        let rows_of = |table: &str| format!("tables/{table}.jsonl");
        let mut flipped = archive.clone();
        flipped[archive.len() / 3] ^= 1;
        for (name, bytes, text) in [
            ("nothing", Vec::new(), "no snapshot"),
            ("text", b"hello".to_vec(), "no snapshot"),
            (
                "truncated",
                archive[..archive.len() - 100].to_vec(),
                "no snapshot",
            ),
            ("flipped", flipped, "no snapshot"),
            (
                "row",
                with_changed(&archive, &rows_of("tenants"), replaced("quay", "kuay")),
                "rows of tenants",
            ),
            (
                "lost row",
                with_changed(&archive, &rows_of("nodes"), |_| Vec::new()),
                "rows of nodes",
            ),
            (
                "blob",
                with_changed(&archive, manifest::BLOBS, |mut bytes| {
                    bytes[900] ^= 1;
                    bytes
                }),
                "blobs",
            ),
            (
                "short blob",
                with_changed(&archive, manifest::BLOBS, |bytes| bytes[..900].to_vec()),
                "blobs",
            ),
            (
                "format",
                with_changed(
                    &archive,
                    manifest::NAME,
                    replaced("windlass-snapshot", "other"),
                ),
                "another format",
            ),
            (
                "version",
                with_changed(
                    &archive,
                    manifest::NAME,
                    replaced("\"schema\": ", "\"schema\": 9"),
                ),
                "of version 9",
            ),
            (
                "column",
                with_changed(
                    &archive,
                    manifest::NAME,
                    replaced("\"tenant_name\"", "\"owner\""),
                ),
                "its tables",
            ),
            (
                "no manifest",
                with_changed(&archive, manifest::NAME, |_| Vec::new()),
                "manifest",
            ),
            (
                "no key",
                with_changed(&archive, manifest::NAME, replaced("\"v2:", "\"v2:0")),
                "",
            ),
        ] {
            let db = fresh().await;
            upload(&db, "s", &bytes).await;
            let (before, loose) = (rows(&db).await, "select count(*) from loose_blobs");
            let (status, error) = restore(&db, "s", true).await;
            if name == "no key" {
                // The beginning of a key's texts is only a name; the text itself still opens.
                assert_eq!(status, "terminated");
                continue;
            }
            assert_eq!(status, "failed", "{name}");
            assert!(error.contains(text), "{name}: {error}");
            assert_eq!(count(&db, loose).await, 0, "{name}");
            let after = rows(&db).await;
            for table in ["users", "tenants", "permissions", "config"] {
                assert_eq!(before[table], after[table], "{name}: {table}");
            }
        }
    });
}

#[test]
fn secrets_of_an_unknown_key_are_refused_until_the_key_is_named() {
    pollster::block_on(async {
        use windlass_core::platform::set_variable;
        let keys = |present: &str, old: &str| {
            set_variable("encryption_key", present);
            set_variable("old_encryption_keys", old);
            secretbox::forget_keys();
        };
        keys("first", "");
        let first = filled().await;
        let snapshot = create(&first, "s").await;
        let archive = bytes(&first, &snapshot).await;
        keys("second", "");
        let second = fresh().await;
        upload(&second, "s", &archive).await;
        let (status, error) = restore(&second, "s", true).await;
        assert_eq!(status, "failed");
        assert!(error.contains("old_encryption_keys"), "{error}");
        keys("second", "first");
        assert_eq!(restore(&second, "s", true).await.0, "terminated");
        let row = second
            .first("select value from secrets", &[])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            secretbox::open(row.text(0).unwrap()).await.unwrap(),
            b"plain"
        );
        keys("", "");
    });
}

/// A row that refers to nothing is found by the database, at the end of everything.
#[test]
fn rows_that_do_not_belong_together_leave_the_old_state() {
    pollster::block_on(async {
        let first = filled().await;
        first
            .execute("pragma foreign_keys = off", &[])
            .await
            .unwrap();
        first
            .execute(
                "update nodes set deployment_key = 12345 where deployment_id = 'd7'",
                &[],
            )
            .await
            .unwrap();
        let snapshot = create(&first, "s").await;
        let archive = bytes(&first, &snapshot).await;
        let second = fresh().await;
        upload(&second, "s", &archive).await;
        let before = (rows(&second).await, objects(&second).await);
        let flags = [
            ("force", true),
            ("restore_certificates", false),
            ("no_reboot", false),
        ];
        let parameters = executions::restoration_parameters("s", flags, 300);
        second
            .transaction(async |tx| executions::start_restoration(tx, &scope(), parameters).await)
            .await
            .unwrap();
        let error = task(&second).await.unwrap().run(&second).await;
        assert!(error.is_ok(), "{error:?}");
        let failed = format!(
            "select count(*) from executions where workflow_id = '{RESTORE}' and status = 'failed'
                 and error like '%do not belong together%'"
        );
        assert_eq!(count(&second, &failed).await, 1);
        let after = (rows(&second).await, objects(&second).await);
        assert_eq!(before.0["tenants"], after.0["tenants"]);
        assert_eq!(before.1, after.1);
        assert_eq!(count(&second, "select count(*) from deployments").await, 0);
    });
}
