//! How times are written: with microseconds, as clients of the original know them.

use windlass_core::Timestamp;

/// A column with a time as answers show it: six digits of the second's fraction, or none where it is
/// zero. The database keeps three.
pub(crate) fn time_sql(column: &str) -> String {
    format!(
        "case substr({column}, 21, 3) when '000' then substr({column}, 1, 19) || 'Z' \
         else substr({column}, 1, 23) || '000Z' end"
    )
}

/// The same as the text of a JSON value.
pub(crate) fn quoted_time_sql(column: &str) -> String {
    format!("coalesce('\"' || {} || '\"', 'null')", time_sql(column))
}

/// A column with 0 or 1 as a truth value of JSON.
pub(crate) fn boolean_sql(column: &str) -> String {
    format!("json({})", truth_sql(column))
}

/// The same as text.
pub(crate) fn truth_sql(column: &str) -> String {
    format!("iif({column}, 'true', 'false')")
}

/// A note with the moment at which it was made.
pub(crate) fn note(text: &str, now: Timestamp) -> String {
    format!("{text} - ({})", now.format("%Y-%m-%d %H:%M:%S%.6f+00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::db::{Db, NativeDb};

    #[test]
    fn times_have_six_digits_or_none() {
        pollster::block_on(async {
            let db = NativeDb::in_memory();
            for (kept, shown) in [
                (
                    "2017-08-30T21:29:48.484Z",
                    Some("2017-08-30T21:29:48.484000Z"),
                ),
                ("2017-08-30T21:29:48.000Z", Some("2017-08-30T21:29:48Z")),
            ] {
                let sql = format!("select {}", time_sql("?1"));
                let row = db.first(&sql, &[kept.into()]).await.unwrap().unwrap();
                assert_eq!(row.optional_text(0).unwrap(), shown);
            }
            let sql = format!("select {}", quoted_time_sql("null"));
            let row = db.first(&sql, &[]).await.unwrap().unwrap();
            assert_eq!(row.text(0).unwrap(), "null");
            let sql = format!("select {}", time_sql("null"));
            let row = db.first(&sql, &[]).await.unwrap().unwrap();
            assert_eq!(row.optional_text(0).unwrap(), None);
        });
    }

    #[test]
    fn a_note_says_when_it_was_made() {
        let now = Timestamp::parse("now", "2026-11-21T01:06:18.612Z").unwrap();
        let want = "Token created for task. - (2026-11-21 01:06:18.612000+00:00)";
        assert_eq!(note("Token created for task.", now), want);
    }
}
