use super::*;

fn parts(scheduler: bool) -> [Service; 2] {
    [("PostgreSQL", true), ("Management Worker", scheduler)].map(|(name, works)| Service {
        name,
        unit: "unit",
        description: "what it is",
        works,
    })
}

#[test]
fn one_part_that_does_not_work_fails_the_whole() {
    for (scheduler, overall, activity, state) in [
        (true, "OK", "Active", "running"),
        (false, "Fail", "Inactive", "down"),
    ] {
        let services = parts(scheduler);
        assert_eq!(word(all_work(&services)), overall);
        let shown = services[1].as_systemd();
        assert_eq!(shown["status"], activity);
        assert_eq!(
            shown["extra_info"]["systemd"]["instances"][0]["state"],
            state
        );
        let node = service_type(&services, None);
        assert_eq!(node["status"], overall);
        assert_eq!(
            node["nodes"]["windlass"]["services"]["Management Worker"]["status"],
            activity
        );
    }
}

#[test]
fn a_scheduler_that_stopped_is_told_from_an_idle_one() {
    let now = Timestamp::from_millis(1_000_000);
    for (at, is_ticking) in [
        (0, true),
        (990_000, true),
        (940_000, true),
        (939_999, false),
    ] {
        assert_eq!(super::is_ticking(at, now), is_ticking, "{at}");
    }
}

#[test]
fn a_type_without_nodes_is_fine() {
    let none = service_type(&[], None);
    assert_eq!(none["status"], "OK");
    assert_eq!(none["nodes"], json!({}));
}
