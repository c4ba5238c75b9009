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
use crate::{driver, workflows};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
    /// The request, or why there is none.
    pub exchange: std::result::Result<Exchange, CallError>,
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
        beginning.tell(&call, state, is_ours);
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
        let exchange = exchange(tx, &call, allow_private, &mut beginning.lookups).await?;
        begun.push(Begun {
            row,
            execution_id: call.execution_id,
            exchange,
        });
    }
    beginning.write(tx, holder, now).await?;
    Ok(begun)
}

/// A call that is still to be run, with its state.
fn wanted(call: DueCall) -> Option<(DueCall, OperationState)> {
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

fn context_of(call: &DueCall) -> &Value {
    at(&call.parameters, "/task_kwargs/kwargs/__cloudify_context")
}

/// What is at a JSON pointer; null where there is nothing. Clients may have written any shape.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

#[derive(Default)]
struct Beginning {
    finished: Vec<i64>,
    changes: Vec<(String, OperationState)>,
    timeouts: Vec<Due>,
    events: Vec<(String, Vec<EngineEvent>)>,
    lookups: HashMap<i64, World>,
}

impl Beginning {
    fn tell(&mut self, due: &DueCall, state: OperationState, is_ours: bool) {
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

    async fn write(self, tx: &impl Tx, holder: &str, now: Timestamp) -> Result<()> {
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
        if !self.finished.is_empty() {
            queue::finish(tx, holder, &self.finished).await?;
        }
        Ok(())
    }
}

/// As much of a call as its events need.
fn call_of(due: &DueCall) -> Call {
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

/// The request of a call, its inputs evaluated.
async fn exchange(
    db: &impl Db,
    due: &DueCall,
    allow_private: bool,
    lookups: &mut HashMap<i64, World>,
) -> Result<std::result::Result<Exchange, CallError>> {
    let context = context_of(due);
    let plugin = at(context, "/plugin/name").as_str().unwrap_or_default();
    if plugin != HTTP_PLUGIN {
        let text = format!("The control plane has no built-in plugin `{plugin}`");
        return Ok(Err(CallError::fatal(text)));
    }
    let kwargs = at(&due.parameters, "/task_kwargs/kwargs").as_object();
    let mut inputs: Map<String, Value> = kwargs.cloned().unwrap_or_default();
    inputs.remove("__cloudify_context");
    let mut inputs = Value::Object(inputs);
    if functions::has_functions(&inputs)
        && let Some(deployment) = due.deployment_key
    {
        let whose = whose(&call_of(due));
        let asked = inputs.clone();
        let load = World::load_for_engine(db, deployment, &asked, &whose);
        let own;
        let mut world = match lookups.entry(deployment) {
            Entry::Occupied(known) if needs_nothing(&inputs) => &*known.into_mut(),
            Entry::Vacant(place) if needs_nothing(&inputs) => &*place.insert(load.await?),
            _ => {
                own = load.await?;
                &own
            }
        };
        let mut evaluated = world.here().evaluate(&inputs, &whose);
        let again;
        if evaluated.is_err() && world.lacks_others() {
            again = World::load_for_engine(db, deployment, &asked, &whose).await?;
            world = &again;
            evaluated = world.here().evaluate(&inputs, &whose);
        }
        let evaluated = match evaluated {
            Ok(evaluated) => evaluated,
            Err(error) => return Ok(Err(CallError::fatal(world.explain(&error.message)))),
        };
        let here = world.here();
        let alone = |function: &Value| here.evaluate(function, &whose).ok();
        if let Some(given) = inputs.as_object()
            && let Err(error) = missing::demand_joined_values(given, &alone)
        {
            return Ok(Err(error));
        }
        inputs = evaluated;
    }
    let empty = Map::new();
    let inputs = inputs.as_object().unwrap_or(&empty);
    Ok(http_plugin::prepare(&due.id, inputs, allow_private))
}

/// Whether the deployment itself is enough, as far as names tell.
fn needs_nothing(inputs: &Value) -> bool {
    functions::needs(inputs) == Needs::default()
}

/// Whose `SELF`, `SOURCE` and `TARGET` the inputs of a call mean.
fn whose(call: &Call) -> Context {
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

/// Sends the request of a call that has begun, and says how it ended.
pub(crate) async fn run(begun: &Begun, outbound: &impl Outbound) -> Report {
    let outcome = match &begun.exchange {
        Ok(exchange) => {
            let answer = outbound.send(exchange.request.clone()).await;
            http_plugin::conclude(exchange, answer)
        }
        Err(error) => Outcome::Failed(error.clone()),
    };
    Report {
        operation: begun.row.subject.clone(),
        outcome,
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
