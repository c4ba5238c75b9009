//! Truth values of queries, as Keystone reads them.

use windlass_core::Request;

/// A truth value of a query, in all of the words that Keystone takes. A name without a value is a yes.
pub fn flag(request: &Request, name: &str) -> Option<bool> {
    let value = request.query_value(name)?.to_ascii_lowercase();
    Some(!["0", "false", "f", "no", "n", "off"].contains(&value.as_str()))
}
