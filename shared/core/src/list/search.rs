//! Searches by substring that need not look at every row.
//!
//! A search is a `like` on an expression, as the original's. Over a large table the rows that may match
//! are asked of an index of trigrams first (SQLite's FTS5, `016_search.sql`), and the `like` is asked of
//! those only: what is found is the same with the index and without. It is not asked about texts
//! of less than three characters, and what it has too many rows for is faster found by looking at all.
//!
//! The index reads all rows of each group of three characters it is asked for, and most names begin alike. So in
//! a large table it is seen first, in a sample, which groups are rare, and only those are asked for. A search
//! that had too many candidates is not asked about again for a while.

use super::{ListQuery, Resource};
use crate::db::{Db, Value};
use crate::error::Result;
use crate::hashing::memory_key;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use unicode_normalization::UnicodeNormalization;

/// More candidates than this are not worth looking them up one by one.
const MOST_CANDIDATES: usize = 5_000;

/// Groups of three characters that are looked up: more of them leave hardly fewer rows.
const MOST_TRIGRAMS: usize = 16;

/// Groups whose frequency is looked for.
const MOST_SAMPLED: usize = 24;

/// So many rare groups are looked up: they leave few rows, and each takes time.
const ENOUGH: usize = 3;

/// From so many rows on it pays to look for rare groups.
const WORTH_SAMPLING: i64 = 20_000;

/// The rows of the sample, the first of the table: anywhere else the index would have to read all before
/// them, of each group.
const SAMPLE: i64 = 128;

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
    /// For each of its texts the groups that what contains it has. One of the texts has to be there.
    pub(super) texts: Vec<Trigrams>,
    /// The condition that decides.
    pub(super) condition: (String, Vec<Value>),
}

/// How long an instance leaves the index alone about a search.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many such searches an instance remembers. Beyond that it forgets all and starts over.
const CAPACITY: usize = 1024;

thread_local! {
    static TOO_MANY: RefCell<HashMap<[u8; 32], Instant>> = RefCell::new(HashMap::new());
}

/// Whether a search had too many candidates lately. That it may have fewer now is no matter: what is found is
/// the same without the index.
fn had_too_many(key: &[u8; 32]) -> bool {
    TOO_MANY.with_borrow(|known| known.get(key).is_some_and(|at| at.elapsed() < PATIENCE))
}

fn note_too_many(key: [u8; 32]) {
    TOO_MANY.with_borrow_mut(|known| {
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(key, Instant::now());
    });
}

impl ListQuery {
    /// The same query among the rows that its search may find. Without a search, and for one that
    /// may find too many, among all rows.
    pub async fn narrowed(&self, db: &impl Db, resource: &Resource) -> Result<Self> {
        let mut narrowed = self.clone();
        let Some(search) = narrowed.search.take() else {
            return Ok(narrowed);
        };
        let key = search.key();
        if had_too_many(&key) {
            return Ok(narrowed);
        }
        let all: Vec<Vec<&str>> = search.texts.iter().map(Trigrams::cover).collect();
        let rare = search.rare(db, resource).await?;
        if let Some(rare) = rare.filter(|rare| *rare != all) {
            narrowed.among = search.found(db, resource, &rare).await?;
        }
        if narrowed.among.is_none() {
            narrowed.among = search.found(db, resource, &all).await?;
        }
        if narrowed.among.is_none() {
            note_too_many(key);
        }
        Ok(narrowed)
    }
}

impl IndexedSearch {
    /// What an instance remembers it by.
    fn key(&self) -> [u8; 32] {
        memory_key(&[self.index, &format!("{:?}", self.condition)])
    }

