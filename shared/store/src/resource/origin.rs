//! Where a restored resource comes from: another creator and another time of creation.

use crate::users;
use windlass_core::db::Db;
use windlass_core::{Body, Permission, Result, Scope, Timestamp};

/// What a request says about the creation of what it makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    created_by: Option<String>,
    created_at: Option<Timestamp>,
}

impl Origin {
    /// Reads `created_at` and `created_by`, which old clients call `creator`.
    ///
    /// # Errors
    /// 403 without `set_timestamp` and `set_owner`; 400 for a time without a zone and for a user
    /// who does not exist.
    pub async fn read(db: &impl Db, scope: &Scope, body: &Body) -> Result<Self> {
        let created_at = created_at(scope, body)?;
        let mut created_by = None;
        if let Some(name) = body.text("created_by")?.or(body.text("creator")?) {
            scope.demand(Permission::SetOwner)?;
            created_by = Some(users::creator(db, scope, name).await?);
        }
        Ok(Self {
            created_by,
            created_at,
        })
    }

    /// These, where they were checked already.
    pub fn of(created_by: Option<String>, created_at: Option<Timestamp>) -> Self {
        Self {
            created_by,
            created_at,
        }
    }

    /// Who made it: the caller, unless somebody else is named.
    pub fn created_by<'a>(&'a self, scope: &'a Scope) -> &'a str {
        self.created_by.as_deref().unwrap_or(scope.username())
    }

    /// When it was made: now, unless another time is named.
    pub fn created_at(&self) -> Timestamp {
        self.created_at.unwrap_or_else(Timestamp::now)
    }

    /// The two as they were given.
    pub fn given(self) -> (Option<String>, Option<Timestamp>) {
        (self.created_by, self.created_at)
    }
}

/// The time of creation that a body names, for what has no creator of its own.
///
/// # Errors
/// 403 without `set_timestamp`; 400 for a time without a zone.
pub fn created_at(scope: &Scope, body: &Body) -> Result<Option<Timestamp>> {
    if body.get("created_at").is_some() {
        scope.demand(Permission::SetTimestamp)?;
    }
    body.zoned_time("created_at")
}
