//! From an archive to a plan, or to the reason why there is none.
//!
//! The parser asks for imported blueprints while it runs and cannot wait. So what it asked for in
//! vain is fetched afterwards, and it runs again, until it lacks nothing that there is.

use crate::limits::UploadLimits;
use crate::plans;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use windlass_blueprint::archive::{ArchiveError, Limits, Tree, unpack_from};
use windlass_blueprint::{ErrorKind, Imported, Importer, Plan, UploadedPlugin, parse};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, blob, platform};
use windlass_store::blueprints::{self, Archive, Found, PlanTexts, State};
use windlass_store::labels::{self, Label};

/// The most bytes of a plan's JSON, with what nodes share in it once.
const PLAN_BYTES: usize = 64 << 20;

/// The most blueprints that one may import.
const IMPORTS: usize = 50;

/// What failed while it was parsed.
fn failed_parsing(error: impl std::fmt::Display) -> Found {
    Found::failed(
        State::FailedParsing,
        format!("Failed parsing blueprint - {error}"),
    )
}

/// Unpacks an archive in the blob store. Other requests have their turn in between.
///
/// # Errors
/// What is wrong with it.
pub async fn unpack(archive: &Archive, limits: &Limits) -> Result<Tree, ArchiveError> {
    let reader = blob::Reader::new(&archive.blob, archive.size);
    unpack_from(reader, limits, platform::pause).await
}

/// Why there are no files to parse.
pub enum NotExtracted {
    /// The archive is larger than operators allow.
    Refused(Error),
    /// Something else is wrong with it.
    Failed(Box<Found>),
}

/// The files of an archive, the main file among them.
///
/// # Errors
/// What is wrong with it.
pub async fn extract(
    archive: &Archive,
    main_file: &str,
    limits: &UploadLimits,
) -> Result<Tree, NotExtracted> {
    let failed = |error: String| {
        NotExtracted::Failed(Box::new(Found::failed(State::FailedExtracting, error)))
    };
    match unpack(archive, &limits.unpacking()).await {
        Ok(tree) if tree.contains(main_file) => Ok(tree),
        Ok(_) => Err(failed(format!(
            "{main_file} does not exist in the application directory"
        ))),
        Err(error) => Err(match limits.refusal(&error) {
            Some(refusal) => NotExtracted::Refused(refusal),
            None => failed(error.to_string()),
        }),
    }
}

/// Unpacks and parses an archive.
///
/// # Errors
/// Of the database, and 400 for an archive that is larger than operators allow. What else is
/// wrong with the archive is in the answer.
pub async fn read(
    db: &impl Db,
    scope: &Scope,
    archive: &Archive,
    main_file: &str,
    limits: &UploadLimits,
) -> Result<Found> {
    match extract(archive, main_file, limits).await {
        Ok(tree) => parsed(db, scope, &tree, main_file).await,
        Err(NotExtracted::Failed(found)) => Ok(*found),
        Err(NotExtracted::Refused(error)) => Err(error),
    }
}

/// Parses a blueprint's files.
///
/// # Errors
/// Of the database only: what is wrong with the files is in the answer.
pub async fn parsed(db: &impl Db, scope: &Scope, tree: &Tree, main_file: &str) -> Result<Found> {
    let mut imports = Imports::default();
    loop {
        let error = match parse(tree, main_file, &imports) {
            Ok(plan) => return Ok(finished(plan)),
            Err(error) => error,
        };
        if !imports.fetch_missing(db, scope).await? {
            return Ok(match error.kind {
                ErrorKind::Parser { .. } => {
                    Found::failed(State::Invalid, format!("Invalid blueprint - {error}"))
                }
                _ => failed_parsing(error),
            });
        }
    }
}

/// A plan in both its texts. `full` is what clients will see, where that is to be kept.
pub fn plan_texts(plan: &Plan, full: Option<String>) -> PlanTexts {
    let imports = plan.section("imported_blueprints").as_array();
    let imports = imports
        .into_iter()
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_owned));
    PlanTexts {
        full,
        stored: plan.to_stored().to_string(),
        imports: imports.collect(),
    }
}

fn finished(plan: Plan) -> Found {
    let labels = match own_labels(&plan) {
        Ok(labels) => labels,
        Err(error) => return failed_parsing(error.message()),
    };
    let texts = plan_texts(&plan, plans::small(&plan));
    if texts.stored.len() > PLAN_BYTES {
        return failed_parsing(format!(
            "its plan has {} bytes, more than the allowed {PLAN_BYTES}",
            texts.stored.len()
        ));
    }
    let description = plan.section("description").as_str();
    Found {
        description: description.map(str::to_owned),
        requirements: Some(plan.section("requirements").clone()),
        plan: Some(texts),
        labels,
        ..Found::nothing(State::Uploaded)
    }
}

/// The labels that a blueprint gives itself: `blueprint_labels`, each key with its values.
fn own_labels(plan: &Plan) -> Result<Vec<Label>> {
    let section = plan.section("blueprint_labels").as_object();
    let list = section.into_iter().flatten().map(|(key, given)| {
        let values = given.get("values").unwrap_or(given).clone();
        serde_json::json!({ key: values })
    });
    labels::parse(&list.collect())
}

/// The blueprints that one imports, as far as they were asked for.
#[derive(Default)]
struct Imports {
    known: BTreeMap<String, Option<Imported>>,
    missing: RefCell<BTreeSet<String>>,
}

impl Imports {
    /// Fetches what was asked for in vain. False when there is nothing new to try with.
    async fn fetch_missing(&mut self, db: &impl Db, scope: &Scope) -> Result<bool> {
        let mut found = false;
        for id in self.missing.take() {
            if self.known.len() >= IMPORTS {
                return Ok(false);
            }
            let imported = fetch(db, scope, &id).await?;
            found |= imported.is_some();
            self.known.insert(id, imported);
        }
        Ok(found)
    }
}

/// The files of an uploaded blueprint, if the caller can see it.
async fn fetch(db: &impl Db, scope: &Scope, id: &str) -> Result<Option<Imported>> {
    let blueprint = match blueprints::find(db, scope, id).await {
        Ok(blueprint) => blueprint,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (Some(archive), Some(main_file)) = (blueprint.archive, blueprint.main_file_name) else {
        return Ok(None);
    };
    if !blueprint.state.is_usable() {
        return Ok(None);
    }
    // It was uploaded under the settings of its time.
    let tree = unpack(&archive, &Limits::default()).await;
    Ok(tree.ok().map(|tree| Imported { tree, main_file }))
}

impl Importer for Imports {
    /// Plugins cannot be uploaded yet, so none is ever found.
    fn plugins(&self, _name: &str) -> Vec<UploadedPlugin> {
        Vec::new()
    }

    fn blueprint(&self, id: &str) -> Option<Imported> {
        match self.known.get(id) {
            Some(known) => known.clone(),
            None => {
                self.missing.borrow_mut().insert(id.to_owned());
                None
            }
        }
    }
}
