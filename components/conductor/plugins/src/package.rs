//! From what was sent to plugins: a wagon, a zip around a wagon and its files, or a bundle of several.
//!
//! What it is, is found out by its content. Everything is read to its end once, under limits, before
//! anything of it is used.

use crate::unpacked::{Beside, CONTENTS, MOST, Unpacked};
use crate::upload::UploadLimits;
use crate::wagon;
use serde_json::Value;
use std::collections::BTreeSet;
use windlass_blueprint::archive::{
    ArchiveError, Format, Limits, Tree, recognise, unpack_counted, unpack_from,
};
use windlass_core::blob::{self, Blob};
use windlass_core::db::Db;
use windlass_core::{Error, Kind, Result, platform};
use windlass_store::blobs::{Arrived, LooseBlobs};
use windlass_store::plugins::{NewPlugin, StoredFile, Wagon};

/// What was sent.
pub enum Found {
    /// One plugin.
    One(Box<NewPlugin>),
    /// A bundle.
    Several(Vec<NewPlugin>),
}

/// 400 `invalid_plugin_error`.
pub fn invalid(text: impl Into<String>) -> Error {
    Error::new(Kind::InvalidPlugin, text.into())
}

/// What cannot be read although it could be before.
pub fn damaged(error: impl std::fmt::Display) -> Error {
    invalid(format!("Archive is damaged: {error}"))
}

fn unknown() -> Error {
    invalid("input can be only a wagon or a zip file.")
}

/// Finds the plugins in what arrived.
///
/// # Errors
/// 400 for what is no plugin and no bundle.
pub async fn read(
    db: &impl Db,
    blobs: &LooseBlobs,
    arrived: Arrived,
    limits: &UploadLimits,
) -> Result<Found> {
    let format = recognise(&arrived.head).ok_or_else(unknown)?;
    let Arrived { blob, .. } = arrived;
    match look_through(&blob, limits).await {
        Ok(tree) if tree.contains(wagon::METADATA) => {
            Ok(Found::One(Box::new(plugin(&tree, blob, &[])?)))
        }
        Ok(tree) if tree.contains(CONTENTS) && format != Format::Zip => {
            let unpacked = Unpacked::of(db, blobs, &blob, format).await?;
            Ok(Found::Several(bundle(unpacked, limits).await?))
        }
        Ok(_) | Err(ArchiveError::NotOneDirectory) if format == Format::Zip => {
            let unpacked = Unpacked::of(db, blobs, &blob, format).await?;
            Ok(Found::One(Box::new(zipped(unpacked, limits).await?)))
        }
        Ok(_) | Err(ArchiveError::NotOneDirectory) => Err(unknown()),
        Err(error) => Err(limits.refusal(&error)),
    }
}

/// Reads an archive to its end. What it holds is kept as far as it is text and small.
async fn look_through(blob: &Blob, limits: &UploadLimits) -> Result<Tree, ArchiveError> {
    let reader = blob::Reader::new(&blob.id, blob.size);
    unpack_from(reader, &limits.unpacking(), platform::pause).await
}

/// The plugin in a zip with one wagon.
async fn zipped(unpacked: Unpacked<'_, impl Db>, limits: &UploadLimits) -> Result<NewPlugin> {
    let [(_, wagon)] = unpacked.wagons.as_slice() else {
        return Err(invalid("Archive must include one wgn file"));
    };
    let tree = Budget::new(limits).wagon_tree("The wagon", wagon).await?;
    let files: Vec<&Beside> = unpacked.files.iter().collect();
    plugin(&tree, wagon.clone(), &files)
}

