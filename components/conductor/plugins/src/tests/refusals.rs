//! What is no plugin.

use super::*;

#[test]
fn what_is_no_plugin_is_refused_and_leaves_nothing() {
    let harbour = Harbour::new();
    let good = wagon("cloud", "1.0");
    let mut cut = good.clone();
    cut.truncate(good.len() / 2);
    let without = |field: &str| {
        let mut metadata = metadata("cloud", "1.0");
        metadata.as_object_mut().unwrap().remove(field);
        wagon_of(&metadata)
    };
    let with = |field: &str, value: Value| {
        let mut metadata = metadata("cloud", "1.0");
        metadata[field] = value;
        wagon_of(&metadata)
    };
    let bomb = vec![0; 9 << 20];
    pollster::block_on(harbour.db.execute(
        "update config set value = '2' where name = 'plugin_archive_max_size_mb'",
        &[],
    ))
    .unwrap();
    for (archive, code, part) in [
        (
            b"hello".to_vec(),
            "invalid_plugin_error",
            "input can be only a wagon or a zip file.",
        ),
        (
            tar_gz(&[("a/b", b"c")]),
            "invalid_plugin_error",
            "input can be only a wagon or a zip",
        ),
        (
            tar_gz(&[("b", b"c")]),
            "invalid_plugin_error",
            "input can be only a wagon or a zip",
        ),
        (
            zip(&[("a.yaml", b"a: b")]),
            "invalid_plugin_error",
            "must include one wgn file",
        ),
        (
            zip(&[("a.wgn", &good), ("b.wgn", &good)]),
            "invalid_plugin_error",
            "must include one wgn",
        ),
        (
            zip(&[("a.wgn", b"hello")]),
            "invalid_plugin_error",
            "The wagon is no wagon",
        ),
        (
            zip(&[("a.wgn", &good), ("p.yaml", b"a: [")]),
            "invalid_plugin_error",
            "p.yaml cannot be used",
        ),
        (
            zip(&[
                ("a.wgn", &good),
                ("p.yaml", b"labels: {'a b': {values: [c]}}"),
            ]),
            "invalid_plugin_error",
            "labels",
        ),
        (
            zip(&[("a.wgn", &good), ("x/p.yaml", b""), ("y/p.yaml", b"")]),
            "invalid_plugin_error",
            "same name",
        ),
        (cut, "invalid_plugin_error", "Archive is damaged"),
        (
            tar_gz(&[("cloud/package.json", b"{"), ("cloud/x", b"")]),
            "invalid_plugin_error",
            "no usable JSON",
        ),
        (
            without("package_name"),
            "invalid_plugin_error",
            "has no package_name",
        ),
        (
            without("package_version"),
            "invalid_plugin_error",
            "has no package_version",
        ),
        (
            with("wheels", json!([7])),
            "invalid_plugin_error",
            "more than texts",
        ),
        (
            with("archive_name", json!("../../etc/x.wgn")),
            "invalid_plugin_error",
            "not the name of a file",
        ),
        (
            with("supported_platform", json!({})),
            "invalid_plugin_error",
            "not a usable text",
        ),
        (
            tar_gz(&[("cloud/../../etc/passwd", b"x")]),
            "invalid_plugin_error",
            "illegal name",
        ),
        (
            tar_gz(&[("cloud/package.json", &bomb)]),
            "invalid_plugin_error",
            "unpacks to more than",
        ),
        (
            Vec::new(),
            "bad_parameters_error",
            "carries no plugin archive",
        ),
    ] {
        let refusal = harbour.upload("", archive, 400);
        let message = refusal["message"].as_str().unwrap();
        assert!(message.contains(part), "{part}: {message}");
        assert_eq!(refusal["error_code"], code, "{part}");
    }
    let large = harbour.upload("", vec![7; (2 << 20) + 1], 413);
    assert!(
        large["message"].as_str().unwrap().contains("2 MB"),
        "{large}"
    );
    for (query, status) in [
        ("?visibility=all", 400),
        ("?visibility=tenant&private_resource=true", 400),
        ("?id=a%20b", 400),
        ("?uploaded_at=yesterday", 400),
        ("?created_by=nobody", 400),
        ("?plugin_archive_url=ftp://example.com/a.wgn", 400),
        (
            "?plugin_archive_url=http://user:secret@example.com/a.wgn",
            400,
        ),
        ("?_include=x", 400),
    ] {
        let refusal = harbour.upload(query, good.clone(), status);
        assert!(!refusal.to_string().contains("secret"), "{refusal}");
    }
    for table in ["plugins", "plugin_files", "loose_blobs", "audit_log"] {
        assert_eq!(
            harbour.number(&format!("select count(*) from {table}")),
            0,
            "{table}"
        );
    }
}
