//! What lists of deployments can be searched and sorted by, beside their fields.

use super::DEPLOYMENT;
use crate::labels;
use windlass_core::Result;
use windlass_core::list::{Listing, Sort, SortKey};

/// The list of deployments: `_search` looks into ids, `_search_name` into display names, and a
/// sort key may be `label:<key>`.
pub static DEPLOYMENT_LIST: Listing = Listing {
    more_searches: &[("_search_name", "t.display_name")],
    sort: by_label,
    ..Listing::of(&DEPLOYMENT)
};

/// `label:<key>` goes by the ordered list of the values that a deployment has for the key.
fn by_label(key: SortKey<'_>) -> Result<Option<Sort>> {
    let Some(label) = key.name.strip_prefix("label:") else {
        return Ok(None);
    };
    let label = labels::check_key(label)?;
    let sql = "(select group_concat(value, char(31)) from (select l.value from deployment_labels l
             where l.deployment_key = t.key and l.key = {} order by l.value))";
    Ok(Some(key.by(sql, [label.into()])))
}
