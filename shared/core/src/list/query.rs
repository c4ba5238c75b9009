//! The parameters of a list, read and checked before any SQL runs.

use super::search::trigrams;
use super::{
    Field, FieldKind, Fields, IndexedSearch, Paging, Resource, Search, Sort, SortKey, TotalOf,
};
use crate::db::Value;
use crate::error::{Error, Kind, Result};
use crate::limits;
use crate::request::{Request, parse_bool};
use unicode_normalization::UnicodeNormalization;

/// What a list reads from a request: the fields to filter and sort by, and what it adds to them.
///
/// Most lists are [`Listing::of`] their resource; one with more names it:
/// `Listing { sort: by_label, ..Listing::of(&DEPLOYMENT) }`.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// The fields.
    pub fields: Fields,
    /// What `_search` looks into, if it does.
    pub search: Option<Search>,
    /// Further parameters that search, and the expression each looks into; its column is in the
    /// index of `search`. With several searches in one request, an item is found when one of them
    /// fits.
    pub more_searches: &'static [(&'static str, &'static str)],
    /// What a sort key that is no field stands for; nothing when it is unknown.
    pub sort: for<'a> fn(SortKey<'a>) -> Result<Option<Sort>>,
}

impl Listing {
    /// The list of a resource with nothing added.
    pub const fn of(resource: &Resource) -> Self {
        Self {
            fields: resource.fields(),
            search: resource.search,
            more_searches: &[],
            sort: |_| Ok(None),
        }
    }

    /// A list of what is found by `_search` alone.
    pub const fn searched(search: &'static str) -> Self {
        Self {
            fields: Fields(&[]),
            search: Some(Search::scan(search)),
            more_searches: &[],
            sort: |_| Ok(None),
        }
    }

    /// Reads all parameters of a list. Names in `own` are the endpoint's own parameters and left
    /// to it; any other name that does not begin with `_` is a filter.
    ///
    /// # Errors
    /// 400 for unknown fields, bad numbers and bad truth values.
    pub fn parse(&self, request: &Request, own: &[&str]) -> Result<ListQuery> {
        demand_few(request)?;
        let mut query = ListQuery {
            include: self.fields.include(request.query_value("_include"))?,
            conditions: Vec::new(),
            sort: Vec::new(),
            paging: Paging::parse(request, limits::PAGE_SIZE)?,
            ..ListQuery::everything()
        };
        self.read_selection(&mut query, request, own)?;
        self.read_sort(&mut query, request)?;
        Ok(query)
    }

    /// Reads which items are meant, and nothing about their fields, order and pages: for answers
    /// that are made from the items of a list.
    ///
    /// # Errors
    /// 400 for unknown fields and bad values.
    pub fn parse_selection(&self, request: &Request, own: &[&str]) -> Result<ListQuery> {
        demand_few(request)?;
        let mut query = ListQuery::everything();
        self.read_selection(&mut query, request, own)?;
        Ok(query)
    }

    fn read_selection(&self, query: &mut ListQuery, request: &Request, own: &[&str]) -> Result<()> {
        if let Some(all) = request.query_bool("_get_all_results")? {
            query.paging.all_results |= all;
        }
        // What it means is decided with the caller's permission; here it only has to be readable.
        request.query_bool("_all_tenants")?;
        self.read_filters(query, request, own)?;
        self.read_searches(query, request)?;
        Ok(())
    }

    fn read_filters(&self, query: &mut ListQuery, request: &Request, own: &[&str]) -> Result<()> {
        let mut unknown = Vec::new();
        let mut filters: Vec<(&Field, Vec<Value>)> = Vec::new();
        for (name, text) in &request.query {
            if name.starts_with('_') || own.contains(&name.as_str()) {
                continue;
            }
            let Some(field) = self.fields.find(name) else {
                unknown.push(name.as_str());
                continue;
            };
            let value = filter_value(field, text)?;
            match filters
                .iter_mut()
                .find(|(known, _)| known.name == field.name)
            {
                Some((_, values)) => values.push(value),
                None => filters.push((field, vec![value])),
            }
        }
        if !unknown.is_empty() {
            unknown.dedup();
            return Err(self.fields.refuse(Kind::BadParameters, "Filter", &unknown));
        }
        for (field, values) in filters {
            let condition = match values.len() {
                1 => format!("{} = {{}}", field.sql),
                count => format!("{} in ({})", field.sql, vec!["{}"; count].join(", ")),
            };
            query.and(condition, values);
        }
        Ok(())
    }

