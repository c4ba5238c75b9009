//! One item as it is answered. Servers of SQLite take no value of more than a megabyte, and an item
//! whose fields are large can have more: it is read field by field then.

use super::{Field, FieldKind, Resource, Statement};
use crate::caller::Scope;
use crate::db::{Db, Value};
use crate::error::Result;
use crate::limits::PIECE;

impl Resource {
    /// One item as JSON, with the fields of `include` or all; by a condition whose `{}` stand for
    /// `values`, as [`Self::find_statement`] has it.
    ///
    /// # Errors
    /// Of the database.
    pub async fn item(
        &self,
        db: &impl Db,
        scope: &Scope,
        include: Option<&[&'static Field]>,
        condition: &str,
        values: Vec<Value>,
    ) -> Result<Option<String>> {
        let Statement { sql, parameters } =
            self.find_statement(scope, include, condition, values.clone());
        // A single value of a body is smaller than that, so only several together can be too large.
        let sql = match self.may_be_large(include) {
            false => sql,
            true => format!(
                "with item (text) as materialized ({sql}) \
                 select iif(octet_length(text) > {PIECE}, null, text) from item"
            ),
        };
        let row = db.first(&sql, &parameters).await?;
        match row.and_then(|row| row.0.into_iter().next()) {
            Some(Value::Text(item)) => Ok(Some(item)),
            Some(_) => self.by_columns(db, scope, include, condition, values).await,
            None => Ok(None),
        }
    }

    fn may_be_large(&self, include: Option<&[&'static Field]>) -> bool {
        let is_json = |field: &&Field| matches!(field.kind, FieldKind::Json);
        let columns = self.fields().columns(include);
        columns.fields().filter(is_json).take(2).count() == 2
    }

    async fn by_columns(
        &self,
        db: &impl Db,
        scope: &Scope,
        include: Option<&[&'static Field]>,
        condition: &str,
        values: Vec<Value>,
    ) -> Result<Option<String>> {
        let columns = self.fields().columns(include);
        let Statement { sql, parameters } = self.selected(scope, &columns.sql(), condition, values);
        let row = db.first(&sql, &parameters).await?;
        row.map(|row| columns.object(&row)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::NativeDb;
    use crate::list::ListQuery;
    use serde_json::{Value as Json, json};

    static FIELDS: [Field; 6] = [
        Field::text("id", "t.id"),
        Field::json("inputs", "t.inputs"),
        Field::json("outputs", "t.outputs"),
        Field::boolean("is_new", "t.is_new"),
        Field::integer("amount", "t.amount"),
        Field::json("none", "null"),
    ];
    static THINGS: Resource = Resource {
        name: "Thing",
        table: "things t",
        fields: &FIELDS,
        search: None,
        of_tenant: false,
        counts: &[],
    };

    async fn things(bytes: usize) -> NativeDb {
        let db = NativeDb::in_memory();
        let sql = format!(
            "create table things as select 7 as key, 'a \"quoted\" name' as id, 1 as is_new, null as amount,
                 json_array(printf('%.*c', {bytes}, 'x')) as inputs,
                 json_object('a', printf('%.*c', {bytes}, 'y')) as outputs"
        );
        db.execute(&sql, &[]).await.unwrap();
        db
    }

    fn expected(bytes: usize) -> Json {
        json!({
            "id": "a \"quoted\" name",
            "inputs": ["x".repeat(bytes)],
            "outputs": { "a": "y".repeat(bytes) },
            "is_new": true, "amount": null, "none": null,
        })
    }

    /// 400 KB are small enough by themselves, and two of them are not.
    #[test]
    fn an_item_reads_the_same_whether_it_is_one_value_or_several() {
        pollster::block_on(async {
            for bytes in [3, 400_000, 510_000] {
                let db = things(bytes).await;
                let values = vec![Value::from(7_i64)];
                let item = THINGS
                    .item(&db, &Scope::public(), None, "t.key = {}", values)
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(
                    serde_json::from_str::<Json>(&item).unwrap(),
                    expected(bytes)
                );

                let request = crate::Request::new(http::Method::GET, "/things");
                let query = ListQuery::parse(&THINGS, &request, &[]).unwrap();
                let page = THINGS.page(&db, &Scope::public(), &query).await.unwrap();
                let items: Json = serde_json::from_str(&page.items).unwrap();
                assert_eq!(items, json!([expected(bytes)]));
            }
        });
    }

    #[test]
    fn fields_of_a_large_item_keep_the_order_in_which_they_were_asked_for() {
        pollster::block_on(async {
            let db = things(400_000).await;
            let include = THINGS.parse_include(Some("outputs,inputs")).unwrap();
            let values = vec![Value::from(7_i64)];
            let item = THINGS
                .item(
                    &db,
                    &Scope::public(),
                    include.as_deref(),
                    "t.key = {}",
                    values,
                )
                .await
                .unwrap()
                .unwrap();
            assert!(item.starts_with("{\"outputs\":{\"a\":\"yyy"));
            assert!(item.ends_with("xxx\"]}"));
        });
    }

    #[test]
    fn what_is_not_there_is_no_item() {
        pollster::block_on(async {
            let db = things(3).await;
            let values = vec![Value::from(8_i64)];
            let scope = Scope::public();
            let item = THINGS.item(&db, &scope, None, "t.key = {}", values);
            assert!(item.await.unwrap().is_none());
        });
    }
}
