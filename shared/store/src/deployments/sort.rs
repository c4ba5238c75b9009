//! Sort keys of deployments that are no columns.

use windlass_core::Result;
use windlass_core::list::Sort;

use crate::labels;

/// Sorts by the values of one label, each deployment by the ordered list of its values.
///
/// # Errors
/// 400 for a key that no label can have.
pub fn by_label(key: &str, descending: bool) -> Result<Sort> {
    // A sort key takes no parameters. The check lets letters, digits and `_-.~` through, nothing
    // that could end the quoted text.
    let key = labels::check_key(key)?;
    let sql = format!(
        "(select group_concat(value, char(31)) from (select l.value from deployment_labels l
             where l.deployment_key = t.key and l.key = '{key}' order by l.value))"
    );
    Ok(Sort { sql, descending })
}
