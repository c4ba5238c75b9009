//! Operations that workers run: leased, kept, reported.
//!
//! Leasing is a transaction (states, events, who has it until when); what the worker needs besides is read
//! after it. A result is one transaction with what follows from it. So a server or a worker may be killed
//! at any point: what was leased runs out, and is another worker's then.

use crate::calls::{
    Beginning, Lookups, at, call_of, context_of, plugin_of, wanted, whose, world_of,
};
use crate::graph::OperationState;
use crate::lease_kinds::{self, lost};
use crate::step::{CallError, Outcome, Report};
use crate::{driver, workflows};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use windlass_blueprint::functions;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result, Scope, Timestamp, hashing, log};
use windlass_store::agents;
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
    let calls: Vec<(&str, &str)> = begun
        .iter()
        .map(|(call, _)| (call.id.as_str(), plugin_of(call)))
        .collect();
    let mut about = operation_leases::about_all(db, &calls).await?;
    let mut told = Vec::with_capacity(begun.len());
    let mut lookups = Lookups::new();
    for (call, lease) in begun {
        let about = about.remove(&call.id).unwrap_or_default();
        let one = tell(db, scope, (&call, &lease, about), &mut lookups, now);
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
    (call, lease, about): (&DueCall, &NewLease, Map<String, Value>),
    lookups: &mut Lookups,
    now: Timestamp,
) -> Result<Option<Value>> {
    match inputs(db, call, lookups).await? {
        Ok((inputs, is_evaluated)) => {
            let context = context(call, lease, about, is_evaluated);
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
        begun.push(call);
    }
    let order: Vec<&str> = begun.iter().map(|call| call.id.as_str()).collect();
    let leases = operation_leases::insert_all(tx, scope, &order, asked, now).await?;
    // No row of the queue is finished, so nobody holds one.
    beginning.write(tx, "", now).await?;
    Ok(begun.into_iter().zip(leases).collect())
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
fn context(
    call: &DueCall,
    lease: &NewLease,
    about: Map<String, Value>,
    is_evaluated: bool,
) -> Value {
    let mut context = context_of(call).clone();
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
    context
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
        let outcome = Outcome::Failed(error);
        report(tx, &call.execution_id, &call.id, outcome, now).await
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
        let until = operation_leases::keep(tx, scope, &lease, now).await?;
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

/// What a worker says of an operation that it has leased.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The lease.
    pub lease_id: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What was sent, as a hash: the same result once more is known by it.
    pub hash: String,
}

impl Reported {
    /// A report by what was sent.
    pub fn new(lease_id: &str, outcome: Outcome, sent: &str) -> Self {
        Self {
            lease_id: lease_id.to_owned(),
            outcome,
            hash: hashing::digest(sent),
        }
    }
}

/// Ends a lease with what came of its operation. The same result once more changes nothing.
///
/// # Errors
/// 409 for a lease that is not the caller's any more, or that another result has ended.
pub async fn conclude(
    db: &impl Db,
    scope: &Scope,
    reported: Reported,
    now: Timestamp,
) -> Result<()> {
    let refusals = conclude_all(db, scope, vec![reported], now).await?;
    refusals
        .into_iter()
        .next()
        .map_or(Ok(()), |(_, error)| Err(error))
}

/// Ends leases with what came of their operations. Those of one execution are one transaction, which reads
/// its graph once. Answers which were refused and why, by their leases, as [`conclude`] does.
///
/// # Errors
/// Of the database, before anything was done.
pub async fn conclude_all(
    db: &impl Db,
    scope: &Scope,
    reported: Vec<Reported>,
    now: Timestamp,
) -> Result<Vec<(String, Error)>> {
    let ids: Vec<&str> = reported.iter().map(|one| one.lease_id.as_str()).collect();
    let leases = operation_leases::find_all(db, scope, &ids).await?;
    let leases: HashMap<String, Lease> = by_id(leases);
    let mut refused = Vec::new();
    let mut groups: BTreeMap<String, Vec<Reported>> = BTreeMap::new();
    for one in reported {
        let Some(lease) = leases.get(&one.lease_id) else {
            refused.push((one.lease_id.clone(), lost(&one.lease_id)));
            continue;
        };
        let outcome = hidden(db, &lease.operation_id, one.outcome).await?;
        let group = groups.entry(lease.execution_id.clone()).or_default();
        group.push(Reported { outcome, ..one });
    }
    for (execution, group) in groups {
        let ids: Vec<String> = group.iter().map(|one| one.lease_id.clone()).collect();
        let done = db
            .transaction(async |tx| conclude_group(tx, scope, &execution, group, now).await)
            .await;
        match done {
            Ok(lost) => refused.extend(lost),
            Err(error) => {
                log::error("results could not be taken", &error);
                let same = || Error::new(error.kind(), error.message().to_owned());
                refused.extend(ids.into_iter().map(|id| (id, same())));
            }
        }
    }
    Ok(refused)
}

fn by_id(leases: Vec<Lease>) -> HashMap<String, Lease> {
    let pair = |lease: Lease| (lease.id.clone(), lease);
    leases.into_iter().map(pair).collect()
}

/// Ends leases of one execution; answers those that were lost.
async fn conclude_group(
    tx: &impl Tx,
    scope: &Scope,
    execution: &str,
    group: Vec<Reported>,
    now: Timestamp,
) -> Result<Vec<(String, Error)>> {
    let ids: Vec<&str> = group.iter().map(|one| one.lease_id.as_str()).collect();
    let mut leases = by_id(operation_leases::find_all(tx, scope, &ids).await?);
    let (mut refused, mut ended, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    for one in group {
        let lease = leases.get_mut(&one.lease_id);
        match lease.map(|lease| (lease.result_hash.clone(), lease)) {
            Some((Some(known), _)) if known == one.hash => {}
            Some((None, lease)) if runs(lease) => {
                lease.result_hash = Some(one.hash.clone());
                ended.push((lease.key, one.hash));
                reports.push(Report {
                    operation: lease.operation_id.clone(),
                    outcome: one.outcome,
                });
            }
            _ => refused.push((one.lease_id.clone(), lost(&one.lease_id))),
        }
    }
    if !reports.is_empty() {
        let ended: Vec<(i64, &str)> = ended
            .iter()
            .map(|(key, hash)| (*key, hash.as_str()))
            .collect();
        operation_leases::end_all(tx, &ended).await?;
        driver::drive(tx, execution, reports, now).await?;
    }
    Ok(refused)
}

/// Makes operations available again whose workers have not kept their leases; answers how many. That
/// counts as a try. Workers that do not ask any more are forgotten as well. Reads only, where there is nothing.
///
/// # Errors
/// Of the database.
pub async fn expire(db: &impl Db, now: Timestamp) -> Result<usize> {
    agents::forget_workers(db, now).await?;
    let expired = operation_leases::expired(db, now).await?;
    let taken = lease_kinds::take_away(db, expired, async |tx, id| {
        let Some(lease) = operation_leases::still_expired(tx, id, now).await? else {
            return Ok(false);
        };
        operation_leases::take_away(tx, &lease).await?;
        if runs(&lease) {
            let outcome = Outcome::Failed(not_kept(&lease.worker));
            report(tx, &lease.execution_id, &lease.operation_id, outcome, now).await?;
        }
        Ok(true)
    });
    Ok(taken.await)
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
