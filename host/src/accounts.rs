//! Accounts of the application's users, for whoever runs it: a way in when nobody can log in any more.
//!
//! Both commands work on the state folder, whether the application is running or not.

use anyhow::{Result, anyhow, ensure};
use std::path::Path;
use windlass_core::db::NativeDb;
use windlass_identity::recovery;

/// Gives a user a new password and answers it.
pub async fn reset_password(state_dir: &Path, username: &str) -> Result<String> {
    let db = open(state_dir)?;
    recovery::reset_password(&db, username).await.map_err(told)
}

/// Forgets the failed logins for a user's name.
pub async fn unlock(state_dir: &Path, username: &str) -> Result<()> {
    let db = open(state_dir)?;
    recovery::unlock(&db, username).await.map_err(told)
}

/// The database of the application. One that is not there is not made.
fn open(state_dir: &Path) -> Result<NativeDb> {
    let path = state_dir.join("sqlite_db.db");
    ensure!(
        path.is_file(),
        "{} has no database: is it the folder of an application that was started?",
        state_dir.display()
    );
    NativeDb::open(&path).map_err(|error| anyhow!("cannot open {}: {error}", path.display()))
}

/// Whoever runs the application may read what its clients may not.
fn told(error: windlass_core::Error) -> anyhow::Error {
    anyhow!(error.for_log())
}
