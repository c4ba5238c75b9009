//! `/components/{component_id}/binding`: a component that follows a deployment or a pipeline.

use crate::fields;
use crate::roles;
use windlass_core::db::Db;
use windlass_core::{Body, Context, Error, Permission, Response, Result, Timestamp, ids};
use windlass_status::bindings::{self, Failure, Subject, SubjectKind};
use windlass_status::body::{impact, refusal};
use windlass_status::components::list;
use windlass_store::deployments;

/// How bad a failure is, unless the binding says otherwise.
const IMPACT: i64 = 2;

/// The fields of a binding that can be set.
const KNOWN: [&str; 5] = ["type", "tenant_name", "id", "impact", "publish_errors"];

/// `GET /components/{component_id}/binding`: what the component follows.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let component = component(ctx)?;
    ctx.ok(bindings::find(&ctx.db, &scope, component).await?)
}

/// `PUT /components/{component_id}/binding`: follow a deployment, which the caller must be able to see,
/// or a pipeline.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let component = component(ctx)?;
    let body = Body::of(ctx)?;
    if let Some(unknown) = body.names().find(|name| !KNOWN.contains(name)) {
        return Err(refusal(unknown, format!("Unknown field `{unknown}`")));
    }
    let failure = Failure {
        impact: impact(&body, IMPACT)?,
        publish_errors: body.boolean("publish_errors")?.unwrap_or(false),
    };
    let id = body.required_text("id")?;
    let kind = body.required_text("type")?;
    let subject = match SubjectKind::named(kind) {
        Some(SubjectKind::Deployment) => {
            let tenant = body.required_text("tenant_name")?;
            let in_tenant = ctx.allow_in(tenant, Permission::DeploymentGet)?;
            let found = deployments::find(&ctx.db, &in_tenant, id).await?;
            // A global deployment of another tenant is seen from here, but bound over there.
            if found.tenant_name != tenant {
                return Err(Error::not_found("Deployment", id));
            }
            Subject::Deployment {
                tenant,
                id,
                workflow: "",
            }
        }
        Some(SubjectKind::Pipeline) => {
            ids::check_characters("id", id)?;
            Subject::Pipeline { id }
        }
        None => {
            let text = format!("type must be `deployment` or `pipeline`, not `{kind}`");
            return Err(refusal("type", text));
        }
    };
    let binding = ctx
        .db
        .transaction(async |tx| {
            let component = list::find(tx, component).await?;
            let now = Timestamp::now();
            bindings::save(tx, &scope, &component, subject, failure, now).await?;
            bindings::find(tx, &scope, component.id).await
        })
        .await?;
    ctx.ok(binding)
}

/// `DELETE /components/{component_id}/binding`: follow nothing.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = roles::operator(ctx)?;
    let component = component(ctx)?;
    ctx.db
        .transaction(async |tx| {
            let binding = bindings::find(tx, &scope, component).await?;
            bindings::delete(tx, &scope, &binding).await
        })
        .await?;
    Ok(Response::empty(204))
}

fn component<D: Db>(ctx: &Context<D>) -> Result<i64> {
    fields::number(ctx.path("component_id")).ok_or_else(list::unknown)
}
