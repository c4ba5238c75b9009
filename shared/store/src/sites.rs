//! Sites: places on a map that deployments can be at.
//!
//! A deployment names its site, and the name means one site only in any tenant. Renaming a site
//! renames it there too; deleting one leaves its deployments nowhere.

use crate::counts;
use crate::deployments::move_to_site;
use crate::resource::fields::CREATED_AT;
use crate::resource::{self, Head, New, TenantRow};
use serde::{Deserialize, Serialize};
use windlass_core::db::{Tx, Value};
use windlass_core::list::{COMMON, Field, Resource, Search, concat};
use windlass_core::{Error, Given, Permission, Result, Scope, Visibility, python};

static FIELDS: [Field; 10] = concat(
    &[
        Field::text("name", "t.name"),
        Field::text("location", "t.location ->> 'text'"),
        Field::real("latitude", "t.location ->> 'latitude'"),
        Field::real("longitude", "t.location ->> 'longitude'"),
        CREATED_AT,
    ],
    &COMMON,
);

/// Sites as the API shows them.
pub static SITES: Resource = Resource {
    name: "Site",
    table: "sites t",
    fields: &FIELDS,
    search: Some(Search::scan("t.name")),
    of_tenant: true,
    counts: &[&counts::SITES],
};

/// A site's row.
#[derive(Clone, Debug, Deserialize)]
pub struct Site(Head);

impl TenantRow for Site {
    const RESOURCE: &'static Resource = &SITES;

    fn head(&self) -> &Head {
        &self.0
    }
}

/// A place on a map, in degrees, as its column holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Location {
    latitude: f64,
    longitude: f64,
    /// The two as clients read them.
    text: String,
}

const NO_PAIR: &str =
    ", the format is expected to be \"latitude,longitude\" such as \"32.071072,34.787274\"";
const NO_FLOATS: &str = ", the latitude and longitude are expected to be of type float";
const RANGES: &str =
    "The latitude must be a number between -90 and 90 and the longitude between -180 and 180";

impl Location {
    /// Reads `latitude,longitude`; an empty text is no place.
    ///
    /// # Errors
    /// 400 for anything else, in the words of the original.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let refuse = |why| Error::bad_parameters(format!("Invalid location `{text}`{why}"));
        let (latitude, longitude) = text.split_once(',').ok_or_else(|| refuse(NO_PAIR))?;
        let degrees = |part: &str| part.trim().parse().map_err(|_| refuse(NO_FLOATS));
        let (latitude, longitude): (f64, f64) = (degrees(latitude)?, degrees(longitude)?);
        let shown = |degrees: f64| match degrees.is_finite() {
            true => python::str(&degrees.into()),
            false => degrees.to_string().to_lowercase(),
        };
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return Err(Error::bad_parameters(format!(
                "Invalid latitude `{}` or longitude `{}`. {RANGES}",
                shown(latitude),
                shown(longitude)
            )));
        }
        let text = format!("{}, {}", shown(latitude), shown(longitude));
        Ok(Some(Self {
            latitude,
            longitude,
            text,
        }))
    }
}

/// Stores a new site.
///
/// # Errors
/// 403 and 409, see [`resource::insert`].
pub async fn insert(tx: &impl Tx, scope: &Scope, new: &New, at: Option<&Location>) -> Result<()> {
    let columns = [("location", at.map(Value::json).transpose()?.into())];
    resource::insert::<Site>(tx, scope, new, &columns, Permission::SiteCreate).await
}

/// What an update sets.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Another name.
    pub name: Option<String>,
    /// Who is to see it.
    pub visibility: Option<Visibility>,
    /// Where it is.
    pub location: Given<Location>,
}

/// Saves changes to a site.
///
/// # Errors
/// 409 for a name in use; see [`resource::demand_widening`].
pub async fn save(tx: &impl Tx, scope: &Scope, site: &Site, changes: &Changes) -> Result<()> {
    let mut columns = Vec::new();
    let visibility = changes.visibility.unwrap_or(site.0.visibility);
    if let Some(name) = changes.name.as_ref().filter(|name| **name != site.0.id) {
        if resource::is_taken::<Site>(tx, scope, name, visibility).await? {
            let place = resource::or_global(scope);
            let text = format!("Invalid new name `{name}`, it already exists on {place}");
            return Err(Error::conflict(text));
        }
        move_to_site(tx, &site.0, Some(name)).await?;
        columns.push(("name", name.into()));
    }
    if changes.location.is_change() {
        let at = changes.location.as_ref().value();
        columns.push(("location", at.map(Value::json).transpose()?.into()));
    }
    let action = Permission::SiteUpdate;
    resource::save(tx, scope, site, changes.visibility, &columns, action).await
}

/// Deletes a site; its deployments are nowhere then.
pub async fn delete(tx: &impl Tx, scope: &Scope, site: &Site) -> Result<()> {
    move_to_site(tx, &site.0, None).await?;
    resource::delete(tx, scope, site, Permission::SiteDelete).await
}

#[cfg(test)]
#[path = "sites/tests.rs"]
mod tests;
