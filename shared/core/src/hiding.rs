//! Hiding secrets in texts that are kept and shown.

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// The shortest secret that is looked for: the digits of a short one stand everywhere.
const SHORTEST: usize = 4;

/// The text without these secrets. The longest goes first: another may be a part of it.
pub fn hide(text: &str, secrets: &[String]) -> String {
    let mut order: Vec<&str> = secrets.iter().map(String::as_str).collect();
    order.retain(|secret| secret.len() >= SHORTEST);
    order.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut hidden = text.to_owned();
    for secret in order {
        if hidden.contains(secret) {
            hidden = hidden.replace(secret, HIDDEN);
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::hide;

    #[test]
    fn what_is_hidden_is_nowhere_in_the_text() {
        let secrets = ["pass", "password-1", "abc"].map(str::to_owned);
        assert_eq!(hide("a password-1 b pass", &secrets), "a *** b ***");
        assert_eq!(hide("abc", &secrets), "abc", "too short to be looked for");
    }
}
