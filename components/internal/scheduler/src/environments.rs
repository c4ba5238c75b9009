//! Deployments that projects begin with: what Adjutant orders is made and started as a client would.

use windlass_adjutant::environments::{self, Order};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Scope, Timestamp, Visibility};
use windlass_deployment::environment::{self, Outcome, Prepared, Wanted};
use windlass_engine::StartRequest;
use windlass_store::blueprints;
use windlass_store::queue::{self, Leased};

/// The workflow that installs.
const INSTALL: &str = "install";

/// Makes the deployment that a row orders. It is one transaction with the end of the row, so however
/// often it is tried there is one.
///
/// # Errors
/// What another try may mend. The rest is noted in the task, and administrators are told.
pub async fn run<D: Db>(db: &D, holder: &str, row: &Leased, now: Timestamp) -> Result<()> {
    let order = Order::read(row)?;
    match make(db, holder, row, &order, now).await {
        Err(refusal) if is_final(&refusal) => {
            fail(db, holder, row, &order, refusal.message(), now).await
        }
        done => done,
    }
}

/// Whether the same would be refused again.
fn is_final(error: &Error) -> bool {
    let (status, _) = error.kind().wire();
    status < 500 && error.kind() != Kind::TooManyRequests
}

async fn make<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    order: &Order,
    now: Timestamp,
) -> Result<()> {
    let scope = Scope::system(&order.owner, &order.project);
    let blueprint = blueprints::find(db, &scope, &order.blueprint).await?;
    let wanted = Wanted {
        id: order.deployment.clone(),
        blueprint,
        inputs: order.inputs.clone(),
        labels: Vec::new(),
        visibility: Visibility::Tenant,
        display_name: None,
        site_name: None,
        skip_plugins_validation: false,
        runtime_only_evaluation: false,
        created_by: None,
        created_at: None,
    };
    let prepared = Prepared::new(db, &scope, wanted).await?;
    queue::finishing(db, holder, row, async |tx| {
        match environment::create(tx, &scope, &prepared).await? {
            Outcome::Created(_) => {}
            Outcome::Failed(_, why) => {
                return environments::tell_failure(tx, row, order, &why, now).await;
            }
        }
        if order.install {
            install(tx, &scope, order, now).await?;
        }
        environments::tell_made(tx, row, order, now).await
    })
    .await
}

async fn install(tx: &impl Tx, scope: &Scope, order: &Order, now: Timestamp) -> Result<()> {
    let request = StartRequest {
        deployment_id: order.deployment.clone(),
        workflow_id: INSTALL.into(),
        ..StartRequest::default()
    };
    windlass_engine::start(tx, scope, request, now)
        .await
        .map(drop)
}

async fn fail<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    order: &Order,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    queue::finishing(db, holder, row, async |tx| {
        environments::tell_failure(tx, row, order, why, now).await
    })
    .await
}

/// Gives an order up that cannot be carried out.
///
/// # Errors
/// Of the database.
pub async fn give_up<D: Db>(
    db: &D,
    holder: &str,
    row: &Leased,
    why: &str,
    now: Timestamp,
) -> Result<()> {
    match Order::read(row) {
        Ok(order) => fail(db, holder, row, &order, why, now).await,
        Err(_) => queue::finish(db, holder, &[row.key]).await.map(drop),
    }
}
