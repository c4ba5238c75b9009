//! Two tenants that never see each other, however they are asked: every endpoint of
//! `endpoints.tsv` that names something, and every list by every field it shows. What there is to ask
//! for is made by the rows themselves ([`Things`]), so a row of a new resource is tried as it is.
//!
//! The measure is sameness. What a caller may not see is to be as if it did not exist, so each
//! request is sent twice: about something of others, and about nothing at all. But for the name that was
//! asked for, the answers must be the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]

#[path = "tenants/asking.rs"]
mod asking;

use asking::{
    AVERAGES, ask, filled_lists, inventory, look_at, rows_about_things, search_lists, send, shown,
    tell_apart, text, with_each,
};
use windlass_tests::{Caller, Endpoint, Things, Touches, Windlass, demand_none, json};

/// What may be sent about a global resource from any tenant: it reads, it keeps nothing, or it is
/// for managers to do, which has a story of its own.
const CHANGE_NOTHING: [&str; 4] = [
    "deployment_updates.finalize",
    "evaluate.functions",
    "tasks_graphs.update",
    "executions.start",
];
/// What makes something only for an execution: whoever else asks is refused, whatever is there.
const FOR_EXECUTIONS: &str = "deployment_updates.put";
const ROLES: [&str; 5] = ["viewer", "user", "operations", "manager", "worker"];

#[test]
fn what_another_tenant_has_is_as_if_it_did_not_exist() {
    let windlass = Windlass::start();
    let (owner, harbour) = things_of(&windlass, "harbour");
    things_of(&windlass, "quay");
    let before = inventory(owner);

    let callers = ROLES.map(|role| windlass.user(role).with_role_in(role, "quay"));
    let wrong = with_each(&callers, |caller| {
        tell_apart(caller, &harbour, "&_all_tenants=true")
    });
    demand_none(&wrong);
    // An administrator is in one tenant at a time, too, unless all are asked for.
    let wrong = tell_apart(administrator(&windlass).naming_tenant("quay"), &harbour, "");
    demand_none(&wrong);
    assert_eq!(
        inventory(owner),
        before,
        "nothing of the harbour has changed"
    );
}

#[test]
fn lists_show_nothing_of_another_tenant_whatever_is_asked() {
    let windlass = Windlass::start();
    let (owner, harbour) = things_of(&windlass, "harbour");
    things_of(&windlass, "quay");

    let callers = ROLES.map(|role| windlass.user(role).with_role_in(role, "quay"));
    let wrong = with_each(&callers, |caller| {
        search_lists(owner, caller, &harbour, &["", "&_all_tenants=true"])
    });
    demand_none(&wrong);
    // These two may see the harbour as well, but not while they ask for the quay.
    let callers = [
        administrator(&windlass).naming_tenant("quay"),
        windlass
            .user("courier")
            .with_role_in("viewer", "harbour")
            .with_role_in("user", "quay"),
    ];
    let wrong = with_each(&callers, |caller| {
        search_lists(owner, caller, &harbour, &[""])
    });
    demand_none(&wrong);
    let mut wrong = Vec::new();
    for row in filled_lists()
        .iter()
        .filter(|row| row.touches == Touches::Tenants)
    {
        for caller in callers {
            let answer = ask(caller, &row.path, "_all_tenants=true&_get_all_results=true");
            if !harbour.are_in(&text(&answer)) || !text(&answer).contains("quay") {
                wrong.push(format!(
                    "{} does not have the two tenants: {}",
                    row.id,
                    shown(&answer)
                ));
            }
        }
    }
    demand_none(&wrong);
}

#[test]
fn what_is_private_is_its_creators_and_the_administrators() {
    let windlass = Windlass::start();
    let owner = windlass.user("secretive").in_tenant("harbour");
    let secret = Things::make(&windlass, owner, "veiled", "private");
    let creator = windlass.user("creator").in_tenant("harbour");
    let _known = Things::make(&windlass, creator, "known", "tenant");
    let before = inventory(owner);

    let callers = ["viewer", "user", "operations", "worker"]
        .map(|role| windlass.user(role).with_role_in(role, "harbour"));
    let wrong = with_each(&callers, |caller| {
        let mut wrong = tell_apart(caller, &secret, "&_all_tenants=true");
        wrong.extend(search_lists(
            owner,
            caller,
            &secret,
            &["", "&_all_tenants=true"],
        ));
        wrong
    });
    demand_none(&wrong);
    assert_eq!(
        inventory(owner),
        before,
        "nothing that is hidden has changed"
    );

    let callers = [
        owner,
        windlass.user("boss").with_role_in("manager", "harbour"),
        administrator(&windlass).naming_tenant("harbour"),
        windlass.admin().naming_tenant("harbour"),
    ];
    let wrong = with_each(&callers, |caller| look_at(caller, &secret));
    demand_none(&wrong);
}

