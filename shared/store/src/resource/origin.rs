//! Where a restored resource comes from: another creator and another time of creation.

use windlass_core::db::Db;
use windlass_core::{Body, Error, Permission, Result, Scope, Timestamp, params};

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
        if body.get("created_at").is_some() {
            scope.demand(Permission::SetTimestamp)?;
        }
        let created_at = body.zoned_time("created_at")?;
        let mut created_by = None;
        if let Some(name) = body.text("created_by")?.or(body.text("creator")?) {
            scope.demand(Permission::SetOwner)?;
            created_by = Some(username(db, name).await?);
        }
        Ok(Self {
            created_by,
            created_at,
        })
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

/// The name of a user as it is stored, which may differ in letter case from what was given.
///
/// # Errors
/// 400 when there is no such user.
pub async fn username(db: &impl Db, name: &str) -> Result<String> {
    let sql = "select username from users where username = ?1";
    match db.first(sql, params![name]).await? {
        Some(row) => Ok(row.text(0)?.to_owned()),
        None => Err(Error::bad_parameters(format!(
            "User {name} does not exist."
        ))),
    }
}
