//! `/summary`: how many there are of each value of a field.

use windlass_core::db::Db;
use windlass_core::list::{Field, ListQuery, Page, Resource, SummaryOf};
use windlass_core::{Context, Error, Permission, Response, Result, Scope};
use windlass_store::blueprints::{BLUEPRINTS, NOT_HIDDEN};
use windlass_store::deployment_groups::only_members;
use windlass_store::deployments::DEPLOYMENT;
use windlass_store::execution_groups::only_executions_of;
use windlass_store::execution_schedules::SCHEDULES;
use windlass_store::executions::EXECUTIONS;
use windlass_store::node_instances::NODE_INSTANCE;
use windlass_store::nodes::NODE;

/// How often schedules recur, which is a part of a field. `cfy` wants them summed up by it.
static RECURRENCE: Field = Field::text("recurrence", "t.rule ->> 'recurrence'");

/// What is summed up, and by which fields.
struct Summed {
    resource: &'static Resource,
    permission: Permission,
    count: &'static str,
    fields: &'static [&'static str],
    /// The parameter that names a group of them.
    group: Option<&'static str>,
}

/// `GET /summary/blueprints`: those that lists show.
pub async fn blueprints(ctx: &Context<impl Db>) -> Result<Response> {
    let summed = Summed {
        resource: &BLUEPRINTS,
        permission: Permission::BlueprintList,
        count: "blueprints",
        fields: &["tenant_name", "visibility"],
        group: None,
    };
    let mut asked = Asked::read(ctx, &summed)?;
    asked.query.and(NOT_HIDDEN, []);
    asked.respond(ctx).await
}

/// `GET /summary/deployments`, or those of a group.
pub async fn deployments(ctx: &Context<impl Db>) -> Result<Response> {
    let summed = Summed {
        resource: &DEPLOYMENT,
        permission: Permission::DeploymentList,
        count: "deployments",
        fields: &[
            "blueprint_id",
            "tenant_name",
            "visibility",
            "site_name",
            "deployment_status",
        ],
        group: Some("deployment_group_id"),
    };
    let mut asked = Asked::read(ctx, &summed)?;
    if let Some(id) = asked.group(ctx) {
        only_members(&ctx.db, &asked.scope, &mut asked.query, id).await?;
    }
    asked.respond(ctx).await
}

/// `GET /summary/executions`, or those of a group: those of system workflows too, unless a filter leaves
/// them out.
pub async fn executions(ctx: &Context<impl Db>) -> Result<Response> {
    let summed = Summed {
        resource: &EXECUTIONS,
        permission: Permission::ExecutionList,
        count: "executions",
        fields: &[
            "status",
            "status_display",
            "blueprint_id",
            "deployment_id",
            "workflow_id",
            "tenant_name",
            "visibility",
        ],
        group: Some("execution_group_id"),
    };
    let mut asked = Asked::read(ctx, &summed)?;
    if let Some(id) = asked.group(ctx) {
        only_executions_of(&ctx.db, &asked.scope, &mut asked.query, id).await?;
    }
    asked.respond(ctx).await
}

/// `GET /summary/nodes`.
pub async fn nodes(ctx: &Context<impl Db>) -> Result<Response> {
    let summed = Summed {
        resource: &NODE,
        permission: Permission::NodeList,
        count: "nodes",
        fields: &["deployment_id", "tenant_name", "visibility"],
        group: None,
    };
    Asked::read(ctx, &summed)?.respond(ctx).await
}

/// `GET /summary/node_instances`.
pub async fn node_instances(ctx: &Context<impl Db>) -> Result<Response> {
    let summed = Summed {
        resource: &NODE_INSTANCE,
        permission: Permission::NodeInstanceList,
        count: "node_instances",
        fields: &[
            "deployment_id",
            "index",
            "node_id",
            "state",
            "host_id",
            "tenant_name",
            "visibility",
        ],
        group: None,
    };
    Asked::read(ctx, &summed)?.respond(ctx).await
}

/// `GET /summary/execution_schedules`.
pub async fn execution_schedules(ctx: &Context<impl Db>) -> Result<Response> {
    let summed = Summed {
        resource: &SCHEDULES,
        permission: Permission::ExecutionScheduleList,
        count: "execution_schedules",
        fields: &["deployment_id", "workflow_id", "tenant_name", "visibility"],
        group: None,
    };
    Asked::read(ctx, &summed)?.respond(ctx).await
}

/// What a request wants to know.
struct Asked {
    scope: Scope,
    resource: &'static Resource,
    of: SummaryOf,
    query: ListQuery,
    group: Option<&'static str>,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// 403; 400 for fields that nothing is summed up by.
    fn read(ctx: &Context<impl Db>, summed: &Summed) -> Result<Self> {
        let scope = ctx.allow_list(summed.permission)?;
        let given = |name| {
            ctx.request
                .query_value(name)
                .filter(|text| !text.is_empty())
        };
        let target = given("_target_field").unwrap_or("None");
        let sub = given("_sub_field");
        if sub == Some(target) {
            let text = format!("_target_field and _sub_field are the same: {target}");
            return Err(Error::bad_parameters(text));
        }
        let of = SummaryOf {
            target: summed.field(target)?,
            sub: sub.map(|name| summed.field(name)).transpose()?,
            count: summed.count,
        };
        Ok(Self {
            scope,
            resource: summed.resource,
            of,
            query: ctx.list_query(summed.resource, summed.group.as_slice())?,
            group: summed.group,
        })
    }

    /// The group that a request names.
    fn group<'a>(&self, ctx: &'a Context<impl Db>) -> Option<&'a str> {
        ctx.request.query_value(self.group?)
    }

    async fn respond(self, ctx: &Context<impl Db>) -> Result<Response> {
        let (scope, query) = (&self.scope, &self.query);
        let summary = self
            .resource
            .summary(&ctx.db, scope, query, self.of)
            .await?;
        let page = Page {
            total: summary.total,
            ..Page::of(summary.items, 0)
        };
        Ok(page.respond_unfiltered(query))
    }
}

impl Summed {
    fn field(&self, name: &str) -> Result<&'static Field> {
        if self.count == "execution_schedules" && name == RECURRENCE.name {
            return Ok(&RECURRENCE);
        }
        let field = self.resource.field(name);
        let allowed = field.filter(|_| self.fields.contains(&name));
        allowed.ok_or_else(|| {
            Error::bad_parameters(format!(
                "Invalid summary field: {name}. Allowed values: {}",
                self.fields.join(", ")
            ))
        })
    }
}
