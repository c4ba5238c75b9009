//! Searches by substring that need not look at every row.
//!
//! A search is a `like` on an expression, as the original's. Over a large table the rows that may match
//! are asked of an index of trigrams first (SQLite's FTS5, `016_search.sql`), and the `like` is asked of
//! those only: what is found is the same with the index and without. It is not asked about texts
//! of less than three characters, and what it has too many rows for is faster found by looking at all.

use super::{ListQuery, Resource};
use crate::db::{Db, Value};
use crate::error::Result;
use unicode_normalization::UnicodeNormalization;

/// More candidates than this are not worth looking them up one by one.
const MOST_CANDIDATES: usize = 5_000;

/// Groups of three characters that are looked up: more of them leave hardly fewer rows.
const MOST_TRIGRAMS: usize = 16;

/// What `_search` looks into.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The SQL expression that has to contain the text.
    pub sql: &'static str,
    /// The index of trigrams with this expression's column, and with those that further searches of
    /// the same list look into. None for a table that stays small.
    pub index: Option<&'static str>,
}

impl Search {
    /// Looks at every row.
    pub const fn scan(sql: &'static str) -> Self {
        Self { sql, index: None }
    }

    /// Asks an index first.
    pub const fn indexed(sql: &'static str, index: &'static str) -> Self {
        Self {
            sql,
            index: Some(index),
        }
    }
}

/// A search as its index can be asked about it.
#[derive(Clone, Debug)]
pub struct IndexedSearch {
    pub(super) index: &'static str,
    /// In the language of FTS5.
    pub(super) trigrams: String,
    /// The condition that decides.
    pub(super) condition: (String, Vec<Value>),
}

impl ListQuery {
    /// The same query among the rows that its search may find. Without a search, and for one that
    /// may find too many, among all rows.
    pub async fn narrowed(&self, db: &impl Db, resource: &Resource) -> Result<Self> {
        let mut narrowed = self.clone();
        let Some(search) = narrowed.search.take() else {
            return Ok(narrowed);
        };
        let index = search.index;
        let mut statement = super::Statement::default();
        let trigrams = statement.parameter(search.trigrams);
        let (condition, values) = &search.condition;
        let condition = super::sql::fill(&mut statement, condition, values);
        let sql = format!(
            "select json_array_length(keys), keys from (select json_group_array(key) as keys from (
                 select rowid as key from {index} where {index} match {trigrams}
                 union all select t.key from {table}
                     where t.key > (select up_to from search_indexes where name = '{index}') and ({condition})
                 limit {limit}))",
            table = resource.table,
            limit = MOST_CANDIDATES + 1,
        );
        let row = db.first(&sql, &statement.parameters).await?;
        if let Some(row) = row
            && usize::try_from(row.integer(0)?).is_ok_and(|count| count <= MOST_CANDIDATES)
        {
            narrowed.among = row.0.into_iter().nth(1);
        }
        Ok(narrowed)
    }
}

/// The groups of three characters that what contains the text has, as FTS5 asks for all of them.
/// Nothing for a text that is too short, or that has a character which ends a text for SQLite.
pub(super) fn trigrams(text: &str) -> Option<String> {
    let characters: Vec<char> = text.nfkc().collect();
    if characters.contains(&'\0') {
        return None;
    }
    let last = characters.len().checked_sub(3)?;
    // Each character is in one of them, which is nearly as good as all groups that overlap.
    let places = (0..last).step_by(3).take(MOST_TRIGRAMS - 1).chain([last]);
    let groups = places.filter_map(|place| characters.get(place..place + 3));
    let quoted: Vec<String> = groups
        .map(|group| {
            let group: String = group.iter().collect();
            format!("\"{}\"", group.replace('"', "\"\""))
        })
        .collect();
    Some(quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::trigrams;

    #[test]
    fn a_text_is_cut_into_groups_of_three_that_cover_it() {
        for (text, want) in [
            ("", None),
            ("ab", None),
            ("abc", Some("\"abc\"")),
            ("abcd", Some("\"abc\" \"bcd\"")),
            ("abcdef", Some("\"abc\" \"def\"")),
            ("é%_\\", Some("\"é%_\" \"%_\\\"")),
            ("a\"b", Some("\"a\"\"b\"")),
            ("ﬁx", Some("\"fix\"")),
            ("a\0bc", None),
        ] {
            assert_eq!(trigrams(text).as_deref(), want, "{text:?}");
        }
        let long = trigrams(&"abc".repeat(100)).unwrap();
        assert_eq!(long.matches("\"abc\"").count(), 16);
    }
}
