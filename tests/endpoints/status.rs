//! The endpoints of the Status Dashboard, called by everybody, by monitors, and by people of every
//! standing. They belong to the installation: roles count in its first tenant.

use super::{holders, json, nothing_of, shown};
use windlass_tests::{Caller, Endpoint, Options, Permission, Windlass, demand_none, monitor_token};

/// A role in a tenant, and the tenant.
type Membership = Option<(&'static str, &'static str)>;

/// Those who have a user: name, role in the system, and role in a tenant.
const PEOPLE: [(&str, &str, Membership); 7] = [
    ("viewer", "default", Some(("viewer", "default_tenant"))),
    ("user", "default", Some(("user", "default_tenant"))),
    (
        "operator",
        "default",
        Some(("operations", "default_tenant")),
    ),
    ("manager", "default", Some(("manager", "default_tenant"))),
    ("foreign-manager", "default", Some(("manager", "quay"))),
    ("loner", "default", None),
    ("administrator", "sys_admin", None),
];

#[test]
fn every_endpoint_of_the_status_dashboard_answers_exactly_those_who_may() {
    let windlass = Options::default().with_monitors().start();
    windlass.admin().get("/status").expect(200);
    let holders = holders(&windlass);
    let is_held = |permission: &str, role: &str| {
        let holders = holders.get(permission);
        holders.is_some_and(|holders| holders.contains(role))
    };
    let tokens = PEOPLE.map(|(name, system_role, membership)| {
        let mut person = windlass.user(name).with_system_role(system_role);
        if let Some((role, tenant)) = membership {
            person = person.with_role_in(role, tenant);
        }
        person.own_token()
    });
    let monitor = monitor_token("probe");
    let mut wrong = Vec::new();
    for row in Endpoint::served() {
        if row.family != "status" {
            continue;
        }
        let names: Vec<&str> = match &row.permission {
            Permission::Public => Vec::new(),
            Permission::Held { names, .. } => names.iter().map(String::as_str).collect(),
            Permission::Own(word) if word == "monitor" => vec!["status_report"],
            other => panic!("{}: nobody here knows {other:?}", row.id),
        };
        // Made-up tokens count as failed logins, and there are more rows than an address has.
        let forgotten = (windlass.open_database()).execute("delete from failed_logins", []);
        forgotten.expect("the table is there");
        let is_public = row.permission == Permission::Public;
        let is_for_monitors = row.permission == Permission::Own("monitor".into());
        let anybody = windlass.nobody().without_tenant();
        let verdict = if is_public { None } else { Some(401) };
        judge(&windlass, &row, "nobody", anybody, verdict, &mut wrong);
        if !is_public {
            let bad = anybody.with_bearer("nonsense");
            judge(
                &windlass,
                &row,
                "a made-up token",
                bad,
                Some(401),
                &mut wrong,
            );
        }
        let verdict = if is_public || is_for_monitors {
            None
        } else {
            Some(403)
        };
        let caller = anybody.with_bearer(&monitor);
        judge(&windlass, &row, "a monitor", caller, verdict, &mut wrong);
        for ((name, system_role, membership), token) in PEOPLE.iter().zip(&tokens) {
            let role = membership.filter(|(_, tenant)| *tenant == "default_tenant");
            let may = names.iter().all(|permission| {
                is_held(permission, system_role)
                    || role.is_some_and(|(role, _)| is_held(permission, role))
            });
            let verdict = if may { None } else { Some(403) };
            let caller = anybody.with_bearer(token);
            judge(&windlass, &row, name, caller, verdict, &mut wrong);
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
    let answer = windlass.send(&row.request(caller, &nothing_of(row)));
    let is_right = match refusal {
        Some(status) => {
            let body = json(&answer);
            let tells = body["message"].is_string() || body["errMsg"].is_string();
            answer.status == status && tells
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
