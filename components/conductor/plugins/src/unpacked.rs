//! What an archive around wagons holds: the wagons, their YAML files, an icon, a table of contents.
//!
//! To be called with archives that were looked through before: names, links and sizes are trusted here.
//! Each file goes into the blob store as it comes out of the archive, so none but a YAML file is ever in
//! memory as a whole.

use crate::package::{damaged, invalid};
use crate::plugins::checked_labels;
use serde_json::{Map, Value};
use std::io::Read;
use windlass_blueprint::archive::{Format, tar_name, tar_reader, zip_name};
use windlass_core::blob::{self, Blob};
use windlass_core::db::Db;
use windlass_core::{Error, Result, platform};
use windlass_store::blobs::{LooseBlobs, NewBlob};
use windlass_store::plugins::StoredFile;

/// The file that says which wagon of a bundle has which YAML files.
pub const CONTENTS: &str = "METADATA";

/// The picture that user interfaces show.
const ICON: &str = "icon.png";

/// The most bytes of one YAML file, of an icon and of a table of contents.
const SMALL_FILE: u64 = 4 << 20;

/// The most wagons in a bundle, and the most other files.
pub const MOST: usize = 500;

/// How many bytes are copied at once.
const PIECE: usize = 64 << 10;

/// What a YAML file gives to blueprints that import it, and to their deployments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// Labels of blueprints: `{"key": ["value"]}`.
    pub blueprint_labels: Option<Map<String, Value>>,
    /// Labels of deployments, in the same form.
    pub labels: Option<Map<String, Value>>,
    /// Tags of the resources that deployments create.
    pub resource_tags: Option<Map<String, Value>>,
}

/// A file beside wagons.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Where it is in the archive.
    pub path: String,
    /// The file, under its own name.
    pub stored: StoredFile,
    /// What it says about labels; nothing in an icon.
    pub declared: Declared,
}

/// The files of an archive, as far as anybody wants them.
pub struct Unpacked<'a, D> {
    db: &'a D,
    blobs: &'a LooseBlobs,
    /// The wagons, by where they are in the archive.
    pub wagons: Vec<(String, Blob)>,
    /// The files beside them.
    pub files: Vec<Beside>,
    /// The table of contents; empty where there is none.
    pub contents: Vec<u8>,
}

impl<'a, D: Db> Unpacked<'a, D> {
    /// Unpacks an archive of this format.
    ///
    /// # Errors
    /// 400 for more than a plugin or a bundle has, for YAML that cannot be read and labels that are none.
    pub async fn of(db: &'a D, blobs: &'a LooseBlobs, blob: &Blob, format: Format) -> Result<Self> {
        let mut unpacked = Self {
            db,
            blobs,
            wagons: Vec::new(),
            files: Vec::new(),
            contents: Vec::new(),
        };
        let reader = blob::Reader::new(&blob.id, blob.size);
        match tar_reader(reader.clone(), format) {
            Some(tar) => unpacked.read_tar(tar).await?,
            None => unpacked.read_zip(reader).await?,
        }
        Ok(unpacked)
    }

