//! `/api/v1/catalogue`: which components there are.

mod entries;

use crate::versioned;
use serde_json::{Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Permission, Request, Response, Result, limits};
use windlass_status::TENANT;
use windlass_status::components::catalogue::{Entry, list_json, replace};
use windlass_status::feeds::{self, Filter};

/// The largest catalogue, in bytes.
const LARGEST: usize = 1 << 20;

/// `GET /api/v1/catalogue`: the catalogue, as it can be set.
pub async fn get(ctx: &Context<impl Db>) -> Result<Response> {
    versioned::json(ctx, "catalogue".into(), async || {
        let components = list_json(&ctx.db).await?;
        Ok(format!("{{\"components\":{components}}}"))
    })
    .await
}

/// `PUT /api/v1/catalogue`: these are all components, in this order. Answers how many of them are
/// new, and how many others are gone. To take all of them away, one says `?prune=true`.
pub async fn set(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_in(TENANT, Permission::StatusCatalogueSet)?;
    let entries = entries::entries(&read(&ctx.request)?)?;
    if entries.is_empty() && !ctx.request.query_bool("prune")?.unwrap_or(false) {
        demand_nothing_to_lose(&ctx.db).await?;
    }
    let changes = replace(&ctx.db, &scope, &entries).await?;
    let components: Vec<Value> = entries.iter().map(view).collect();
    ctx.ok(json!({ "changes": changes, "components": components }))
}

/// A file that came out empty is more often a mistake of what wrote it than a wish.
async fn demand_nothing_to_lose(db: &impl Db) -> Result<()> {
    if feeds::is_known(db, &Filter::default()).await? {
        return Err(Error::unprocessable(
            "components: is empty, which takes every component away; say ?prune=true if it is meant",
        ));
    }
    Ok(())
}

fn view(entry: &Entry) -> Value {
    let attributes = entry.attributes.iter();
    let attributes = attributes.map(|known| (known.name.clone(), Value::from(known.value.clone())));
    json!({ "name": entry.name, "attributes": Value::Object(attributes.collect()) })
}

/// The body as JSON, or as YAML where the content type says so. Without a type that tells, a body that
/// begins like a JSON object is one.
fn read(request: &Request) -> Result<Value> {
    if request.body.len() > LARGEST {
        return Err(limits::too_large(LARGEST));
    }
    let given = request.get_header("content-type").unwrap_or_default();
    let given = given.split(';').next().unwrap_or_default();
    let essence = given.trim().to_ascii_lowercase();
    let begins = request.body.trim_ascii_start().first();
    let is_json = essence == "application/json"
        || !essence.contains("yaml") && matches!(begins, Some(b'{' | b'['));
    let read = if is_json {
        limits::check_values(&request.body)?;
        serde_json::from_slice(&request.body).map_err(|error| format!("JSON: {error}"))
    } else {
        windlass_blueprint::yaml_value(&request.body).map_err(|reason| format!("YAML: {reason}"))
    };
    read.map_err(|reason| Error::bad_parameters(format!("The catalogue is no usable {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_core::http::Method;

    fn put(content_type: &str, body: &str) -> Result<Value> {
        let mut request = Request::new(Method::PUT, "/").header("content-type", content_type);
        request.body = body.into();
        read(&request)
    }

    #[test]
    fn a_catalogue_is_json_or_yaml() {
        let want = json!({ "components": [{ "name": "a", "attributes": { "region": "EU" } }] });
        let yaml = "# ours\ncomponents:\n  - name: a\n    attributes:\n      region: EU\n";
        let flow = "{components: [{name: a, attributes: {region: EU}}]}";
        let json = want.to_string();
        for (content_type, body) in [
            ("application/json", json.as_str()),
            ("application/x-www-form-urlencoded", &json),
            ("application/yaml", &json),
            ("application/x-yaml; charset=utf-8", flow),
            ("text/yaml", yaml),
            ("", yaml),
            ("application/x-www-form-urlencoded", yaml),
        ] {
            assert_eq!(
                put(content_type, body).unwrap(),
                want,
                "{content_type} {body}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        for (content_type, body, want) in [
            ("application/json", "{", "line 1 column 1"),
            ("application/json", "components: []", "line 1 column 1"),
            ("text/yaml", "components:\n\t- a", "line 2"),
            ("text/yaml", "a: *b", "undefined alias b, line 1, column 4"),
        ] {
            let refusal = put(content_type, body).unwrap_err();
            assert!(refusal.message().contains(want), "{body}: {refusal:?}");
        }
        assert_eq!(put("text/yaml", "").unwrap(), Value::Null);
        let large = format!("{{\"components\":[]}}{}", " ".repeat(LARGEST));
        assert!(put("application/json", &large).is_err());
    }
}
