//! `GET /api/v1/component_status`.

use crate::{paging, versioned};
use windlass_core::db::Db;
use windlass_core::{Context, Error, Kind, Response, Result, Scope};
use windlass_status::components::{Attribute, Window, find_with_incidents, list_with_incidents};

/// `GET /api/v1/component_status`: components with everything that ever happened to them. With an
/// attribute's name and value it is one component, as in the original, else a list by the beginning
/// of the name.
pub async fn list(ctx: &Context<impl Db>) -> Result<Response> {
    let query = |name| ctx.request.query_value(name);
    let name = query("name");
    let (Some(attribute), Some(value)) = (query("attribute_name"), query("attribute_value")) else {
        let window = Window {
            prefix: name.unwrap_or_default(),
            limit: paging::limit(&ctx.request)?,
            offset: paging::offset(&ctx.request)?,
        };
        return versioned::json(ctx, format!("components {window:?}"), async || {
            list_with_incidents(&ctx.db, &Scope::public(), window).await
        })
        .await;
    };
    let attribute = Attribute {
        name: attribute.into(),
        value: value.into(),
    };
    let name = name.ok_or_else(no_such_component)?;
    let key = format!("component {:?}", (name, &attribute));
    versioned::json(ctx, key, async || {
        let found = find_with_incidents(&ctx.db, &Scope::public(), name, &attribute).await?;
        found.ok_or_else(no_such_component)
    })
    .await
}

fn no_such_component() -> Error {
    Error::new(Kind::NotFound, "Component does not exist")
}
