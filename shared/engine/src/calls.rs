//! Calls of the built-in plugin: from a due row to a report.
//!
//! Beginning is a transaction (the events say that the task started), then the request goes out
//! without one, then its end is recorded together with what it means. A crash in between
//! sends the request again with the same idempotency key, and tells nothing twice.

mod missing;

use crate::graph::{Call, OperationState, Related};
use crate::http_plugin::{self, Exchange};
use crate::step::{CallError, Outcome, Report};
use crate::texts::{self, TaskEvent};
use crate::{components, driver, workflows};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::rc::Rc;
use windlass_blueprint::functions::{self, Context, Needs};
use windlass_blueprint::operations::HTTP_PLUGIN;
use windlass_core::db::{Db, Tx};
use windlass_core::outbound::Outbound;
use windlass_core::{Result, Scope, Timestamp};
use windlass_deployment::environment::World;
use windlass_store::events::{self, EngineEvent};
use windlass_store::executions::{self, Status};
use windlass_store::operations::{self, DueCall, OperationChange};
use windlass_store::queue::{self, Due, Leased, Work};

/// A call that has begun.
pub(crate) struct Begun {
    /// Its row.
    pub row: Leased,
    /// Its execution.
    pub execution_id: String,
    /// How far its request is.
    prepared: Prepared,
}

/// How far the request of a call is when the transaction that begins it ends.
enum Prepared {
    /// It can be sent; or why there is none.
    Ready(
        Box<std::result::Result<Exchange, CallError>>,
        Option<Rc<World>>,
    ),
    /// Secrets are missing that a provider keeps, and nobody waits for a provider in a transaction.
    LacksSecrets(Box<Evaluation>),
}

/// The inputs of a call with all that their functions may ask.
struct Evaluation {
    operation_id: String,
    inputs: Value,
    whose: Context,
    world: Rc<World>,
    allow_private: bool,
}

/// Begins the calls of leased rows: states, events, evaluated inputs. Rows whose call is not wanted
/// any more, or is a worker's, are finished here. Rows that were withdrawn since they were leased are
/// passed over: an operation that is started without a row would never end.
pub(crate) async fn begin(
    tx: &impl Tx,
    holder: &str,
    rows: Vec<Leased>,
    allow_private: bool,
    now: Timestamp,
) -> Result<Vec<Begun>> {
    let keys: Vec<i64> = rows.iter().map(|row| row.key).collect();
    let held = queue::held(tx, holder, &keys).await?;
    let rows: Vec<Leased> = rows
        .into_iter()
        .filter(|row| held.contains(&row.key))
        .collect();
    let ids: Vec<&str> = rows.iter().map(|row| row.subject.as_str()).collect();
    let mut calls: HashMap<String, DueCall> = operations::find_due(tx, &Scope::engine(), &ids)
        .await?
        .into_iter()
        .map(|call| (call.id.clone(), call))
        .collect();
    let mut beginning = Beginning::default();
    let mut begun = Vec::new();
    for row in rows {
        let call = calls.remove(&row.subject);
        let Some((call, state)) = call.and_then(wanted) else {
            beginning.finished.push(row.key);
            continue;
        };
        let is_ours = call.queue.is_none();
        if !is_ours && state == OperationState::Started {
            // A worker has it already.
            beginning.finished.push(row.key);
            continue;
        }
        beginning.tell(&call, state, is_ours);
        if is_ours && components::is_one(plugin_of(&call), &call.name) {
            beginning.finished.push(row.key);
            beginning.components.push(Due {
                subject: call.id,
                not_before: now,
            });
            continue;
        }
        if !is_ours {
            beginning.finished.push(row.key);
            if let Some(seconds) = at(context_of(&call), "/timeout").as_f64() {
                beginning.timeouts.push(Due {
                    not_before: now.plus_millis(workflows::milliseconds(seconds)),
                    subject: call.id,
                });
            }
            continue;
        }
        let prepared = prepare(tx, &call, allow_private, &mut beginning.lookups).await?;
        begun.push(Begun {
            row,
            execution_id: call.execution_id,
            prepared,
        });
    }
    beginning.write(tx, holder, now).await?;
    Ok(begun)
}

/// A call that is still to be run, with its state.
pub(crate) fn wanted(call: DueCall) -> Option<(DueCall, OperationState)> {
    let state = OperationState::named(&call.state)?;
    let wanted = match (call.execution_status, state) {
        (Status::Started, OperationState::Sent | OperationState::Rescheduled) => true,
        // It ran when its holder died, and what came of it is to be known, also when the execution
        // was cancelled meanwhile. By force it loses its row.
        (
            Status::Started
            | Status::Pending
            | Status::Cancelling
            | Status::Cancelled
            | Status::Failed,
            OperationState::Started | OperationState::Sending | OperationState::ResponseSent,
        ) => true,
        (Status::Pending, OperationState::Sent) => true,
        _ => false,
    };
    wanted.then_some((call, state))
}

pub(crate) fn plugin_of(call: &DueCall) -> &str {
    at(context_of(call), "/plugin/name")
        .as_str()
        .unwrap_or_default()
}

