//! Pages in pieces: servers of SQLite take no value of more than a megabyte, and a client that reads
//! slowly must not keep a large page in memory.
//!
//! One statement answers the total and, while they fit into one value, the items. Of a larger page a
//! second one tells the keys, as many together as make a piece; the pieces are read one after
//! the other, while the answer is sent. What was deleted or hidden in the meantime is not in it.

use super::fields::Columns;
use super::page::{Page, Paging, too_large};
use super::remembered::Remembered;
use super::{ListQuery, Resource, Statement};
use crate::caller::Scope;
use crate::db::{Db, KeptDb, Row, Value};
use crate::error::{Error, Result};
use crate::limits::{PAGE_BYTES, PIECE};
use crate::response::{NextPart, Parts, Response};
use std::vec;

/// The statement of a page, and those for one that is large.
#[derive(Clone, Debug, Default)]
pub struct PageStatement {
    /// The text, with numbered parameters.
    pub sql: String,
    /// The parameters' values.
    pub parameters: Vec<Value>,
    /// The keys of the items by pieces, with the same parameters.
    pieces: String,
    /// Reads some items by their keys.
    piece: Piece,
    /// Where the total is kept; its version is a fifth column then.
    remembered: Option<Remembered>,
}

/// How the items of a piece are read.
#[derive(Clone, Debug, Default)]
struct Piece {
    /// Many items as one text.
    items: Statement,
    /// A single one, which may be larger than a piece.
    single: Option<Single>,
}

/// How a single item is read by its columns. The statement is written when it is needed, which is
/// seldom.
#[derive(Clone, Debug)]
pub(super) struct Single {
    pub columns: Columns,
    pub from: &'static str,
    pub visible: String,
    /// Of the visibility. The list of keys is the one after them.
    pub parameters: Vec<Value>,
}

impl Single {
    fn statement(&self, keys: String) -> Statement {
        let mut parameters = self.parameters.clone();
        parameters.push(keys.into());
        let sql = format!(
            "select {} from {} where t.key = (select value from json_each(?{})) and {}",
            self.columns.sql(),
            self.from,
            parameters.len(),
            self.visible
        );
        Statement { sql, parameters }
    }
}

impl PageStatement {
    /// Lets a piece of a single item be read by columns.
    pub(super) fn with_single(mut self, single: Single) -> Self {
        self.piece.single = Some(single);
        self
    }
}

impl Statement {
    /// The statement of a page: `total` is the expression of the total, `rows` selects the items in
    /// their order, as `k` (their keys) and `item` (their JSON). `items` answers the item of the row `t`,
    /// from `from`, where `t` is what `key` names; only those of `visible` are shown.
    ///
    /// The one row is the total, the items, how many bytes they have and how many they are; no items
    /// when they have more than a piece. What tells the pieces apart is not a part of it: preparing and
    /// running that would take five times as long as the page.
    pub fn into_page(self, total: &str, rows: &str, piece: Self) -> PageStatement {
        self.into_remembered_page(total, None, rows, piece)
    }

    /// The same, of a total that an instance remembers.
    pub(super) fn into_remembered_page(
        self,
        total: &str,
        remembered: Option<Remembered>,
        rows: &str,
        piece: Self,
    ) -> PageStatement {
        let version = remembered.map_or_else(String::new, |one| format!(", {}", one.version_sql()));
        let sql = format!(
            "with page_rows as materialized ({rows}) \
             select {total}, iif(bytes > {PIECE}, null, '[' || (\
             select coalesce(group_concat(item, ', '), '') from page_rows) || ']'), bytes, shown{version} \
             from (select coalesce(sum(octet_length(item)), 0) as bytes, count(*) as shown from page_rows)",
        );
        let pieces = format!(
            "select piece, group_concat(place || ' ' || k) from (\
             select k, row_number() over () as place, \
             sum(octet_length(item)) over (rows unbounded preceding) / {PIECE} as piece \
             from ({rows})) group by piece",
        );
        PageStatement {
            sql,
            parameters: self.parameters,
            pieces,
            piece: Piece {
                items: piece,
                single: None,
            },
            remembered,
        }
    }

    /// The statement that reads a piece of a page: the items of `from`, whose rows `t` have their key
    /// in the column `key`. Its last parameter is the list of keys.
    pub fn piece(mut self, item: &str, from: &str, key: &str, visible: &str) -> Self {
        let keys = format!("?{}", self.parameters.len() + 1);
        self.sql = format!(
            "select coalesce(group_concat(item, ', '), '') from (select {item} as item \
             from (select key as place, value as k from json_each({keys})) p \
             join {from} on {key} = p.k where {visible} order by p.place)"
        );
        self
    }
}

