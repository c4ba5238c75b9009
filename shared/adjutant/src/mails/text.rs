//! What a mail says: a template of the settings, filled in.

use crate::people;
use crate::settings::Settings;
use crate::tasks::Task;
use crate::tokens::Open;
use std::collections::BTreeMap;
use windlass_core::db::Db;
use windlass_core::{Result, Scope};
use windlass_delivery::Settings as Delivery;
use windlass_delivery::markup::escape;

/// The values that a template can name.
pub(crate) type Values = BTreeMap<&'static str, String>;

/// What a task was asked for, as far as a template can name it.
pub(crate) fn asked(task: &Task) -> Values {
    let value = |name| {
        let mut named = task.actions.iter().map(|action| action.text(name));
        let value = named.find(|value| !value.is_empty());
        (name, value.unwrap_or_default().to_owned())
    };
    ["email", "new_email", "project_name", "size", "username"]
        .map(value)
        .into()
}

/// The values of a task.
pub(super) async fn values(
    db: &impl Db,
    settings: &Settings,
    task: &Task,
    token: Option<&Open>,
    delivery: &Delivery,
) -> Result<Values> {
    let mut values = asked(task);
    values.insert("public_url", delivery.public_url.clone());
    values.insert("task_uuid", task.uuid.clone());
    values.insert("task_type", task.task_type.name().to_owned());
    let empty = |values: &Values, name| values.get(name).is_none_or(String::is_empty);
    if empty(&values, "project_name") {
        let project = task.actions.iter().map(|action| action.text("project_id"));
        let project = project.into_iter().find(|project| !project.is_empty());
        values.insert("project_name", project.unwrap_or_default().to_owned());
    }
    let requested_by = Some(task.submitter("username")).filter(|name| !name.is_empty());
    values.insert(
        "requested_by",
        requested_by.unwrap_or("Somebody").to_owned(),
    );
    if empty(&values, "username") {
        let name = match user_id(task) {
            Some(id) => people::by_id(db, &Scope::engine(), id).await?,
            None => None,
        };
        let email = values.get("email").cloned().unwrap_or_default();
        values.insert("username", name.map_or(email, |found| found.user.username));
    }
    if let Some(token) = token {
        values.insert("token_url", token_url(settings, delivery, &token.value));
        let until = token.expires.format("%Y-%m-%d %H:%M UTC");
        values.insert("token_expires", until);
    }
    Ok(values)
}

/// The number of the user whom a task is about.
fn user_id(task: &Task) -> Option<&str> {
    let mut actions = task.actions.iter();
    actions.find_map(|action| {
        action
            .made("user_id")
            .or_else(|| action.optional_text("user_id"))
    })
}

/// Where a token is used.
fn token_url(settings: &Settings, delivery: &Delivery, token: &str) -> String {
    match settings.token_page.as_str() {
        "" => format!("{}/account/token/{token}", delivery.public_url),
        page => format!("{page}{token}"),
    }
}

/// A template with its values. What it names and nobody knows stays empty.
pub(crate) fn fill(template: &str, values: &Values, as_markup: bool) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        let value = values
            .get(name.trim())
            .map(String::as_str)
            .unwrap_or_default();
        match as_markup {
            true => filled.push_str(&escape(value)),
            false => filled.push_str(value),
        }
        rest = after;
    }
    filled + rest
}

/// The markup of a mail as a page.
pub(super) fn page(body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"></head>\n\
         <body>\n{body}</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_and_markup_is_escaped() {
        let values = Values::from([("project_name", "<b>&".to_owned())]);
        for (template, as_markup, want) in [
            ("a {{project_name}} b", false, "a <b>& b"),
            ("a {{ project_name }} b", true, "a &lt;b&gt;&amp; b"),
            ("{{nothing}}x", false, "x"),
            ("open {{ end", false, "open {{ end"),
        ] {
            assert_eq!(fill(template, &values, as_markup), want, "{template}");
        }
    }
}
