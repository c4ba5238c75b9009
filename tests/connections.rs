//! What clients do to the connection itself: they send slowly, they send what is no HTTP, they send
//! more than was asked for. The embedded host's own; another server has its own ways.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use windlass_tests::Windlass;

/// Sends bytes and answers the statuses that come back, at least so many, until the server is silent.
fn statuses(windlass: &Windlass, bytes: &[u8], at_least: usize) -> Vec<u16> {
    let mut stream = TcpStream::connect(windlass.address()).expect("it listens");
    stream.write_all(bytes).expect("it reads");
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    let mut got = Vec::new();
    loop {
        let patience = if got.len() < at_least { 10_000 } else { 200 };
        let limit = Some(Duration::from_millis(patience));
        stream.set_read_timeout(limit).expect("a timeout");
        match stream.read(&mut piece) {
            Ok(length) if length > 0 => answer.extend_from_slice(&piece[..length]),
            _ => return got,
        }
        let text = String::from_utf8_lossy(&answer);
        let heads = text
            .match_indices("HTTP/1.1 ")
            .filter_map(|(at, _)| text.get(at + 9..at + 12));
        got = heads.filter_map(|status| status.parse().ok()).collect();
    }
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "about the embedded host itself")]
fn heads_that_can_be_read_in_two_ways_are_refused() {
    let windlass = Windlass::start();
    let get = "GET /api/v3.1/ok HTTP/1.1\r\n";
    let headers: String = (0..200).map(|n| format!("h{n}: x\r\n")).collect();
    for (what, head, status) in [
        ("as it should be", format!("{get}Host: a\r\n\r\n"), 200),
        ("no host", format!("{get}\r\n"), 400),
        ("two hosts", format!("{get}Host: a\r\nHost: b\r\n\r\n"), 400),
        (
            "a bare line feed",
            format!("{}Host: a\r\n\r\n", get.replace('\r', "")),
            400,
        ),
        ("no colon", format!("{get}Host: a\r\nfoo\r\n\r\n"), 400),
        (
            "a space before the colon",
            format!("{get}Host : a\r\n\r\n"),
            400,
        ),
        (
            "two codings",
            format!("{get}Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            "two hundred headers",
            format!("{get}Host: a\r\n{headers}\r\n"),
            431,
        ),
        (
            "a target of 70 kB",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(70_000)),
            414,
        ),
    ] {
        assert_eq!(statuses(&windlass, head.as_bytes(), 1), [status], "{what}");
    }
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "about the embedded host itself")]
fn what_follows_a_request_does_not_take_its_answer() {
    let windlass = Windlass::start();
    let post = "POST /api/v3.1/tokens HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\
                Content-Type: application/json\r\n\r\n{}";
    for (what, more, statuses_of_all) in [
        ("nothing", "", &[401][..]),
        ("one byte", "G", &[401]),
        ("an empty line", "\r\n", &[401]),
        ("garbage", "\0\u{1}garbage\r\n\r\n", &[401, 400]),
        (
            "another request",
            "GET /api/v3.1/ok HTTP/1.1\r\nHost: a\r\n\r\n",
            &[401, 200],
        ),
    ] {
        let got = statuses(
            &windlass,
            format!("{post}{more}").as_bytes(),
            statuses_of_all.len(),
        );
        assert_eq!(got, statuses_of_all, "{what}");
    }
}

/// Sends bytes and answers the head of what comes back, as text.
fn head(windlass: &Windlass, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(windlass.address()).expect("it listens");
    stream.write_all(bytes).expect("it reads");
    let limit = Some(Duration::from_secs(5));
    stream.set_read_timeout(limit).expect("a timeout");
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).to_ascii_lowercase()
}

#[test]
fn what_is_refused_by_its_head_is_told_before_its_body() {
    let windlass = Windlass::start();
    windlass.admin().get("/ok").expect(200);
    for (what, request, status) in [
        (
            "an upload without credentials, asking first",
            "PUT /api/v3.1/blueprints/b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\
             Content-Length: 40000000\r\n\r\n",
            401,
        ),
        (
            "an upload without credentials",
            "PUT /api/v3.1/blueprints/b HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000\r\n\r\n",
            401,
        ),
        (
            "JSON over its limit",
            "POST /api/v3.1/executions HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\
             Content-Type: application/json\r\n\r\n",
            413,
        ),
        (
            "an upload over every limit",
            "PUT /api/v3.1/blueprints/b HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n",
            413,
        ),
        (
            "a large body for nobody",
            "POST /api/v3.1/nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n",
            404,
        ),
    ] {
        let head = head(&windlass, request.as_bytes());
        let expected = format!("http/1.1 {status} ");
        assert!(head.starts_with(&expected), "{what}: {head}");
    }
}

#[test]
fn head_says_how_long_the_answer_to_get_is() {
    let windlass = Windlass::start();
    windlass.admin().get("/ok").expect(200);
    for path in ["/api/v3.1/ok", "/status", "/api/v3.1/blueprints"] {
        let lengths = ["GET", "HEAD"].map(|method| {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n");
            let head = head(&windlass, request.as_bytes());
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            length.map(str::to_owned)
        });
        assert!(lengths[0].is_some(), "{path}");
        assert_eq!(lengths[0], lengths[1], "{path}");
    }
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "about the embedded host itself")]
fn clients_that_never_send_their_body_cost_only_themselves() {
    let windlass = Windlass::start();
    windlass.admin().get("/ok").expect(200);
    let head =
        "POST /api/v3.1/executions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    // Small ones that are waited for, and large ones that are already inside.
    let slow: Vec<TcpStream> = (0..100)
        .map(|number| {
            let length = if number % 2 == 0 { 1000 } else { 5_000_000 };
            let mut stream = TcpStream::connect(windlass.address()).expect("it listens");
            let begun = format!("{head}Content-Length: {length}\r\n\r\n{{");
            stream.write_all(begun.as_bytes()).expect("it reads");
            stream
        })
        .collect();
    for _ in 0..200 {
        windlass.admin().get("/status").expect(200);
    }
    // In the end they are told.
    let mut first = slow.into_iter().next().expect("a hundred");
    let limit = Some(Duration::from_secs(30));
    first.set_read_timeout(limit).expect("a timeout");
    let mut answer = [0; 12];
    first.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}
