//! Lists of objects: at most a thousand, which may be large together, so they are read while they are
//! sent.

use std::collections::VecDeque;
use windlass_core::db::{Db, KeptDb, Value};
use windlass_core::limits::PIECE;
use windlass_core::{Error, NextPart, Parts, Request, Response, Result, params};

/// The most objects of one list.
pub const MOST: i64 = 1000;

/// Which part of a list is wanted: `page` from 1 on and `size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// How many at most.
    pub limit: i64,
    /// How many before them are passed over.
    pub offset: i64,
}

impl Paging {
    /// Reads `page` and `size`; without them it is the beginning.
    ///
    /// # Errors
    /// 400 for anything but whole numbers of at least one, and for a size above the most.
    pub fn of(request: &Request) -> Result<Self> {
        let number = |name: &str| match request.query_value(name) {
            None => Ok(None),
            Some(text) => text
                .parse::<i64>()
                .ok()
                .filter(|number| (1..=1_000_000).contains(number))
                .map(Some)
                .ok_or_else(|| {
                    let text = format!("{name} must be a whole number of at least 1");
                    Error::bad_parameters(text.clone()).field(name, text)
                }),
        };
        let limit = number("size")?.unwrap_or(MOST);
        if limit > MOST {
            return Err(Error::bad_parameters(format!(
                "size must be at most {MOST}"
            )));
        }
        let page = number("page")?.unwrap_or(1);
        Ok(Self {
            limit,
            offset: (page - 1) * limit,
        })
    }
}

/// The rows of a list: their keys and sizes, and how one is read.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Keys in their order, in groups that are read together.
    groups: VecDeque<Vec<i64>>,
    /// How many there are.
    count: usize,
    /// Reads rows: `?1` is a JSON list of keys, the column is the JSON of each, in their order.
    sql: String,
}

impl Listed {
    /// The rows that a statement answers as key and size, to be shown by the expression `item` of a
    /// row `t` of `table`.
    ///
    /// # Errors
    /// Of the database.
    pub async fn read(
        db: &impl Db,
        keys: &str,
        values: &[Value],
        (item, table): (&str, &str),
    ) -> Result<Self> {
        let mut groups: VecDeque<Vec<i64>> = VecDeque::new();
        let (mut bytes, mut count) = (0, 0);
        for row in db.query(keys, values).await? {
            let (key, size) = (row.integer(0)?, row.integer(1)?);
            match groups.back_mut() {
                Some(group) if bytes + size <= PIECE => group.push(key),
                _ => {
                    groups.push_back(vec![key]);
                    bytes = 0;
                }
            }
            bytes += size;
            count += 1;
        }
        Ok(Self {
            groups,
            count,
            sql: format!(
                "select {item} from json_each(?1) k join {table} t on t.key = k.value order by k.key"
            ),
        })
    }

    /// A JSON array of them.
    pub fn respond<D: KeptDb>(self, db: &D) -> Response {
        self.between(db, "[".into(), "]")
    }

    /// `{"count": .., "data": [..]}`.
    pub fn respond_counted<D: KeptDb>(self, db: &D) -> Response {
        let begin = format!("{{\"count\": {}, \"data\": [", self.count);
        self.between(db, begin, "]}")
    }

    fn between<D: KeptDb>(self, db: &D, begin: String, end: &'static str) -> Response {
        Response::made_json(
            200,
            Sent {
                db: db.clone(),
                listed: self,
                begin: Some(begin),
                end: Some(end),
                is_first: true,
            },
        )
    }
}

struct Sent<D> {
    db: D,
    listed: Listed,
    begin: Option<String>,
    end: Option<&'static str>,
    is_first: bool,
}

impl<D: KeptDb> Parts for Sent<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(async move {
            let mut part = self.begin.take().unwrap_or_default();
            let Some(group) = self.listed.groups.pop_front() else {
                part.push_str(match self.end.take() {
                    Some(end) => end,
                    None => return Ok(None),
                });
                return Ok(Some(part.into_bytes()));
            };
            let keys = serde_json::Value::from(group);
            for row in self.db.query(&self.listed.sql, params![&keys]).await? {
                if !self.is_first {
                    part.push_str(", ");
                }
                self.is_first = false;
                part.push_str(row.text(0)?);
            }
            Ok(Some(part.into_bytes()))
        })
    }
}

/// The SQL that shows a moment in milliseconds as clients read times.
pub(crate) fn time_sql(column: &str) -> String {
    format!("strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000.0, 'unixepoch')")
}

/// The SQL that shows the number of a user as an id. `column` holds the user's name.
pub(crate) fn user_id_sql(column: &str) -> String {
    format!("(select printf('%024x', u.id) from users u where u.username = {column})")
}