pub(crate) fn context_of(call: &DueCall) -> &Value {
    at(&call.parameters, "/task_kwargs/kwargs/__cloudify_context")
}

/// What is at a JSON pointer; null where there is nothing. Clients may have written any shape.
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// Deployments that calls have asked for, by their rows.
pub(crate) type Lookups = HashMap<i64, Rc<World>>;

/// What is written when calls begin, all at once.
#[derive(Default)]
pub(crate) struct Beginning {
    finished: Vec<i64>,
    changes: Vec<(String, OperationState)>,
    pub(crate) timeouts: Vec<Due>,
    /// Operations of components, which are work of their own kind.
    components: Vec<Due>,
    events: Vec<(String, Vec<EngineEvent>)>,
    lookups: Lookups,
}

impl Beginning {
    /// The states and events of a call that begins: of one that is not ours, that it is sent to a worker.
    pub(crate) fn tell(&mut self, due: &DueCall, state: OperationState, is_ours: bool) {
        let number = |pointer: &str| at(&due.parameters, pointer).as_i64().unwrap_or(0);
        let call = call_of(due);
        let mut texts = Vec::new();
        let mut say = |event: TaskEvent| {
            let (retries, total) = (number("/current_retries"), number("/total_retries"));
            let text = texts::task(event, &due.name, false, None, retries, total, false);
            texts.push(driver::event_of(Some(&call), event.name(), text, None));
        };
        if state == OperationState::Rescheduled {
            say(TaskEvent::Sending);
        }
        if is_ours && state != OperationState::Started {
            say(TaskEvent::Started);
        }
        let next = if is_ours {
            OperationState::Started
        } else {
            OperationState::Sent
        };
        if state != next {
            self.changes.push((due.id.clone(), next));
        }
        match self
            .events
            .iter_mut()
            .find(|(known, _)| *known == due.execution_id)
        {
            Some((_, events)) => events.extend(texts),
            None => self.events.push((due.execution_id.clone(), texts)),
        }
    }

    /// Writes all of it.
    pub(crate) async fn write(self, tx: &impl Tx, holder: &str, now: Timestamp) -> Result<()> {
        let changes: Vec<OperationChange> = self
            .changes
            .iter()
            .map(|(id, state)| OperationChange {
                id,
                state: *state,
                retries: None,
                error: None,
            })
            .collect();
        operations::update_all(tx, &changes, now).await?;
        for (id, texts) in self.events {
            if texts.is_empty() {
                continue;
            }
            if let Some(execution) = executions::find_if_any(tx, &Scope::engine(), &id).await? {
                let newest = events::newest(tx, &execution).await?;
                let now = newest.map_or(now, |newest| newest.max(now));
                events::insert_all(tx, &execution, &texts, now).await?;
            }
        }
        queue::push_all(tx, Work::OperationTimeout, &self.timeouts, now).await?;
        queue::push_all(tx, Work::Component, &self.components, now).await?;
        if !self.finished.is_empty() {
            queue::finish(tx, holder, &self.finished).await?;
        }
        Ok(())
    }
}

/// As much of a call as its events need.
pub(crate) fn call_of(due: &DueCall) -> Call {
    let context = context_of(due);
    let text = |pointer: &str| at(context, pointer).as_str().unwrap_or_default().to_owned();
    Call {
        instance: text("/node_id"),
        operation: text("/operation/name"),
        related: at(context, "/related").is_object().then(|| Related {
            instance: text("/related/node_id"),
            node: text("/related/node_name"),
            is_target: at(context, "/related/is_target").as_bool().unwrap_or(true),
        }),
        ..Call::default()
    }
}

/// The request of a call, its inputs evaluated as far as they can be here.
async fn prepare(
    db: &impl Db,
    due: &DueCall,
    allow_private: bool,
    lookups: &mut Lookups,
) -> Result<Prepared> {
    let ready = |outcome| Prepared::Ready(Box::new(outcome), None);
    let plugin = plugin_of(due);
    if plugin != HTTP_PLUGIN {
        let text = format!("The control plane has no built-in plugin `{plugin}`");
        return Ok(ready(Err(CallError::fatal(text))));
    }
    let kwargs = at(&due.parameters, "/task_kwargs/kwargs").as_object();
    let mut inputs: Map<String, Value> = kwargs.cloned().unwrap_or_default();
    inputs.remove("__cloudify_context");
    let deployment = due
        .deployment_key
        .filter(|_| inputs.values().any(functions::has_functions));
    let Some(deployment) = deployment else {
        return Ok(ready(http_plugin::prepare(&due.id, &inputs, allow_private)));
    };
    let inputs = Value::Object(inputs);
    let whose = whose(&call_of(due));
    let world = world_of(db, deployment, (&inputs, &whose), lookups).await?;
    let evaluation = Evaluation {
        operation_id: due.id.clone(),
        inputs,
        whose,
        world,
        allow_private,
    };
    if evaluation.world.lacks_secrets() {
        return Ok(Prepared::LacksSecrets(Box::new(evaluation)));
    }
    let exchange = Box::new(evaluation.exchange());
    Ok(Prepared::Ready(exchange, Some(evaluation.world)))
}

