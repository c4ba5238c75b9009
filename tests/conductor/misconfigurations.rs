//! `windlass-host check` finds what an operator may have set up wrongly: one mistake at a time, planted in an
//! application that is sound otherwise.

use serde_json::json;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use windlass_tests::{Folder, Options, Stopped, Windlass, host_command_on};

/// A sound application that ended, with a secret in it.
fn sound() -> Stopped {
    let windlass = Options::default().variable("encryption_key", KEY).start();
    let secret = json!({ "value": "hunter2" });
    windlass.admin().put("/secrets/token", secret).expect(200);
    private(windlass.stop())
}

/// With a folder that is for its owner alone; those of stories are made for everybody.
fn private(stopped: Stopped) -> Stopped {
    let mode = fs::Permissions::from_mode(0o700);
    fs::set_permissions(stopped.state(), mode).expect("chmod");
    stopped
}

const KEY: &str = "encryption_key, long enough";

/// What `check` prints for an application that is set up like this; every line that is wrong.
fn wrong(stopped: &Stopped, variables: &[(&str, &str)]) -> Vec<String> {
    let mut arguments = vec!["check".to_owned()];
    let has_key = variables.iter().any(|(name, _)| *name == "encryption_key");
    let key = (!has_key).then_some(("encryption_key", KEY));
    for (name, value) in variables.iter().copied().chain(key) {
        arguments.extend(["--variable".to_owned(), format!("{name}={value}")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = stopped.try_host_command(&arguments);
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<String> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("wrong  "))
        .map(str::to_owned)
        .collect();
    assert_eq!(output.status.success(), lines.is_empty(), "{printed}");
    lines
}

fn assert_found(found: &[String], expected: &str) {
    let is_found = found.iter().any(|line| line.starts_with(expected));
    assert!(is_found, "{expected}: {found:?}");
}

#[test]
fn settings_that_cannot_work_are_found() {
    let stopped = sound();
    assert_eq!(wrong(&stopped, &[]), [""; 0]);
    // Nothing listens there.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("bound").port();
    drop(silent);
    let relay = format!("smtp://127.0.0.1:{silent_port}");
    let sender = ("mail_from", "windlass@example.org");
    for (variables, expected) in [
        (
            &[("outbound_allow_private", "perhaps")][..],
            "settings: outbound_allow_private",
        ),
        (
            &[("trust_forwarded_for", "proxy")],
            "settings: trust_forwarded_for",
        ),
        (
            &[("queue_lease_seconds", "abc")],
            "settings: queue_lease_seconds is not a whole number",
        ),
        (
            &[("queue_lease_seconds", "0")],
            "settings: queue_lease_seconds is not within",
        ),
        (&[("self_url", "windlass.example")], "settings: self_url"),
        (
            &[("public_url", "ftp://windlass.example")],
            "settings: public_url",
        ),
        (
            &[("status_jwt_secret", "short")],
            "settings: status_jwt_secret has 5 bytes",
        ),
        (
            &[("admin_password", "abc")],
            "settings: admin_password has 3 bytes",
        ),
        (
            &[("encryption_key", "abc")],
            "settings: encryption_key has 3 bytes",
        ),
        (&[("tick_token", "abc")], "settings: tick_token has 3 bytes"),
        (
            &[("old_encryption_keys", "abc")],
            "settings: old_encryption_keys has a key of less",
        ),
        (
            &[("ldap_hosts", "tcp://directory.example:389")],
            "settings: ldap_hosts",
        ),
        (
            &[("mail_url", "relay.example"), sender],
            "settings: mail_url",
        ),
        (
            &[("mail_url", "smtp://127.0.0.1:25")],
            "settings: mail_from is not set",
        ),
        (
            &[("mail_from", "the operators")],
            "settings: mail_from is neither",
        ),
        (&[("mail_url", &relay), sender], "mail: "),
        (
            &[("encryption_key", "another key than that one")],
            "sealed: 1 encrypted values are of a key",
        ),
        (
            &[("no_such_setting", "1")],
            "application: variable `no_such_setting` is not declared",
        ),
    ] {
        assert_found(&wrong(&stopped, variables), expected);
    }
}

#[test]
fn a_state_that_cannot_work_is_found() {
    let stopped = sound();
    let state = stopped.state().to_owned();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).expect("chmod");
    let open = format!("state: {} can be read by others", state.display());
    assert_found(&wrong(&stopped, &[]), &open);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("chmod");

    // The key-value store was lost, and with it the key of an application that has made its own.
    let kept = state.join("kept");
    let store = state.join("sqlite_key_value.db");
    fs::rename(&store, &kept).expect("it is there");
    let found = wrong(&stopped, &[("encryption_key", "")]);
    assert_found(&found, "keys: encryption_key is not set, and none is kept");
    let _ = fs::remove_file(&store);
    fs::rename(&kept, &store).expect("it is there");

    // A database that is none any more.
    let records = state.join("sqlite_db.db");
    let whole = fs::read(&records).expect("it is there");
    fs::write(&records, vec![b'x'; whole.len()]).expect("it can be written");
    assert!(!wrong(&stopped, &[]).is_empty());
    fs::remove_file(&records).expect("it can go");
    assert_found(
        &wrong(&stopped, &[]),
        &format!("application: {} has no database", state.display()),
    );
}

#[test]
fn a_directory_that_is_not_there_is_found() {
    let windlass = Options::default().variable("encryption_key", KEY).start();
    let settings = json!({ "ldap_server": "ldap://127.0.0.1:1", "ldap_domain": "harbour.example",
        "ldap_base_dn": "dc=harbour,dc=example", "ldap_is_active_directory": false,
        "ldap_username": null, "ldap_password": null });
    windlass.admin().post("/ldap", settings).expect(200);
    assert_found(
        &wrong(&private(windlass.stop()), &[]),
        "directory: 127.0.0.1:1 is not reached",
    );
}

#[test]
fn an_application_that_nothing_ticks_is_found() {
    // Stories run without a clock.
    let windlass = Windlass::start();
    let output = windlass.try_host_command(&["check"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("wrong  ticks: nothing has ever ticked"),
        "{printed}"
    );
    windlass.run_pending_work();
    let output = windlass.try_host_command(&["check"]);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("ok     ticks: come"), "{printed}");
}

#[test]
fn files_and_the_environment_are_looked_at() {
    let stopped = sound();
    let place = Folder::new();
    let manifest = windlass_tests::repository().join("spin.toml");
    let broken = fs::read_to_string(manifest).expect("it is there");
    let sources = windlass_tests::repository().join("target");
    let broken = broken
        .replace("\"target/", &format!("\"{}/", sources.display()))
        .replace("conductor_sites.wasm", "conductor_lost.wasm");
    let manifest = place.path().join("spin.toml");
    fs::write(&manifest, broken).expect("it can be written");
    let cache = place.path().join("cache");
    fs::create_dir(&cache).expect("a folder");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).expect("chmod");

    let ask = |environment: &[(&str, &str)]| {
        let cache = cache.to_str().expect("text");
        let arguments = ["check", "--cache-dir", cache];
        let output = host_command_on(&manifest, stopped.state(), &arguments, environment);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let printed = ask(&[("SPIN_VARIABLE_PUBLIC_ULR", "https://windlass.example")]);
    for line in [
        "wrong  components: conductor-sites has no ",
        "wrong  settings: SPIN_VARIABLE_PUBLIC_ULR is in the environment",
        "wrong  cache: ",
    ] {
        assert!(printed.contains(line), "{line}: {printed}");
    }
    fs::write(&manifest, "spin_manifest_version = 2\n[application\n").expect("it can be written");
    let printed = ask(&[]);
    assert!(printed.contains("wrong  manifest: "), "{printed}");
}
