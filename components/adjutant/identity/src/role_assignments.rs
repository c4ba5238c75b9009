//! `/role_assignments`: who has which role where.

use crate::base_url::base_url;
use crate::flags::flag;
use crate::refusals::{demand_login, forbidden};
use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Permission, Request, Response, Result, Scope};
use windlass_identity::keystone::{Assignment, DOMAIN_ID, DOMAIN_NAME, Filter, Place, assignments};

const ACTION: &str = "identity:list_role_assignments";

/// What the query asks for.
fn filter(request: &Request) -> Filter<'_> {
    let value = |name| request.query_value(name);
    let place = match (value("scope.project.id"), value("scope.domain.id")) {
        (Some(project), _) => Some(Place::Project(project)),
        (None, Some(_)) => Some(Place::Domain),
        (None, None) => value("scope.system").map(|_| Place::System),
    };
    Filter {
        user: value("user.id"),
        group: value("group.id"),
        place,
        role: value("role.id"),
        is_effective: flag(request, "effective") == Some(true),
        is_inherited: value("scope.OS-INHERIT:inherited_to").is_some(),
    }
}

/// Who may read assignments: whoever may list users reads all, members a project's, everybody their own.
fn demand(ctx: &Context<impl Db>, filter: &Filter<'_>) -> Result<Scope> {
    let scope = demand_login(ctx, ACTION)?;
    let is_own = filter.user == Some(scope.caller()?.user_id.to_string().as_str());
    let is_of_members = match filter.place {
        Some(Place::Project(project)) => ctx.allow_in(project, Permission::TenantGet).is_ok(),
        Some(Place::System | Place::Domain) | None => false,
    };
    let may = is_own || is_of_members || ctx.allow_anywhere(Permission::UserList).is_ok();
    may.then_some(scope).ok_or_else(|| forbidden(ACTION))
}

/// `GET /role_assignments`, with names if they are asked for.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let filter = filter(&ctx.request);
    let scope = demand(ctx, &filter)?;
    let (found, has_more) = assignments(&ctx.db, &scope, &filter).await?;
    let base = base_url(ctx).await;
    let has_names = flag(&ctx.request, "include_names") == Some(true);
    let items: Vec<Value> = found
        .iter()
        .map(|assignment| shown(&base, assignment, has_names))
        .collect();
    let mut body = Map::new();
    body.insert("role_assignments".into(), items.into());
    let own = format!("{base}/v3/role_assignments");
    body.insert(
        "links".into(),
        json!({ "self": own, "previous": null, "next": null }),
    );
    if has_more {
        body.insert("truncated".into(), true.into());
    }
    ctx.ok(body)
}

fn shown(base: &str, assignment: &Assignment, has_names: bool) -> Value {
    let domain = json!({ "id": DOMAIN_ID, "name": DOMAIN_NAME });
    let named = |id: &str, name: &str, has_domain: bool| {
        let mut object = Map::new();
        object.insert("id".into(), id.into());
        if has_names {
            object.insert("name".into(), name.into());
            if has_domain {
                object.insert("domain".into(), domain.clone());
            }
        }
        Value::Object(object)
    };
    let (actor, actors) = match assignment.is_of_group {
        true => ("group", "groups"),
        false => ("user", "users"),
    };
    let (id, role) = (&assignment.id, assignment.role);
    let (scope, link) = match &assignment.project {
        Some(project) if assignment.is_inherited => (
            json!({ "project": named(project, project, true), "OS-INHERIT:inherited_to": "projects" }),
            format!(
                "OS-INHERIT/projects/{project}/{actors}/{id}/roles/{role}/inherited_to_projects"
            ),
        ),
        Some(project) => (
            json!({ "project": named(project, project, true) }),
            format!("projects/{project}/{actors}/{id}/roles/{role}"),
        ),
        None => (
            json!({ "system": { "all": true } }),
            format!("system/{actors}/{id}/roles/{role}"),
        ),
    };
    let link = format!("{base}/v3/{link}");
    let mut object = Map::new();
    object.insert("role".into(), named(role, role, false));
    object.insert(actor.into(), named(id, &assignment.name, true));
    object.insert("scope".into(), scope);
    object.insert("links".into(), json!({ "assignment": link }));
    Value::Object(object)
}
