//! What a turn of a step has to know: the step, its run, and what came before it.

use crate::plan::{Plan, Step, StepKind};
use crate::runs::{Cause, RunState, StepState};
use crate::secrets;
use crate::template::{self, Known};
use crate::tools::{self, Tool};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::rc::Rc;
use windlass_core::caller::Reach;
use windlass_core::db::Db;
use windlass_core::outbound::Outbound;
use windlass_core::{Caller, Error, Result, Scope, Timestamp, params};

/// A step whose turn it is.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id of its row: what tools are told as `Idempotency-Key`.
    pub id: String,
    /// Where it stands.
    pub state: StepState,
    /// What it is.
    pub step: Step,
    /// Its place in the plan.
    pub position: usize,
    /// How often it was tried before.
    pub tries: i64,
    /// What its tool calls it, and so on; null before the first turn of a try.
    pub external: Json,
    /// Until when it must have ended.
    pub deadline: Option<i64>,
    /// The key of its run.
    pub run_key: i64,
    /// The account.
    pub account: String,
    /// In whose name it runs.
    pub by: String,
    known: Known,
}

#[derive(Deserialize)]
struct Stored {
    state: StepState,
    position: usize,
    tries: i64,
    external: Option<Json>,
    deadline: Option<i64>,
    run_key: i64,
    run_state: RunState,
    number: i64,
    cause: Cause,
    started_by: String,
    parameters: Json,
    source: Option<Json>,
    tenant_name: String,
    pipeline_id: String,
    pipeline_name: String,
    plan: Json,
}

#[derive(Deserialize)]
struct Before {
    position: usize,
    state: StepState,
    outputs: Option<Json>,
    error: Option<String>,
}

