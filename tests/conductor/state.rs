//! What whoever runs the application does with its state: looks at it, copies it, puts it back.

use crate::samples;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use windlass_tests::{Folder, host_command};
use windlass_tests::{Options, Windlass};

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn refused(output: &Output) -> String {
    let (printed, problem) = texts(output);
    assert_eq!(output.status.code(), Some(1), "{printed}{problem}");
    problem
}

fn done(output: &Output) -> String {
    let (printed, problem) = texts(output);
    assert!(output.status.success(), "{printed}{problem}");
    printed
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of the tests is text")
}

#[test]
fn a_backup_of_a_running_application_brings_back_what_was_there() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    let archive = admin
        .get("/blueprints/crane/archive")
        .expect_answer(200)
        .body;
    let place = Folder::new();
    let backup = place.path().join("monday");

    let told = done(&windlass.try_host_command(&["backup", text(&backup)]));
    assert!(told.contains("sqlite_db.db: "), "{told}");
    let again = refused(&windlass.try_host_command(&["backup", text(&backup)]));
    assert!(again.contains("is not empty: name a new folder"), "{again}");
    for name in ["", "sqlite_db.db", "sqlite_key_value.db", "backup.json"] {
        let mode = fs::metadata(backup.join(name))
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }

    admin.delete("/deployments/crane").expect(204);
    windlass.run_pending_work();
    admin.get("/deployments/crane").expect(404);
    let in_use = refused(&windlass.try_host_command(&["restore", text(&backup)]));
    assert!(in_use.contains("is in use by process "), "{in_use}");
    assert!(
        in_use.contains(&format!("http://{}", windlass.address())),
        "{in_use}"
    );

    let stopped = windlass.stop();
    let told = done(&stopped.try_host_command(&["restore", text(&backup)]));
    let kept = told
        .lines()
        .find_map(|line| line.strip_prefix("What was there before is in "));
    let kept = Path::new(kept.expect("it says where")).to_owned();
    assert!(kept.join("sqlite_db.db").is_file());
    let windlass = stopped.start();
    let admin = windlass.admin();
    admin.get("/deployments/crane").expect(200);
    assert_eq!(
        admin
            .get("/blueprints/crane/archive")
            .expect_answer(200)
            .body,
        archive
    );
    admin.execute("crane", "install");
    windlass.run_pending_work();
    let told = windlass.host_command(&["audit-store"]);
    assert!(!told.contains("wrong: "), "{told}");
    fs::remove_dir_all(kept).expect("it can go");
}

#[test]
fn what_is_no_sound_backup_changes_nothing() {
    let windlass = Windlass::start();
    samples::deployed(windlass.admin(), "crane");
    let place = Folder::new();
    let backup = place.path().join("monday");
    done(&windlass.try_host_command(&["backup", text(&backup)]));
    let stopped = windlass.stop();
    let restore = |from: &Path| refused(&stopped.try_host_command(&["restore", text(from)]));

    let nothing = restore(place.path());
    assert!(
        nothing.contains("is no backup: it has no backup.json"),
        "{nothing}"
    );
    let records = backup.join("sqlite_db.db");
    let whole = fs::read(&records).expect("it is there");
    fs::write(&records, &whole[..whole.len() / 2]).expect("it can be written");
    let cut = restore(&backup);
    assert!(cut.contains("is not what was copied"), "{cut}");
    let mut other = whole.clone();
    other[whole.len() / 2] ^= 1;
    fs::write(&records, &other).expect("it can be written");
    let bit = restore(&backup);
    assert!(bit.contains("is not what was copied"), "{bit}");
    fs::remove_file(&records).expect("it can go");
    let missing = restore(&backup);
    assert!(missing.contains("cannot read"), "{missing}");

    let windlass = stopped.start();
    windlass.admin().get("/deployments/crane").expect(200);
}

#[test]
fn a_database_of_a_newer_version_is_neither_served_nor_restored() {
    let windlass = Windlass::start();
    let newer = "insert into schema_versions values (9999, 'of a later version', '')";
    windlass.open_database().execute(newer, []).expect("SQL");
    let place = Folder::new();
    let backup = place.path().join("later");
    done(&windlass.try_host_command(&["backup", text(&backup)]));
    let text_of_it = "of a newer version of this program: its schema is 9999";

    let (printed, _) = texts(&windlass.try_host_command(&["check"]));
    assert!(printed.contains(text_of_it), "{printed}");
    let stopped = windlass.stop();
    let problem = refused(&stopped.try_host_command(&["up", "--listen", "127.0.0.1:0"]));
    assert!(problem.contains(text_of_it), "{problem}");
    let fresh = place.path().join("state");
    let problem = refused(&host_command(&fresh, &["restore", text(&backup)]));
    assert!(problem.contains(text_of_it), "{problem}");
    assert!(!fresh.exists());
}

