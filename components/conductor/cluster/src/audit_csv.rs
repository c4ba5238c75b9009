//! The trail as CSV, for spreadsheets and whoever keeps such things: made while it is sent.

use windlass_core::db::Db;
use windlass_core::{Error, NextPart, Parts, Request, Response, Result, Scope, spreadsheet};
use windlass_store::audit::{COLUMNS, Table};

windlass_core::named_enum! {
    /// How a list is written.
    enum Format {
        /// As every list.
        Json = "json",
        /// As a table.
        Csv = "csv",
    }
}

/// Whether a request wants a table: `format` says so, or else `Accept`.
///
/// # Errors
/// 400 for another format.
pub fn is_wanted(request: &Request) -> Result<bool> {
    let format = request
        .query_value("format")
        .filter(|text| !text.is_empty());
    if let Some(text) = format {
        let format = Format::named(text).ok_or_else(|| {
            Error::bad_parameters(format!("Invalid format: `{text}`; json and csv are known"))
        })?;
        return Ok(matches!(format, Format::Csv));
    }
    let accept = request.get_header("accept").unwrap_or_default();
    let mut ranges = accept.split(',').map(|range| {
        let range = range.split(';').next().unwrap_or_default();
        range.trim().to_ascii_lowercase()
    });
    // Whoever takes both, or whatever comes, gets what everybody gets.
    Ok(ranges.clone().any(|range| range == "text/csv")
        && !ranges.any(|range| range == "application/json"))
}

/// Answers with a table.
///
/// # Errors
/// 400 for a filter by a field that is none.
pub async fn respond<D: Db + Clone + 'static>(
    db: &D,
    scope: Scope,
    mut table: Table,
) -> Result<Response> {
    let mut first = lines([COLUMNS])?;
    let entries = table.next(db, &scope).await?;
    let is_end = entries.is_empty();
    first.extend(lines(entries)?);
    let db = db.clone();
    let parts = Written {
        db,
        scope,
        table,
        first: Some(first),
        is_end,
    };
    let response = Response::made(200, "text/csv; charset=utf-8; header=present", None, parts);
    Ok(response
        .header("content-disposition", "attachment; filename=\"audit.csv\"")
        .header("x-content-type-options", "nosniff"))
}

/// Lines of CSV, in which no text is a formula.
fn lines<Line>(table: impl IntoIterator<Item = Line>) -> Result<Vec<u8>>
where
    Line: IntoIterator<Item: AsRef<str>>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in table {
        for text in line {
            let cell = spreadsheet::cell(text.as_ref());
            writer
                .write_field(cell.as_bytes())
                .map_err(Error::internal)?;
        }
        let end: [&str; 0] = [];
        writer.write_record(end).map_err(Error::internal)?;
    }
    let text = writer.into_inner();
    text.map_err(|error| Error::internal(error.to_string()))
}

struct Written<D> {
    db: D,
    scope: Scope,
    table: Table,
    first: Option<Vec<u8>>,
    is_end: bool,
}

impl<D: Db> Parts for Written<D> {
    fn next(&mut self) -> NextPart<'_> {
        Box::pin(self.part())
    }
}

impl<D: Db> Written<D> {
    async fn part(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.is_end {
            return Ok(None);
        }
        let entries = self.table.next(&self.db, &self.scope).await?;
        self.is_end = entries.is_empty();
        match self.is_end {
            true => Ok(None),
            false => lines(entries).map(Some),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_written_for_who_asks_for_one() {
        for (query, accept, want) in [
            ("", "", Some(false)),
            ("", "*/*", Some(false)),
            ("", "text/csv", Some(true)),
            ("", "Text/CSV; q=0.9, */*;q=0.1", Some(true)),
            ("", "application/json, text/csv", Some(false)),
            ("?format=csv", "application/json", Some(true)),
            ("?format=json", "text/csv", Some(false)),
            ("?format=", "text/csv", Some(true)),
            ("?format=xml", "", None),
        ] {
            let request = Request::new(windlass_core::http::Method::GET, &format!("/audit{query}"));
            let request = request.header("accept", accept);
            assert_eq!(is_wanted(&request).ok(), want, "{query} {accept}");
        }
    }

    #[test]
    fn cells_are_quoted_where_they_must_be_and_are_no_formulas() {
        let lines = lines([["a,b", "=1+1", "say \"hi\"", "", "two\nlines"]]).unwrap();
        let text = String::from_utf8(lines).unwrap();
        assert_eq!(text, "\"a,b\",'=1+1,\"say \"\"hi\"\"\",,\"two\nlines\"\n");
    }
}
