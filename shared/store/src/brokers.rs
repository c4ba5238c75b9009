//! Brokers, as clients know them: what brings work to whoever does it. The first is this application's own,
//! the queue in its database; operators may tell of others.

use crate::audit::{self, Operation};
use crate::json_text;
use crate::managers::networks_of;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Field, Resource};
use windlass_core::{Error, Permission, Result, Scope, params};

static FIELDS: [Field; 10] = [
    Field::text("name", "t.name"),
    Field::text("host", "t.host"),
    Field::text("management_host", "t.host"),
    Field::integer("port", "t.port"),
    // None of them is ever logged in to.
    Field::text("username", "null"),
    Field::text("password", "null"),
    Field::json("params", "'{}'"),
    Field::json("networks", "t.networks"),
    Field::boolean("is_external", "t.is_external"),
    Field::text("ca_cert_content", "null"),
];

/// Brokers as the API shows them.
pub static BROKERS: Resource = Resource {
    name: "Broker",
    table: "brokers t",
    fields: &FIELDS,
    search: None,
    of_tenant: false,
    counts: &[],
};

/// A broker's row.
#[derive(Clone, Debug, Deserialize)]
pub struct Broker {
    key: i64,
    name: String,
    networks: Map<String, Value>,
}

/// A broker by its name.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, _scope: &Scope, name: &str) -> Result<Broker> {
    let sql = "select json_object('key', key, 'name', name, 'networks', json(networks))
               from brokers where name = ?1";
    let found = db.first_json(sql, params![name]).await?;
    found.ok_or_else(|| Error::not_found(BROKERS.name, name))
}

/// Stores a broker. Without networks it has one, with its address.
///
/// # Errors
/// 409 when its name or its address is another's.
pub async fn insert(
    tx: &impl Tx,
    scope: &Scope,
    (name, address): (&str, &str),
    port: i64,
    networks: Option<&Map<String, Value>>,
) -> Result<()> {
    let sql = "select 1 from brokers where name = ?1 or host = ?2 limit 1";
    if tx.first(sql, params![name, address]).await?.is_some() {
        return Err(Error::conflict(format!(
            "A broker with the name `{name}` or the address `{address}` already exists"
        )));
    }
    let networks = json_text(&networks_of(networks, address))?;
    tx.execute(
        "insert into brokers (name, host, port, networks, is_external) values (?1, ?2, ?3, ?4, 1)",
        params![name, address, port, networks],
    )
    .await?;
    record(tx, scope, Operation::Create, name).await
}

/// Adds networks to a broker, or changes addresses in those it has. None goes.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    broker: &Broker,
    networks: &Map<String, Value>,
) -> Result<()> {
    let mut all = broker.networks.clone();
    all.extend(networks.clone());
    let sql = "update brokers set networks = ?2 where key = ?1";
    tx.execute(sql, params![broker.key, json_text(&all)?])
        .await?;
    record(tx, scope, Operation::Update, &broker.name).await
}

/// Forgets a broker.
///
/// # Errors
/// 400 for the application's own.
pub async fn delete(tx: &impl Tx, scope: &Scope, broker: &Broker) -> Result<()> {
    if broker.key == 0 {
        return Err(Error::illegal_action(format!(
            "The broker `{}` is a part of the application and cannot be removed",
            broker.name
        )));
    }
    tx.execute("delete from brokers where key = ?1", params![broker.key])
        .await?;
    record(tx, scope, Operation::Delete, &broker.name).await
}

async fn record(tx: &impl Tx, scope: &Scope, operation: Operation, name: &str) -> Result<()> {
    let action = Permission::BrokerManage.name();
    audit::insert_as(tx, scope, operation, action, BROKERS.name, name).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn networks_come_and_change_and_never_go() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("admin", "");
            let more = json!({ "default": "10.0.0.9", "north": "10.1.0.2" });
            db.transaction(async |tx| {
                insert(tx, &scope, ("rabbit", "10.0.0.2"), 5671, None).await?;
                let rabbit = find(tx, &scope, "rabbit").await?;
                save(tx, &scope, &rabbit, more.as_object().unwrap()).await
            })
            .await
            .unwrap();
            let rabbit = find(&db, &scope, "rabbit").await.unwrap();
            assert_eq!(json!(rabbit.networks), more);
            let again = db
                .transaction(async |tx| insert(tx, &scope, ("r", "10.0.0.2"), 1, None).await)
                .await;
            assert_eq!(again.unwrap_err().kind(), windlass_core::Kind::Conflict);
            let own = find(&db, &scope, "windlass").await.unwrap();
            for (broker, is_gone) in [(&rabbit, true), (&own, false)] {
                let gone = db.transaction(async |tx| delete(tx, &scope, broker).await);
                assert_eq!(gone.await.is_ok(), is_gone, "{}", broker.name);
            }
        });
    }
}
