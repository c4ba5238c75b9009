//! How much of a list is shown. The original shows all of it, so the limit is far away.

use windlass_core::{Error, Request, Result};

/// The most items of one answer, and how many there are unless the client says.
const LIMIT: i64 = 1000;

/// `limit`: how many items at most.
pub fn limit(request: &Request) -> Result<i64> {
    let limit = number(request, "limit")?.unwrap_or(LIMIT);
    if limit <= LIMIT {
        return Ok(limit);
    }
    let text = format!("limit: at most {LIMIT}, got {limit}");
    Err(Error::bad_parameters(text))
}

/// `offset`: how many items to leave out.
pub fn offset(request: &Request) -> Result<i64> {
    Ok(number(request, "offset")?.unwrap_or(0))
}

/// A number of the query that is not negative.
fn number(request: &Request, name: &str) -> Result<Option<i64>> {
    let Some(text) = request.query_value(name) else {
        return Ok(None);
    };
    match text.parse().ok().filter(|number| *number >= 0) {
        Some(number) => Ok(Some(number)),
        None => {
            let text = format!("{name} must be a number from 0 on, got {text}");
            Err(Error::bad_parameters(text))
        }
    }
}
