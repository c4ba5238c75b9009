//! `/metrics` and what the host measures: what dashboards and alerts name is there.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use windlass_tests::{Caller, Options, Windlass, repository};

use crate::samples;

/// The names of metrics in a text, without what the parts of a histogram add.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter: char| !is_part(letter))
        .filter(|word| word.starts_with("windlass_") || word.starts_with("process_"))
        .map(|word| {
            let ends = ["_bucket", "_sum", "_count"];
            let of_histogram = ends.iter().find_map(|end| word.strip_suffix(end));
            of_histogram.unwrap_or(word).to_owned()
        })
        .collect()
}

/// The names that have a type in Prometheus' text.
fn told(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// What the application tells.
fn application(caller: Caller<'_>) -> String {
    let answer = caller.at_root().get("/metrics").expect_answer(200);
    String::from_utf8(answer.body).expect("it is text")
}

/// What its host tells.
fn scrape(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("the host serves its numbers");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("it listens");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    text
}

/// An application whose host serves what it measures at this address.
fn measured() -> (Windlass, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("bound");
    drop(free);
    let options = Options::default().argument(&format!("--metrics-listen={address}"));
    (options.start(), address)
}

#[test]
fn every_metric_that_a_dashboard_or_an_alert_names_is_there() {
    let (windlass, address) = measured();
    let admin = windlass.admin();
    let known = || {
        let text = application(admin);
        let mut known = told(&text);
        known.extend(told(&scrape(address)));
        known
    };
    let known = known();
    for file in ["deploy/grafana.json", "deploy/alerts.yaml"] {
        let text = std::fs::read_to_string(repository().join(file)).expect("it is there");
        let missing: Vec<String> = names(&text).difference(&known).cloned().collect();
        assert!(missing.is_empty(), "{file} names {missing:?}");
    }
}

/// The value of a metric without labels.
fn value(text: &str, name: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.unwrap_or_else(|| panic!("{name} in {text}"));
    value.trim().parse().expect("a whole number")
}

#[test]
fn requests_logins_and_executions_are_counted() {
    let (windlass, address) = measured();
    let admin = windlass.admin();
    let before = application(admin);
    samples::deployed(admin, "crane");
    admin.execute("crane", "install");
    windlass.run_pending_work();
    admin.with_password("wrong").get("/status").expect(401);

    let after = application(admin);
    let more = |name: &str| value(&after, name) - value(&before, name);
    assert_eq!(more("windlass_login_failures_total "), 1);
    assert_eq!(more("windlass_executions_failed_total "), 0);
    assert!(more("windlass_executions_terminated_total ") > 0);

    let host = scrape(address);
    let route = "windlass_host_requests_total{route=\"/api/v3.1/deployments/...\",method=\"PUT\",";
    assert!(host.lines().any(|line| line.starts_with(route)), "{host}");
    let file = "windlass_host_state_bytes{file=\"sqlite_db.db\"} ";
    assert!(host.lines().any(|line| line.starts_with(file)), "{host}");
}
