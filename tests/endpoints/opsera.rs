//! The endpoints of Opsera, called by everybody, with tokens of every scope, and by people of every
//! standing in an account.

use super::{json, shown};
use windlass_tests::{Caller, Endpoint, Permission, Windlass, demand_none, json};

/// A role in a tenant, and the tenant.
type Membership = Option<(&'static str, &'static str)>;

/// Those who have a user: name, role in the system, role in a tenant, and how much they are there: 0 for
/// nobody, then guest, user, power user, administrator.
const PEOPLE: [(&str, &str, Membership, u8); 8] = [
    ("viewer", "default", Some(("viewer", "harbour")), 1),
    ("user", "default", Some(("user", "harbour")), 2),
    ("operator", "default", Some(("operations", "harbour")), 2),
    ("worker", "default", Some(("worker", "harbour")), 0),
    ("manager", "default", Some(("manager", "harbour")), 3),
    ("loner", "default", None, 0),
    ("administrator", "sys_admin", Some(("user", "harbour")), 4),
    ("lonely-administrator", "sys_admin", None, 0),
];

/// The scopes of a token, and of none.
const SCOPES: [Option<&str>; 5] = [
    None,
    Some("api"),
    Some("pipeline"),
    Some("security-logs"),
    Some("conductor"),
];

/// What a row asks of the scope of a token and of the standing of its owner.
fn asked(row: &Endpoint) -> (&[&str], u8) {
    let Permission::Own(word) = &row.permission else {
        panic!("{}: nobody here knows {:?}", row.id, row.permission)
    };
    match word.as_str() {
        "scope api" => (&["api"], 1),
        "scope api and power user" => (&["api"], 3),
        "scope api or pipeline" => (&["api", "pipeline"], 1),
        "scope api or pipeline and user" => (&["api", "pipeline"], 2),
        "scope api or security-logs and power user" => (&["api", "security-logs"], 3),
        other => panic!("{}: nobody here knows {other}", row.id),
    }
}

#[test]
fn every_endpoint_of_opsera_answers_exactly_those_who_may() {
    let windlass = Windlass::start();
    windlass.admin().get("/status").expect(200);
    let mut tokens = Vec::new();
    for (name, system_role, membership, standing) in PEOPLE {
        let mut person = windlass.user(name).with_system_role(system_role);
        if let Some((role, tenant)) = membership {
            person = person.with_role_in(role, tenant);
        }
        for scope in SCOPES {
            let body = scope.map_or(json!({}), |scope| json!({ "scopes": [scope] }));
            let token = person.post("/tokens", body).expect(200);
            let token = token["value"].as_str().expect("a token").to_owned();
            tokens.push((name, scope, standing, token));
        }
    }
    let anybody = windlass.nobody().without_tenant();
    // Whoever is asked first makes the tables that are its own.
    anybody
        .at_root()
        .get("/api/v1/pipeline/pipelines")
        .expect(401);
    let mut wrong = Vec::new();
    for row in Endpoint::served() {
        if row.family != "opsera" {
            continue;
        }
        if row.permission == Permission::Own("signature".into()) {
            judge(&windlass, &row, "nobody", anybody, Some(401), &mut wrong);
            continue;
        }
        let (scopes, least) = asked(&row);
        for (who, caller) in [
            ("nobody", anybody),
            ("a made-up token", anybody.with_bearer("nonsense")),
            (
                "an unsigned token",
                anybody.with_bearer("eyJhbGciOiJub25lIn0.eyJ1c2VySWQiOiIwIn0."),
            ),
        ] {
            judge(&windlass, &row, who, caller, Some(401), &mut wrong);
        }
        for (name, scope, standing, token) in &tokens {
            let may = scope.is_none_or(|scope| scopes.contains(&scope)) && *standing >= least;
            let who = format!("{name} with {scope:?}");
            let caller = anybody.with_bearer(token);
            let refusal = (!may).then_some(403);
            judge(&windlass, &row, &who, caller, refusal, &mut wrong);
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
    // Ids have a shape; these have it and are nobody's.
    let value = |name: &str| match name {
        "pipeline_id" | "tool_id" | "id" => "0".repeat(24),
        "email" => "nobody@nowhere.example".into(),
        _ => "nothing-is-called-this".into(),
    };
    windlass
        .open_database()
        .execute_batch(
            "delete from failed_logins; delete from tools; delete from pipeline_runs; delete from pipelines;
             delete from queue;",
        )
        .expect("these are tables");
    let answer = windlass.send(&row.request(caller, &value));
    let is_right = match refusal {
        Some(status) => {
            let body = json(&answer);
            answer.status == status && body["status"] == "failed" && body["message"].is_string()
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
