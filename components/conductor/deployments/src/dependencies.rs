//! `/deployments/inter-deployment-dependencies`: which deployment uses which other one.

use serde_json::{Map, Value, json};
use windlass_core::db::{Db, KeptDb, Tx};
use windlass_core::list::{Page, Paging};
use windlass_core::{
    Body, Context, Error, Kind, Permission, Response, Result, Scope, Visibility, ids,
};
use windlass_store::deployments::{self, Owner};
use windlass_store::inter_deployment_dependencies::{
    self as dependencies, INTER_DEPLOYMENT_DEPENDENCIES, NewDependency, Selection, Target,
};
use windlass_store::resource::Origin;

/// How many dependencies are made by one request.
const AT_ONCE: usize = 1000;

/// `GET /deployments/inter-deployment-dependencies`.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_list(Permission::InterDeploymentDependencyList)?;
    ctx.list(&INTER_DEPLOYMENT_DEPENDENCIES, &scope).await
}

/// `PUT /deployments/inter-deployment-dependencies`: a new one; the same again changes nothing.
pub async fn create(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::InterDeploymentDependencyCreate)?;
    let body = Body::of(ctx)?;
    let described = Described::read(&ctx.db, &scope, &body).await?;
    let source_id = body.required_text("source_deployment")?;
    ctx.include(&INTER_DEPLOYMENT_DEPENDENCIES)?;
    let id = ctx
        .db
        .transaction(async |tx| {
            let source = match described.new.external_source {
                Some(_) => None,
                None => Some(source(tx, &scope, source_id).await?),
            };
            described.store(tx, &scope, source.as_ref()).await
        })
        .await?;
    ctx.show(&INTER_DEPLOYMENT_DEPENDENCIES, &scope, &id, 200)
        .await
}

/// `POST /deployments/inter-deployment-dependencies`: several of one source.
pub async fn create_many(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::InterDeploymentDependencyCreate)?;
    let body = Body::of(ctx)?;
    let source_id = body.required_text("source_deployment_id")?;
    let all = Described::read_all(&ctx.db, &scope, &body).await?;
    let made = ctx
        .db
        .transaction(async |tx| {
            let source = source(tx, &scope, source_id).await?;
            store_all(tx, &scope, &source, &all).await
        })
        .await?;
    Ok(ids_page(made))
}

/// `PUT /deployments/{deployment_id}/inter-deployment-dependencies`: these instead of all that there are.
pub async fn replace(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::InterDeploymentDependencyCreate)?;
    let body = Body::of(ctx)?;
    let all = Described::read_all(&ctx.db, &scope, &body).await?;
    let id = ctx.path("deployment_id");
    let made = ctx
        .db
        .transaction(async |tx| {
            let source = deployments::find_own(tx, &scope, id).await?.owner;
            dependencies::delete_all_of(tx, &source).await?;
            store_all(tx, &scope, &source, &all).await
        })
        .await?;
    Ok(ids_page(made))
}

/// `DELETE /deployments/inter-deployment-dependencies`: the one that the body describes. With
/// `is_component_deletion` its target may be gone already.
pub async fn delete(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow(Permission::InterDeploymentDependencyDelete)?;
    let body = Body::of(ctx)?;
    let creator = body.required_text("dependency_creator")?;
    let source_id = body.required_text("source_deployment")?;
    let target_id = body.text("target_deployment")?;
    let may_be_gone = body.boolean("is_component_deletion")?.unwrap_or(false);
    let [external_source, external_target] = ["external_source", "external_target"].map(|name| {
        body.object(name)
            .map(|object| object.cloned().map(Value::Object))
    });
    let (external_source, external_target) = (external_source?, external_target?);
    ctx.db
        .transaction(async |tx| {
            let source = match external_source {
                Some(_) => None,
                None => Some(source(tx, &scope, source_id).await?),
            };
            let target = match target_id {
                Some(id) if external_target.is_none() => find_target(tx, &scope, id).await?,
                _ => None,
            };
            if let (Some(id), None, None, false) =
                (target_id, &target, &external_target, may_be_gone)
            {
                return Err(no_target(id));
            }
            let selection = Selection {
                creator,
                source: source.as_ref(),
                target: target.as_ref(),
                external_source: external_source.as_ref(),
                external_target: external_target.as_ref(),
            };
            let id = dependencies::find_selected(tx, &scope, &selection).await?;
            dependencies::delete(tx, &scope, &selection, &id).await
        })
        .await?;
    Ok(Response::empty(204))
}

