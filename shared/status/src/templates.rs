//! Templates: incidents and maintenances that happen again, written in quiet and used at night. Whoever opens an
//! event names a template and says only what is different this time.

use crate::body::refusal;
use crate::events::EventKind;
use crate::lifecycle::{check_contact, check_description, check_new, check_title};
use crate::{Page, demand_insider};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use windlass_core::db::{Db, Tx};
use windlass_core::{Body, Error, Result, Scope, Timestamp, params};
use windlass_store::audit;

/// The most templates there are.
const MOST: i64 = 200;
/// The most components of a template, and the longest event, in minutes: a month.
const COMPONENTS: usize = 1000;
const MINUTES: i64 = 31 * 24 * 60;
/// The fields of a template.
const KNOWN: [&str; 7] = [
    "title",
    "type",
    "impact",
    "description",
    "contact_email",
    "components",
    "duration_minutes",
];

/// What a template says of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its title.
    pub title: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// How bad it is; 0 for what is no incident.
    pub impact: i64,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whom to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_email: Option<String>,
    /// The components it is on.
    pub components: Vec<i64>,
    /// How long a maintenance or an announcement lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<i64>,
}

/// A template as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What it is called.
    pub id: String,
    /// What it says.
    pub content: Content,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it was written the last time.
    pub updated_at: Timestamp,
}

/// A template of `status_templates` as JSON, which [`Template`] is read from.
const JSON: &str = "json_object('id', id, 'content', json(content), 'created_at', created_at,
    'created_by', created_by, 'updated_at', updated_at)";

impl Content {
    /// Reads a template. What an event of it would be refused for is refused here already.
    ///
    /// # Errors
    /// 400 naming the field.
    pub fn read(body: &Body, now: Timestamp) -> Result<Self> {
        if let Some(unknown) = body.names().find(|name| !KNOWN.contains(name)) {
            return Err(refusal(unknown, format!("Unknown field `{unknown}`")));
        }
        let title = body.required_text("title")?;
        check_title(title)?;
        let kind = EventKind::named(body.required_text("type")?).ok_or_else(|| {
            Error::bad_parameters(
                "event type is invalid, must be 'maintenance' 'info' or 'incident'",
            )
        })?;
        let impact = body.integer("impact")?;
        let impact = impact.ok_or_else(|| Error::missing("impact"))?;
        let description = body.filled_text("description")?;
        check_description(kind, description)?;
        let contact_email = body.filled_text("contact_email")?;
        check_contact(kind, contact_email)?;
        let duration_minutes = body.integer("duration_minutes")?;
        if let Some(minutes) = duration_minutes
            && !(1..=MINUTES).contains(&minutes)
        {
            let text = format!("duration_minutes must be a number from 1 to {MINUTES}");
            return Err(refusal("duration_minutes", text));
        }
        if duration_minutes.is_some() && kind == EventKind::Incident {
            let text = "nobody knows before how long an incident lasts";
            return Err(refusal("duration_minutes", text.to_owned()));
        }
        // A maintenance may leave its end to whoever plans it.
        let end = (kind != EventKind::Incident).then(|| now.plus_seconds(60));
        check_new(kind, impact, now, end, now)?;
        Ok(Self {
            title: title.trim().to_owned(),
            kind,
            impact,
            description: description.map(str::to_owned),
            contact_email: contact_email.map(str::to_owned),
            components: components(body)?,
            duration_minutes,
        })
    }

    /// The body of an event: what was given, and what the template says of the rest. It begins now unless
    /// something else was given.
    ///
    /// # Errors
    /// 400 for a beginning that is no time.
    pub fn fill(&self, given: &Body, now: Timestamp) -> Result<Body> {
        let mut fields: Map<String, Value> = match json!(self) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.remove("duration_minutes");
        fields.insert("start_date".into(), json!(now));
        for name in given.names() {
            if let Some(value) = given.get(name) {
                fields.insert(name.to_owned(), value.clone());
            }
        }
        fields.remove("template");
        if let Some(minutes) = self.duration_minutes
            && !fields.contains_key("end_date")
        {
            let start = fields.get("start_date").and_then(Value::as_str);
            let start = Timestamp::parse("start_date", start.unwrap_or_default())?;
            let end = start.plus_seconds(minutes * 60);
            fields.insert("end_date".into(), json!(end));
        }
        Body::inner(&Value::Object(fields), "body")
    }
}

fn components(body: &Body) -> Result<Vec<i64>> {
    let given = body.list("components")?;
    let given = given.ok_or_else(|| Error::missing("components"))?;
    if given.is_empty() || given.len() > COMPONENTS {
        let text = format!("components must name 1 to {COMPONENTS}");
        return Err(refusal("components", text));
    }
    let number = |item: &Value| {
        let text = "components are named by their numbers";
        item.as_i64()
            .ok_or_else(|| refusal("components", text.to_owned()))
    };
    let mut components: Vec<i64> = given.iter().map(number).collect::<Result<_>>()?;
    components.sort_unstable();
    components.dedup();
    Ok(components)
}

/// A template by its id.
///
/// # Errors
/// 403 for the public; 404 when there is none.
pub async fn find(db: &impl Db, scope: &Scope, id: &str) -> Result<Template> {
    demand_insider(scope)?;
    let sql = format!("select {JSON} from status_templates where id = ?1");
    let found = db.first_json(&sql, params![id]).await?;
    found.ok_or_else(|| Error::not_found("Template", id))
}

/// All templates by their ids; there are few.
///
/// # Errors
/// 403 for the public.
pub async fn list(db: &impl Db, scope: &Scope, limit: i64, offset: i64) -> Result<Page> {
    demand_insider(scope)?;
    let items =
        format!("select {JSON} as item from status_templates order by id limit ?1 offset ?2");
    let total = "select count(*) from status_templates";
    Page::read(db, &items, total, params![limit, offset]).await
}

/// Makes a template, or writes the one of this id anew.
///
/// # Errors
/// 409 when there are too many.
pub async fn save(
    tx: &impl Tx,
    scope: &Scope,
    id: &str,
    content: &Content,
    now: Timestamp,
) -> Result<()> {
    let text = json!(content).to_string();
    let saved = tx
        .first(
            "insert into status_templates (id, content, created_at, created_by, updated_at)
             select ?1, ?2, ?3, ?4, ?3
             where (select count(*) from status_templates where id <> ?1) < ?5
             on conflict (id) do update set content = excluded.content,
                 updated_at = excluded.updated_at
             returning 1",
            params![id, text, now, scope.username(), MOST],
        )
        .await?;
    if saved.is_none() {
        return Err(Error::conflict(format!(
            "There are {MOST} templates already, no more are kept"
        )));
    }
    audit::insert(tx, scope, "status_template_set", "Template", id).await
}

/// Deletes a template. Events that were made with it stay.
pub async fn delete(tx: &impl Tx, scope: &Scope, template: &Template) -> Result<()> {
    let id = template.id.as_str();
    tx.execute("delete from status_templates where id = ?1", params![id])
        .await?;
    audit::insert(tx, scope, "status_template_delete", "Template", id).await
}

#[cfg(test)]
mod tests;