/// The plugins of a bundle, as its table of contents says.
async fn bundle(unpacked: Unpacked<'_, impl Db>, limits: &UploadLimits) -> Result<Vec<NewPlugin>> {
    let contents: Value = serde_json::from_slice(&unpacked.contents)
        .or_else(|_| windlass_blueprint::yaml_value(&unpacked.contents))
        .map_err(|error| invalid(format!("{CONTENTS} cannot be read: {error}")))?;
    let Some(contents) = contents.as_object().filter(|contents| !contents.is_empty()) else {
        return Err(invalid(format!(
            "{CONTENTS} is no map of wagons to YAML files"
        )));
    };
    if contents.len() > MOST {
        return Err(invalid(format!("{CONTENTS} names more than {MOST} wagons")));
    }
    let mut budget = Budget::new(limits);
    let (mut plugins, mut taken, mut names) = (Vec::new(), BTreeSet::new(), 0);
    for (path, yaml) in contents {
        let missing = |what: &str| invalid(format!("{CONTENTS} names {what}, which is not there"));
        let mut wagons = unpacked.wagons.iter().enumerate();
        let wagon = wagons.find(|(_, (known, _))| is_at(known, path));
        let (at, (_, wagon)) = wagon.ok_or_else(|| missing(path))?;
        if !taken.insert(at) {
            return Err(invalid(format!("{CONTENTS} names {path} twice")));
        }
        let mut files = Vec::new();
        let named = yaml
            .as_array()
            .map_or(std::slice::from_ref(yaml), Vec::as_slice);
        names += named.len();
        if names > MOST {
            return Err(invalid(format!("{CONTENTS} names more than {MOST} files")));
        }
        for name in named.iter().filter(|name| !name.is_null()) {
            let name = name.as_str().unwrap_or_default();
            let file = unpacked.files.iter().find(|file| is_at(&file.path, name));
            files.push(file.ok_or_else(|| missing(name))?);
        }
        let tree = budget.wagon_tree(path, wagon).await?;
        plugins.push(plugin(&tree, wagon.clone(), &files)?);
    }
    Ok(plugins)
}

/// Whether a file of an archive is the one that its table of contents names: with or without the
/// directory that everything is in.
fn is_at(path: &str, named: &str) -> bool {
    parts(path).eq(parts(named)) || parts(path).skip(1).eq(parts(named))
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !matches!(*part, "" | "."))
}

/// What the wagons of an upload may unpack to together.
struct Budget<'l> {
    limits: &'l UploadLimits,
    left: u64,
}

impl<'l> Budget<'l> {
    fn new(limits: &'l UploadLimits) -> Self {
        let left = limits.unpacking().max_unpacked_bytes;
        Self { limits, left }
    }

    /// The texts of a wagon. All that it unpacks to is gone for the next one.
    async fn wagon_tree(&mut self, what: &str, wagon: &Blob) -> Result<Tree> {
        let limits = Limits {
            max_unpacked_bytes: self.left,
            ..self.limits.unpacking()
        };
        let reader = blob::Reader::new(&wagon.id, wagon.size);
        match unpack_counted(reader, &limits, platform::pause).await {
            Ok((tree, bytes)) if tree.contains(wagon::METADATA) => {
                self.left = self.left.saturating_sub(bytes);
                Ok(tree)
            }
            Ok(_) | Err(ArchiveError::NotOneDirectory | ArchiveError::Unrecognised) => {
                Err(invalid(format!("{what} is no wagon")))
            }
            Err(error) => Err(self.limits.refusal(&error)),
        }
    }
}

fn plugin(tree: &Tree, blob: Blob, files: &[&Beside]) -> Result<NewPlugin> {
    let (about, archive_name) = wagon::about(tree)?;
    let mut names: Vec<&str> = files.iter().map(|file| file.stored.name.as_str()).collect();
    names.push(&archive_name);
    names.sort_unstable();
    if names
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one == other))
    {
        return Err(invalid("the archive holds two files of the same name"));
    }
    if let Some(name) = names.into_iter().find(|name| !wagon::is_file_name(name)) {
        return Err(invalid(format!(
            "the archive holds a file with an illegal name: {name}"
        )));
    }
    let yaml = files.iter().filter(|file| file.stored.is_yaml());
    let main = yaml
        .clone()
        .find(|file| file.stored.name.contains("plugin."));
    let declared = main.or_else(|| yaml.clone().next());
    let declared = declared
        .map(|file| file.declared.clone())
        .unwrap_or_default();
    Ok(NewPlugin {
        about,
        title: None,
        wagon: Wagon {
            name: archive_name,
            blob: blob.id,
            size: blob.size,
            sha256: blob.sha256,
        },
        files: files
            .iter()
            .map(|file| StoredFile::clone(&file.stored))
            .collect(),
        blueprint_labels: declared.blueprint_labels,
        labels: declared.labels,
        resource_tags: declared.resource_tags,
    })
}