#[test]
fn counts_and_averages_are_over_what_one_sees() {
    let windlass = Windlass::start();
    let (ours, _) = things_of(&windlass, "quay");
    let secretive = windlass.user("secretive").in_tenant("quay");
    let totals = |caller: Caller<'_>| -> Vec<String> {
        let of = |row: &Endpoint, query: &str| {
            let answer = ask(caller, &row.path, query);
            assert_eq!(answer.status, 200, "{}: {}", row.id, shown(&answer));
            format!("{} {query}: {}", row.id, text(&answer))
        };
        let rows = Endpoint::served();
        let rows = rows.iter().filter(|row| row.resource() == "summary");
        let queries = ["", "_all_tenants=true", "_get_all_results=true"];
        rows.flat_map(|row| queries.map(|query| of(row, query)))
            .collect()
    };
    let before = (averages(ours), totals(ours));
    assert!(before.0[0].contains("\"install\""), "{}", before.0[0]);
    assert!(before.1.len() > 12, "{:?}", before.1);

    // Nobody in the quay has uninstalled anything that others see.
    let (theirs, _) = things_of(&windlass, "harbour");
    Things::make(&windlass, secretive, "veiled", "private");
    let uninstall = |caller: Caller<'_>, word: &str| {
        let body = json!({
            "deployment_id": format!("{word}-deployment"), "workflow_id": "uninstall", "force": true,
        });
        caller.post("/executions", body).expect(201);
        windlass.run_pending_work();
        let told = averages(caller);
        assert!(told[0].contains("uninstall"), "{}", told[0]);
    };
    uninstall(theirs, "harbour");
    uninstall(secretive, "veiled");
    let others =
        ["viewer", "user", "operations"].map(|role| windlass.user(role).with_role_in(role, "quay"));
    for caller in others.into_iter().chain([ours]) {
        let told = (averages(caller), totals(caller));
        assert_eq!(told, before, "as {}", caller.name());
    }
    let boss = windlass.user("boss").with_role_in("manager", "quay");
    assert!(averages(boss)[0].contains("uninstall"));
    assert_ne!(totals(boss), before.1);

    // Averages leave out what is global elsewhere, too.
    let _ = windlass.user("somebody").in_tenant("world");
    let admin = windlass.admin().naming_tenant("world");
    Things::make(&windlass, admin, "world", "global");
    uninstall(admin, "world");
    assert_eq!(averages(ours), before.0);
}

#[test]
fn a_manager_sees_what_is_private_also_among_all_tenants() {
    let windlass = Windlass::start();
    let owner = windlass.user("secretive").in_tenant("harbour");
    let secret = Things::make(&windlass, owner, "veiled", "private");
    let boss = windlass.user("boss").with_role_in("manager", "harbour");
    // Managing one tenant does not open the private drawers of another.
    let outsider = windlass
        .user("outsider")
        .with_role_in("viewer", "harbour")
        .with_role_in("manager", "quay");
    let mut wrong = Vec::new();
    for row in filled_lists()
        .iter()
        .filter(|row| row.touches == Touches::Tenants)
    {
        for (caller, who, sees) in [
            (owner, "owner", true),
            (boss, "manager", true),
            (outsider, "outsider", false),
        ] {
            let answer = ask(caller, &row.path, "_all_tenants=true");
            if secret.are_in(&text(&answer)) != sees {
                wrong.push(format!("{} as {who}: {}", row.id, shown(&answer)));
            }
        }
    }
    demand_none(&wrong);
}

