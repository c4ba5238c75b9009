//! `/audit`: the trail of who changed what, for administrators.

use crate::audit_csv;
use serde_json::{Value, json};
use windlass_core::db::{Db, KeptDb};
use windlass_core::list::{Paging, SortKey};
use windlass_core::request::parse_bool;
use windlass_core::{
    Body, Context, Error, Permission, Request, Response, Result, Timestamp, limits,
};
use windlass_store::audit::{self, AUDIT_LOG, Filter, Injected, Operation, Table};

/// How many entries a page has when nobody says.
const PAGE: u64 = 100;

/// The most entries that one request may bring.
const INJECTED: usize = 10_000;

/// What is no filter of a field.
const OWN: [&str; 7] = [
    "order_by", "desc", "offset", "size", "since", "timeout", "format",
];

/// `GET /audit`: one page of it, or with a size of 0 all; as a table all of it, unless a size says how many.
pub async fn list(ctx: &Context<impl KeptDb>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::AuditLogView)?;
    let value = |name: &str| given(&ctx.request, name);
    let number = |name: &str| {
        value(name)
            .map(|text| {
                text.parse::<u32>().map(u64::from).map_err(|_| {
                    let text = format!(
                        "Invalid pagination: {name} must be an integer of 0 or more, got {text}"
                    );
                    Error::bad_parameters(text)
                })
            })
            .transpose()
    };
    let (size, offset) = (number("size")?, number("offset")?.unwrap_or(0));
    let order = SortKey {
        name: value("order_by").unwrap_or("created_at"),
        descending: value("desc").map_or(Ok(false), |text| parse_bool("desc", text))?,
    };
    let filter = filter(&ctx.request)?;
    if audit_csv::is_wanted(&ctx.request)? {
        let order = (order.name, order.descending);
        let size = size.filter(|size| *size > 0);
        let table = Table::new(filter, order, offset, size)?;
        return audit_csv::respond(&ctx.db, scope, table).await;
    }
    let size = size.unwrap_or(PAGE);
    let paging = Paging {
        size,
        offset,
        all_results: size == 0,
        with_total: ctx.request.query_bool("_total")?.unwrap_or(true),
    };
    let query = audit::list_query(&filter, order, paging)?;
    ctx.page(&AUDIT_LOG, &scope, &query).await
}

/// `DELETE /audit`: entries from `before` a moment, of everybody, or of one user or one execution.
pub async fn truncate(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::AuditLogTruncate)?;
    let value = |name: &str| given(&ctx.request, name);
    let before = value("before").ok_or_else(|| {
        Error::bad_parameters("The parameter `before` says what goes, and is missing")
    })?;
    let before = Timestamp::parse("before", before)?;
    let (creator, execution) = (value("creator_name"), value("execution_id"));
    let deleted = audit::truncate(&ctx.db, &scope, before, creator, execution).await?;
    ctx.ok(json!({ "deleted": deleted }))
}

/// `POST /audit`: entries of another installation, as a list.
pub async fn inject(ctx: &Context<impl Db>) -> Result<Response> {
    let scope = ctx.allow_everywhere(Permission::AuditLogInject)?;
    limits::check_values(&ctx.request.body)?;
    let entries: Vec<Value> = ctx.json()?;
    if entries.len() > INJECTED {
        return Err(Error::bad_parameters(format!(
            "The list has more than the allowed {INJECTED} entries"
        )));
    }
    let entries = entries.iter().map(injected).collect::<Result<Vec<_>>>()?;
    ctx.db
        .transaction(async |tx| audit::inject(tx, &scope, &entries).await)
        .await?;
    Ok(Response::json_text(200, "null"))
}

fn injected(entry: &Value) -> Result<Injected> {
    limits::check_depth("entry", entry)?;
    let body = Body::inner(entry, "entry")?;
    let identifier = body.inside("ref_identifier")?;
    let text = |body: &Body, name: &str| body.text(name).map(|text| text.map(str::to_owned));
    let operation = body.required_text("operation")?;
    // What a row is called where it comes from: its identifier before its number.
    let mut target_id = None;
    for name in ["id", "username", "manager_id", "storage_id"] {
        target_id = target_id.or(identifier.get(name).map(plain));
    }
    let target_id = target_id.or(body.get("ref_id").map(plain));
    Ok(Injected {
        ref_table: body.required_text("ref_table")?.to_owned(),
        target_id: target_id.unwrap_or_default(),
        tenant_name: text(&identifier, "tenant_name")?,
        operation: Operation::named(operation)
            .ok_or_else(|| Error::bad_parameters(format!("Invalid operation: `{operation}`")))?,
        creator_name: text(&body, "creator_name")?,
        execution_id: text(&body, "execution_id")?,
        address: text(&body, "address")?,
        created_at: Timestamp::parse("created_at", body.required_text("created_at")?)?,
    })
}

/// A text as it is, anything else as its JSON.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Which entries a request is about.
pub fn filter(request: &Request) -> Result<Filter> {
    let since = given(request, "since");
    let text = |name: &str| given(request, name).map(str::to_owned);
    let is_field = |name: &str| {
        !name.starts_with('_')
            && !OWN.contains(&name)
            && !matches!(name, "creator_name" | "execution_id")
    };
    let others = request.query.iter().filter(|(name, _)| is_field(name));
    Ok(Filter {
        since: since
            .map(|text| Timestamp::parse("since", text))
            .transpose()?,
        creator_name: text("creator_name"),
        execution_id: text("execution_id"),
        others: others.cloned().collect(),
    })
}

fn given<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.query_value(name).filter(|text| !text.is_empty())
}