/// What the functions in the inputs of a call may ask. Calls of one deployment share it where the deployment
/// itself is enough, as far as names tell.
pub(crate) async fn world_of(
    db: &impl Db,
    deployment: i64,
    (inputs, whose): (&Value, &Context),
    lookups: &mut Lookups,
) -> Result<Rc<World>> {
    let is_shared = functions::needs(inputs) == Needs::default();
    let known = lookups.get(&deployment).filter(|_| is_shared).cloned();
    let world = match known {
        Some(world) => world,
        None => Rc::new(World::load_for_engine(db, deployment, inputs, whose).await?),
    };
    if is_shared {
        lookups.entry(deployment).or_insert_with(|| world.clone());
    }
    let evaluated = world.here().evaluate(inputs, whose);
    if evaluated.is_err() && world.lacks_others() {
        let complete = World::load_for_engine(db, deployment, inputs, whose).await?;
        return Ok(Rc::new(complete));
    }
    Ok(world)
}

impl Evaluation {
    /// The request, the inputs evaluated.
    fn exchange(&self) -> std::result::Result<Exchange, CallError> {
        let here = self.world.here();
        let evaluated = here
            .evaluate(&self.inputs, &self.whose)
            .map_err(|error| CallError::fatal(self.world.explain(&error.message)))?;
        let alone = |function: &Value| here.evaluate(function, &self.whose).ok();
        if let Some(given) = self.inputs.as_object() {
            missing::demand_joined_values(given, &alone)?;
        }
        let empty = Map::new();
        let inputs = evaluated.as_object().unwrap_or(&empty);
        http_plugin::prepare(&self.operation_id, inputs, self.allow_private)
    }

    /// The same once providers have been asked for the secrets that they keep.
    async fn completed(
        &self,
        outbound: &impl Outbound,
    ) -> std::result::Result<Exchange, CallError> {
        let fetched = self.world.fetch_secrets(outbound).await;
        fetched.map_err(|error| CallError::recoverable(error.message().to_owned()))?;
        self.exchange()
    }
}

/// Whose `SELF`, `SOURCE` and `TARGET` the inputs of a call mean.
pub(crate) fn whose(call: &Call) -> Context {
    match &call.related {
        None => Context {
            self_instance: Some(call.instance.clone()),
            ..Context::default()
        },
        Some(related) => {
            let (source, target) = driver::rows::ends(call, related);
            Context {
                self_instance: None,
                source_instance: Some(source.to_owned()),
                target_instance: Some(target.to_owned()),
            }
        }
    }
}

/// Sends the request of a call that has begun, and says how it ended. What it says has no secret of the
/// inputs in it: events are read by many, and servers repeat what they were sent.
pub(crate) async fn run(begun: &Begun, outbound: &impl Outbound) -> Report {
    let (outcome, world) = match &begun.prepared {
        Prepared::Ready(exchange, world) => (send(exchange, outbound).await, world.as_ref()),
        Prepared::LacksSecrets(evaluation) => {
            let exchange = evaluation.completed(outbound).await;
            (send(&exchange, outbound).await, Some(&evaluation.world))
        }
    };
    let outcome = match (outcome, world) {
        (Outcome::Failed(error), Some(world)) => Outcome::Failed(CallError {
            message: world.hide_secrets(&error.message),
            ..error
        }),
        (outcome, _) => outcome,
    };
    Report {
        operation: begun.row.subject.clone(),
        outcome,
    }
}

async fn send(
    exchange: &std::result::Result<Exchange, CallError>,
    outbound: &impl Outbound,
) -> Outcome {
    match exchange {
        Ok(exchange) => {
            let answer = outbound.send(exchange.request.clone()).await;
            http_plugin::conclude(exchange, answer)
        }
        Err(error) => Outcome::Failed(error.clone()),
    }
}

/// Ends a call whose time is over.
pub(crate) async fn time_out(tx: &impl Tx, operation_id: &str, now: Timestamp) -> Result<()> {
    let due = operations::find_due(tx, &Scope::engine(), &[operation_id])
        .await?
        .into_iter()
        .next();
    let Some(due) = due else { return Ok(()) };
    let context = context_of(&due);
    let seconds = at(context, "/timeout").as_f64().unwrap_or_default();
    let queue = due.queue.as_deref().unwrap_or_default();
    let message = match OperationState::named(&due.state) {
        Some(OperationState::Sent) => format!(
            "No worker took the operation from the queue `{queue}` within {seconds} seconds: no \
             worker serves it"
        ),
        Some(OperationState::Started) => {
            format!("The operation did not end within {seconds} seconds")
        }
        _ => return Ok(()),
    };
    let error = CallError {
        kind: "OperationTimeout".into(),
        message,
        recoverable: at(context, "/timeout_recoverable")
            .as_bool()
            .unwrap_or(false),
        ..CallError::default()
    };
    let report = Report {
        operation: due.id.clone(),
        outcome: Outcome::Failed(error),
    };
    driver::drive(tx, &due.execution_id, vec![report], now)
        .await
        .map(drop)
}
