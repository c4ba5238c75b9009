//! Pipelines, the table `pipelines`: what they are called, who may, and the steps that they consist of.
//!
//! The steps are kept apart, as they were at each time a run began: a pipeline that is changed while it
//! runs changes from its next run on.

pub mod schedule;
mod view;
pub mod webhook;

pub use view::{Narrowed, list, show};

use crate::access::{self, Access, Asker, Standing};
use crate::body;
use crate::plan::{Plan, StepKind};
use crate::runs::RunState;
use crate::tools;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Timestamp, params};
use windlass_store::audit;

pub(crate) const TABLE: (&str, &str) = ("pipelines", "Pipeline");

/// What clients are told with status 200 that they asked for in vain; nothing when it was done.
pub type Refusal = Option<String>;

/// A pipeline as what is done with it has to know it.
#[derive(Clone, Debug, Deserialize)]
pub struct Pipeline {
    pub(crate) key: i64,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    pub(crate) tenant_name: String,
    /// In whose name it runs by its schedule and its webhook.
    pub(crate) runs_as: String,
    pub(crate) active: bool,
    pub(crate) locked: bool,
    pub(crate) roles: Json,
    pub(crate) document: Map<String, Json>,
    pub(crate) project_id: Option<String>,
    pub(crate) is_delivery: bool,
    pub(crate) plan_key: i64,
    pub(crate) run_count: i64,
    pub(crate) current_run: Option<i64>,
    pub(crate) cron: Option<String>,
    pub(crate) webhook_secret: Option<String>,
    /// Where its current run stands; nothing when it has none.
    pub(crate) state: Option<RunState>,
}

const ROW: &str =
    "json_object('key', t.key, 'id', t.id, 'name', t.name, 'tenant_name', t.tenant_name,
     'runs_as', coalesce(t.runs_as, t.created_by), 'active', json(iif(t.active, 'true', 'false')),
     'locked', json(iif(t.locked, 'true', 'false')), 'roles', json(t.roles),
     'document', json(t.document), 'project_id', t.project_id,
     'is_delivery', json(iif(t.is_delivery, 'true', 'false')), 'plan_key', t.plan_key,
     'run_count', t.run_count, 'current_run', t.current_run, 'cron', t.cron,
     'webhook_secret', t.webhook_secret,
     'state', (select state from pipeline_runs r where r.key = t.current_run))";

impl Pipeline {
    /// Why nothing may be done with it now that needs it to stand still; `what` is what to do first.
    pub(crate) fn in_the_way(&self, what: &str) -> Refusal {
        let state = match self.state? {
            RunState::Running | RunState::Stopping => "running",
            RunState::Paused => "paused",
            RunState::Success | RunState::Failed | RunState::Stopped => return None,
        };
        let id = &self.id;
        Some(format!(
            "Pipeline {id} is currently in a {state} state. {what}"
        ))
    }
}

/// A pipeline of the account, of which the asker must be able to do so much.
///
/// # Errors
/// 404 for none, 403 for one that is not theirs to use so.
pub async fn find(db: &impl Db, asker: &Asker, id: &str, least: Access) -> Result<Pipeline> {
    let found = access::find(db, asker, TABLE, id, least).await?;
    let sql = format!("select {ROW} from pipelines t where t.key = ?1");
    let row = db.first_json(&sql, params![found.key]).await?;
    row.ok_or_else(|| body::not_found(TABLE.1, id))
}

/// A pipeline for what the application does itself; nothing when there is none of this id.
pub(crate) async fn find_any(db: &impl Db, id: &str) -> Result<Option<Pipeline>> {
    let sql = format!("select {ROW} from pipelines t where t.id = ?1");
    db.first_json(&sql, params![id]).await
}

/// The steps of a pipeline as they are now.
pub(crate) async fn plan(db: &impl Db, plan_key: i64) -> Result<Plan> {
    let sql = "select plan from pipeline_plans where key = ?1";
    let row = db.first(sql, params![plan_key]).await?;
    let row = row.ok_or_else(|| Error::internal("a pipeline has no plan"))?;
    Plan::stored(row.json(0)?)
}

