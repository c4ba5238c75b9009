//! Operations that workers run: leased, kept, reported.
//!
//! Leasing is a transaction (states, events, who has it until when); what the worker needs besides is read
//! after it. A result is one transaction with what follows from it. So a server or a worker may be killed
//! at any point: what was leased runs out, and is another worker's then.

use crate::calls::{
    Beginning, Lookups, at, call_of, context_of, plugin_of, wanted, whose, world_of,
};
use crate::graph::OperationState;
use crate::step::{CallError, Outcome, Report};
use crate::{driver, workflows};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use windlass_blueprint::functions;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, hashing, log};
use windlass_store::operation_leases::{self, Asked, Lease, NewLease};
use windlass_store::operations::{self, DueCall};
use windlass_store::queue::Due;

/// How much longer than an operation's time its worker has to say that it is over, in milliseconds.
const TIMEOUT_GRACE: i64 = 15_000;

/// Leases operations to a worker: what it is told of each. None, where nothing waits. One whose inputs
/// cannot be evaluated fails at once, and is not among them.
///
/// # Errors
/// Of the database.
pub async fn lease(
    db: &impl Db,
    scope: &Scope,
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<Value>> {
    if !operation_leases::is_one_waiting(db, scope, &asked.queues).await? {
        return Ok(Vec::new());
    }
    let begun = db
        .transaction(async |tx| begin(tx, scope, asked, now).await)
        .await?;
    let mut told = Vec::with_capacity(begun.len());
    let mut lookups = Lookups::new();
    for (call, lease) in begun {
        let one = tell(db, scope, (&call, &lease), &mut lookups, now);
        match one.await {
            Ok(item) => told.extend(item),
            // The others are begun as well: this one is another worker's when its lease has run out.
            Err(error) => log::error("a leased operation could not be told", &error),
        }
    }
    Ok(told)
}

/// What a worker is told of an operation that it leased; none where its inputs end it.
async fn tell(
    db: &impl Db,
    scope: &Scope,
    (call, lease): (&DueCall, &NewLease),
    lookups: &mut Lookups,
    now: Timestamp,
) -> Result<Option<Value>> {
    match inputs(db, call, lookups).await? {
        Ok((inputs, is_evaluated)) => {
            let context = context(db, call, lease, is_evaluated).await?;
            Ok(Some(as_told(call, lease, context, inputs)))
        }
        Err(error) => {
            refuse(db, scope, call, lease, error, now).await?;
            Ok(None)
        }
    }
}

async fn begin(
    tx: &impl Tx,
    scope: &Scope,
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<(DueCall, NewLease)>> {
    let ids = operation_leases::waiting(tx, scope, &asked.queues, asked.most).await?;
    let order: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut calls: HashMap<String, DueCall> = operations::find_due(tx, &Scope::engine(), &order)
        .await?
        .into_iter()
        .map(|call| (call.id.clone(), call))
        .collect();
    let mut beginning = Beginning::default();
    let mut begun = Vec::new();
    for id in &ids {
        let Some((call, state)) = calls.remove(id).and_then(wanted) else {
            continue;
        };
        beginning.tell(&call, state, true);
        if let Some(seconds) = at(context_of(&call), "/timeout").as_f64() {
            let time = workflows::milliseconds(seconds).saturating_add(TIMEOUT_GRACE);
            beginning.timeouts.push(Due {
                subject: call.id.clone(),
                not_before: now.plus_millis(time),
            });
        }
        let lease = operation_leases::insert(tx, scope, &call.id, asked, now).await?;
        begun.push((call, lease));
    }
    // No row of the queue is finished, so nobody holds one.
    beginning.write(tx, "", now).await?;
    Ok(begun)
}

/// The inputs of a call, and whether their functions are evaluated. Those that need a secret which a
/// provider keeps are left to the worker, who asks for them as the execution: nothing here calls providers.
async fn inputs(
    db: &impl Db,
    call: &DueCall,
    lookups: &mut Lookups,
) -> Result<std::result::Result<(Value, bool), CallError>> {
    let inputs = given(call);
    let has_functions = functions::has_functions(&inputs);
    let deployment = call.deployment_key.filter(|_| has_functions);
    let Some(deployment) = deployment else {
        return Ok(Ok((inputs, true)));
    };
    let whose = whose(&call_of(call));
    let world = world_of(db, deployment, (&inputs, &whose), lookups).await?;
    if world.lacks_secrets() {
        return Ok(Ok((inputs, false)));
    }
    let evaluated = world.here().evaluate(&inputs, &whose);
    Ok(evaluated
        .map(|evaluated| (evaluated, true))
        .map_err(|error| CallError::fatal(world.hide_secrets(&world.explain(&error.message)))))
}

/// The inputs of a call as they were written.
fn given(call: &DueCall) -> Value {
    let kwargs = at(&call.parameters, "/task_kwargs/kwargs").as_object();
    let mut inputs: Map<String, Value> = kwargs.cloned().unwrap_or_default();
    inputs.remove("__cloudify_context");
    Value::Object(inputs)
}

/// What came of an operation, without the secrets of its inputs in what many read: scripts repeat what they
/// were given. A secret that a provider keeps is not known here.
async fn hidden(db: &impl Db, operation: &str, outcome: Outcome) -> Result<Outcome> {
    let make: fn(CallError) -> Outcome = match &outcome {
        Outcome::Failed(_) => Outcome::Failed,
        Outcome::Rescheduled(_) => Outcome::Rescheduled,
        Outcome::Succeeded { .. } => return Ok(outcome),
    };
    let (Outcome::Failed(error) | Outcome::Rescheduled(error)) = outcome else {
        return Ok(outcome);
    };
    let found = operations::find_due(db, &Scope::engine(), &[operation]).await?;
    let call = found.first();
    let Some((call, deployment)) = call.and_then(|call| Some((call, call.deployment_key?))) else {
        return Ok(make(error));
    };
    let inputs = given(call);
    let needs = functions::needs(&inputs);
    if needs.secrets.is_empty() && !needs.unknown {
        return Ok(make(error));
    }
    let whose = whose(&call_of(call));
    let world = world_of(db, deployment, (&inputs, &whose), &mut Lookups::new()).await?;
    Ok(make(CallError {
        message: world.hide_secrets(&error.message),
        traceback: error.traceback.map(|text| world.hide_secrets(&text)),
        ..error
    }))
}

/// What the dispatcher of `cloudify-common` takes as the context of an operation.
async fn context(
    db: &impl Db,
    call: &DueCall,
    lease: &NewLease,
    is_evaluated: bool,
) -> Result<Value> {
    let mut context = context_of(call).clone();
    let plugin = plugin_of(call);
    let about = operation_leases::about(db, call, plugin).await?;
    if let Value::Object(context) = &mut context {
        context.extend(about);
        let own = json!({
            "task_target": call.queue,
            "execution_token": lease.token,
            "rest_token": null,
            "dry_run": false,
            "has_intrinsic_functions": !is_evaluated,
        });
        if let Value::Object(own) = own {
            context.extend(own);
        }
    }
    Ok(context)
}

fn as_told(call: &DueCall, lease: &NewLease, context: Value, inputs: Value) -> Value {
    json!({
        "lease_id": lease.id,
        "expires_at": lease.expires_at,
        "operation_id": call.id,
        "execution_id": call.execution_id,
        "tenant_name": at(&context, "/tenant/name"),
        "queue": call.queue,
        "name": call.name,
        "node_instance_id": at(&context, "/node_id"),
        "execution_token": lease.token,
        "kwargs": inputs,
        "context": context,
    })
}

/// Ends an operation that no worker could run.
async fn refuse(
    db: &impl Db,
    scope: &Scope,
    call: &DueCall,
    lease: &NewLease,
    error: CallError,
    now: Timestamp,
) -> Result<()> {
    db.transaction(async |tx| {
        let Some(lease) = operation_leases::find(tx, scope, &lease.id).await? else {
            return Ok(());
        };
        operation_leases::take_away(tx, &lease).await?;
        report(
            tx,
            &call.execution_id,
            &call.id,
            Outcome::Failed(error),
            now,
        )
        .await
    })
    .await
}

async fn report(
    tx: &impl Tx,
    execution: &str,
    operation: &str,
    outcome: Outcome,
    now: Timestamp,
) -> Result<()> {
    let report = Report {
        operation: operation.to_owned(),
        outcome,
    };
    driver::drive(tx, execution, vec![report], now)
        .await
        .map(drop)
}

/// Keeps a lease; answers until when, and whether the operation is to be stopped.
///
/// # Errors
/// 409 for one that is not the caller's any more.
pub async fn keep(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    now: Timestamp,
) -> Result<(Timestamp, bool)> {
    db.transaction(async |tx| {
        let lease = find_open(tx, scope, id).await?;
        let until = operation_leases::keep(tx, &lease, now).await?;
        let status = lease.execution_status;
        Ok((until, status.is_cancelling() || status.has_ended()))
    })
    .await
}

async fn find_open(db: &impl Db, scope: &Scope, id: &str) -> Result<Lease> {
    let lease = operation_leases::find(db, scope, id).await?;
    lease
        .filter(|lease| lease.result_hash.is_none() && runs(lease))
        .ok_or_else(|| lost(id))
}

/// Whether the operation of a lease still runs: its time may be over, or somebody may have ended it.
fn runs(lease: &Lease) -> bool {
    lease.operation_state == OperationState::Started.name()
}

fn lost(id: &str) -> Error {
    Error::conflict(format!("The lease `{id}` is not this worker's any more"))
}

/// Ends a lease with what came of its operation. The same result once more changes nothing.
///
/// # Errors
/// 409 for a lease that is not the caller's any more, or that another result has ended.
pub async fn conclude(
    db: &impl Db,
    scope: &Scope,
    id: &str,
    outcome: Outcome,
    sent: &str,
    now: Timestamp,
) -> Result<()> {
    let hash = hashing::digest(sent);
    let lease = operation_leases::find(db, scope, id).await?;
    let lease = lease.ok_or_else(|| lost(id))?;
    let outcome = hidden(db, &lease.operation_id, outcome).await?;
    db.transaction(async |tx| {
        let lease = operation_leases::find(tx, scope, id).await?;
        let lease = lease.ok_or_else(|| lost(id))?;
        match &lease.result_hash {
            Some(known) if *known == hash => return Ok(()),
            None if runs(&lease) => {}
            _ => return Err(lost(id)),
        }
        operation_leases::end(tx, &lease, &hash).await?;
        report(tx, &lease.execution_id, &lease.operation_id, outcome, now).await
    })
    .await
}

/// Makes operations available again whose workers have not kept their leases; answers how many. That
/// counts as a try. Reads only, where there is nothing.
///
/// # Errors
/// Of the database.
pub async fn expire(db: &impl Db, now: Timestamp) -> Result<usize> {
    let mut expired = 0;
    for id in operation_leases::expired(db, now).await? {
        let done = db
            .transaction(async |tx| {
                let Some(lease) = operation_leases::still_expired(tx, &id, now).await? else {
                    return Ok(false);
                };
                operation_leases::take_away(tx, &lease).await?;
                if runs(&lease) {
                    let outcome = Outcome::Failed(not_kept(&lease.worker));
                    report(tx, &lease.execution_id, &lease.operation_id, outcome, now).await?;
                }
                Ok(true)
            })
            .await;
        match done {
            Ok(done) => expired += usize::from(done),
            Err(error) => log::error("an expired lease could not be taken away", &error),
        }
    }
    Ok(expired)
}

fn not_kept(worker: &str) -> CallError {
    CallError {
        kind: "LeaseExpired".into(),
        retry_after: Some(0),
        ..CallError::recoverable(format!(
            "The worker `{worker}` did not keep its lease: it may be gone"
        ))
    }
}
