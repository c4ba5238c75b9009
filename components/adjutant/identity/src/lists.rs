//! The envelope of lists, and which part of one is asked for.
//!
//! Keystone's clients ask for whole lists. They are given the first thousand items with a link to the next
//! ones, which newer clients follow.

use crate::base_url::base_url;
use crate::flags::flag;
use crate::refusals::invalid;
use serde_json::{Map, Value, json};
use windlass_core::db::Db;
use windlass_core::{Context, Request, Response, Result};
use windlass_identity::keystone::{Part, Window, is_domain};

/// The most items of one answer.
const MOST: usize = 1000;

/// The part that a request asks for.
///
/// # Errors
/// 400 for a limit that is no number above 0.
pub fn window(request: &Request) -> Result<Window<'_>> {
    let limit = match request.query_value("limit") {
        None => MOST,
        Some(text) => {
            let limit = text.parse::<usize>().ok().filter(|limit| *limit > 0);
            let limit = limit.ok_or_else(|| invalid("limit", "it is no number above 0"))?;
            limit.min(MOST)
        }
    };
    Ok(Window {
        marker: request.query_value("marker"),
        limit,
    })
}

/// Whether a list is asked for what is in some other domain, where nothing is.
pub fn is_elsewhere(request: &Request) -> bool {
    request
        .query_value("domain_id")
        .is_some_and(|id| !is_domain(id))
}

/// A part without items.
pub fn nothing() -> Part {
    Part {
        items: Vec::new(),
        has_more: false,
    }
}

/// 200 with a part of a list, whose items are called `name` and live below `/v3/{name}`.
pub async fn answer(ctx: &Context<impl Db>, name: &str, part: Part) -> Result<Response> {
    let base = base_url(ctx).await;
    let own = format!("{base}{}", ctx.request.path.trim_end_matches('/'));
    let last = part.items.last().and_then(id_of);
    let next = last.filter(|_| part.has_more).map(|marker| {
        let limit = part.items.len();
        let kept = ctx.request.query_value("enabled");
        let kept = kept.map_or("", |_| match flag(&ctx.request, "enabled") {
            Some(false) => "&enabled=false",
            _ => "&enabled=true",
        });
        format!("{own}?limit={limit}&marker={marker}{kept}")
    });
    let items: Vec<Value> = part
        .items
        .into_iter()
        .map(|item| linked(&base, name, item))
        .collect();
    let mut body = Map::new();
    body.insert(name.to_owned(), items.into());
    body.insert(
        "links".into(),
        json!({ "self": own, "previous": null, "next": next }),
    );
    if part.has_more {
        body.insert("truncated".into(), true.into());
    }
    ctx.ok(body)
}

/// 200 with one item of a list.
pub async fn answer_one(
    ctx: &Context<impl Db>,
    name: &str,
    list: &str,
    item: Value,
) -> Result<Response> {
    let base = base_url(ctx).await;
    let mut body = Map::new();
    body.insert(name.to_owned(), linked(&base, list, item));
    ctx.ok(body)
}

fn id_of(item: &Value) -> Option<&str> {
    item.get("id").and_then(Value::as_str)
}

/// An item with the link to itself.
fn linked(base: &str, list: &str, mut item: Value) -> Value {
    let id = id_of(&item).unwrap_or_default().to_owned();
    if let Some(fields) = item.as_object_mut() {
        let own = format!("{base}/v3/{list}/{id}");
        fields.insert("links".into(), json!({ "self": own }));
    }
    item
}