#[test]
fn what_is_global_is_seen_everywhere_and_changed_at_home() {
    let windlass = Windlass::start();
    let admin = windlass.admin().naming_tenant("harbour");
    let _ = windlass.user("somebody").in_tenant("harbour");
    let world = Things::make(&windlass, admin, "world", "global");
    let before = inventory(admin);

    let callers = ROLES.map(|role| windlass.user(role).with_role_in(role, "quay"));
    let readers = ROLES[..4]
        .iter()
        .map(|role| windlass.user(role).naming_tenant("quay"));
    let wrong = with_each(&readers.collect::<Vec<_>>(), |caller| {
        look_at(caller, &world)
    });
    demand_none(&wrong);

    let rows: Vec<_> = rows_about_things()
        .into_iter()
        .filter(|row| row.method != "GET" && !CHANGE_NOTHING.contains(&row.id.as_str()))
        .collect();
    let wrong = with_each(&callers, |caller| {
        let mut wrong = Vec::new();
        for row in &rows {
            let answer = send(caller, row, &|name| world.value(name), "force=true");
            if !(400..500).contains(&answer.status) {
                wrong.push(format!("{}: {}", row.id, shown(&answer)));
            }
        }
        wrong
    });
    demand_none(&wrong);
    assert_eq!(
        inventory(admin),
        before,
        "nothing that is global has changed"
    );
}

#[test]
fn a_workflow_on_a_global_deployment_of_others_is_for_managers() {
    let windlass = Windlass::start();
    let admin = windlass.admin().naming_tenant("harbour");
    let _ = windlass.user("somebody").in_tenant("harbour");
    let world = Things::make(&windlass, admin, "world", "global");
    let body = json!({ "deployment_id": world.value("deployment_id"), "workflow_id": "uninstall" });
    for (role, status) in [
        ("viewer", 403),
        ("user", 403),
        ("operations", 403),
        ("manager", 201),
    ] {
        let caller = windlass.user(role).with_role_in(role, "quay");
        let reply = caller.post("/executions", body.clone());
        assert_eq!(reply.status(), status, "{role}: {}", reply.text());
    }
}

#[test]
fn tokens_are_their_users_own() {
    let windlass = Windlass::start();
    let owner = windlass.user("harbour-owner").in_tenant("harbour");
    let token = owner
        .post("/tokens", json!({ "description": "harbour" }))
        .expect(200);
    let id = token["id"].as_str().expect("a token has an id");
    let rows = Endpoint::served();
    let rows: Vec<_> = rows.iter().filter(|row| row.names("token_id")).collect();
    assert!(!rows.is_empty());
    for role in ROLES {
        let caller = windlass.user(role).with_role_in(role, "harbour");
        for row in &rows {
            let others = send(caller, row, &|_| id.to_owned(), "");
            let nothing = send(caller, row, &|_| "aaaaaaaaaa".into(), "");
            let told = text(&others).replace(id, "aaaaaaaaaa");
            assert_eq!(
                (others.status, told),
                (404, text(&nothing)),
                "{} as {role}",
                row.id
            );
        }
        let listed = text(&ask(caller, "/api/v3.1/tokens", ""));
        assert!(!listed.contains("harbour"), "{role}: {listed}");
    }
    owner.get(&format!("/tokens/{id}")).expect(200);
}

#[test]
fn tenants_that_one_is_not_in_are_not_listed() {
    let windlass = Windlass::start();
    let _ = windlass.user("harbour-owner").in_tenant("harbour");
    for role in ROLES {
        let caller = windlass.user(role).with_role_in(role, "quay");
        for query in [
            "",
            "name=harbour",
            "_search=har",
            "_sort=-users",
            "_all_tenants=true",
            "_get_all_results=true",
        ] {
            let answer = ask(caller, "/api/v3.1/tenants", query);
            assert!(
                !text(&answer).contains("harbour"),
                "{query} as {role}: {}",
                shown(&answer)
            );
        }
        let refusal = caller
            .get("/tenants/harbour")
            .refused(403, "forbidden_error");
        assert!(
            refusal.ends_with("action tenant_get in the tenant `harbour`"),
            "{refusal}"
        );
    }
}

