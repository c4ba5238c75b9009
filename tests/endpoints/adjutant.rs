//! The endpoints of Adjutant, called by everybody and by people of every standing in a project.

use super::{json, nothing_of, shown};
use windlass_tests::{Caller, Endpoint, Permission, Windlass, demand_none};

/// A role in a tenant, and the tenant.
type Membership = Option<(&'static str, &'static str)>;

/// Those who have a user: name, role in the system, and role in a tenant.
const PEOPLE: [(&str, &str, Membership); 8] = [
    ("viewer", "default", Some(("viewer", "harbour"))),
    ("user", "default", Some(("user", "harbour"))),
    ("operator", "default", Some(("operations", "harbour"))),
    ("worker", "default", Some(("worker", "harbour"))),
    ("moderator", "default", Some(("project_mod", "harbour"))),
    ("manager", "default", Some(("manager", "harbour"))),
    ("loner", "default", None),
    ("administrator", "sys_admin", Some(("user", "harbour"))),
];

#[test]
fn every_endpoint_of_adjutant_answers_exactly_those_who_may() {
    let windlass = Windlass::start();
    windlass.admin().get("/status").expect(200);
    let tokens = PEOPLE.map(|(name, system_role, membership)| {
        let mut person = windlass.user(name).with_system_role(system_role);
        if let Some((role, tenant)) = membership {
            person = person.with_role_in(role, tenant);
        }
        person.own_token()
    });
    let mut wrong = Vec::new();
    for row in Endpoint::served() {
        if row.family != "adjutant" {
            continue;
        }
        let may = |name: &str| match &row.permission {
            Permission::Public | Permission::Login => true,
            Permission::Own(word) if word == "admin" => name == "administrator",
            Permission::Own(word) if word == "moderator" => {
                matches!(name, "administrator" | "manager" | "moderator")
            }
            other => panic!("{}: nobody here knows {other:?}", row.id),
        };
        let anybody = windlass.nobody().without_tenant();
        let refusal = (row.permission != Permission::Public).then_some(401);
        judge(&windlass, &row, "nobody", anybody, refusal, &mut wrong);
        let bad = anybody.with_bearer("nonsense");
        judge(&windlass, &row, "a made-up token", bad, refusal, &mut wrong);
        for ((name, ..), token) in PEOPLE.iter().zip(&tokens) {
            let refusal = (!may(name)).then_some(403);
            let caller = anybody.with_bearer(token);
            judge(&windlass, &row, name, caller, refusal, &mut wrong);
        }
    }
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
    let forget = "delete from adjutant_submissions; delete from failed_logins;";
    let forgotten = windlass.open_database().execute_batch(forget);
    forgotten.expect("requests are rows");
    let answer = windlass.send(&row.request(caller, &nothing_of(row)));
    let is_right = match refusal {
        Some(status) => answer.status == status && json(&answer)["errors"].is_array(),
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
