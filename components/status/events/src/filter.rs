//! The filters of a list of events, as its query says. All that cannot be read has one refusal.

use crate::fields;
use windlass_core::request::parse_bool;
use windlass_core::{Error, Request, Result, Timestamp};
use windlass_status::events::{EventKind, Filter};
use windlass_status::lifecycle;

/// How many events a page may have; the last is how many it has if nobody says.
const SIZES: [i64; 3] = [10, 20, SIZE];
const SIZE: i64 = 50;

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// Its number, from 1.
    pub index: i64,
    /// How many events it has.
    pub size: i64,
}

impl Pages {
    /// How many events are on the pages before.
    pub fn offset(self) -> i64 {
        (self.index - 1).saturating_mul(self.size)
    }
}

/// The filters of a request.
///
/// # Errors
/// 400 in one text for all that cannot be read.
pub fn read(request: &Request) -> Result<Filter> {
    let given = |name| request.query_value(name);
    let filter = Filter {
        kinds: given("type").map(kinds).transpose()?,
        is_active: given("active").map(active).transpose()?.unwrap_or(false),
        status: given("status")
            .map(|text| lifecycle::any_status(text).ok_or_else(refused))
            .transpose()?,
        from: given("start_date").map(time).transpose()?,
        until: given("end_date").map(time).transpose()?,
        impact: given("impact")
            .map(|text| number_in(text, &(0..=3)))
            .transpose()?,
        is_system: given("system").map(boolean).transpose()?,
        components: given("components").map(components).transpose()?,
    };
    match (filter.from, filter.until) {
        (Some(from), Some(until)) if until < from => Err(refused()),
        _ => Ok(filter),
    }
}

/// The page that a request asks for.
///
/// # Errors
/// 400 in one text for all that cannot be read.
pub fn pages(request: &Request) -> Result<Pages> {
    let index = request.query_value("page");
    let index = index.map(|text| number_in(text, &(1..=i64::MAX)));
    let size = request.query_value("limit").map(|text| {
        let size = number_in(text, &(1..=i64::MAX))?;
        SIZES.contains(&size).then_some(size).ok_or_else(refused)
    });
    Ok(Pages {
        index: index.transpose()?.unwrap_or(1),
        size: size.transpose()?.unwrap_or(SIZE),
    })
}

fn kinds(text: &str) -> Result<Vec<EventKind>> {
    let kind = |text: &str| EventKind::named(text.trim()).ok_or_else(refused);
    text.split(',').map(kind).collect()
}

/// Only what is going on can be asked for: what is over is told by its status.
fn active(text: &str) -> Result<bool> {
    match boolean(text)? {
        true => Ok(true),
        false => Err(refused()),
    }
}

fn components(text: &str) -> Result<Vec<i64>> {
    let number = |text: &str| fields::number(text.trim()).ok_or_else(refused);
    text.split(',').map(number).collect()
}

fn boolean(text: &str) -> Result<bool> {
    match text {
        "1" => Ok(true),
        "0" => Ok(false),
        text => parse_bool("filter", text).map_err(|_| refused()),
    }
}

fn number_in(text: &str, range: &std::ops::RangeInclusive<i64>) -> Result<i64> {
    let number = fields::number(text).filter(|number| range.contains(number));
    number.ok_or_else(refused)
}

fn time(text: &str) -> Result<Timestamp> {
    Timestamp::parse("filter", text).map_err(|_| refused())
}

fn refused() -> Error {
    Error::bad_parameters("filter query parameter has an invalid format or value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::http::Method;

    fn request(query: &str) -> Request {
        Request::new(Method::GET, &format!("/events?{query}"))
    }

    #[test]
    fn filters_are_read() {
        let time = |text| Timestamp::parse("time", text).unwrap();
        let all = read(&request(
            "type=incident,%20info&active=true&status=analyzing&impact=0&system=False\
             &start_date=2026-01-01T00:00:00%2B02:00&end_date=2026-02-01&components=3,1&other=x",
        ));
        assert_eq!(
            all.unwrap(),
            Filter {
                kinds: Some(vec![EventKind::Incident, EventKind::Info]),
                is_active: true,
                status: Some("analysing"),
                from: Some(time("2025-12-31T22:00:00Z")),
                until: Some(time("2026-02-01")),
                impact: Some(0),
                is_system: Some(false),
                components: Some(vec![3, 1]),
            }
        );
        let unescaped = read(&request("start_date=2026-01-01T00:00:00+02:00")).unwrap();
        assert_eq!(unescaped.from, Some(time("2025-12-31T22:00:00Z")));
        assert_eq!(read(&request("")).unwrap(), Filter::default());
        for (query, index, size) in [("", 1, 50), ("page=3&limit=10", 3, 10), ("limit=20", 1, 20)] {
            let told = pages(&request(query)).unwrap();
            assert_eq!((told.index, told.size), (index, size), "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_the_same_words() {
        for query in [
            "type=",
            "type=incident,accident",
            "active=false",
            "active=perhaps",
            "status=sleeping",
            "status=",
            "start_date=yesterday",
            "end_date=2026-13-01",
            "start_date=2026-02-01&end_date=2026-01-01",
            "impact=4",
            "impact=-1",
            "impact=minor",
            "impact=%2B1",
            "system=perhaps",
            "components=",
            "components=1,,2",
            "components=one",
            "components=99999999999999999999",
            "page=0",
            "page=-1",
            "page=x",
            "limit=0",
            "limit=15",
            "limit=100",
            "limit=",
        ] {
            let request = request(query);
            let refusal = read(&request).map(drop).and(pages(&request).map(drop));
            let text = "filter query parameter has an invalid format or value";
            assert_eq!(refusal.unwrap_err().message(), text, "{query}");
        }
    }
}
