//! What events and components are called in paths, and the fields that several bodies have.

use windlass_core::{Body, Error, Result, Timestamp};

/// The most numbers of components that one request names.
const COMPONENTS: usize = 1000;

/// The number of an event or a component in the path; none of another shape exists.
pub fn number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// A time in a body. What says no zone is in UTC.
pub fn time(body: &Body, name: &str) -> Result<Option<Timestamp>> {
    let Some(text) = body.filled_text(name)? else {
        return Ok(None);
    };
    let time = Timestamp::parse(name, text)?;
    // As the database keeps it: what is compared with it must not be finer.
    Ok(Some(Timestamp::from_millis(time.millis())))
}

/// The numbers of components, each once, in the order in which they were given.
pub fn components(body: &Body) -> Result<Vec<i64>> {
    let given = body
        .list("components")?
        .ok_or_else(|| Error::missing("components"))?;
    if given.is_empty() {
        return Err(Error::bad_parameters("components must name at least one"));
    }
    if given.len() > COMPONENTS {
        return Err(Error::bad_parameters(format!(
            "components must name at most {COMPONENTS}"
        )));
    }
    let mut numbers = Vec::with_capacity(given.len());
    for (place, value) in given.iter().enumerate() {
        let name = format!("components[{place}]");
        let number = value
            .as_i64()
            .ok_or_else(|| Error::wrong_type(&name, "int", value))?;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

/// A whole number that must be there.
pub fn required_integer(body: &Body, name: &str) -> Result<i64> {
    body.integer(name)?.ok_or_else(|| Error::missing(name))
}
