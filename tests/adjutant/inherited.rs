//! Roles that count in all projects below one.

use super::people::Office;
use windlass_tests::{PASSWORD, Value, json};

/// Who is in a project, as `name: cohort`.
fn cohorts(listed: &Value) -> Vec<String> {
    let users = listed["users"].as_array().expect("users").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    users
        .map(|user| format!("{}: {}", text(&user["name"]), text(&user["cohort"])))
        .collect()
}

#[test]
fn who_inherits_a_role_works_in_what_is_below_a_project() {
    let office = Office::open();
    let windlass = &office.windlass;
    let manager = windlass
        .user("ann")
        .with_role_in("manager", "harbour")
        .own_token();
    let ann = office
        .anybody()
        .with_bearer(&manager)
        .naming_tenant("harbour");
    let clerk = windlass.user("clerk").in_tenant("harbour");
    let clerk_token = clerk.own_token();
    let path = "/config/adjutant.adjutant_settings";
    let settings = json!({ "value": { "default_parent": "harbour" } });
    windlass.admin().put(path, settings).expect(200);
    let bob = office.newcomer("bob@example.com", "pier");
    let bob = office.anybody().with_bearer(&bob);
    clerk.naming_tenant("pier").get("/blueprints").expect(403);

    let listed = ann.get("/v1/openstack/users").expect(200);
    assert_eq!(cohorts(&listed), ["ann: Member", "clerk: Member"]);
    let id = listed["users"][1]["id"].as_str().expect("an id").to_owned();
    let roles = format!("/v1/openstack/users/{id}/roles");
    let given = json!({ "roles": [], "inherited_roles": ["project_mod"] });
    ann.put(&roles, given.clone()).expect(202);
    assert_eq!(
        ann.get(&roles).expect(200),
        json!({ "roles": ["member"], "inherited_roles": ["project_mod", "member"] })
    );

    // The clerk is in the pier from the next request on, in every API.
    clerk.naming_tenant("pier").get("/blueprints").expect(200);
    let listed = bob.get("/v1/openstack/users").expect(200);
    assert_eq!(
        cohorts(&listed),
        ["bob@example.com: Member", "clerk: Inherited"]
    );
    assert_eq!(listed["users"][1]["manageable"], false);
    let there = office
        .anybody()
        .with_bearer(&clerk_token)
        .naming_tenant("pier");
    let seen = there.get("/v1/openstack/users").expect(200);
    assert_eq!(seen["users"].as_array().map(Vec::len), Some(2));
    let login = json!({ "auth": {
        "identity": { "methods": ["password"], "password": { "user": {
            "name": "clerk", "password": PASSWORD, "domain": { "name": "Default" } } } },
        "scope": { "project": { "name": "pier", "domain": { "name": "Default" } } } } });
    let token = office.anybody().post("/v3/auth/tokens", login).expect(201);
    let names: Vec<&Value> = (0..2)
        .map(|at| &token["token"]["roles"][at]["name"])
        .collect();
    assert_eq!(names, ["project_mod", "member"]);
    let path = "/v3/role_assignments?scope.OS-INHERIT:inherited_to=projects&role.id=project_mod";
    let told = office.admin().get(path).expect(200);
    assert_eq!(
        told["role_assignments"][0]["scope"],
        json!({ "project": { "id": "harbour" }, "OS-INHERIT:inherited_to": "projects" })
    );

    // Who is in it from above is looked after there.
    let refusal = bob.put(&roles, given).expect(400);
    assert_eq!(refusal, json!({ "errors": ["actions invalid"] }));
    let removal = json!({ "roles": [], "inherited_roles": ["project_mod", "member"] });
    let sent = ann.compose(
        "DELETE",
        &roles,
        Some("application/json"),
        Some(removal.to_string().into()),
    );
    assert_eq!(windlass.send(&sent).status, 202);
    clerk.naming_tenant("pier").get("/blueprints").expect(403);
}
