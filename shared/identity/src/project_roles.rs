//! Adjutant's roles: what a caller is in a project, which is what Adjutant calls a tenant.
//!
//! Adjutant knows four: `admin` of everything, `project_admin` and `project_mod` who look after the
//! members of a project, and `member`. Other services of a cloud know `service`, which one of them is. They follow from the roles a user has already. Who may only
//! read or run things is no `project_mod`: a moderator invites members, who may do more.

use serde_json::{Value, json};
use windlass_core::caller::{AuthMethod, Caller};
use windlass_core::db::Db;
use windlass_core::error::{Error, Result};
use windlass_core::{params, python};

/// May do everything in every project.
pub const ADMIN: &str = "admin";
/// Looks after a project and all of its members.
pub const PROJECT_ADMIN: &str = "project_admin";
/// Looks after a project's members, but not its administrators.
pub const PROJECT_MOD: &str = "project_mod";
/// Is in a project.
pub const MEMBER: &str = "member";
/// Asks whose session a token is, for a service of its own.
pub const SERVICE: &str = "service";

/// The roles in a project of whoever has this role in the tenant, strongest first.
pub fn of_tenant_role(role: &str) -> &'static [&'static str] {
    match role {
        "manager" => &[PROJECT_ADMIN, MEMBER],
        PROJECT_MOD => &[PROJECT_MOD, MEMBER],
        SERVICE => &[SERVICE, MEMBER],
        _ => &[MEMBER],
    }
}

/// The roles in a project (nothing: in none), strongest first.
pub fn of(caller: &Caller, project: Option<&str>) -> Vec<&'static str> {
    let membership = project.and_then(|project| caller.tenants.get(project));
    let held = membership.map_or(&[][..], |membership| membership.roles.as_slice());
    let holds = |role: &&str| held.iter().any(|held| of_tenant_role(held).contains(role));
    let mut roles = Vec::new();
    if caller.is_admin() {
        roles.push(ADMIN);
    }
    let of_project = [PROJECT_ADMIN, PROJECT_MOD, SERVICE, MEMBER];
    roles.extend(of_project.into_iter().filter(holds));
    roles
}

/// The roles that a user has in a project now, by themselves or through a group. Nothing for who is not
/// there any more, or shut out.
pub async fn now(db: &impl Db, user_id: i64, project: &str) -> Result<Vec<&'static str>> {
    let sql = "select 1 from users where id = ?1 and active";
    if db.first(sql, params![user_id]).await?.is_none() {
        return Ok(Vec::new());
    }
    let caller = crate::caller(db, user_id, AuthMethod::Basic, None).await?;
    Ok(of(&caller, Some(project)))
}

/// Demands one of these roles in a project.
///
/// # Errors
/// 403, in Adjutant's words.
pub fn demand(caller: &Caller, project: Option<&str>, any_of: &[&str]) -> Result<()> {
    if of(caller, project).iter().any(|role| any_of.contains(role)) {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "Must have one of the following roles: {}",
        python::list(any_of)
    )))
}

/// The caller as tasks keep them: `keystone_user`, `approved_by`.
pub fn identity(caller: &Caller, project: &str) -> Value {
    json!({
        "project_domain_id": "default",
        "project_name": project,
        "project_id": project,
        "roles": of(caller, Some(project)),
        "user_domain_id": "default",
        "username": caller.username,
        "user_id": caller.user_id.to_string(),
        "authenticated": "Confirmed",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::caller::{AuthMethod, Membership};

    fn caller(user_id: i64, role: &str, in_harbour: &[&str]) -> Caller {
        let roles: Vec<String> = in_harbour.iter().map(|role| (*role).to_owned()).collect();
        let permissions = Default::default();
        let membership = (!roles.is_empty()).then_some(Membership { roles, permissions });
        Caller {
            user_id,
            username: "ann".into(),
            role: role.into(),
            method: AuthMethod::Basic,
            system: Default::default(),
            tenants: membership
                .into_iter()
                .map(|membership| ("harbour".to_owned(), membership))
                .collect(),
            execution_id: None,
        }
    }

    #[test]
    fn roles_follow_from_system_and_tenant_roles() {
        for (user_id, role, in_harbour, want) in [
            (7, "sys_admin", &[][..], &["admin"][..]),
            (0, "default", &[], &["admin"]),
            (
                7,
                "sys_admin",
                &["manager"],
                &["admin", "project_admin", "member"],
            ),
            (7, "default", &["manager"], &["project_admin", "member"]),
            (7, "default", &["project_mod"], &["project_mod", "member"]),
            (
                7,
                "default",
                &["viewer", "manager"],
                &["project_admin", "member"],
            ),
            (7, "default", &["user"], &["member"]),
            (7, "default", &["service"], &["service", "member"]),
            (7, "default", &["operations"], &["member"]),
            (7, "default", &["viewer"], &["member"]),
            (7, "default", &[], &[]),
        ] {
            let caller = caller(user_id, role, in_harbour);
            assert_eq!(of(&caller, Some("harbour")), want, "{role} {in_harbour:?}");
            let elsewhere: &[&str] = if caller.is_admin() { &["admin"] } else { &[] };
            assert_eq!(
                of(&caller, Some("quay")),
                elsewhere,
                "{role} {in_harbour:?}"
            );
            assert_eq!(of(&caller, None), elsewhere, "{role} {in_harbour:?}");
        }
    }

    #[test]
    fn a_role_that_is_missing_is_named() {
        let manager = caller(7, "default", &["manager"]);
        assert!(demand(&manager, Some("harbour"), &[PROJECT_ADMIN, ADMIN]).is_ok());
        let refusal = demand(&manager, Some("harbour"), &[ADMIN]).unwrap_err();
        assert_eq!(
            refusal.message(),
            "Must have one of the following roles: ['admin']"
        );
        assert_eq!(
            identity(&manager, "harbour")["roles"],
            json!(["project_admin", "member"])
        );
    }
}
