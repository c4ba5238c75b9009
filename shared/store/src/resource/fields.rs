//! Fields that many resources have, declared once. The last ones of every resource of a tenant are
//! [`windlass_core::list::COMMON`].

use windlass_core::list::Field;

/// When it was made.
pub const CREATED_AT: Field = Field::text("created_at", "t.created_at");

/// The id of the deployment it belongs to.
pub const DEPLOYMENT_ID: Field = Field::text("deployment_id", "t.deployment_id");

/// What people call that deployment; null when it is gone.
pub const DEPLOYMENT_DISPLAY_NAME: Field = Field::text(
    "deployment_display_name",
    "(select d.display_name from deployments d where d.key = t.deployment_key)",
);
