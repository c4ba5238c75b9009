//! One page of a list: how much of it is asked for, and its envelope.

use super::ListQuery;
use crate::db::Value;
use crate::error::{Error, Result};
use crate::limits::PAGE_BYTES;
use crate::request::Request;
use crate::response::Response;
use serde::de::DeserializeOwned;

/// Which part of a list a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The page size as asked for, or the default.
    pub size: u64,
    /// How many items to skip.
    pub offset: u64,
    /// No limit at all.
    pub all_results: bool,
    /// Whether the answer says how many items there are. Where no number is kept they are all counted
    /// for that, so `_total=false` leaves it out.
    pub with_total: bool,
}

impl Paging {
    /// Reads `_size`, `_offset` and `_total`.
    ///
    /// # Errors
    /// 400 for what is no whole number of 0 or more, and for another `_total` than a truth value.
    pub fn parse(request: &Request, default_size: u64) -> Result<Self> {
        Ok(Self {
            size: number(request, "_size")?.unwrap_or(default_size),
            offset: number(request, "_offset")?.unwrap_or(0),
            all_results: false,
            with_total: request.query_bool("_total")?.unwrap_or(true),
        })
    }

    /// All of a list of so many items, as one page.
    pub fn whole(count: usize) -> Self {
        Self {
            size: u64::try_from(count).unwrap_or(u64::MAX),
            offset: 0,
            all_results: true,
            with_total: true,
        }
    }

    /// Limit and offset as SQLite takes them; `most` items come at most. A negative limit is none.
    pub fn limit_and_offset(self, most: u64) -> [Value; 2] {
        let limit = if self.all_results {
            -1
        } else {
            i64::try_from(self.size.min(most)).unwrap_or(i64::MAX)
        };
        let offset = i64::try_from(self.offset).unwrap_or(i64::MAX);
        [Value::Integer(limit), Value::Integer(offset)]
    }
}

impl From<&ListQuery> for Paging {
    fn from(query: &ListQuery) -> Self {
        query.paging
    }
}

fn number(request: &Request, name: &str) -> Result<Option<u64>> {
    let Some(text) = request.query_value(name) else {
        return Ok(None);
    };
    match text.trim().parse::<u64>() {
        // SQLite counts in signed 64 bits.
        Ok(number) if i64::try_from(number).is_ok() => Ok(Some(number)),
        _ => Err(Error::bad_parameters(format!(
            "Invalid pagination: {name} must be an integer of 0 or more, got {text}"
        ))),
    }
}

/// One page: the items as JSON text, as SQLite made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// A JSON array.
    pub items: String,
    /// How many there are before paging, after filters. None where nobody asked.
    pub total: Option<i64>,
    /// How many visible ones the filter rules left out, when there were rules.
    pub filtered: Option<i64>,
}

impl Page {
    /// A page of items that no statement made.
    pub fn of(items: impl Into<serde_json::Value>, total: usize) -> Self {
        Self {
            items: items.into().to_string(),
            total: Some(i64::try_from(total).unwrap_or(i64::MAX)),
            filtered: None,
        }
    }

    /// The items as typed values.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        serde_json::from_str(&self.items).map_err(Error::internal)
    }

    /// The list envelope of Conductor.
    pub fn respond(&self, paging: impl Into<Paging>) -> Response {
        let paging = paging.into();
        let filtered = number_or_null(self.filtered.filter(|_| paging.with_total));
        self.envelope(paging, &format!(", \"filtered\": {filtered}"))
    }

    /// The list envelope of what no filter rules can be given for, such as events.
    pub fn respond_unfiltered(&self, paging: impl Into<Paging>) -> Response {
        self.envelope(paging.into(), "")
    }

    /// What the envelope has before its items.
    pub(super) const ITEMS: &'static str = "{\"items\": ";

    fn envelope(&self, paging: Paging, more: &str) -> Response {
        let mut body = String::with_capacity(self.items.len() + 128);
        body.push_str(Self::ITEMS);
        body.push_str(&self.items);
        body.push_str(&format!(
            ", \"metadata\": {{\"pagination\": {{\"total\": {}, \"offset\": {}, \"size\": {}}}{more}}}}}",
            number_or_null(self.total.filter(|_| paging.with_total)),
            paging.offset,
            paging.size
        ));
        Response::json_text(200, body)
    }
}

fn number_or_null(number: Option<i64>) -> String {
    number.map_or_else(|| "null".to_owned(), |number| number.to_string())
}

/// The refusal of a page. The size that fits leaves room for items half as large again as these.
pub(super) fn too_large(bytes: i64, shown: i64) -> Error {
    let fits = (PAGE_BYTES / (bytes / shown.max(1) * 3 / 2).max(1)).max(1);
    Error::bad_parameters(format!(
        "The page has {bytes} bytes, more than the allowed {PAGE_BYTES}: ask for fewer items \
         (such as _size={fits}), or with _include for fewer fields"
    ))
}
