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
}