/// What the statement of a page answered.
struct Begun {
    /// None where nobody asked.
    total: Option<i64>,
    /// The items, if they fit into one value.
    items: Option<String>,
    /// The keys of each piece, as JSON.
    pieces: Vec<String>,
}

async fn begin(db: &impl Db, statement: &PageStatement) -> Result<Begun> {
    let row = db.first(&statement.sql, &statement.parameters).await?;
    let row = row.ok_or_else(|| Error::internal("a page answers one row"))?;
    if let (Some(remembered), Some(total)) = (statement.remembered, row.optional_integer(0)?) {
        remembered.keep(row.integer(4)?, total);
    }
    let (total, bytes, shown) = (row.optional_integer(0)?, row.integer(2)?, row.integer(3)?);
    if bytes > PAGE_BYTES {
        return Err(too_large(bytes, shown));
    }
    let (items, pieces) = match row.0.into_iter().nth(1) {
        Some(Value::Text(items)) => (Some(items), Vec::new()),
        Some(Value::Null) => (None, pieces(db, statement).await?),
        other => return Err(Error::internal(format!("a page is text, not {other:?}"))),
    };
    Ok(Begun {
        total,
        items,
        pieces,
    })
}

/// The keys of a large page's items, piece by piece.
async fn pieces(db: &impl Db, statement: &PageStatement) -> Result<Vec<String>> {
    let rows = db.query(&statement.pieces, &statement.parameters).await?;
    let mut pieces = rows.iter().map(keys).collect::<Result<Vec<_>>>()?;
    pieces.sort_unstable_by_key(|(number, _)| *number);
    Ok(pieces.into_iter().map(|(_, keys)| keys).collect())
}

/// Number and keys of a piece. Grouping does not promise to keep the order, so each key says its place.
fn keys(row: &Row) -> Result<(i64, String)> {
    let wrong = || Error::internal("a piece of a page has places and keys");
    let mut keys = Vec::new();
    for pair in row.text(1)?.split(',') {
        let (place, key) = pair.split_once(' ').ok_or_else(wrong)?;
        let numbers = (place.parse::<u64>(), key.parse::<i64>());
        let (Ok(place), Ok(key)) = numbers else {
            return Err(wrong());
        };
        keys.push((place, key));
    }
    keys.sort_unstable();
    let keys: Vec<String> = keys.into_iter().map(|(_, key)| key.to_string()).collect();
    Ok((row.integer(0)?, format!("[{}]", keys.join(","))))
}

/// The items with these keys, separated by commas. One that is gone in the meantime is left out.
async fn read(db: &impl Db, piece: &Piece, keys: String) -> Result<String> {
    match &piece.single {
        Some(single) if !keys.contains(',') => {
            let Statement { sql, parameters } = single.statement(keys);
            let row = db.first(&sql, &parameters).await?;
            row.map_or_else(|| Ok(String::new()), |row| single.columns.object(&row))
        }
        _ => {
            let mut parameters = piece.items.parameters.clone();
            parameters.push(keys.into());
            let row = db.first(&piece.items.sql, &parameters).await?;
            let row = row.ok_or_else(|| Error::internal("a piece answers one row"))?;
            row.text(0).map(str::to_owned)
        }
    }
}

/// Runs the statement of a page, and reads all of it into memory.
///
/// # Errors
/// 400 for a page that is too large for one answer, naming a size that fits.
pub async fn page(db: &impl Db, statement: &PageStatement) -> Result<Page> {
    let begun = begin(db, statement).await?;
    let items = match begun.items {
        Some(items) => items,
        None => {
            let mut items = String::from("[");
            for keys in begun.pieces {
                let piece = read(db, &statement.piece, keys).await?;
                if items.len() > 1 && !piece.is_empty() {
                    items.push_str(", ");
                }
                items.push_str(&piece);
            }
            items.push(']');
            items
        }
    };
    Ok(Page {
        total: begun.total,
        items,
        filtered: None,
    })
}

