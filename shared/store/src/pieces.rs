//! Many rows on their way into statements and out of them. One text for all of them makes a statement
//! quick, but servers take no value of more than a megabyte, so large ones go in pieces.

use serde::Serialize;
use serde::de::DeserializeOwned;
use windlass_core::db::{Db, Value};
use windlass_core::limits::PIECE;
use windlass_core::{Error, Result};

/// Rows as lists for `json_each`, in their order: each has no more bytes than a piece, unless a single
/// row has. A row that cannot be written as JSON is an error in its place.
pub fn batches<I>(rows: I) -> Batches<I::IntoIter>
where
    I: IntoIterator,
    I::Item: Serialize,
{
    Batches {
        rows: rows.into_iter(),
        held: None,
    }
}

/// See [`batches`].
pub struct Batches<I> {
    rows: I,
    /// A row that the batch before had no room for.
    held: Option<String>,
}

impl<I> Batches<I>
where
    I: Iterator,
    I::Item: Serialize,
{
    fn next_row(&mut self) -> Option<Result<String>> {
        if let Some(held) = self.held.take() {
            return Some(Ok(held));
        }
        self.rows.next().map(|row| crate::json_text(&row))
    }

    fn batch(&mut self) -> Result<Option<String>> {
        let Some(first) = self.next_row() else {
            return Ok(None);
        };
        let mut batch = format!("[{}", first?);
        while let Some(row) = self.next_row() {
            let row = row?;
            if batch.len() + row.len() + 2 > PIECE as usize {
                self.held = Some(row);
                break;
            }
            batch.push(',');
            batch.push_str(&row);
        }
        batch.push(']');
        Ok(Some(batch))
    }
}

impl<I> Iterator for Batches<I>
where
    I: Iterator,
    I::Item: Serialize,
{
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        self.batch().transpose()
    }
}

/// The rows of a select, in its order: JSON texts in its only column, `item`. A few rows come as one
/// text.
///
/// # Errors
/// Of the database, and for a row that is not what is read.
pub async fn read<T: DeserializeOwned>(
    db: &impl Db,
    select: &str,
    parameters: &[Value],
) -> Result<Vec<T>> {
    // Grouping does not promise to keep an order, so each row says its place.
    let sql = format!(
        "select '[' || group_concat('[' || place || ',' || item || ']') || ']' \
         from (select item, row_number() over () as place, \
         sum(octet_length(item)) over (rows unbounded preceding) / {PIECE} as piece \
         from ({select})) group by piece"
    );
    let mut placed: Vec<(u64, T)> = Vec::new();
    for row in db.query(&sql, parameters).await? {
        let piece: Vec<(u64, T)> = row.json(0)?;
        placed.extend(piece);
    }
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, item)| item).collect())
}

/// As [`read`], of what nearly always fits into one piece: quicker then, and slower when it does not.
///
/// # Errors
/// As [`read`].
pub async fn read_few<T: DeserializeOwned>(
    db: &impl Db,
    select: &str,
    parameters: &[Value],
) -> Result<Vec<T>> {
    match one_text(db, select, parameters).await? {
        Some(list) => serde_json::from_str(&list).map_err(Error::internal),
        None => read(db, select, parameters).await,
    }
}

/// As [`read_list`], with a number that the same statement reads: how many there are in all.
///
/// # Errors
/// Of the database.
pub async fn read_counted_list(
    db: &impl Db,
    select: &str,
    total: &str,
    parameters: &[Value],
) -> Result<(i64, String)> {
    let sql = one_text_sql(select, &format!(", ({total})"));
    let row = db.first(&sql, parameters).await?;
    let row = row.ok_or_else(|| Error::internal("an aggregate answers one row"))?;
    let count = row.integer(1)?;
    match row.optional_text(0)? {
        Some(list) => Ok((count, list.to_owned())),
        None => Ok((count, listed(db, select, parameters).await?)),
    }
}

/// As [`read_few`], as the text of a JSON list.
///
/// # Errors
/// Of the database.
pub async fn read_list(db: &impl Db, select: &str, parameters: &[Value]) -> Result<String> {
    match one_text(db, select, parameters).await? {
        Some(list) => Ok(list),
        None => listed(db, select, parameters).await,
    }
}

async fn listed(db: &impl Db, select: &str, parameters: &[Value]) -> Result<String> {
    let mut list = String::from("[");
    for row in db.query(select, parameters).await? {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(row.text(0)?);
    }
    list.push(']');
    Ok(list)
}

fn one_text_sql(select: &str, more: &str) -> String {
    format!(
        "with found (item) as materialized ({select}) \
         select iif((select sum(octet_length(item)) from found) > {PIECE}, null, \
         '[' || coalesce((select group_concat(item, ',') from found), '') || ']'){more}"
    )
}

/// The rows as one list, unless they are more than a piece.
async fn one_text(db: &impl Db, select: &str, parameters: &[Value]) -> Result<Option<String>> {
    let row = db.first(&one_text_sql(select, ""), parameters).await?;
    match row.and_then(|row| row.0.into_iter().next()) {
        Some(Value::Text(list)) => Ok(Some(list)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::NativeDb;

    #[test]
    fn rows_fill_batches_in_their_order_and_a_large_one_goes_alone() {
        let piece = PIECE as usize;
        let rows = [
            "a".repeat(10),
            "b".repeat(piece - 10),
            "c".repeat(piece + 9),
            "d".into(),
            "e".into(),
        ];
        let texts: Vec<String> = batches(&rows).collect::<Result<_>>().unwrap();
        let sizes: Vec<usize> = texts.iter().map(String::len).collect();
        assert_eq!(sizes, [14, piece - 6, piece + 13, 9]);
        let read: Vec<Vec<String>> = texts
            .iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect();
        assert_eq!(read.concat(), rows);
        assert_eq!(batches(Vec::<String>::new()).count(), 0);
    }

    #[test]
    fn what_is_read_in_pieces_keeps_its_order() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            for count in [0, 1, 3, 5000] {
                let select = format!(
                    "with recursive n (k) as (select 1 union all select k + 1 from n where k < {count})
                     select json_array(k, printf('%.*c', 400, 'x')) as item from n
                     where k <= {count} order by -k"
                );
                let rows: Vec<(i64, String)> = read(&db, &select, &[]).await.unwrap();
                let keys: Vec<i64> = rows.iter().map(|(key, _)| *key).collect();
                assert_eq!(keys, (1..=count).rev().collect::<Vec<_>>());
                let few: Vec<(i64, String)> = read_few(&db, &select, &[]).await.unwrap();
                assert_eq!(few, rows);
                let list = read_list(&db, &select, &[]).await.unwrap();
                let list: Vec<(i64, String)> = serde_json::from_str(&list).unwrap();
                assert_eq!(list, rows);
            }
        });
    }
}
