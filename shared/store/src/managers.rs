//! Nodes of the application, as operators tell of them. One is there from the beginning: this one.

use crate::audit::{self, Operation};
use crate::json_text;
use serde::Deserialize;
use serde_json::{Map, Value};
use windlass_core::db::{Db, Tx};
use windlass_core::list::{Field, Resource};
use windlass_core::{Error, Permission, Result, Scope, params};

/// The address that operators have set for this node, or else the one it was made with.
const PUBLIC_IP: &str = "iif(t.key = 0, coalesce((select nullif(c.value ->> '$', '') from config c
     where c.scope = 'rest' and c.name = 'public_ip'), t.public_ip), t.public_ip)";

static FIELDS: [Field; 13] = [
    Field::text("hostname", "t.hostname"),
    Field::integer("id", "t.key"),
    Field::text("private_ip", "t.private_ip"),
    Field::text("public_ip", PUBLIC_IP),
    Field::text("version", "t.version"),
    Field::text("edition", "t.edition"),
    Field::text("distribution", "t.distribution"),
    Field::text("distro_release", "t.distro_release"),
    Field::text("fs_sync_node_id", "t.fs_sync_node_id"),
    Field::json("networks", "t.networks"),
    Field::text("ca_cert_content", "t.ca_cert_content"),
    // Whoever answers has been seen now.
    Field::text(
        "last_seen",
        "iif(t.key = 0, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), t.last_seen)",
    ),
    Field::integer("status_report_frequency", "5"),
];

/// Nodes as the API shows them.
pub static MANAGERS: Resource = Resource {
    name: "Manager",
    table: "managers t",
    fields: &FIELDS,
    search: None,
    of_tenant: false,
    counts: &[],
};

/// A node's row.
#[derive(Clone, Debug, Deserialize)]
pub struct Manager {
    key: i64,
    hostname: String,
}

/// A node by its name.
///
/// # Errors
/// 404.
pub async fn find(db: &impl Db, _scope: &Scope, hostname: &str) -> Result<Manager> {
    let sql =
        "select json_object('key', key, 'hostname', hostname) from managers where hostname = ?1";
    let found = db.first_json(sql, params![hostname]).await?;
    found.ok_or_else(|| Error::not_found(MANAGERS.name, hostname))
}

/// A node that somebody tells of.
#[derive(Clone, Debug, Default)]
pub struct NewManager {
    /// Its name.
    pub hostname: String,
    /// Where other nodes reach it.
    pub private_ip: String,
    /// Where clients reach it.
    pub public_ip: String,
    /// The version of the API that it serves.
    pub version: String,
    /// The edition.
    pub edition: String,
    /// What it runs on.
    pub distribution: String,
    /// The version of that.
    pub distro_release: String,
    /// What it is called by what copies its files.
    pub fs_sync_node_id: Option<String>,
    /// The certificate that clients need to trust it.
    pub ca_cert_content: Option<String>,
    /// Its addresses by network; the private one when absent.
    pub networks: Option<Map<String, Value>>,
}

/// Stores a node.
///
/// # Errors
/// 409 when its name or its address is another's.
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &NewManager) -> Result<()> {
    let sql = "select hostname = ?1 from managers where hostname = ?1 or private_ip = ?2 limit 1";
    if let Some(row) = tx
        .first(sql, params![&new.hostname, &new.private_ip])
        .await?
    {
        let taken = match row.boolean(0)? {
            true => format!("hostname `{}`", new.hostname),
            false => format!("private_ip `{}`", new.private_ip),
        };
        return Err(Error::conflict(format!(
            "A manager with the {taken} already exists"
        )));
    }
    tx.execute(
        "insert into managers (hostname, private_ip, public_ip, version, edition, distribution,
             distro_release, fs_sync_node_id, ca_cert_content, networks)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            &new.hostname,
            &new.private_ip,
            &new.public_ip,
            &new.version,
            &new.edition,
            &new.distribution,
            &new.distro_release,
            new.fs_sync_node_id.as_deref(),
            new.ca_cert_content.as_deref(),
            json_text(&networks_of(new.networks.as_ref(), &new.private_ip))?
        ],
    )
    .await?;
    record(tx, scope, Operation::Create, &new.hostname).await
}

/// The networks that were given, or the one that everybody has.
pub(crate) fn networks_of(given: Option<&Map<String, Value>>, address: &str) -> Map<String, Value> {
    let default = || Map::from_iter([("default".to_owned(), address.into())]);
    given.cloned().unwrap_or_else(default)
}

/// Notes what a node is called by what copies its files.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    manager: &Manager,
    fs_sync_node_id: Option<&str>,
) -> Result<()> {
    tx.execute(
        "update managers set fs_sync_node_id = coalesce(?2, fs_sync_node_id) where key = ?1",
        params![manager.key, fs_sync_node_id],
    )
    .await?;
    record(tx, scope, Operation::Update, &manager.hostname).await
}

/// Forgets a node.
///
/// # Errors
/// 400 for the one that answers.
pub async fn delete(tx: &impl Tx, scope: &Scope, manager: &Manager) -> Result<()> {
    if manager.key == 0 {
        return Err(Error::illegal_action(format!(
            "The manager `{}` answers this request and cannot be removed",
            manager.hostname
        )));
    }
    tx.execute("delete from managers where key = ?1", params![manager.key])
        .await?;
    record(tx, scope, Operation::Delete, &manager.hostname).await
}

async fn record(tx: &impl Tx, scope: &Scope, operation: Operation, hostname: &str) -> Result<()> {
    let action = Permission::ManagerManage.name();
    audit::insert_as(tx, scope, operation, action, MANAGERS.name, hostname).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_comes_once_and_goes_but_this_one_stays() {
        pollster::block_on(async {
            let db = crate::fresh_database().await;
            let scope = Scope::system("admin", "");
            let new = NewManager {
                hostname: "north".into(),
                private_ip: "10.0.0.2".into(),
                ..NewManager::default()
            };
            let insert = async |new: &NewManager| {
                db.transaction(async |tx| insert(tx, &scope, new).await)
                    .await
            };
            insert(&new).await.unwrap();
            for (hostname, private_ip, part) in [
                ("north", "10.0.0.3", "hostname `north`"),
                ("south", "10.0.0.2", "private_ip `10.0.0.2`"),
                ("windlass", "10.0.0.4", "hostname `windlass`"),
            ] {
                let taken = NewManager {
                    hostname: hostname.into(),
                    private_ip: private_ip.into(),
                    ..new.clone()
                };
                let refusal = insert(&taken).await.unwrap_err();
                assert!(refusal.message().contains(part), "{refusal:?}");
            }
            let done = db
                .transaction(async |tx| {
                    let north = find(tx, &scope, "north").await?;
                    save(tx, &scope, &north, Some("sync")).await?;
                    delete(tx, &scope, &north).await?;
                    let own = find(tx, &scope, "windlass").await?;
                    delete(tx, &scope, &own).await
                })
                .await
                .unwrap_err();
            assert_eq!(done.kind(), windlass_core::Kind::IllegalAction);
            let statement = MANAGERS.named_statement(&scope, None, "windlass");
            let shown: Value = db
                .first_json(&statement.sql, &statement.parameters)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(shown["id"], 0);
            assert_eq!(shown["networks"]["default"], "127.0.0.1");
            assert!(shown["last_seen"].as_str().unwrap().ends_with('Z'));
        });
    }
}
