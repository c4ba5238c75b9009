//! The first requests to an empty state folder.

use windlass_tests::{Options, Outgoing, Windlass, at_once};

/// The lines that announce the administrator's password.
fn passwords(printed: &str) -> Vec<&str> {
    printed
        .lines()
        .filter_map(|line| line.split_once("with the password: "))
        .map(|(_, word)| word)
        .collect()
}

#[test]
fn ten_requests_at_once_make_one_administrator_and_print_one_password() {
    let windlass = Options::default().variable("admin_password", "").start();
    let paths = [
        "/api/v3.1/ok",
        "/api/v3.1/blueprints",
        "/api/v3.1/deployments",
        "/api/v3.1/executions",
        "/api/v3.1/tokens",
    ];
    at_once(10, |number| {
        let request = Outgoing {
            method: "GET".into(),
            path: paths[number % paths.len()].to_owned(),
            ..Outgoing::default()
        };
        let status = windlass.send(&request).status;
        assert!([200, 401].contains(&status), "{status}");
    });
    let stopped = windlass.stop();
    let [password] = passwords(&stopped.printed)[..] else {
        panic!("one password is printed:\n{}", stopped.printed)
    };
    assert!(
        password.len() >= 16,
        "a password that nobody guesses: {password}"
    );
    assert!(
        !stopped.logged.contains(password),
        "the log does not hold the password"
    );

    let password = password.to_owned();
    let windlass = stopped.start();
    windlass
        .admin()
        .with_password(&password)
        .get("/status")
        .expect(200);
    windlass
        .admin()
        .get("/status")
        .refused(401, "unauthorized_error");
    assert_eq!(
        passwords(&windlass.stop().printed),
        Vec::<&str>::new(),
        "it is printed once in a life"
    );
}

#[test]
fn the_operators_password_is_taken_and_never_printed() {
    let windlass = Windlass::start();
    windlass.admin().get("/status").expect(200);
    assert_eq!(passwords(&windlass.stop().printed), Vec::<&str>::new());
}

#[test]
#[cfg_attr(not(embedded_host), ignore = "needs a fault of the embedded host")]
fn a_start_that_is_killed_half_way_is_finished_by_the_next() {
    for commit in 1..=6 {
        for fault in [
            format!("kill-before-commit:{commit}"),
            format!("kill-after-commit:{commit}"),
        ] {
            let windlass = Options::default()
                .variable("admin_password", "")
                .faults(&fault)
                .start();
            let request = Outgoing {
                method: "GET".into(),
                path: "/api/v3.1/status".into(),
                ..Outgoing::default()
            };
            // Whether it falls here depends on how many commits the start takes.
            let _ = windlass.try_send(&request);
            let first = windlass.kill();
            let before = first.printed.clone();
            let windlass = first.start();
            windlass
                .nobody()
                .get("/status")
                .refused(401, "unauthorized_error");
            let second = windlass.stop();
            // The one that made the password may have fallen before it could print it; the next
            // one then has to.
            let printed = before + &second.printed;
            let all = passwords(&printed);
            let password = all
                .first()
                .unwrap_or_else(|| panic!("{fault}: no password was printed"));
            assert!(
                all.iter().all(|other| other == password),
                "{fault}: {all:?}"
            );
            second
                .start()
                .admin()
                .with_password(password)
                .get("/status")
                .expect(200);
        }
    }
}