impl Job {
    /// The step of a row; nothing when it is gone or its run is over.
    pub async fn load(db: &impl Db, id: &str) -> Result<Option<Self>> {
        let sql = "select json_object('state', s.state, 'position', s.position, 'tries', s.tries,
                 'external', json(s.external), 'deadline', s.deadline, 'run_key', r.key,
                 'run_state', r.state, 'number', r.number, 'cause', r.cause,
                 'started_by', r.started_by, 'parameters', json(r.parameters),
                 'source', json(r.source), 'tenant_name', r.tenant_name, 'pipeline_id', p.id,
                 'pipeline_name', p.name, 'plan', json(l.plan))
             from pipeline_steps s join pipeline_runs r on r.key = s.run_key
                 join pipelines p on p.key = r.pipeline_key join pipeline_plans l on l.key = r.plan_key
             where s.id = ?1";
        let Some(stored) = db.first_json::<Stored>(sql, params![id]).await? else {
            return Ok(None);
        };
        if stored.run_state.has_ended() {
            return Ok(None);
        }
        let plan = Plan::stored(stored.plan.clone())?;
        let step = plan.steps.get(stored.position).cloned();
        let step = step.ok_or_else(|| Error::internal("a step is not in its plan"))?;
        let known = Known::default()
            .with("parameters", stored.parameters)
            .with("source", stored.source.unwrap_or(Json::Null))
            .with("pipeline", json!({ "id": stored.pipeline_id, "name": stored.pipeline_name }))
            .with(
                "run",
                json!({ "number": stored.number, "cause": stored.cause, "started_by": stored.started_by }),
            )
            .with("steps", before(db, stored.run_key, &plan).await?);
        Ok(Some(Self {
            id: id.to_owned(),
            state: stored.state,
            step,
            position: stored.position,
            tries: stored.tries,
            external: stored.external.unwrap_or(Json::Null),
            deadline: stored.deadline,
            run_key: stored.run_key,
            account: stored.tenant_name,
            by: stored.started_by,
            known,
        }))
    }

    /// Whether its time is over. Nothing was late before it began: perhaps nobody was there to begin.
    pub fn is_late(&self, now: Timestamp) -> bool {
        let has_begun =
            self.state == StepState::Paused || !self.external.is_null() || self.tries > 0;
        has_begun
            && self
                .deadline
                .is_some_and(|deadline| now.millis() >= deadline)
    }

    /// Whether it is a script that workers were offered: only its offer says how it stands.
    pub fn is_offered(&self) -> bool {
        self.step.kind == StepKind::Shell && !self.external.is_null()
    }

    /// That its time is over, as a text for people.
    pub fn too_late(&self) -> String {
        let seconds = self.step.timeout_seconds.unwrap_or_default();
        format!("did not end within {seconds} seconds")
    }

    /// Who it runs for, as they are now; nothing for somebody who is gone.
    pub async fn caller(&self, db: &impl Db) -> Result<Option<Rc<Caller>>> {
        let caller = windlass_identity::user_later(db, &self.by).await?;
        Ok(caller.map(Rc::new))
    }

    /// What is done with it in whose name, in its account.
    pub fn scope(&self, caller: &Rc<Caller>) -> Scope {
        Scope::of(
            caller.clone(),
            Reach::Tenant(self.account.clone()),
            String::new(),
        )
    }

    /// Fills the places of its configuration and opens its tool. The error is why it cannot begin.
    pub async fn prepare(
        &self,
        db: &impl Db,
        outbound: &impl Outbound,
    ) -> Result<std::result::Result<Prepared, String>> {
        let configuration = self.step.kind.with_places(&self.step.configuration);
        let configuration = Json::Object(configuration);
        let names = match template::secrets(&configuration) {
            Ok(names) => names,
            Err(why) => return Ok(Err(why)),
        };
        let (mut secrets, mut values) = (Vec::new(), Map::new());
        if !names.is_empty() {
            let Some(caller) = self.caller(db).await? else {
                return Ok(Err(format!(
                    "`{}` may not use secrets: there is no such user",
                    self.by
                )));
            };
            let scope = self.scope(&caller);
            for name in names {
                match secrets::find(db, &scope, &name, outbound).await? {
                    Ok(value) => {
                        secrets.push(value.clone());
                        values.insert(name, value.into());
                    }
                    Err(why) => return Ok(Err(why)),
                }
            }
        }
        let known = self.known.clone().with("secrets", Json::Object(values));
        let configuration = match template::fill(&configuration, &known) {
            Ok(Json::Object(configuration)) => configuration,
            Ok(_) => Map::new(),
            Err(why) => return Ok(Err(secrets::hide(&why, &secrets))),
        };
        let tool = match self.tool(db).await? {
            Ok(tool) => tool,
            Err(why) => return Ok(Err(why)),
        };
        secrets.extend(tool.secrets.iter().cloned());
        Ok(Ok(Prepared {
            configuration,
            tool,
            secrets,
        }))
    }

    async fn tool(&self, db: &impl Db) -> Result<std::result::Result<Tool, String>> {
        let Some(id) = self.step.tool_id.as_deref() else {
            return Ok(Ok(Tool::default()));
        };
        let Some(mut tool) = tools::open(db, &self.account, id).await? else {
            return Ok(Err(format!("Tool not found ({id})")));
        };
        if !tool.is_active {
            return Ok(Err(format!("The tool `{}` is not active", tool.name)));
        }
        // The step says what is called: a tool of Jenkins in the registry may go by another name.
        tool.kind = Some(self.step.kind);
        Ok(Ok(tool))
    }
}

/// What a step is about to use.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Its configuration, filled.
    pub configuration: Map<String, Json>,
    /// Its tool; an empty one when it has none.
    pub tool: Tool,
    /// What no log may show.
    pub secrets: Vec<String>,
}

/// What has become of the other steps, by their names.
async fn before(db: &impl Db, run_key: i64, plan: &Plan) -> Result<Json> {
    let sql = "select json_object('position', position, 'state', state, 'outputs', json(outputs),
             'error', error) from pipeline_steps where run_key = ?1 order by position";
    let mut steps = Map::new();
    for before in db.json_rows::<Before>(sql, params![run_key]).await? {
        if let Some(step) = plan.steps.get(before.position) {
            let outputs = before.outputs.unwrap_or_else(|| json!({}));
            let value =
                json!({ "status": before.state, "outputs": outputs, "error": before.error });
            steps.insert(step.name.clone(), value);
        }
    }
    Ok(Json::Object(steps))
}
