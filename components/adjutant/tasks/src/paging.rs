//! How much of a list a request asks for.

use windlass_adjutant::filters::Listed;
use windlass_core::limits::PAGE_SIZE;
use windlass_core::{Error, Request, Result};

/// Reads the size of pages, which is called differently by each list, and the page's number.
///
/// # Errors
/// 400 for what is no number, and for a page that cannot be.
pub fn read(request: &Request, size_name: &str) -> Result<Listed> {
    let Some(size) = request.query_value(size_name) else {
        return Ok(Listed::All);
    };
    let most = i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX);
    let size = match size.trim().parse::<i64>() {
        Ok(size) if size < 0 => return Err(Error::bad_parameters("Empty page")),
        Ok(size) if (1..=most).contains(&size) => size,
        Ok(size) if size > most => {
            let text = format!("{size_name} must be {most} at most");
            return Err(Error::bad_parameters(text));
        }
        _ => {
            let text = format!("{size_name} must be a positive integer");
            return Err(Error::bad_parameters(text));
        }
    };
    let number = match request
        .query_value("page")
        .map(|page| page.trim().parse::<i64>())
    {
        None => 1,
        Some(Ok(number)) => number,
        Some(Err(_)) => return Err(Error::bad_parameters("Page not an integer")),
    };
    Ok(Listed::Page { number, size })
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::http::Method;

    #[test]
    fn pages_are_read_and_refused_in_the_words_of_the_original() {
        for (query, want) in [
            ("", Ok(Listed::All)),
            ("page=5", Ok(Listed::All)),
            (
                "tasks_per_page=10",
                Ok(Listed::Page {
                    number: 1,
                    size: 10,
                }),
            ),
            (
                "tasks_per_page=10&page=2",
                Ok(Listed::Page {
                    number: 2,
                    size: 10,
                }),
            ),
            (
                "tasks_per_page=0",
                Err("tasks_per_page must be a positive integer"),
            ),
            (
                "tasks_per_page=x",
                Err("tasks_per_page must be a positive integer"),
            ),
            ("tasks_per_page=-1", Err("Empty page")),
            (
                "tasks_per_page=1001",
                Err("tasks_per_page must be 1000 at most"),
            ),
            ("tasks_per_page=1&page=two", Err("Page not an integer")),
        ] {
            let request = Request::new(Method::GET, &format!("/tasks?{query}"));
            match (read(&request, "tasks_per_page"), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{query}"),
                (Err(got), Err(want)) => assert_eq!(got.message(), want, "{query}"),
                (got, _) => panic!("{query}: {got:?}"),
            }
        }
    }
}