    fn read_searches(&self, query: &mut ListQuery, request: &Request) -> Result<()> {
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        let mut groups = Vec::new();
        let own = self.search.map(|search| ("_search", search.sql));
        for (name, sql) in own.into_iter().chain(self.more_searches.iter().copied()) {
            if let Some(text) = request.query_value(name).filter(|text| !text.is_empty()) {
                demand_short(name, text)?;
                conditions.push(format!("{sql} like {{}} escape '\\'"));
                values.push(Value::Text(like_pattern(text)));
                groups.push(trigrams(text));
            }
        }
        if conditions.is_empty() {
            return Ok(());
        }
        let condition = conditions.join(" or ");
        let index = self.search.and_then(|search| search.index);
        let texts: Option<Vec<_>> = groups.into_iter().collect();
        if let (Some(index), Some(texts)) = (index, texts) {
            query.search = Some(IndexedSearch {
                index,
                texts,
                condition: (condition.clone(), values.clone()),
            });
        }
        query.and(condition, values);
        Ok(())
    }

    fn read_sort(&self, query: &mut ListQuery, request: &Request) -> Result<()> {
        let mut unknown = Vec::new();
        for key in SortKey::of(request)? {
            let sort = match self.fields.find(key.name) {
                Some(field) => Some(key.by(field.sql, [])),
                None => (self.sort)(key)?,
            };
            match sort {
                Some(sort) => query.sort.push(sort),
                None => unknown.push(key.name),
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        Err(self.fields.refuse(Kind::BadParameters, "Sort", &unknown))
    }
}

impl From<&Resource> for Listing {
    fn from(resource: &Resource) -> Self {
        Self::of(resource)
    }
}

/// Refuses a text that is too long to be searched for.
///
/// # Errors
/// 400, with the limit.
pub fn demand_short(name: &str, text: &str) -> Result<()> {
    if text.len() <= limits::SEARCH_TEXT {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "{name} may be at most {} bytes long",
        limits::SEARCH_TEXT
    )))
}

fn demand_few(request: &Request) -> Result<()> {
    if request.query.len() > limits::QUERY_PARAMETERS {
        return Err(Error::bad_parameters("The query has too many parameters"));
    }
    Ok(())
}

/// The rows of another table, each of which names one of the list's: those that one condition leaves.
#[derive(Clone, Debug)]
pub struct CountedFrom {
    /// The other table, and what of it, up to the listed table's name: `labels l cross join`.
    pub table: String,
    /// How it names a row `t`, and what of it counts, with `{}` for each of the values.
    pub on: String,
    /// The values.
    pub values: Vec<Value>,
    /// The condition among those of the query that it stands for.
    pub condition: usize,
}

/// What a request asks a list for.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The fields to show; all when absent.
    pub include: Option<Vec<&'static Field>>,
    /// Conditions that must all hold, with `{}` for each of their values.
    pub conditions: Vec<(String, Vec<Value>)>,
    /// The search among the conditions, when an index can be asked about it.
    pub search: Option<IndexedSearch>,
    /// The only keys there may be, as a JSON list; see [`Self::narrowed`].
    pub among: Option<Value>,
    /// The total, where a number is kept about the only condition.
    pub total: Option<TotalOf>,
    /// Where counting begins, if that is about fewer rows than the table has.
    pub counted_from: Option<CountedFrom>,
    /// The order; creation when empty.
    pub sort: Vec<Sort>,
    /// Which part of the list.
    pub paging: Paging,
}

impl ListQuery {
    /// Reads the parameters of a list with nothing added, see [`Listing::parse`].
    ///
    /// # Errors
    /// 400 for unknown fields, bad numbers and bad truth values.
    pub fn parse(listing: impl Into<Listing>, request: &Request, own: &[&str]) -> Result<Self> {
        listing.into().parse(request, own)
    }

    /// A query for everything, as the application's own code asks.
    pub fn everything() -> Self {
        Self {
            include: None,
            conditions: Vec::new(),
            search: None,
            among: None,
            total: None,
            counted_from: None,
            sort: Vec::new(),
            paging: Paging {
                size: limits::PAGE_SIZE,
                offset: 0,
                all_results: true,
                with_total: true,
            },
        }
    }

    /// Whether [`Self::total`] is the answer: it is asked for, and about the only condition.
    pub(super) fn can_use_kept_total(&self) -> bool {
        self.paging.with_total && self.among.is_none() && self.conditions.len() == 1
    }

    /// Adds a condition of the store's; each `{}` in it stands for the next value.
    pub fn and(&mut self, condition: impl Into<String>, values: impl Into<Vec<Value>>) {
        self.conditions.push((condition.into(), values.into()));
    }
}

/// The pattern of a substring search: normalised, with nothing in it that `like` would interpret.
pub fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.nfkc() {
        if matches!(c, '\\' | '_' | '%') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn filter_value(field: &Field, text: &str) -> Result<Value> {
    match field.kind {
        FieldKind::Text | FieldKind::Json => Ok(Value::from(text)),
        FieldKind::Boolean => parse_bool(field.name, text).map(Value::from),
        FieldKind::Integer | FieldKind::Real => match text.trim().parse::<i64>() {
            Ok(number) => Ok(Value::Integer(number)),
            Err(_) => text.trim().parse::<f64>().map(Value::Real).map_err(|_| {
                Error::bad_parameters(format!("{}: `{text}` is not a number", field.name))
            }),
        },
    }
}