/// Properties that have a column, or are not the client's to say.
const OURS: [&str; 15] = [
    "_id",
    "pipelineId",
    "name",
    "active",
    "locked",
    "roles",
    "project",
    "delivery",
    "owner",
    "owner_name",
    "account",
    "createdAt",
    "updatedAt",
    "__v",
    "workflow",
];

/// What of `workflow` is not the client's to say, or kept apart.
const OURS_OF_WORKFLOW: [&str; 6] = [
    "plan",
    "run_count",
    "last_run",
    "last_step",
    "status",
    "webhook",
];

/// What the columns hold of a client's object.
struct Columns {
    name: String,
    active: bool,
    project_id: Option<String>,
    is_delivery: bool,
    cron: Option<String>,
    document: Map<String, Json>,
    plan: Plan,
}

impl Columns {
    fn of(mut object: Map<String, Json>) -> Result<Self> {
        let name = body::name(object.get("name"), "name")?;
        let active = body::flag(&object, "active")?.unwrap_or(true);
        let is_delivery = body::flag(&object, "delivery")?.unwrap_or(true);
        let project_id = body::optional_name(object.get("project"), "project")?;
        let mut workflow = match object.get("workflow") {
            None | Some(Json::Null) => Map::new(),
            Some(Json::Object(workflow)) => workflow.clone(),
            Some(_) => return Err(Error::bad_parameters("workflow must be an object")),
        };
        body::demand_small("pipeline", &object)?;
        let plan = Plan::read(workflow.get("plan"))?;
        let cron = schedule::read(workflow.get("schedule"))?;
        webhook::check_source(workflow.get("source"))?;
        for ours in OURS {
            object.shift_remove(ours);
        }
        for ours in OURS_OF_WORKFLOW {
            workflow.shift_remove(ours);
        }
        object.insert("workflow".into(), Json::Object(workflow));
        Ok(Self {
            name,
            active,
            project_id,
            is_delivery,
            cron,
            document: object,
            plan,
        })
    }

    /// Demands what it takes to write such steps, if some of them run commands on workers. Whoever changes one
    /// step of a plan answers for all: others tell scripts what they find.
    fn demand_shell(&self, asker: &Asker) -> Result<()> {
        match self
            .plan
            .steps
            .iter()
            .any(|step| step.kind == StepKind::Shell)
        {
            true => asker.demand_shell(),
            false => Ok(()),
        }
    }

    /// Demands that every tool of the steps is there and the asker may use it.
    async fn demand_tools(&self, db: &impl Db, asker: &Asker) -> Result<()> {
        let mut known: Vec<&str> = Vec::new();
        for step in &self.plan.steps {
            let Some(tool) = step.tool_id.as_deref().filter(|tool| !known.contains(tool)) else {
                continue;
            };
            tools::demand_usable(db, asker, tool).await?;
            known.push(tool);
        }
        Ok(())
    }
}

/// Stores a new pipeline. Answers its id.
///
/// # Errors
/// 403 for guests, 400 for what is missing or wrong, 413 for too much.
pub async fn insert(tx: &impl Tx, asker: &Asker, object: &Map<String, Json>) -> Result<String> {
    asker.demand(Standing::User)?;
    let id = insert_unrecorded(tx, asker, object).await?;
    audit::insert(tx, &asker.scope, "pipeline_create", "Pipeline", &id).await?;
    Ok(id)
}

async fn insert_unrecorded(
    tx: &impl Tx,
    asker: &Asker,
    object: &Map<String, Json>,
) -> Result<String> {
    let rules = access::rules(object.get("roles"))?;
    let columns = Columns::of(object.clone())?;
    columns.demand_shell(asker)?;
    columns.demand_tools(tx, asker).await?;
    let (id, now) = (body::new_id(), Timestamp::now());
    let row = tx
        .first(
            "insert into pipelines (id, tenant_name, created_by, name, active, roles, document,
                 project_id, is_delivery, cron, plan_key, created_at, updated_at, runs_as)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?11, ?3) returning key",
            params![
                id.as_str(),
                asker.account(),
                asker.scope.username(),
                columns.name,
                columns.active,
                rules,
                &Json::Object(columns.document),
                columns.project_id,
                columns.is_delivery,
                columns.cron.as_deref(),
                now
            ],
        )
        .await?;
    let key = row.ok_or_else(|| Error::internal("an inserted pipeline has no key"))?;
    store_plan(tx, key.integer(0)?, &columns.plan).await?;
    schedule::set(tx, &id, columns.cron.as_deref(), now).await?;
    Ok(id)
}

