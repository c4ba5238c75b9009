//! The application's variables, read as what they mean.
//!
//! Every part of the application reads a variable here, so that one spelling means the same to
//! all. A value that cannot be understood is said in the log, once for each instance, and counts
//! as the safe value. The log never holds the value: it may be a secret in the wrong place.

use crate::log;
use crate::platform;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// A variable that is yes or no: `true`, `1`, `yes`, `on`, or `false`, `0`, `no`, `off`, in any
/// letter case. No when it is empty, not declared or something else.
pub async fn flag(name: &str) -> bool {
    let Some(value) = platform::variable(name).await else {
        return false;
    };
    truth(&value).unwrap_or_else(|| {
        warn(name, "neither true nor false, it counts as false");
        false
    })
}

/// A variable that is a whole number. One outside of the range counts as the end that is nearer.
/// Nothing when it is empty, not declared or no number.
pub async fn number(name: &str, range: RangeInclusive<i64>) -> Option<i64> {
    let value = text(name).await?;
    let Ok(number) = value.parse::<i64>() else {
        warn(name, "not a whole number, it counts as not set");
        return None;
    };
    if !range.contains(&number) {
        let (least, most) = (range.start(), range.end());
        warn(
            name,
            &format!("not within {least} and {most}, the nearest of both counts"),
        );
    }
    Some(number.clamp(*range.start(), *range.end()))
}

/// A variable that is a text, without the white space around it. Nothing when that leaves nothing.
pub async fn text(name: &str) -> Option<String> {
    let value = platform::variable(name).await?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// A variable that is a secret: every character counts. Nothing when it is empty or not declared.
pub async fn secret(name: &str) -> Option<String> {
    platform::variable(name).await
}

/// What is wrong with the value of a variable that is yes or no.
///
/// # Errors
/// A sentence that names the variable and not its value.
pub async fn check_flag(name: &str) -> Result<(), String> {
    let value = platform::variable(name).await.unwrap_or_default();
    match truth(&value) {
        Some(_) => Ok(()),
        None => Err(format!("{name} is neither true nor false")),
    }
}

/// What is wrong with the value of a variable that is a whole number.
///
/// # Errors
/// As [`check_flag`].
pub async fn check_number(name: &str, range: RangeInclusive<i64>) -> Result<(), String> {
    let (least, most) = (range.start(), range.end());
    match text(name).await.map(|value| value.parse::<i64>()) {
        Some(Err(_)) => Err(format!("{name} is not a whole number")),
        Some(Ok(number)) if !range.contains(&number) => {
            Err(format!("{name} is not within {least} and {most}"))
        }
        Some(Ok(_)) | None => Ok(()),
    }
}

/// What is wrong with the value of a variable that is a secret: one that is set and short.
///
/// # Errors
/// As [`check_flag`].
pub async fn check_secret(name: &str, least: usize) -> Result<(), String> {
    match secret(name).await {
        Some(value) if !value.is_empty() && value.len() < least => Err(format!(
            "{name} has {} bytes, it must have {least} or more",
            value.len()
        )),
        _ => Ok(()),
    }
}

/// What is wrong with the value of a variable that is the URL of a server, without a query.
///
/// # Errors
/// As [`check_flag`].
pub async fn check_url(name: &str) -> Result<(), String> {
    let Some(value) = text(name).await else {
        return Ok(());
    };
    let uri: Option<http::Uri> = value.parse().ok();
    let is_server = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some_and(|host| !host.is_empty())
            && uri.query().is_none()
    });
    match is_server {
        true => Ok(()),
        false => Err(format!(
            "{name} is not the URL of a server: http(s)://HOST[:PORT][/PATH]"
        )),
    }
}

/// What a word for a truth value means.
fn truth(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "" => Some(false),
        _ => None,
    }
}

/// Says in the log what is wrong with a variable. It does not change while the instance lives, so
/// once is enough.
fn warn(name: &str, problem: &str) {
    thread_local! {
        static SAID: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
    }
    if SAID.with_borrow_mut(|said| said.insert(name.to_owned())) {
        let message = format!("the variable {name} is {problem}");
        log::line(
            log::Level::Warning,
            "variables",
            [("message", message.into())],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::set_variable;

    #[test]
    fn words_for_yes_and_no_are_the_same_everywhere() {
        for (value, want) in [
            ("true", true),
            ("True", true),
            ("TRUE", true),
            (" true\n", true),
            ("1", true),
            ("yes", true),
            ("Yes", true),
            ("on", true),
            ("false", false),
            ("FALSE", false),
            ("0", false),
            ("no", false),
            ("Off", false),
            ("", false),
            ("  ", false),
            // Not understood: the safe value.
            ("2", false),
            ("t", false),
            ("y", false),
            ("enabled", false),
            ("true false", false),
        ] {
            set_variable("a_flag", value);
            assert_eq!(pollster::block_on(flag("a_flag")), want, "{value:?}");
        }
        assert!(!pollster::block_on(flag("a_variable_that_nobody_declared")));
    }

    #[test]
    fn numbers_stay_within_their_range() {
        for (value, want) in [
            ("5", Some(5)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("-3", Some(1)),
            ("601", Some(600)),
            ("5.5", None),
            ("five", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            set_variable("a_number", value);
            let got = pollster::block_on(number("a_number", 1..=600));
            assert_eq!(got, want, "{value:?}");
        }
    }

    #[test]
    fn texts_lose_the_white_space_around_them_and_secrets_do_not() {
        for (value, as_text, as_secret) in [
            (" a b\n", Some("a b"), Some(" a b\n")),
            ("  ", None, Some("  ")),
            ("", None, None),
        ] {
            set_variable("a_text", value);
            pollster::block_on(async {
                assert_eq!(text("a_text").await.as_deref(), as_text, "{value:?}");
                assert_eq!(secret("a_text").await.as_deref(), as_secret, "{value:?}");
            });
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_value() {
        pollster::block_on(async {
            for (value, is_good) in [("yes", true), ("", true), ("perhaps", false)] {
                set_variable("v", value);
                assert_eq!(check_flag("v").await.is_ok(), is_good, "{value}");
            }
            for (value, is_good) in [("5", true), ("", true), ("abc", false), ("0", false)] {
                set_variable("v", value);
                assert_eq!(check_number("v", 1..=600).await.is_ok(), is_good, "{value}");
            }
            for (value, is_good) in [("", true), ("0123456789", true), ("012345678", false)] {
                set_variable("v", value);
                assert_eq!(check_secret("v", 10).await.is_ok(), is_good, "{value}");
            }
            for (value, is_good) in [
                ("", true),
                ("https://windlass.example", true),
                ("http://10.0.0.1:3000/windlass", true),
                ("windlass.example", false),
                ("ftp://windlass.example", false),
                ("https://", false),
                ("https://w.example/?a=b", false),
            ] {
                set_variable("v", value);
                assert_eq!(check_url("v").await.is_ok(), is_good, "{value}");
            }
            set_variable("v", "hunter2");
            for problem in [
                check_flag("v").await,
                check_number("v", 1..=2).await,
                check_secret("v", 32).await,
                check_url("v").await,
            ] {
                let text = problem.unwrap_err();
                assert!(
                    text.starts_with("v ") && !text.contains("hunter2"),
                    "{text}"
                );
            }
        });
    }
}
