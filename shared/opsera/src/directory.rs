//! The directory: people, projects, mappings between them, and the organisation that they are in.
//!
//! It is data that other systems bring, in any order, so nothing has to exist before something else
//! names it. Everybody in the account reads it, those who look after the account write it.

mod fields;
pub mod hierarchy;
pub mod import;
pub mod mappings;
pub mod people;
pub mod projects;

use crate::access::{Asker, Standing};
use crate::body::new_id;
use crate::rows::{Listed, Paging};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use windlass_core::db::{Db, Tx};
use windlass_core::{Error, Kind, Result, Timestamp, params};
use windlass_store::pieces::batches;

/// The levels of an organisation, the highest first.
pub const LEVELS: [&str; 5] = ["organization", "business", "department", "group", "team"];

/// Refuses who may not write.
fn demand_writer(asker: &Asker) -> Result<()> {
    asker.demand(Standing::PowerUser)
}

/// 404 in the words of the family.
fn not_found(what: &str) -> Error {
    Error::new(Kind::NotFound, format!("{what} not found"))
}

/// A person or a project of the account, as its table has it.
struct Table {
    table: &'static str,
    kind: &'static str,
    what: &'static str,
    key_column: &'static str,
}

impl Table {
    /// An item as clients see it.
    fn item_sql() -> &'static str {
        "json_patch(t.document, json_object('_id', t.id, 'createdAt', t.created_at,
             'updatedAt', t.updated_at))"
    }

    /// The items of the account in the order of their creation; with `under` those that name a node of
    /// the organisation or one below it.
    async fn list(
        &self,
        db: &impl Db,
        asker: &Asker,
        under: Option<&str>,
        paging: Paging,
    ) -> Result<Listed> {
        let mut values = params![asker.account(), paging.limit, paging.offset].to_vec();
        let condition = match under {
            None => String::new(),
            Some(node) => {
                values.push(node.into());
                format!(
                    "and t.key in (select p.item_key from ({}) n cross join directory_places p
                         on p.tenant_name = ?1 and p.name = n.name and p.kind = '{}')",
                    hierarchy::below("?1", "?4"),
                    self.kind
                )
            }
        };
        let keys = format!(
            "select t.key, octet_length(t.document) + 150 from {} t
             where t.tenant_name = ?1 {condition} order by t.key limit ?2 offset ?3",
            self.table
        );
        Listed::read(db, &keys, &values, (Self::item_sql(), self.table)).await
    }

    /// The key of an item, by what clients call it.
    async fn key(&self, db: &impl Db, asker: &Asker, name: &str) -> Result<i64> {
        let sql = format!(
            "select key from {} where tenant_name = ?1 and {} = ?2",
            self.table, self.key_column
        );
        let row = db.first(&sql, params![asker.account(), name]).await?;
        row.ok_or_else(|| not_found(self.what))?.integer(0)
    }

    /// One item, as JSON text.
    async fn show(&self, db: &impl Db, asker: &Asker, name: &str) -> Result<String> {
        let key = self.key(db, asker, name).await?;
        let sql = format!(
            "select {} from {} t where t.key = ?1",
            Self::item_sql(),
            self.table
        );
        let row = db.first(&sql, params![key]).await?;
        row.ok_or_else(|| not_found(self.what))?
            .text(0)
            .map(str::to_owned)
    }

    /// What was given of an item.
    async fn document(&self, db: &impl Db, key: i64) -> Result<Map<String, Json>> {
        let sql = format!("select document from {} where key = ?1", self.table);
        let document = db.first_json(&sql, params![key]).await?;
        document.ok_or_else(|| not_found(self.what))
    }

    /// Removes an item with the places that it names.
    async fn delete(&self, tx: &impl Tx, key: i64) -> Result<()> {
        self.forget_places(tx, key).await?;
        let sql = format!("delete from {} where key = ?1", self.table);
        tx.execute(&sql, params![key]).await
    }

    async fn forget_places(&self, tx: &impl Tx, key: i64) -> Result<()> {
        let sql = "delete from directory_places where kind = ?1 and item_key = ?2";
        tx.execute(sql, params![self.kind, key]).await
    }

    /// Which of these names are there.
    async fn taken(&self, db: &impl Db, asker: &Asker, names: &[String]) -> Result<Vec<String>> {
        let sql = format!(
            "select t.{column} from json_each(?2) k join {table} t
             on t.tenant_name = ?1 and t.{column} = k.value",
            column = self.key_column,
            table = self.table
        );
        let mut taken = Vec::new();
        for batch in batches(names) {
            for row in db.query(&sql, params![asker.account(), batch?]).await? {
                taken.push(row.text(0)?.to_owned());
            }
        }
        Ok(taken)
    }

    /// Whether a name is there.
    async fn is_taken(&self, db: &impl Db, asker: &Asker, name: &str) -> Result<bool> {
        let taken = self.taken(db, asker, &[name.to_owned()]).await?;
        Ok(!taken.is_empty())
    }

    /// Stores documents under names that are not there.
    async fn insert_all(
        &self,
        tx: &impl Tx,
        asker: &Asker,
        items: &[(String, &Map<String, Json>)],
    ) -> Result<()> {
        let sql = format!(
            "insert into {} (id, tenant_name, {}, document, created_at, updated_at)
             select value ->> 'id', ?1, value ->> 'name', value -> 'document', ?2, ?2
             from json_each(?3)",
            self.table, self.key_column
        );
        let now = Timestamp::now();
        let row = |(name, document): &(String, &Map<String, Json>)| json!({ "id": new_id(), "name": name, "document": document });
        for batch in batches(items.iter().map(row)) {
            tx.execute(&sql, params![asker.account(), now, batch?])
                .await?;
        }
        self.place(tx, asker, items).await
    }

    /// Gives an item another document, and the name that it says.
    async fn save(
        &self,
        tx: &impl Tx,
        asker: &Asker,
        key: i64,
        (name, document): (&str, &Map<String, Json>),
    ) -> Result<()> {
        let sql = format!(
            "update {} set {} = ?2, document = ?3, updated_at = ?4 where key = ?1",
            self.table, self.key_column
        );
        let text = Json::Object(document.clone());
        let values = params![key, name, &text, Timestamp::now()];
        tx.execute(&sql, values).await?;
        self.forget_places(tx, key).await?;
        self.place(tx, asker, &[(name.to_owned(), document)]).await
    }

    /// Notes the levels that the documents of items name. Each is a name and a document.
    async fn place(
        &self,
        tx: &impl Tx,
        asker: &Asker,
        items: &[(String, &Map<String, Json>)],
    ) -> Result<()> {
        let sql = format!(
            "insert or ignore into directory_places (tenant_name, name, kind, item_key)
             select ?1, p.value ->> 'place', ?2, t.key from json_each(?3) p cross join {} t
             on t.tenant_name = ?1 and t.{} = p.value ->> 'item'",
            self.table, self.key_column
        );
        let places = items.iter().flat_map(|(item, document)| {
            let names = LEVELS
                .iter()
                .filter_map(|level| document.get(*level)?.as_str());
            let names: BTreeSet<&str> = names.collect();
            let place = move |name| json!({ "place": name, "item": item });
            names.into_iter().map(place).collect::<Vec<_>>()
        });
        for batch in batches(places) {
            let values = params![asker.account(), self.kind, batch?];
            tx.execute(&sql, values).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "directory/tests.rs"]
mod tests;
