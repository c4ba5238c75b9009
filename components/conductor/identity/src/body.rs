//! Names of users, groups and roles in bodies.

use windlass_core::{Body, Result, ids};

/// A text that must be there and usable as a name.
pub fn name<'b>(body: &'b Body, key: &str) -> Result<&'b str> {
    let name = body.required_text(key)?;
    ids::check(key, name)?;
    Ok(name)
}

/// The name of a role, if it is there. Empty counts as absent.
pub fn role(body: &Body) -> Result<Option<&str>> {
    let role = body.text("role")?.filter(|role| !role.is_empty());
    if let Some(role) = role {
        ids::check("role", role)?;
    }
    Ok(role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_are_read_with_their_types() {
        let body = json!({ "a": null, "b": "True", "c": 1, "d": "", "role": "", "at": "2024-01-01T10:00:00" });
        let body = &Body::inner(&body, "body").unwrap();
        assert_eq!(body.text("a").unwrap(), None);
        assert_eq!(role(body).unwrap(), None);
        assert_eq!(body.boolean("b").unwrap(), Some(true));
        for (refusal, want) in [
            (
                body.required_text("a").map(drop),
                "Missing a in json request body",
            ),
            (
                body.required_text("c").map(drop),
                "c parameter is expected to be of type str but is of type int",
            ),
            (
                body.boolean("c").map(drop),
                "c parameter is expected to be of type bool but is of type int",
            ),
            (name(body, "d").map(drop), "The `d` argument is empty"),
            (
                body.zoned_time("at").map(drop),
                "at: `2024-01-01T10:00:00` names no time zone",
            ),
        ] {
            assert_eq!(refusal.unwrap_err().message(), want);
        }
    }
}