/// Makes these the steps of a pipeline from its next run on.
async fn store_plan(tx: &impl Tx, pipeline_key: i64, plan: &Plan) -> Result<()> {
    let sql = "insert into pipeline_plans (pipeline_key, plan) values (?1, ?2) returning key";
    let row = tx.first(sql, params![pipeline_key, &plan.json]).await?;
    let row = row.ok_or_else(|| Error::internal("an inserted plan has no key"))?;
    let sql = "update pipelines set plan_key = ?2 where key = ?1";
    tx.execute(sql, params![pipeline_key, row.integer(0)?])
        .await
}

/// A pipeline as the object that a client would have sent.
fn object_of(pipeline: &Pipeline, plan: &Plan) -> Map<String, Json> {
    let mut object = pipeline.document.clone();
    object.insert("name".into(), json!(pipeline.name));
    object.insert("active".into(), json!(pipeline.active));
    object.insert("project".into(), json!(pipeline.project_id));
    object.insert("delivery".into(), json!(pipeline.is_delivery));
    let mut workflow = match object.shift_remove("workflow") {
        Some(Json::Object(workflow)) => workflow,
        _ => Map::new(),
    };
    workflow.insert("plan".into(), plan.json.clone());
    object.insert("workflow".into(), Json::Object(workflow));
    object
}

/// What `workflow.source` of a pipeline's document says.
fn source(document: &Map<String, Json>) -> Option<&Json> {
    let source = document.get("workflow")?.get("source")?;
    (!source.is_null()).then_some(source)
}

/// Makes whoever asks the one in whose name a pipeline runs by its schedule and its webhook. Who says
/// what such runs do answers for them, so nobody acts by another's rights.
async fn run_as(tx: &impl Tx, asker: &Asker, key: i64) -> Result<()> {
    let sql = "update pipelines set runs_as = ?2 where key = ?1";
    tx.execute(sql, params![key, asker.scope.username()]).await
}

/// Replaces those root properties of a pipeline that an object has, and those of its `workflow`. Whoever
/// changes its steps, its schedule or its source becomes the one in whose name it runs by itself.
///
/// # Errors
/// 404, 403; 400 and 413 as for a new one.
pub async fn update(
    tx: &impl Tx,
    asker: &Asker,
    id: &str,
    changes: &Map<String, Json>,
) -> Result<()> {
    let pipeline = find(tx, asker, id, Access::Manage).await?;
    let plan = plan(tx, pipeline.plan_key).await?;
    let mut object = object_of(&pipeline, &plan);
    let mut rules = access::rules(Some(&pipeline.roles))?;
    for (name, value) in changes {
        match name.as_str() {
            "roles" => rules = access::rules(Some(value))?,
            "workflow" => merge_workflow(&mut object, value)?,
            name => drop(object.insert(name.to_owned(), value.clone())),
        }
    }
    let columns = Columns::of(object)?;
    columns.demand_tools(tx, asker).await?;
    let is_other_plan = columns.plan.json != plan.json;
    if is_other_plan {
        columns.demand_shell(asker)?;
    }
    let is_other_cron = columns.cron != pipeline.cron;
    if is_other_plan || is_other_cron || source(&columns.document) != source(&pipeline.document) {
        run_as(tx, asker, pipeline.key).await?;
    }
    let now = Timestamp::now();
    tx.execute(
        "update pipelines set name = ?2, active = ?3, roles = ?4, document = ?5, project_id = ?6,
             is_delivery = ?7, cron = ?8, updated_at = ?9, revision = revision + 1 where key = ?1",
        params![
            pipeline.key,
            columns.name,
            columns.active,
            rules,
            &Json::Object(columns.document),
            columns.project_id,
            columns.is_delivery,
            columns.cron.as_deref(),
            now
        ],
    )
    .await?;
    if is_other_plan {
        store_plan(tx, pipeline.key, &columns.plan).await?;
        tx.execute(
            "delete from pipeline_plans where key = ?1
             and not exists (select 1 from pipeline_runs where plan_key = ?1)",
            params![pipeline.plan_key],
        )
        .await?;
    }
    if is_other_cron {
        schedule::set(tx, id, columns.cron.as_deref(), now).await?;
    }
    audit::insert(tx, &asker.scope, "pipeline_update", "Pipeline", id).await
}

