//! Groups of deployments through the routes.

use super::*;

#[test]
fn a_new_group_tells_of_its_members_before_it_tells_that_its_name_is_taken() {
    let harbour = Harbour::new();
    harbour.sql(
        "insert into deployment_groups (id, tenant_name, created_by, visibility, created_at)
         values ('hidden', 'harbour', 'ann', 'private', '2024')",
    );
    let body = |deployment: &str| json!({ "deployment_ids": [deployment] });
    let url = |group: &str| format!("/deployment-groups/{group}");
    for group in ["hidden", "free"] {
        let refusal = harbour.ask("user", "PUT", &url(group), body("nothing"), 404);
        assert_eq!(
            refusal["message"],
            "Requested `Deployment` with ID `nothing` was not found"
        );
    }
    assert_eq!(harbour.ids("admin", "/deployment-groups"), ["hidden"]);
    harbour.ask("user", "PUT", &url("hidden"), body("d1"), 409);
    harbour.ask("user", "PUT", &url("free"), body("d1"), 200);
}
