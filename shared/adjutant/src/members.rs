//! Who is in a project, and who is invited to it.

use crate::people;
use crate::roles;
use crate::task_type::TaskType;
use crate::tasks::{self, plain_id};
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, Timestamp, params};

/// The most members and invitations that one answer has.
const MOST: i64 = 1000;

/// The refusal of a user who is not in the project.
fn not_found() -> Error {
    Error::new(Kind::NotFound, "No user with this id.")
}

#[derive(Deserialize)]
struct Member {
    id: i64,
    username: String,
    email: Option<String>,
    active: bool,
    role: String,
}

/// The members of a project and the open invitations to it, as clients show them. `held` are the roles
/// of who asks.
pub async fn list(
    db: &impl Db,
    scope: &Scope,
    project: &str,
    held: &[String],
) -> Result<Vec<Value>> {
    let members: Vec<Member> = db
        .json_rows(
            "select json_object('id', u.id, 'username', u.username, 'email', u.email,
                 'active', json(iif(u.active, 'true', 'false')), 'role', m.role)
             from tenant_users m join users u on u.id = m.user_id
             where m.tenant_name = ?1 order by u.username limit ?2",
            params![project, MOST],
        )
        .await?;
    let shown = members.into_iter().map(|member| {
        let roles = roles::of_member(Some(&member.role));
        json!({
            "id": member.id.to_string(),
            "name": member.username,
            "email": member.email,
            "manageable": roles::can_manage(held, &roles),
            "roles": roles,
            "inherited_roles": [],
            "cohort": "Member",
            "status": if member.active { "Active" } else { "Account Disabled" },
        })
    });
    let mut all: Vec<Value> = shown.collect();
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
/// 404 for who is not in it by themselves.
pub async fn show(db: &impl Db, scope: &Scope, project: &str, id: &str) -> Result<Value> {
    let found = people::by_id(db, scope, id).await?.ok_or_else(not_found)?;
    if !people::has_project(db, scope, project).await? {
        return Err(not_found());
    }
    let roles = people::roles_in(db, scope, project, &found.user).await?;
    if roles.is_empty() {
        return Err(not_found());
    }
    Ok(json!({
        "id": found.user.id.to_string(),
        "username": found.user.username,
        "email": found.email,
        "roles": roles,
        "inherited_roles": [],
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
