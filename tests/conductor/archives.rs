//! Archives as large as they may be, by every way there is, and what is left of those that fail.

use crate::samples::CRANE;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use windlass_tests::{Archive, Entry, Options, Windlass, json};

/// More memory than this no instance may have, so a body that is kept whole kills it.
const MEMORY_MIB: u16 = 64;

/// An archive of almost 50 MiB, which does not become smaller by compression.
fn large() -> Archive {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut noise = |size: usize| -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(size);
        bytes
    };
    let file = |name: &str, content| Entry::File(format!("blueprint/{name}"), content);
    Archive::of([
        file("crane.yaml", CRANE.as_bytes().to_vec()),
        file("image-1", noise(30 << 20)),
        file("image-2", noise(19 << 20)),
    ])
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn fifty_megabytes_come_and_go_through_little_memory() {
    let windlass = Options::default()
        .memory_mib(MEMORY_MIB)
        .variable("outbound_allow_private", "true")
        .start();
    let admin = windlass.admin();
    let archive = large();
    for (id, bytes) in [
        ("zip", archive.zip()),
        ("tar", archive.tar()),
        ("tgz", gzip_stored(&archive.tar())),
    ] {
        assert!(bytes.len() > 49 << 20, "{id}");
        let blueprint = admin
            .upload_archive(id, "crane.yaml", bytes.clone())
            .expect(201);
        assert_eq!(blueprint["state"], "uploaded", "{id}: {blueprint}");
        let answer = admin
            .get(&format!("/blueprints/{id}/archive"))
            .expect_answer(200);
        let length = bytes.len().to_string();
        assert_eq!(answer.header("content-length"), Some(length.as_str()));
        assert!(answer.body == bytes, "{id} comes back byte for byte");
        if id == "tar" {
            // The icon makes a new archive of all its files.
            let path = format!("/blueprints/{id}/icon");
            admin.raw("PATCH", &path, "image/png", "icon").expect(200);
        }
        admin.delete(&format!("/blueprints/{id}")).expect(204);
    }
    let bytes = archive.tar();
    let url = format!("{}/archive.tar", served(bytes.clone()));
    for (id, is_async) in [("waited-for", false), ("not-waited-for", true)] {
        let params = json!({
            "application_file_name": "crane.yaml",
            "blueprint_archive_url": url,
            "async_upload": is_async,
        });
        admin.upload_params(id, &params).expect(201);
        windlass.run_pending_work();
        let blueprint = admin.get(&format!("/blueprints/{id}")).expect(200);
        assert_eq!(blueprint["state"], "uploaded", "{id}: {blueprint}");
        let answer = admin
            .get(&format!("/blueprints/{id}/archive"))
            .expect_answer(200);
        assert!(answer.body == bytes, "{id} comes back byte for byte");
    }
    let answer = chunked(
        &windlass,
        "/blueprints/raw?application_file_name=crane.yaml",
        &bytes,
    );
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let answer = admin.get("/blueprints/raw/archive").expect_answer(200);
    assert!(answer.body == bytes, "raw comes back byte for byte");
}

/// gzip without an attempt to compress, which takes long and is of no use for noise.
fn gzip_stored(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// A server that answers every request with these bytes.
fn served(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let length = bytes.len();
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&bytes);
        }
    });
    format!("http://{address}")
}

