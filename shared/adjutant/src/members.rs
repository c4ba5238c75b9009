//! Who is in a project, and who is invited to it.

use crate::people::{self, Extent};
use crate::roles;
use crate::task_type::TaskType;
use crate::tasks::{self, plain_id};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};
use windlass_store::tenants;

/// The most members, heirs and invitations that one answer has of each.
const MOST: i64 = 1000;

/// What clients call somebody who has roles by themselves.
const MEMBER: &str = "Member";

/// The refusal of a user who is not in the project.
fn not_found() -> Error {
    Error::new(Kind::NotFound, "No user with this id.")
}

/// Somebody with roles in a project, in what is below it, or by what they are above it.
#[derive(Deserialize)]
struct Member {
    id: i64,
    username: String,
    email: Option<String>,
    active: bool,
    /// In the tenant; of who is in it from above one for each way.
    role: Option<String>,
    /// In all tenants below.
    inherited_role: Option<String>,
}

impl Member {
    /// As clients show one. Who is in the project from above is looked after there.
    fn shown(self, cohort: &str, held: &[String]) -> Value {
        let roles = roles::of_member(self.role.as_deref());
        let inherited = roles::of_member(self.inherited_role.as_deref());
        let can_manage = || roles::can_manage(held, &roles) && roles::can_manage(held, &inherited);
        json!({
            "id": self.id.to_string(),
            "name": self.username,
            "email": self.email,
            "manageable": cohort == MEMBER && can_manage(),
            "roles": roles,
            "inherited_roles": inherited,
            "cohort": cohort,
            "status": if self.active { "Active" } else { "Account Disabled" },
        })
    }
}

/// The columns of a member: of the user `u`, with roles given as SQL.
fn member_sql(role: &str, inherited_role: &str) -> String {
    format!(
        "json_object('id', u.id, 'username', u.username, 'email', u.email,
             'active', json(iif(u.active, 'true', 'false')), 'role', {role},
             'inherited_role', {inherited_role})"
    )
}

/// Those who have roles in a project or below it by themselves. `?1` is the project, `?2` the most.
fn members_sql() -> String {
    format!(
        "select {} from (select user_id from tenant_users where tenant_name = ?1
             union select user_id from inherited_roles where tenant_name = ?1) k
         cross join users u on u.id = k.user_id
         left join tenant_users m on m.user_id = k.user_id and m.tenant_name = ?1
         left join inherited_roles i on i.user_id = k.user_id and i.tenant_name = ?1
         order by u.username limit ?2",
        member_sql("m.role", "i.role")
    )
}

/// Those who are in a project by roles that they have above it, each with the strongest. `?1` is the
/// project, `?2` the most.
fn heirs_sql() -> String {
    let strongest =
        "case min(case h.role when 'manager' then 1 when 'project_mod' then 2 else 3 end)
         when 1 then 'manager' when 2 then 'project_mod' else 'user' end";
    format!(
        "select {} from ({}) h cross join users u on u.id = h.user_id
         group by u.id order by u.username limit ?2",
        member_sql(strongest, "null"),
        tenants::heirs_of("?1")
    )
}

/// The members of a project, those who are in it from above, and the open invitations to it, as clients show
/// them. `held` are the roles of who asks.
pub async fn list(
    db: &impl Db,
    scope: &Scope,
    project: &str,
    held: &[String],
) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for (sql, cohort) in [(members_sql(), MEMBER), (heirs_sql(), "Inherited")] {
        let found: Vec<Member> = db.json_rows(&sql, params![project, MOST]).await?;
        all.extend(found.into_iter().map(|member| member.shown(cohort, held)));
    }
    all.extend(invitations(db, scope, project).await?);
    Ok(all)
}

/// The open invitations to a project.
async fn invitations(db: &impl Db, _scope: &Scope, project: &str) -> Result<Vec<Value>> {
    db.json_rows(
        "select json_object('id', t.uuid,
             'name', coalesce(a.action_data ->> 'username', a.action_data ->> 'email'),
             'email', a.action_data ->> 'email', 'roles', json(a.action_data -> 'roles'),
             'inherited_roles', json(a.action_data -> 'inherited_roles'), 'cohort', 'Invited',
             'status', case
                 when not a.valid then 'Invalid'
                 when exists (select 1 from adjutant_notifications n
                     where n.task_key = t.key and n.error = 1) then 'Failed'
                 when exists (select 1 from adjutant_tokens k
                     where k.task_key = t.key and k.expires < ?3) then 'Expired'
                 else 'Invited' end)
         from adjutant_tasks t join adjutant_actions a on a.task_key = t.key and a.position = 0
         where t.project_id = ?1 and t.task_type = ?2 and t.completed = 0 and t.cancelled = 0
         order by t.created_on desc, t.key desc limit ?4",
        params![
            project,
            TaskType::InviteUserToProject,
            Timestamp::now(),
            MOST
        ],
    )
    .await
}

/// One member of a project.
///
/// # Errors
/// 404 for who has no roles there or below by themselves.
pub async fn show(db: &impl Db, scope: &Scope, project: &str, id: &str) -> Result<Value> {
    let found = people::by_id(db, scope, id).await?.ok_or_else(not_found)?;
    if !people::has_project(db, scope, project).await? {
        return Err(not_found());
    }
    let roles = people::roles_in(db, scope, project, &found.user, Extent::Here).await?;
    let inherited = people::roles_in(db, scope, project, &found.user, Extent::Below).await?;
    if roles.is_empty() && inherited.is_empty() {
        return Err(not_found());
    }
    Ok(json!({
        "id": found.user.id.to_string(),
        "username": found.user.username,
        "email": found.email,
        "roles": roles,
        "inherited_roles": inherited,
    }))
}

/// Whether an id is an open invitation to the project that the scope sees.
pub async fn is_invitation(db: &impl Db, scope: &Scope, project: &str, id: &str) -> Result<bool> {
    let found = tasks::find(db, scope, &plain_id(id)).await?;
    Ok(found.is_some_and(|task| {
        let is_open = task.demand_open().is_ok();
        is_open
            && task.task_type == TaskType::InviteUserToProject
            && task.project_id.as_deref() == Some(project)
    }))
}