    /// The keys of what these groups find, as a JSON array; none if they find too much to look at. Each row that
    /// the index names is looked at here, once, rather than for the total and in each part of the list.
    async fn found(
        &self,
        db: &impl Db,
        resource: &Resource,
        groups: &[Vec<&str>],
    ) -> Result<Option<Value>> {
        let mut statement = super::Statement::default();
        let texts: Vec<String> = groups
            .iter()
            .map(|groups| format!("({})", groups.join(" ")))
            .collect();
        let trigrams = statement.parameter(texts.join(" OR "));
        let (condition, values) = &self.condition;
        let condition = super::sql::fill(&mut statement, condition, values);
        let sql = format!(
            "with candidates (key) as materialized (
                 select rowid from {index} where {index} match {trigrams}
                 union all select t.key from {table}
                     where t.key > (select up_to from search_indexes where name = '{index}') and ({condition})
                 limit {limit})
             select (select count(*) from candidates), (select json_group_array(t.key)
                 from candidates c cross join {table} on t.key = c.key where {condition})",
            index = self.index,
            table = resource.table,
            limit = MOST_CANDIDATES + 1,
        );
        let Some(row) = db.first(&sql, &statement.parameters).await? else {
            return Ok(None);
        };
        let is_few = usize::try_from(row.integer(0)?).is_ok_and(|count| count <= MOST_CANDIDATES);
        Ok(row.0.into_iter().nth(1).filter(|_| is_few))
    }

    /// The rare groups of each text, as a sample has them. None for a table that is too small for that
    /// to pay.
    async fn rare(&self, db: &impl Db, resource: &Resource) -> Result<Option<Vec<Vec<&str>>>> {
        let mut statement = super::Statement::default();
        let groups: Vec<&str> = self.texts.iter().flat_map(Trigrams::all).collect();
        let asked = statement.parameter(&serde_json::Value::from(groups));
        let sql = format!(
            "select json_group_array(hits) from (
                 select (select count(*) from {index} where {index} match g.value
                     and rowid between o.key and o.key + {last}) as hits
                 from search_indexes i
                 cross join (select t.key from {table} order by t.key limit 1) o
                 cross join json_each({asked}) g
                 where i.name = '{index}' and i.up_to >= {WORTH_SAMPLING} order by g.key)",
            index = self.index,
            table = resource.table,
            last = SAMPLE - 1,
        );
        let hits: Vec<i64> = db
            .first_json(&sql, &statement.parameters)
            .await?
            .unwrap_or_default();
        if hits.is_empty() {
            return Ok(None);
        }
        let mut rest = hits.as_slice();
        let mut rare = Vec::new();
        for text in &self.texts {
            let (own, others) = rest.split_at(rest.len().min(text.all().count()));
            rare.push(text.rare(own));
            rest = others;
        }
        Ok(Some(rare))
    }
}

/// The groups of three characters of a text, in their order, each as FTS5 asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trigrams(Vec<String>);

impl Trigrams {
    /// Groups that cover the text: each character is in one of them, which is nearly as good as all
    /// groups that overlap.
    fn cover(&self) -> Vec<&str> {
        let Some((last, others)) = self.0.split_last() else {
            return Vec::new();
        };
        let others = others.iter().step_by(3).take(MOST_TRIGRAMS - 1);
        others.chain([last]).map(String::as_str).collect()
    }

    /// All groups, those that overlap too.
    fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().take(MOST_SAMPLED).map(String::as_str)
    }

    /// The rarest groups, by the hits of [`Self::all`] in the sample. Where all are frequent, those that
    /// cover the text.
    fn rare(&self, hits: &[i64]) -> Vec<&str> {
        let mut rare: Vec<_> = hits.iter().zip(self.all()).collect();
        rare.retain(|(hits, _)| **hits < SAMPLE / 2);
        if rare.is_empty() {
            return self.cover();
        }
        // Of names that are counted up, the ends differ most.
        rare.reverse();
        rare.sort_by_key(|(hits, _)| **hits);
        let rare = rare.into_iter().map(|(_, group)| group);
        rare.take(ENOUGH).collect()
    }
}

/// The groups of three characters that what contains the text has. Nothing for a text that is too
/// short, or that has a character which ends a text for SQLite.
pub(super) fn trigrams(text: &str) -> Option<Trigrams> {
    let characters: Vec<char> = text.nfkc().collect();
    if characters.len() < 3 || characters.contains(&'\0') {
        return None;
    }
    let quoted = characters.windows(3).map(|group| {
        let group: String = group.iter().collect();
        format!("\"{}\"", group.replace('"', "\"\""))
    });
    Some(Trigrams(quoted.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let groups = trigrams(text).map(|groups| groups.cover().join(" "));
            assert_eq!(groups.as_deref(), want, "{text:?}");
        }
        let long = trigrams(&"abc".repeat(100)).unwrap();
        assert_eq!(long.cover().len(), 16);
        assert_eq!(long.all().count(), 24);
    }

    #[test]
    fn what_is_rare_is_asked_for_and_what_nearly_all_rows_have_is_not() {
        let text = trigrams("crane-7").unwrap();
        let all = ["\"cra\"", "\"ran\"", "\"ane\"", "\"ne-\"", "\"e-7\""];
        for (hits, want) in [
            // Nothing is rare.
            ([128, 128, 128, 100, 64], &[all[0], all[3], all[4]][..]),
            ([128, 128, 128, 128, 63], &[all[4]]),
            ([128, 128, 30, 64, 40], &[all[2], all[4]]),
            ([0, 0, 1, 0, 128], &[all[3], all[1], all[0]]),
            ([0; 5], &[all[4], all[3], all[2]]),
        ] {
            assert_eq!(text.rare(&hits), want, "{hits:?}");
        }
    }
}
