//! People, the table `directory_people`: known by their address.

use super::fields::{check_email, demand, merged, texts};
use super::{Table, demand_writer};
use crate::access::Asker;
use crate::rows::{Listed, Paging};
use serde_json::{Map, Value as Json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Result};
use windlass_store::audit;

const TABLE: Table = Table {
    table: "directory_people",
    kind: "person",
    what: "Person",
    key_column: "email_key",
};

const FIELDS: [&str; 10] = [
    "firstName",
    "lastName",
    "displayName",
    "email",
    "externalId",
    "organization",
    "business",
    "department",
    "group",
    "team",
];

/// Reads a person.
///
/// # Errors
/// 400 naming what is missing or wrong.
pub(super) fn read(object: &Map<String, Json>) -> Result<Map<String, Json>> {
    let record = texts(object, &FIELDS)?;
    demand(&record, &["email"])?;
    check_email("email", email(&record))?;
    Ok(record)
}

fn email(record: &Map<String, Json>) -> &str {
    record
        .get("email")
        .and_then(Json::as_str)
        .unwrap_or_default()
}

/// What makes an address the same as another.
pub(super) fn key_of(record: &Map<String, Json>) -> String {
    email(record).to_lowercase()
}

fn duplicate() -> Error {
    Error::conflict("Duplicate email address").field("email", "Duplicate email address")
}

/// The people of the account, in the order in which they came; with `under` those of a node.
///
/// # Errors
/// Of the database.
pub async fn list(
    db: &impl Db,
    asker: &Asker,
    under: Option<&str>,
    paging: Paging,
) -> Result<Listed> {
    TABLE.list(db, asker, under, paging).await
}

/// One of them, as JSON text.
///
/// # Errors
/// 400 for what is no address, 404 for somebody who is not there.
pub async fn show(db: &impl Db, asker: &Asker, address: &str) -> Result<String> {
    check_email("email", address)?;
    TABLE.show(db, asker, &address.to_lowercase()).await
}

/// Stores a person. Answers the record.
///
/// # Errors
/// 403, 400; 409 for an address that is there.
pub async fn insert(tx: &impl Tx, asker: &Asker, object: &Map<String, Json>) -> Result<String> {
    demand_writer(asker)?;
    let record = read(object)?;
    let key = key_of(&record);
    if TABLE.is_taken(tx, asker, &key).await? {
        return Err(duplicate());
    }
    insert_all(tx, asker, std::slice::from_ref(&record)).await?;
    TABLE.show(tx, asker, &key).await
}

/// Which of these addresses are there.
pub(super) async fn taken(db: &impl Db, asker: &Asker, keys: &[String]) -> Result<Vec<String>> {
    TABLE.taken(db, asker, keys).await
}

/// Stores people whose addresses are not there.
pub(super) async fn insert_all(
    tx: &impl Tx,
    asker: &Asker,
    records: &[Map<String, Json>],
) -> Result<()> {
    let named = |record| (key_of(record), record);
    let items: Vec<_> = records.iter().map(named).collect();
    TABLE.insert_all(tx, asker, &items).await?;
    let emails: Vec<&str> = records.iter().map(email).collect();
    audit::insert_each(tx, &asker.scope, "person_create", "Person", &emails).await
}

/// Changes a person: what is given, a null takes a value away. Answers the record.
///
/// # Errors
/// 403, 404, 400; 409 for the address of somebody else.
pub async fn update(
    tx: &impl Tx,
    asker: &Asker,
    address: &str,
    changes: &Map<String, Json>,
) -> Result<String> {
    demand_writer(asker)?;
    check_email("email", address)?;
    let key = TABLE.key(tx, asker, &address.to_lowercase()).await?;
    let before = TABLE.document(tx, key).await?;
    let record = read(&merged(before.clone(), changes))?;
    let address = key_of(&record);
    let is_other = address != key_of(&before);
    if is_other && TABLE.is_taken(tx, asker, &address).await? {
        return Err(duplicate());
    }
    TABLE.save(tx, asker, key, (&address, &record)).await?;
    audit::insert(tx, &asker.scope, "person_update", "Person", email(&record)).await?;
    TABLE.show(tx, asker, &address).await
}

/// Removes a person.
///
/// # Errors
/// 403, 400, 404.
pub async fn delete(tx: &impl Tx, asker: &Asker, address: &str) -> Result<()> {
    demand_writer(asker)?;
    check_email("email", address)?;
    let key = TABLE.key(tx, asker, &address.to_lowercase()).await?;
    TABLE.delete(tx, key).await?;
    audit::insert(tx, &asker.scope, "person_delete", "Person", address).await
}