#[test]
fn a_state_folder_has_one_server_and_is_for_its_owner_alone() {
    let state = Folder::new();
    let path = state.path().join("new");
    let windlass = Windlass::start();
    let second = refused(&windlass.try_host_command(&["up", "--listen", "127.0.0.1:0"]));
    assert!(second.contains("is in use by process "), "{second}");

    let taken = windlass.address().to_string();
    let problem = refused(&host_command(&path, &["up", "--listen", &taken]));
    assert!(
        problem.contains(&format!("{taken} is already in use")),
        "{problem}"
    );

    for name in ["sqlite_db.db", "sqlite_key_value.db"] {
        let mode = fs::metadata(windlass.state().join(name)).expect("it is there");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let mode = fs::metadata(&path)
        .expect("the folder was made")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    // An open folder is noticed.
    fs::set_permissions(windlass.state(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let (printed, _) = texts(&windlass.try_host_command(&["check"]));
    assert!(printed.contains("can be read by others"), "{printed}");
}

/// Values that an operator might write, and what is said about each.
const WRONG: [(&str, &str, &str); 16] = [
    (
        "queue_lease_seconds",
        "abc",
        "queue_lease_seconds is not a whole number",
    ),
    (
        "queue_lease_seconds",
        "0",
        "queue_lease_seconds is not within 1 and 600",
    ),
    (
        "queue_lease_seconds",
        "86400",
        "queue_lease_seconds is not within 1 and 600",
    ),
    (
        "outbound_allow_private",
        "maybe",
        "outbound_allow_private is neither true nor false",
    ),
    (
        "trust_forwarded_for",
        "proxy",
        "trust_forwarded_for is neither true nor false",
    ),
    (
        "self_url",
        "windlass.example",
        "self_url is not the URL of a server",
    ),
    (
        "public_url",
        "ftp://windlass.example",
        "public_url is not the URL of a server",
    ),
    (
        "public_url",
        "https://w.example/?a",
        "public_url is not the URL of a server",
    ),
    (
        "status_jwt_secret",
        "only 31 bytes, which is one off",
        "status_jwt_secret has 31 bytes",
    ),
    ("encryption_key", "short", "encryption_key has 5 bytes"),
    ("tick_token", "t", "tick_token has 1 bytes"),
    ("admin_password", "a", "admin_password has 1 bytes"),
    ("mail_url", "relay", "mail_url"),
    (
        "mail_url",
        "smtps://relay.example",
        "mail_url cannot be smtps",
    ),
    ("mail_url", "smtp://", "mail_url"),
    (
        "mail_url",
        "smtp://u:p@relay.example.com",
        "mail_url has a password for a server that is not",
    ),
];

#[test]
fn settings_that_cannot_be_understood_stop_the_start_with_a_sentence() {
    let windlass = Windlass::start();
    for (name, value, expected) in WRONG {
        let variable = format!("{name}={value}");
        let arguments = [
            "check",
            "--variable",
            &variable,
            "--variable",
            "mail_from=w@example.org",
        ];
        let (printed, problem) = texts(&windlass.try_host_command(&arguments));
        let line = printed
            .lines()
            .find(|line| line.starts_with("wrong  settings: "));
        let line = line.unwrap_or_else(|| panic!("{variable}: {printed}{problem}"));
        assert!(line.contains(expected), "{variable}: {line}");
        assert!(
            value.len() < 6 || !line.contains(value),
            "{variable}: {line}"
        );
    }
    let stopped = windlass.stop();
    for (name, value, expected) in &WRONG[..4] {
        let variable = format!("{name}={value}");
        let arguments = ["up", "--listen", "127.0.0.1:0", "--variable", &variable];
        let problem = refused(&stopped.try_host_command(&arguments));
        assert!(problem.contains(expected), "{variable}: {problem}");
    }
}

#[test]
fn check_says_what_works() {
    let windlass = Options::default()
        .variable("mail_url", "smtp://127.0.0.1:9")
        .variable("mail_from", "w@example.org")
        .start();
    let arguments = ["check", "--variable", "mail_url=smtp://127.0.0.1:9"];
    let (printed, problem) =
        texts(&windlass.try_host_command(
            &[&arguments[..], &["--variable", "mail_from=w@example.org"]].concat(),
        ));
    for line in [
        "ok     settings: all can be understood",
        "ok     database: can be read and written",
        "ok     key_value: can be read and written",
        "wrong  mail: ",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    assert!(problem.contains("are wrong"), "{problem}");
}
