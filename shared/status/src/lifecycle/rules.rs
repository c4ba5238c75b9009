//! What the texts and dates of an event must be.

use super::{EventKind, not_in_the_future, refused};
use crate::direction::turns;
use windlass_core::{Error, Result, Timestamp};

/// The length of a title, in characters.
const TITLE: std::ops::RangeInclusive<usize> = 8..=200;

/// The length of a message, in characters.
const MESSAGE: std::ops::RangeInclusive<usize> = 10..=200;

/// The most characters of a description, and the fewest of a maintenance's.
const DESCRIPTION: (usize, usize) = (8, 1500);

/// The longest address of a person to ask, as mail systems have it.
const CONTACT: usize = 254;

/// Refuses a title of the wrong length, or one that breaks the line.
pub fn check_title(title: &str) -> Result<()> {
    check_length("title", title, TITLE)?;
    refuse_controls(title)
}

/// Refuses a title that a monitor cannot give: some programs have short names.
pub fn check_system_title(title: &str) -> Result<()> {
    check_length("title", title, 1..=*TITLE.end())?;
    refuse_controls(title)
}

/// Refuses an update's text of the wrong length. `name` is the field's.
pub fn check_message(name: &str, message: &str) -> Result<()> {
    check_length(name, message, MESSAGE)?;
    refuse_unprintable(name, message)
}

/// Refuses a description that is too long, or of a maintenance too short.
pub fn check_description(kind: EventKind, description: Option<&str>) -> Result<()> {
    let length = description.map_or(0, |text| text.trim().chars().count());
    let (least, most) = DESCRIPTION;
    if length > most {
        return refused("event description should be 1500 characters or fewer");
    }
    refuse_unprintable("description", description.unwrap_or_default())?;
    match kind {
        EventKind::Maintenance if length == 0 => refused("description is required for maintenance"),
        EventKind::Maintenance if length < least => {
            refused("description must have at least 8 characters")
        }
        _ => Ok(()),
    }
}

/// Refuses what cannot be an e-mail address, or none where a maintenance needs one.
pub fn check_contact(kind: EventKind, email: Option<&str>) -> Result<()> {
    let Some(email) = email.filter(|email| !email.is_empty()) else {
        return match kind {
            EventKind::Maintenance => refused("contact_email is required for maintenance"),
            EventKind::Incident | EventKind::Info => Ok(()),
        };
    };
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:\"".contains(c);
    let is_address = email.len() <= CONTACT
        && email.chars().all(is_plain)
        && email.split_once('@').is_some_and(|(name, domain)| {
            let labels = || domain.split('.');
            !name.is_empty()
                && !domain.contains('@')
                && labels().count() > 1
                && labels().all(|label| !label.is_empty())
        });
    if is_address {
        return Ok(());
    }
    refused("contact_email has invalid format")
}

/// Refuses the impact and the dates of an event that cannot begin so; the moment it begins.
pub fn check_new(
    kind: EventKind,
    impact: i64,
    start: Timestamp,
    end: Option<Timestamp>,
    now: Timestamp,
) -> Result<Timestamp> {
    if !(0..=3).contains(&impact) {
        return Err(Error::bad_parameters("impact must be between 0 and 3"));
    }
    if (impact == 0) == (kind == EventKind::Incident) {
        return Err(Error::bad_parameters(
            "impact must be 0 for type 'maintenance' or 'info' and gt 0 for 'incident'",
        ));
    }
    if kind == EventKind::Incident {
        if end.is_some() {
            return Err(Error::bad_parameters("event end_date should be empty"));
        }
        return not_in_the_future(start, now)
            .ok_or_else(|| Error::bad_parameters("event start_date should not be in the future"));
    }
    match end {
        None if kind == EventKind::Maintenance => {
            Err(Error::bad_parameters("maintenance end_date is empty"))
        }
        end => check_window(start, end).map(|()| start),
    }
}

/// Refuses a window that ends before it begins.
pub(super) fn check_window(start: Timestamp, end: Option<Timestamp>) -> Result<()> {
    match end {
        Some(end) if start >= end => {
            refused("Start date cannot be later than or equal to the end date")
        }
        _ => Ok(()),
    }
}

fn refuse_controls(title: &str) -> Result<()> {
    if title.chars().any(char::is_control) {
        return refused("title must not hold control characters");
    }
    refuse_turns("title", title)
}

/// Lines and tabs are part of a text, other control characters are not.
fn refuse_unprintable(name: &str, text: &str) -> Result<()> {
    let is_wrong = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.chars().any(is_wrong) {
        return Err(Error::bad_parameters(format!(
            "{name} must not hold control characters"
        )));
    }
    refuse_turns(name, text)
}

fn refuse_turns(name: &str, text: &str) -> Result<()> {
    if text.contains(turns) {
        return Err(Error::bad_parameters(format!(
            "{name} must not hold characters that change the direction of the text around them"
        )));
    }
    Ok(())
}

fn check_length(name: &str, text: &str, allowed: std::ops::RangeInclusive<usize>) -> Result<()> {
    // What surrounds a text does not make it longer.
    let length = text.trim().chars().count();
    if allowed.contains(&length) {
        return Ok(());
    }
    Err(Error::bad_parameters(format!(
        "{name} must have {} to {} characters, has {length}",
        allowed.start(),
        allowed.end()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_turns_the_direction_of_others() {
        let turned = "Disks are slow \u{202e}today";
        for (what, refusal) in [
            ("title", check_title(turned)),
            ("title", check_system_title(turned)),
            ("message", check_message("message", turned)),
            (
                "description",
                check_description(EventKind::Info, Some(turned)),
            ),
        ] {
            let refusal = refusal.unwrap_err();
            let want = format!("{what} must not hold characters that change the direction");
            assert!(refusal.message().starts_with(&want), "{refusal:?}");
        }
        let hebrew = "הדיסקים איטיים \u{200f}(שוב)";
        check_title(hebrew).unwrap();
        check_message("message", hebrew).unwrap();
    }
}