/// A dependency as a body describes it.
struct Described {
    new: NewDependency,
    target_id: Option<String>,
}

impl Described {
    async fn read(db: &impl Db, scope: &Scope, body: &Body) -> Result<Self> {
        let object = |name: &str| -> Result<Option<Value>> {
            Ok(body.object(name)?.cloned().map(Value::Object))
        };
        let id = body.filled_text("id")?;
        if let Some(id) = id {
            ids::check_characters("id", id)?;
        }
        let new = NewDependency {
            id: id.map(str::to_owned),
            creator: body.required_text("dependency_creator")?.to_owned(),
            target: Target {
                deployment: None,
                function: object("target_deployment_func")?,
                external: object("external_target")?,
            },
            external_source: object("external_source")?,
            visibility: Visibility::of_update(body)?,
            origin: Origin::read(db, scope, body).await?,
        };
        let target_id = body.filled_text("target_deployment")?.map(str::to_owned);
        Ok(Self { new, target_id })
    }

    async fn read_all(db: &impl Db, scope: &Scope, body: &Body) -> Result<Vec<Self>> {
        let name = "inter_deployment_dependencies";
        let given: Vec<Map<String, Value>> =
            body.objects(name)?.ok_or_else(|| Error::missing(name))?;
        if given.len() > AT_ONCE {
            let text = format!("{name}: at most {AT_ONCE} can be made at once");
            return Err(Error::bad_parameters(text));
        }
        let mut all = Vec::with_capacity(given.len());
        for one in given {
            all.push(Self::read(db, scope, &Body::from(one)).await?);
        }
        Ok(all)
    }

    async fn store(&self, tx: &impl Tx, scope: &Scope, source: Option<&Owner>) -> Result<String> {
        let mut new = self.new.clone();
        let is_named_otherwise = new.target.function.is_some() || new.target.external.is_some();
        if new.target.external.is_none()
            && let Some(id) = &self.target_id
        {
            new.target.deployment = find_target(tx, scope, id).await?;
        }
        if new.target.deployment.is_none() && !is_named_otherwise {
            return Err(no_target(self.target_id.as_deref().unwrap_or("None")));
        }
        dependencies::insert(tx, scope, source, &new).await
    }
}

async fn store_all(
    tx: &impl Tx,
    scope: &Scope,
    source: &Owner,
    all: &[Described],
) -> Result<Vec<String>> {
    let mut made = Vec::with_capacity(all.len());
    for one in all {
        made.push(one.store(tx, scope, Some(source)).await?);
    }
    Ok(made)
}

/// The source of a dependency, which the caller may change.
async fn source(db: &impl Db, scope: &Scope, id: &str) -> Result<Owner> {
    match deployments::find_own(db, scope, id).await {
        Ok(found) => Ok(found.owner),
        Err(error) if error.kind() == Kind::NotFound => Err(Error::new(
            Kind::NotFound,
            format!("Given source deployment with ID `{id}` does not exist."),
        )),
        Err(error) => Err(error),
    }
}

async fn find_target(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Owner>> {
    let found = deployments::find_optional(db, scope, id).await?;
    Ok(found.map(|found| found.owner))
}

fn no_target(id: &str) -> Error {
    let text = format!("Given target deployment with ID `{id}` does not exist.");
    Error::new(Kind::NotFound, text)
}

/// The ids of what was made, as a list of one page.
fn ids_page(made: Vec<String>) -> Response {
    let count = made.len();
    let items: Vec<Value> = made.into_iter().map(|id| json!({ "id": id })).collect();
    Page::of(items, count).respond(Paging::whole(count))
}
