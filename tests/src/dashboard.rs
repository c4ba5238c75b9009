//! The Status Dashboard of a story: its catalogue, and those who come to it.

use crate::caller::Caller;
use crate::monitors::MONITORS_SECRET;
use crate::windlass::{Options, Windlass};
use serde_json::{Value, json};

impl Options {
    /// With the secret that the stories' monitors sign with.
    #[must_use]
    pub fn with_monitors(self) -> Self {
        self.variable("status_jwt_secret", MONITORS_SECRET)
    }
}

impl Windlass {
    /// Somebody without credentials, whose paths are those of the other families.
    pub fn passer_by(&self) -> Caller<'_> {
        self.nobody().without_tenant().at_root()
    }

    /// Sets the catalogue: each component with its attributes, as an object.
    pub fn set_catalogue(&self, components: impl IntoIterator<Item = (impl AsRef<str>, Value)>) {
        let components: Vec<Value> = components
            .into_iter()
            .map(|(name, attributes)| json!({ "name": name.as_ref(), "attributes": attributes }))
            .collect();
        let token = self.admin().own_token();
        let catalogue = json!({ "components": components });
        let admin = self.passer_by().with_bearer(&token);
        admin.put("/api/v1/catalogue", catalogue).expect(200);
    }
}
