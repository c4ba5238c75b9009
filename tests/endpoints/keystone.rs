//! The endpoints of Keystone, called by people of every standing.

use super::{holders, json, nothing_of, shown};
use windlass_tests::{Caller, Endpoint, Permission, Windlass, demand_none};

/// Those who have a user: name, role in the system, and role in the one tenant they are in.
const PEOPLE: [(&str, &str, Option<&str>); 8] = [
    ("viewer", "default", Some("viewer")),
    ("user", "default", Some("user")),
    ("operator", "default", Some("operations")),
    ("moderator", "default", Some("project_mod")),
    ("manager", "default", Some("manager")),
    ("service", "default", Some("service")),
    ("loner", "default", None),
    ("administrator", "sys_admin", None),
];

#[test]
fn every_endpoint_of_keystone_answers_exactly_those_who_may() {
    let windlass = Windlass::start();
    windlass.admin().get("/status").expect(200);
    let holders = holders(&windlass);
    let is_held = |permission: &str, role: &str| {
        let holders = holders.get(permission);
        holders.is_some_and(|holders| holders.contains(role))
    };
    let tokens = PEOPLE.map(|(name, system_role, role)| {
        let mut person = windlass.user(name).with_system_role(system_role);
        if let Some(role) = role {
            person = person.with_role_in(role, "harbour");
        }
        person.own_token()
    });
    let mut wrong = Vec::new();
    for row in Endpoint::served() {
        if row.family != "keystone" {
            continue;
        }
        let names: Vec<&str> = match &row.permission {
            Permission::Public | Permission::Login => Vec::new(),
            Permission::Held { names, .. } => names.iter().map(String::as_str).collect(),
            other => panic!("{}: nobody here knows {other:?}", row.id),
        };
        let anybody = windlass.nobody().without_tenant();
        let is_public = row.permission == Permission::Public;
        let verdict = if is_public { None } else { Some(401) };
        judge(&windlass, &row, "nobody", anybody, verdict, &mut wrong);
        for ((name, system_role, role), token) in PEOPLE.iter().zip(&tokens) {
            let may = names.iter().all(|permission| {
                is_held(permission, system_role)
                    || role.is_some_and(|role| is_held(permission, role))
            });
            let verdict = if may { None } else { Some(403) };
            let caller = anybody.with_bearer(token);
            judge(&windlass, &row, name, caller, verdict, &mut wrong);
        }
    }
    let bad = windlass.nobody().without_tenant().with_bearer("nonsense");
    let rows = Endpoint::served();
    let users = rows.iter().find(|row| row.id == "keystone.users");
    let users = users.expect("it is in the table");
    judge(
        &windlass,
        users,
        "a made-up token",
        bad,
        Some(401),
        &mut wrong,
    );
    demand_none(&wrong);
}

/// Compares an answer with what it should be: a refusal of this status, or what the row says.
fn judge(
    windlass: &Windlass,
    row: &Endpoint,
    who: &str,
    caller: Caller<'_>,
    refusal: Option<u16>,
    wrong: &mut Vec<String>,
) {
    // Wrong passwords are among what is tried, and too many of them are another refusal.
    let forget = "delete from failed_logins";
    let forgotten = windlass.open_database().execute(forget, []);
    forgotten.expect("failures are rows");
    let answer = windlass.send(&row.request(caller, &nothing_of(row)));
    let is_right = match refusal {
        Some(status) => {
            let told = &json(&answer)["error"];
            let text = told["message"].as_str().unwrap_or_default();
            let names_action = text.contains("requested action: identity:") == (status == 403);
            answer.status == status && told["code"] == status && names_action && !text.is_empty()
        }
        None => row.accepts(answer.status),
    };
    if !is_right {
        wrong.push(format!(
            "{} as {who}: refused with {refusal:?}? but {}",
            row.id,
            shown(&answer)
        ));
    }
}