    async fn read_tar(&mut self, reader: Box<dyn Read>) -> Result<()> {
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            if entry.header().entry_type().is_file() {
                let name = tar_name(&entry.path_bytes());
                self.file(&name, &mut entry).await?;
            }
        }
        Ok(())
    }

    async fn read_zip(&mut self, reader: blob::Reader) -> Result<()> {
        let config = zip::read::Config::default();
        let archive = zip::unstable::read::ZipIterable::try_new(reader.clone(), config);
        let options = zip::read::ZipReadOptions::default();
        let mut archive = archive.map_err(damaged)?;
        let mut files = archive
            .files_with_reader(reader, options)
            .map_err(damaged)?;
        while let Some(file) = files.next() {
            let mut file = file.map_err(damaged)?;
            let name = zip_name(&file);
            let kind = file.unix_mode().unwrap_or(0) & 0o170_000;
            if !file.is_dir() && !name.ends_with('/') && matches!(kind, 0 | 0o100_000) {
                self.file(&name, &mut file).await?;
            }
        }
        Ok(())
    }

    async fn file(&mut self, path: &str, content: &mut dyn Read) -> Result<()> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let ending = name
            .rsplit_once('.')
            .map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("wgn") => {
                let blob = self.store(content).await?;
                self.wagons.push((path.to_owned(), blob));
            }
            Some("yaml" | "yml") => {
                let text = small(name, content)?;
                let declared = declared(name, &text)?;
                self.beside(path, name, &text, declared).await?;
            }
            _ if name == ICON => {
                let icon = small(name, content)?;
                self.beside(path, name, &icon, Declared::default()).await?;
            }
            _ if name == CONTENTS => self.contents = small(name, content)?,
            _ => {}
        }
        if self.wagons.len() > MOST || self.files.len() > MOST {
            return Err(invalid(format!(
                "the archive holds more than {MOST} files of a kind"
            )));
        }
        platform::pause().await;
        Ok(())
    }

    async fn beside(
        &mut self,
        path: &str,
        name: &str,
        bytes: &[u8],
        declared: Declared,
    ) -> Result<()> {
        let blob = self.store(&mut &*bytes).await?;
        self.files.push(Beside {
            path: path.to_owned(),
            stored: StoredFile {
                name: name.to_owned(),
                blob: blob.id,
                size: blob.size,
            },
            declared,
        });
        Ok(())
    }

    async fn store(&self, content: &mut dyn Read) -> Result<Blob> {
        let mut new = NewBlob::begin(self.db, self.blobs).await?;
        let mut buffer = vec![0; PIECE];
        loop {
            let length = content.read(&mut buffer).map_err(damaged)?;
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                return new.finish().await;
            };
            new.write(self.db, bytes).await?;
        }
    }
}

/// All bytes of a file that has few.
fn small(name: &str, content: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    content
        .take(SMALL_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(damaged)?;
    if bytes.len() as u64 > SMALL_FILE {
        return Err(invalid(format!(
            "{name} has more than the allowed {SMALL_FILE} bytes"
        )));
    }
    Ok(bytes)
}

/// What a YAML file says about labels and tags.
///
/// # Errors
/// 400 for what is no YAML, is no text, or has labels that are none.
fn declared(name: &str, text: &[u8]) -> Result<Declared> {
    let refused = |why: String| invalid(format!("{name} cannot be used: {why}"));
    if std::str::from_utf8(text).is_err() {
        return Err(refused("it is not UTF-8".into()));
    }
    let file = windlass_blueprint::yaml_value(text).map_err(refused)?;
    let section = |section: &str| match file.get(section) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map).filter(|map| !map.is_empty())),
        Some(_) => Err(refused(format!("{section} is no map"))),
    };
    let labels = |of: &str| -> Result<_> {
        let checked = section(of)?.map(checked_labels).transpose();
        checked.map_err(|error: Error| refused(format!("{of}: {}", error.message())))
    };
    Ok(Declared {
        blueprint_labels: labels("blueprint_labels")?,
        labels: labels("labels")?,
        resource_tags: section("resource_tags")?.cloned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_lose_what_only_the_language_needs() {
        let text = b"blueprint_labels: {Arch: {values: [x86, arm]}}\nlabels: {a: {values: [b]}}\nresource_tags: {t: {get_input: i}}\n";
        let found = declared("plugin.yaml", text).unwrap();
        assert_eq!(
            json!([found.blueprint_labels, found.labels, found.resource_tags]),
            json!([{ "Arch": ["x86", "arm"] }, { "a": ["b"] }, { "t": { "get_input": "i" } }])
        );
        assert_eq!(declared("a.yaml", b"").unwrap(), Declared::default());
        for text in [
            &b"a: ["[..],
            b"labels: [a]",
            b"labels: {a: {values: 7}}",
            b"\xff: a",
        ] {
            let refusal = declared("a.yaml", text).unwrap_err();
            assert!(
                refusal.message().contains("a.yaml cannot be used"),
                "{refusal:?}"
            );
        }
    }
}