#[test]
fn the_names_of_another_tenants_things_are_free() {
    let windlass = Windlass::start();
    let (owner, harbour) = things_of(&windlass, "harbour");
    let (ours, quay) = things_of(&windlass, "quay");
    let before = inventory(owner);
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for row in rows_about_things() {
        let Some(new) = row.names_new().filter(|new| harbour.chose(new)) else {
            continue;
        };
        let named = |name: String| {
            let value = |other: &str| match other == new {
                true => name.clone(),
                false => quay.value(other),
            };
            send(ours, &row, &value, "")
        };
        let (theirs, nobodys) = (named(harbour.value(new)), named(harbour.no_value(new)));
        let is_made = match row.id.as_str() {
            FOR_EXECUTIONS => theirs.status == 403,
            _ => row.success.contains(&theirs.status),
        };
        if theirs.status != nobodys.status || !is_made {
            wrong.push(format!(
                "{}: {}\n    but {}",
                row.id,
                shown(&theirs),
                shown(&nobodys)
            ));
        }
        tried += 1;
    }
    windlass.run_pending_work();
    demand_none(&wrong);
    assert!(tried > 1, "only {tried} rows give names");
    assert_eq!(inventory(owner), before);
}

#[test]
fn the_same_ids_in_two_tenants_are_two_things() {
    let windlass = Windlass::start();
    let theirs = windlass.user("harbourmaster").in_tenant("harbour");
    let ours = windlass.user("quaymaster").in_tenant("quay");
    Things::make(&windlass, theirs, "twin", "tenant");
    let twin = Things::make(&windlass, ours, "twin", "tenant");
    let before = inventory(theirs);
    for (caller, other) in [(theirs, "quay"), (ours, "harbour")] {
        for list in inventory(caller) {
            assert!(!list.contains(other), "{list}");
        }
    }
    // Whatever happens to one, the other does not notice; in the end it is not there any more.
    let (mut wrong, mut done) = (Vec::new(), 0);
    for query in ["", "force=true"] {
        for row in rows_about_things().iter().filter(|row| row.method != "GET") {
            let answer = send(ours, row, &|name| twin.value(name), query);
            done += u32::from(answer.status < 300);
            if !row.success.contains(&answer.status) && !(400..500).contains(&answer.status) {
                wrong.push(format!("{} {query}: {}", row.id, shown(&answer)));
            }
        }
        windlass.run_pending_work();
    }
    demand_none(&wrong);
    assert!(done > 10, "only {done} succeeded");
    assert_eq!(inventory(theirs), before);
}

#[test]
fn cleaning_up_everywhere_ends_at_the_borders_of_ones_tenants() {
    let windlass = Windlass::start();
    let (owner, _) = things_of(&windlass, "harbour");
    let before = inventory(owner);
    let body = json!({ "to_datetime": "2999-01-01" }).to_string();
    for role in ROLES {
        let caller = windlass.user(role).with_role_in(role, "quay");
        for path in [
            "/executions",
            "/executions?_all_tenants=true",
            "/executions?tenant_name=harbour",
        ] {
            let status = caller
                .raw("DELETE", path, "application/json", body.clone())
                .status();
            assert!(
                [200, 400, 403].contains(&status),
                "{path} as {role}: {status}"
            );
        }
    }
    assert_eq!(inventory(owner), before);
}

/// A tenant's user, who is called like it, and one of everything there, all with that word in their names.
fn things_of<'w>(windlass: &'w Windlass, tenant: &'static str) -> (Caller<'w>, Things) {
    let owner = windlass.user(tenant).in_tenant(tenant);
    (owner, Things::make(windlass, owner, tenant, "tenant"))
}

/// The averages of a tenant's executions, asked for in several ways.
fn averages(caller: Caller<'_>) -> Vec<String> {
    let rows = Endpoint::served();
    let row = rows.iter().find(|row| row.id == AVERAGES).expect("a row");
    let queries = [
        "",
        "_all_tenants=true",
        "_get_all_results=true&_all_tenants=true",
        "tenant_name=harbour",
        "workflow_id=install",
        "workflow_id=uninstall&_all_tenants=true",
    ];
    let one = |query| text(&ask(caller, &row.path, query));
    queries.into_iter().map(one).collect()
}

fn administrator(windlass: &Windlass) -> Caller<'_> {
    windlass.user("administrator").with_system_role("sys_admin")
}