fn merge_workflow(object: &mut Map<String, Json>, changes: &Json) -> Result<()> {
    let Json::Object(changes) = changes else {
        return Err(Error::bad_parameters("workflow must be an object"));
    };
    if let Some(Json::Object(workflow)) = object.get_mut("workflow") {
        workflow.extend(changes.clone());
    }
    Ok(())
}

/// Removes a pipeline with its runs and logs.
///
/// # Errors
/// 404, 403. One that runs is refused in words.
pub async fn delete(tx: &impl Tx, asker: &Asker, id: &str) -> Result<Refusal> {
    let pipeline = find(tx, asker, id, Access::Manage).await?;
    let refusal = pipeline.in_the_way("Stop it before delete.");
    if refusal.is_some() {
        return Ok(refusal);
    }
    schedule::set(tx, id, None, Timestamp::now()).await?;
    // Runs name plans, so they go first.
    let sql = "delete from pipeline_runs where pipeline_key = ?1";
    tx.execute(sql, params![pipeline.key]).await?;
    let sql = "delete from pipelines where key = ?1";
    tx.execute(sql, params![pipeline.key]).await?;
    audit::insert(tx, &asker.scope, "pipeline_delete", "Pipeline", id).await?;
    Ok(None)
}

/// Stores a copy under another name, its own of the asker, without runs and webhook. Answers its id.
///
/// # Errors
/// 404, 403 for one that the asker may not see; 400 for a bad name.
pub async fn duplicate(
    tx: &impl Tx,
    asker: &Asker,
    id: &str,
    name: Option<&Json>,
) -> Result<String> {
    asker.demand(Standing::User)?;
    let pipeline = find(tx, asker, id, Access::Read).await?;
    let plan = plan(tx, pipeline.plan_key).await?;
    let mut object = object_of(&pipeline, &plan);
    let usual = || json!(format!("{} (copy)", pipeline.name));
    object.insert("name".into(), name.cloned().unwrap_or_else(usual));
    // Steps of two pipelines never share an id.
    let fresh = with_new_ids(&plan)?;
    merge_workflow(&mut object, &json!({ "plan": fresh }))?;
    let copy = insert_unrecorded(tx, asker, &object).await?;
    audit::insert(tx, &asker.scope, "pipeline_duplicate", "Pipeline", &copy).await?;
    Ok(copy)
}

fn with_new_ids(plan: &Plan) -> Result<Json> {
    let mut text = plan.json.to_string();
    for step in &plan.steps {
        text = text.replace(
            &format!("\"{}\"", step.id),
            &format!("\"{}\"", body::new_id()),
        );
    }
    serde_json::from_str(&text).map_err(Error::internal)
}

/// Locks a pipeline, so that nothing starts it, or unlocks it.
///
/// # Errors
/// 404, 403. One that runs is not locked, which is refused in words.
pub async fn set_locked(tx: &impl Tx, asker: &Asker, id: &str, locked: bool) -> Result<Refusal> {
    let pipeline = find(tx, asker, id, Access::Manage).await?;
    if locked {
        let refusal = pipeline.in_the_way("Stop it before lock.");
        if refusal.is_some() {
            return Ok(refusal);
        }
    }
    if pipeline.locked != locked {
        let sql = "update pipelines set locked = ?2, updated_at = ?3 where key = ?1";
        tx.execute(sql, params![pipeline.key, locked, Timestamp::now()])
            .await?;
        let action = if locked {
            "pipeline_lock"
        } else {
            "pipeline_unlock"
        };
        audit::insert(tx, &asker.scope, action, "Pipeline", id).await?;
    }
    Ok(None)
}

#[cfg(test)]
#[path = "pipelines/tests.rs"]
mod tests;