/// Runs a statement whose first row is a total, or null, and whose others are texts, the items of a page.
///
/// # Errors
/// Of the database.
pub async fn page_of_texts(db: &impl Db, statement: &Statement) -> Result<Page> {
    let rows = db.query(&statement.sql, &statement.parameters).await?;
    let (total, texts) = rows
        .split_first()
        .ok_or_else(|| Error::internal("a page has a total"))?;
    let texts: Vec<&str> = texts.iter().map(|row| row.text(0)).collect::<Result<_>>()?;
    Ok(Page {
        total: total.optional_integer(0)?,
        items: serde_json::to_string(&texts).map_err(Error::internal)?,
        filtered: None,
    })
}

/// A page whose items are read when they are sent, if they are many.
pub struct OpenPage<D> {
    page: Page,
    rest: Option<Rest<D>>,
}

/// Where the items of an open page come from.
struct Rest<D> {
    db: D,
    piece: Piece,
    left: vec::IntoIter<String>,
}

/// Runs the statement of a page for an answer.
///
/// # Errors
/// As [`page`].
pub async fn open_page<D: KeptDb>(db: &D, statement: PageStatement) -> Result<OpenPage<D>> {
    let begun = begin(db, &statement).await?;
    let rest = begun.items.is_none().then(|| Rest {
        db: db.clone(),
        piece: statement.piece,
        left: begun.pieces.into_iter(),
    });
    let page = Page {
        items: begun.items.unwrap_or_default(),
        total: begun.total,
        filtered: None,
    };
    Ok(OpenPage { page, rest })
}

impl Resource {
    /// One page, as a query asks for it, all of it in memory.
    pub async fn page(&self, db: &impl Db, scope: &Scope, query: &ListQuery) -> Result<Page> {
        let query = query.narrowed(db, self).await?;
        page(db, &self.page_statement(scope, &query)).await
    }

    /// One page for an answer.
    pub async fn open_page<D: KeptDb>(
        &self,
        db: &D,
        scope: &Scope,
        query: &ListQuery,
    ) -> Result<OpenPage<D>> {
        let query = query.narrowed(db, self).await?;
        open_page(db, self.page_statement(scope, &query)).await
    }

    /// One page of what filter rules leave of another list, for an answer that tells how many they
    /// left out.
    ///
    /// # Errors
    /// As [`page`].
    pub async fn open_page_of<D: KeptDb>(
        &self,
        db: &D,
        scope: &Scope,
        query: &ListQuery,
        all: &ListQuery,
    ) -> Result<OpenPage<D>> {
        let mut open = self.open_page(db, scope, query).await?;
        if let Some(total) = open.page.total {
            open.page.filtered = Some(self.total(db, scope, all).await? - total);
        }
        Ok(open)
    }
}

impl<D: KeptDb> OpenPage<D> {
    /// The list envelope of Conductor.
    pub fn respond(self, paging: impl Into<Paging>) -> Response {
        let paging = paging.into();
        match self.rest {
            None => self.page.respond(paging),
            Some(rest) => rest.respond(self.page.respond(paging)),
        }
    }

    /// The list envelope of what no filter rules can be given for, such as events.
    pub fn respond_unfiltered(self, paging: impl Into<Paging>) -> Response {
        let paging = paging.into();
        match self.rest {
            None => self.page.respond_unfiltered(paging),
            Some(rest) => rest.respond(self.page.respond_unfiltered(paging)),
        }
    }
}

impl<D: KeptDb> Rest<D> {
    /// Sends an envelope without items with the items in their place.
    fn respond(self, envelope: Response) -> Response {
        let text = String::from_utf8(envelope.body).unwrap_or_default();
        let (before, after) = text.split_once(Page::ITEMS).unwrap_or_default();
        let items = Items {
            rest: self,
            before: Some(format!("{before}{}[", Page::ITEMS)),
            separator: "",
            after: Some(format!("]{after}")),
        };
        Response::made_json(envelope.status, items)
    }
}

/// A list envelope that is filled with items while it is sent.
struct Items<D> {
    rest: Rest<D>,
    before: Option<String>,
    separator: &'static str,
    after: Option<String>,
}

impl<D: Db> Parts for Items<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Items<D> {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        let mut part = self.before.take().unwrap_or_default();
        loop {
            match self.rest.left.next() {
                Some(keys) => {
                    let piece = read(&self.rest.db, &self.rest.piece, keys).await?;
                    if !piece.is_empty() {
                        part.push_str(std::mem::replace(&mut self.separator, ", "));
                        part.push_str(&piece);
                    }
                }
                None => match self.after.take() {
                    Some(after) => part.push_str(&after),
                    None => return Ok(None),
                },
            }
            // One that is empty, since all of it is gone, would be taken for the end.
            if !part.is_empty() {
                return Ok(Some(part.into_bytes()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