/// Uploads without saying how much there is, as old clients do; the answer.
fn chunked(windlass: &Windlass, path: &str, bytes: &[u8]) -> String {
    let request = windlass
        .admin()
        .compose("PUT", path, Some("application/json"), None);
    let mut stream = TcpStream::connect(windlass.address()).expect("it listens");
    let mut head = format!(
        "PUT {} HTTP/1.1\r\nhost: windlass\r\nconnection: close\r\ntransfer-encoding: chunked\r\n",
        request.path
    );
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    for chunk in bytes.chunks(8 << 10) {
        let size = format!("{:x}\r\n", chunk.len());
        stream.write_all(size.as_bytes()).expect("it reads");
        stream.write_all(chunk).expect("it reads");
        stream.write_all(b"\r\n").expect("it reads");
    }
    stream.write_all(b"0\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// How many blobs nobody names, and how many values there are of blobs at all.
fn blobs(windlass: &Windlass) -> (i64, i64) {
    let count = |database: rusqlite::Connection, sql: &str| {
        let count = database.query_row(sql, [], |row| row.get(0));
        count.expect("the table is there")
    };
    let loose = count(windlass.open_database(), "select count(*) from loose_blobs");
    let values = "select count(*) from spin_key_value where key like 'blob/%'";
    (loose, count(windlass.open_key_value(), values))
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn what_a_killed_upload_left_is_swept_after_an_hour() {
    let archive = Archive::blueprint(&[("crane.yaml", CRANE)]).tar_gz();
    let mut orphans = 0;
    for fault in [
        "kill-before-commit:1",
        "kill-after-commit:1",
        "kill-before-commit:2",
        "kill-after-commit:2",
    ] {
        let windlass = Windlass::start();
        windlass.admin().get("/status").expect(200);
        windlass.admin().get("/blueprints").expect(200);
        let windlass = windlass.kill().start_with(fault);
        let path = "/blueprints/crane?application_file_name=crane.yaml";
        let request =
            windlass
                .admin()
                .compose("PUT", path, Some("application/json"), Some(archive.clone()));
        let answer = windlass.try_send(&request);
        assert!(
            answer.is_err(),
            "{fault}: {:?}",
            answer.map(|answer| answer.status)
        );
        let windlass = windlass.kill().start();
        let admin = windlass.admin();
        let is_stored = admin.get("/blueprints/crane").status() == 200;
        let (loose, values) = blobs(&windlass);
        assert_eq!(values, i64::from(is_stored) + loose.min(values), "{fault}");
        if is_stored {
            // The commit was the last one: the blueprint is whole.
            assert_eq!(loose, 0, "{fault}");
            let answer = admin.get("/blueprints/crane/archive").expect_answer(200);
            assert_eq!(answer.body, archive, "{fault}");
        }
        orphans += loose.min(values);

        // Nobody's blob is left alone for an hour: it could be that of an upload under way.
        admin
            .upload_archive("second", "crane.yaml", archive.clone())
            .expect(201);
        assert_eq!(blobs(&windlass).0, loose, "{fault}");
        let age = "update loose_blobs set touched_at = touched_at - 3600001";
        windlass.open_database().execute(age, []).expect("a table");
        admin
            .upload_archive("third", "crane.yaml", archive.clone())
            .expect(201);
        assert_eq!(blobs(&windlass), (0, 2 + i64::from(is_stored)), "{fault}");
        for id in ["second", "third"] {
            let answer = admin
                .get(&format!("/blueprints/{id}/archive"))
                .expect_answer(200);
            assert_eq!(answer.body, archive, "{fault}: {id}");
        }
    }
    assert!(orphans > 0, "some fault hit between the blob and its row");
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn an_upload_that_nobody_waits_for_survives_a_kill() {
    let archive = Archive::blueprint(&[("crane.yaml", CRANE)]).tar_gz();
    for commit in 1..=8 {
        let windlass = Windlass::start();
        let path = "/blueprints/crane?application_file_name=crane.yaml&async_upload=true";
        let upload = windlass
            .admin()
            .raw("PUT", path, "application/json", archive.clone());
        upload.expect(201);
        windlass.run_pending_work();
        let usual = windlass.admin().get("/blueprints/crane").expect(200);
        assert_eq!(usual["state"], "uploaded");

        let windlass = windlass
            .kill()
            .start_with(&format!("kill-after-commit:{commit}"));
        let path = path.replace("crane?", "winch?");
        let request = windlass.admin().compose(
            "PUT",
            &path,
            Some("application/json"),
            Some(archive.clone()),
        );
        let accepted = windlass
            .try_send(&request)
            .is_ok_and(|answer| answer.status == 201);
        while windlass.try_tick().is_some_and(|answer| answer["ran"] != 0) {}
        let windlass = windlass.kill().start();
        windlass.expire_leases();
        windlass.run_pending_work();
        let reply = windlass.admin().get("/blueprints/winch");
        if accepted || reply.status() == 200 {
            let winch = reply.expect(200);
            assert_eq!(winch["state"], "uploaded", "commit {commit}: {winch}");
            assert_eq!(winch["upload_execution"]["status"], "terminated");
            assert_eq!(winch["plan"]["nodes"], usual["plan"]["nodes"]);
        }
    }
}

#[test]
fn a_slow_server_holds_no_client_that_does_not_wait() {
    let windlass = Options::default()
        .variable("outbound_allow_private", "true")
        .start();
    let archive = Archive::blueprint(&[("crane.yaml", CRANE)]).tar_gz();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it is asked");
        let _ = stream.read(&mut [0; 4096]);
        let _ = wait.recv();
        let length = archive.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(&archive).expect("it reads");
    });
    let params = json!({
        "application_file_name": "crane.yaml",
        "blueprint_archive_url": url,
        "async_upload": true,
    });
    let begun = windlass.admin().upload_params("crane", &params).expect(201);
    assert_eq!(begun["state"], "pending");
    assert_eq!(begun["upload_execution"]["status"], "started");
    // The nudge has it begun; until the server answers it is `uploading`.
    let deadline = Instant::now() + Duration::from_secs(20);
    let path = "/blueprints/crane?_include=state";
    while windlass.admin().get(path).expect(200)["state"] != "uploading" {
        assert!(Instant::now() < deadline, "nobody began the download");
        std::thread::sleep(Duration::from_millis(20));
    }
    windlass
        .admin()
        .upload_params("crane", &params)
        .refused(409, "conflict_error");
    go.send(()).expect("the server waits");
    server.join().expect("the server answered");
    windlass.run_pending_work();
    let crane = windlass.admin().get("/blueprints/crane").expect(200);
    assert_eq!(crane["state"], "uploaded", "{crane}");
    assert_eq!(crane["plan"]["nodes"].as_array().map(Vec::len), Some(2));
}

#[test]
fn settings_limit_what_is_kept() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    let size = "blueprint_folder_max_size_mb";
    admin
        .put(
            "/config/rest.blueprint_folder_max_size_mb",
            json!({ "value": 1 }),
        )
        .expect(200);
    let main = || Entry::File("blueprint/crane.yaml".into(), CRANE.as_bytes().to_vec());
    let zeros = || Entry::File("blueprint/zeros".into(), vec![0; 3 << 19]);
    for (what, bytes, status) in [
        ("an archive", Archive::of([main(), zeros()]).tar(), 413),
        (
            "what is in it",
            Archive::of([main(), zeros()]).tar_gz(),
            400,
        ),
        (
            "what is in a zip",
            Archive::of([main(), zeros()]).zip(),
            400,
        ),
    ] {
        let message = admin
            .upload_archive("crane", "crane.yaml", bytes)
            .refused(status, "bad_parameters_error");
        assert!(message.contains(size), "{what}: {message}");
        admin
            .get("/blueprints/crane")
            .refused(404, "not_found_error");
        assert_eq!(blobs(&windlass), (0, 0), "{what} is not kept");
    }
    let small = Archive::of([main()]).tar_gz();
    admin
        .upload_archive("crane", "crane.yaml", small)
        .expect(201);
}
