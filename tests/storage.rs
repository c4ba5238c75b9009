//! A database that is busy, that breaks, that is full: clients wait, or are told so, and nothing is lost.

use crate::samples::{self, ids};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use windlass_tests::{Answer, Caller, Options, Windlass, at_once, json};

/// A file whose presence means that the disk is full.
struct FullDisk(PathBuf);

impl FullDisk {
    fn new(name: &str) -> Self {
        let name = format!("windlass-full-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn fault(&self) -> String {
        format!("full-disk:{}", self.0.display())
    }

    fn begins(&self) {
        std::fs::write(&self.0, "").expect("the temporary folder is writable");
        // The host looks a few times a second.
        std::thread::sleep(Duration::from_millis(400));
    }

    fn ends(&self) {
        std::fs::remove_file(&self.0).expect("it began");
        std::thread::sleep(Duration::from_millis(400));
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Asks until the health check answers this status and the application calls itself this. Each instance
/// believes for three seconds what it found out.
fn until_ok_is(windlass: &Windlass, status: u16, word: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while windlass.nobody().get("/ok").status() != status
        || windlass.admin().get("/status").expect(200)["status"] != word
    {
        assert!(Instant::now() < deadline, "/ok is not {status}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn add_site(admin: Caller<'_>, name: &str) -> u16 {
    admin.put(&format!("/sites/{name}"), json!({})).status()
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn on_a_full_disk_writes_are_503_deletions_work_and_all_goes_on_after_it() {
    let disk = FullDisk::new("all");
    let windlass = Options::default().faults(&disk.fault()).start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    assert_eq!(add_site(admin, "hamburg"), 200);
    until_ok_is(&windlass, 200, "OK");

    disk.begins();
    until_ok_is(&windlass, 503, "Fail");
    // What fits into free pages is stored; after that all is refused, and what is refused leaves nothing.
    let stored = (0..5000)
        .find(|number| add_site(admin, &format!("site{number}")) != 200)
        .expect("the database stops growing");
    let refused = admin.put("/sites/last", json!({}));
    assert_eq!(refused.status(), 503, "{}", refused.text());
    assert!(refused.text().contains("no room"), "{}", refused.text());
    let upload = admin.upload("winch", "crane.yaml", &[("crane.yaml", samples::CRANE)]);
    assert_eq!(upload.status(), 503, "{}", upload.text());
    let listed = admin.get("/sites?_size=1").expect(200);
    let total = listed["metadata"]["pagination"]["total"].as_u64();
    assert_eq!(total, Some(stored as u64 + 1));
    let blueprints = admin.get("/blueprints").expect(200);
    assert_eq!(ids(&blueprints), ["crane"]);

    admin.delete("/sites/hamburg").expect(204);
    let deleted = admin.delete("/deployments/crane");
    assert!(
        [200, 202, 204].contains(&deleted.status()),
        "{}",
        deleted.text()
    );
    windlass.run_pending_work();
    let left = admin.get("/deployments").expect(200);
    assert_eq!(left["metadata"]["pagination"]["total"], 0, "{left}");

    disk.ends();
    until_ok_is(&windlass, 200, "OK");
    assert_eq!(add_site(admin, "bremen"), 200);
    samples::crane(admin, "winch");
}

fn list(windlass: &Windlass, number: usize) -> Answer {
    let paths = ["/sites", "/blueprints", "/status"];
    let path = paths.get(number % paths.len()).expect("one of three");
    windlass.admin().get(path).expect_answer(200)
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn no_connection_ever_has_two_statements_under_way() {
    let windlass = Options::default()
        .faults("one-statement,slow-statement:2")
        .start();
    samples::crane(windlass.admin(), "crane");
    at_once(16, |number| {
        for round in 0..5 {
            list(&windlass, number + round);
            if number % 4 == 0 {
                let path = format!("/sites/site-{number}-{round}");
                windlass.admin().put(&path, json!({})).expect(200);
            }
        }
    });
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_connection_that_broke_is_replaced_and_reads_are_asked_again() {
    for fault in ["expire-connection", "break-connection"] {
        let windlass = Windlass::start();
        samples::deployed(windlass.admin(), "crane");
        let mut stopped = windlass.stop();
        // Wherever it breaks in the first requests of an instance: reads never notice.
        for statement in [2, 4, 6, 8] {
            let windlass = stopped.start_with(&format!("{fault}:{statement}"));
            for number in 0..8 {
                list(&windlass, number);
            }
            assert_eq!(
                add_site(windlass.admin(), &format!("{fault}-{statement}")),
                200
            );
            stopped = windlass.stop();
        }
    }
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_busy_database_is_waited_for() {
    let windlass = Windlass::start();
    windlass.admin().get("/sites").expect(200);
    let windlass = windlass.stop().start_with("busy-begin:40");
    at_once(8, |number| {
        let status = add_site(windlass.admin(), &format!("site{number}"));
        assert_eq!(status, 200);
    });
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_database_that_stays_busy_is_a_503_that_says_when_to_come_back() {
    let windlass = Windlass::start();
    windlass.admin().get("/sites").expect(200);
    let windlass = windlass.stop().start_with("busy-begin:100000");
    let begun = Instant::now();
    let answer = windlass
        .admin()
        .put("/sites/hamburg", json!({}))
        .expect_answer(503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(45));
}

#[test]
fn two_hundred_writers_at_once_lose_nothing() {
    let windlass = Windlass::start();
    windlass.admin().get("/sites").expect(200);
    let statuses = at_once(200, |number| {
        add_site(windlass.admin(), &format!("site{number}"))
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let listed = windlass.admin().get("/sites?_size=1").expect(200);
    assert_eq!(listed["metadata"]["pagination"]["total"], 200);
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_key_value_store_that_does_not_answer_is_a_503() {
    let windlass = Windlass::start();
    samples::crane(windlass.admin(), "crane");
    let windlass = windlass.stop().start_with("slow-key-value:60000");
    let begun = Instant::now();
    windlass
        .admin()
        .get("/blueprints/crane/archive")
        .expect(503);
    assert!(begun.elapsed() < Duration::from_secs(45));
}
