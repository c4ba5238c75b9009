//! From an archive to a plan, or to the reason why there is none.
//!
//! The parser asks for imported blueprints and plugins while it runs and cannot wait. So what it asked for in
//! vain is fetched afterwards, and it runs again, until it lacks nothing that there is.

use crate::limits::UploadLimits;
use crate::plans;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use windlass_blueprint::archive::{ArchiveError, Limits, Tree, unpack_from};
use windlass_blueprint::newer_plugins::Versions;
use windlass_blueprint::{ErrorKind, Imported, Importer, Plan, UploadedPlugin, parse};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, Scope, blob, platform};
use windlass_store::blueprints::{self, Archive, Found, PlanTexts, State};
use windlass_store::labels::{self, Label};
use windlass_store::plugins::{self, Offer, Package};

/// The most bytes of a plan's JSON, with what nodes share in it once.
const PLAN_BYTES: usize = 64 << 20;

/// The most that a blueprint may import: blueprints, names of plugins and files of plugins together.
const IMPORTS: usize = 100;

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
    parsed_with(db, scope, (tree, main_file), Versions::default()).await
}

/// The same with only some versions of plugins to choose among.
///
/// # Errors
/// As [`parsed`].
pub async fn parsed_with(
    db: &impl Db,
    scope: &Scope,
    (tree, main_file): (&Tree, &str),
    versions: Versions,
) -> Result<Found> {
    let mut imports = Imports {
        versions,
        ..Imports::default()
    };
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
        packages: plan
            .packages()
            .map(|(name, version)| Package {
                name: name.to_owned(),
                version: version.map(str::to_owned),
            })
            .collect(),
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

/// What a blueprint imports, as far as it was asked for.
#[derive(Default)]
struct Imports {
    versions: Versions,
    blueprints: BTreeMap<String, Option<Imported>>,
    plugins: BTreeMap<String, Vec<UploadedPlugin>>,
    /// The YAML files of plugins, by the plugin's id and their names.
    files: BTreeMap<(String, String), Option<Rc<str>>>,
    missing: RefCell<BTreeSet<Missing>>,
}

/// What was asked for in vain.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    /// A blueprint, by its id.
    Blueprint(String),
    /// The plugins of a name.
    Plugins(String),
    /// A file of a plugin, by the plugin's id.
    PluginFile(String, String),
}

impl Imports {
    /// Fetches what was asked for in vain. False when there is nothing new to try with.
    async fn fetch_missing(&mut self, db: &impl Db, scope: &Scope) -> Result<bool> {
        let mut found = false;
        for missing in self.missing.take() {
            let known = self.blueprints.len() + self.plugins.len() + self.files.len();
            if known >= IMPORTS {
                return Ok(false);
            }
            found |= match missing {
                Missing::Blueprint(id) => {
                    let imported = fetch(db, scope, &id).await?;
                    let is_there = imported.is_some();
                    self.blueprints.insert(id, imported);
                    is_there
                }
                Missing::Plugins(name) => {
                    let offers = plugins::offers(db, scope, &name).await?;
                    let mut offers: Vec<_> = offers.into_iter().map(offered).collect();
                    self.versions.narrow(&name, &mut offers);
                    let is_there = !offers.is_empty();
                    self.plugins.insert(name, offers);
                    is_there
                }
                Missing::PluginFile(id, name) => {
                    let text = plugins::file_text(db, scope, &id, &name).await?;
                    let is_there = text.is_some();
                    self.files.insert((id, name), text.map(Rc::from));
                    is_there
                }
            };
        }
        Ok(found)
    }
}

/// A plugin as the parser chooses among them.
fn offered(offer: Offer) -> UploadedPlugin {
    UploadedPlugin {
        id: offer.id,
        version: offer.package_version,
        distribution: offer.distribution,
        files: offer.files,
        labels: offer.labels,
        blueprint_labels: offer.blueprint_labels,
        resource_tags: offer.resource_tags,
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
    fn plugins(&self, name: &str) -> Vec<UploadedPlugin> {
        let known = self.plugins.get(name).cloned();
        known.unwrap_or_else(|| self.miss(Missing::Plugins(name.to_owned())))
    }

    fn plugin_file(&self, plugin: &UploadedPlugin, file: &str) -> Option<Rc<str>> {
        let key = (plugin.id.clone(), file.to_owned());
        match self.files.get(&key) {
            Some(known) => known.clone(),
            None => self.miss(Missing::PluginFile(key.0, key.1)),
        }
    }

    fn instead_of(&self, import: &str) -> Option<String> {
        self.versions.instead_of(import)
    }

    fn blueprint(&self, id: &str) -> Option<Imported> {
        match self.blueprints.get(id) {
            Some(known) => known.clone(),
            None => self.miss(Missing::Blueprint(id.to_owned())),
        }
    }
}

impl Imports {
    /// Remembers what to fetch before the next try, and answers nothing for now.
    fn miss<T: Default>(&self, missing: Missing) -> T {
        self.missing.borrow_mut().insert(missing);
        T::default()
    }
}
