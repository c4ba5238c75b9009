//! Imports: finding every file that a blueprint names.
//!
//! The main file comes first, then its imports, then the imports of those. Files are merged in this
//! order, so what a file says comes before what its imports say.

mod found;
mod names;

use super::schema::{self, map};
use super::version::{self, Version};
use super::{Importer, builtin, plugin_imports};
use crate::archive::Tree;
use crate::error::{Error, Result, Under};
use crate::yaml::{self, Node, Position};
use found::{Files, Found, Origin, check_builtin};
use indexmap::IndexMap;
use names::{find, import_name, is_builtin_name, is_url, joined};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::rc::Rc;

pub(super) use found::File;
pub(super) use names::normalise;

/// How many imports may import each other in a row.
const MAX_DEPTH: usize = 30;
/// How many files a blueprint may consist of.
const MAX_FILES: usize = 500;
/// The name under which the built-in types are imported.
const BUILTIN_NAME: &str = "cloudify/types/types.yaml";

/// The merged sections of a blueprint and its imports.
pub(super) struct Document {
    pub version: Version,
    pub sections: IndexMap<String, Node>,
    /// The ids of the imported blueprints, without repetitions.
    pub imported_blueprints: Vec<Value>,
    /// The ids of the imported blueprints, by their namespaces.
    pub namespaces: Map<String, Value>,
}

/// Reads the files of a blueprint. Positions in a file hold its number, which is its place in
/// `files`.
pub(super) struct Reader<'a> {
    importer: &'a dyn Importer,
    pub files: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(importer: &'a dyn Importer) -> Self {
        Self {
            importer,
            files: vec![BUILTIN_NAME.to_owned()],
        }
    }

    /// Reads the main file and all that it imports.
    pub fn read(&mut self, tree: &Tree, main_file: &str) -> Result<Document> {
        self.blueprint(Files::Given(tree), main_file, 0)
    }

    fn blueprint(&mut self, files: Files<'_>, main_file: &str, depth: usize) -> Result<Document> {
        let bytes = files.text(main_file).ok_or_else(|| {
            Error::parser(13, format!("Could not find the main file {main_file}"))
        })?;
        let main = self.load(bytes, main_file, "Failed to parse DSL")?;
        let missing = || {
            let message = format!(
                "{} field must appear in the main blueprint file",
                version::SECTION
            );
            Error::parser(27, message).under(version::SECTION)
        };
        let main = main.ok_or_else(missing)?;
        map(&main)?;
        let version = Version::of(&main)?.ok_or_else(missing)?;
        let origin = Origin {
            path: main_file.to_owned(),
            files,
            namespace: String::new(),
            depth,
        };
        let mut found = Found::new(main, version, origin)?;
        while let Some(open) = found.open.pop_front() {
            let mut here = HashSet::new();
            for item in schema::list(&open.imports).under("imports")? {
                let place = |error: Error| match &error.place {
                    Some(place) if place.file.is_some() || !place.path.is_empty() => error,
                    _ => error.at(&open.imports).under("imports"),
                };
                let (name, properties) = import_name(item, version).map_err(place)?;
                if !here.insert(name.to_owned()) && open.is_main {
                    return Err(place(Error::parser(2, "Duplicate imports")));
                }
                self.import(&mut found, name, properties, &open.origin)
                    .map_err(place)?;
            }
        }
        found.merge()
    }

    /// The start of the file that was read last.
    fn here(&self) -> Position {
        Position {
            file: self.files.len().saturating_sub(1) as u16,
            line: 1,
            column: 0,
        }
    }

    fn load(&mut self, bytes: &[u8], name: &str, failed: &str) -> Result<Option<Node>> {
        if self.files.len() >= MAX_FILES {
            return Err(Error::parser(
                13,
                format!("More than {MAX_FILES} files are imported"),
            ));
        }
        self.files.push(name.to_owned());
        yaml::load(bytes, (self.files.len() - 1) as u16).map_err(|mut error| {
            let rest = error.message.strip_prefix("Failed to parse DSL");
            if let Some(rest) = rest {
                error.message = format!("{failed}{rest}");
            }
            error.in_file(name)
        })
    }

    /// Adds what an import names, unless it is there already.
    fn import<'t>(
        &mut self,
        found: &mut Found<'t>,
        name: &str,
        properties: Option<&Node>,
        parent: &Origin<'t>,
    ) -> Result<()> {
        let import = Import::of(name, properties, parent)?;
        let target = import.target;
        let instead = self.importer.instead_of(target);
        let request = instead.as_deref().unwrap_or(target);
        if let Some(request) = request.strip_prefix("plugin:") {
            return self.plugin(found, &import, request);
        }
        if let Some(id) = target.strip_prefix("blueprint:") {
            return self.other_blueprint(found, &import, id);
        }
        let version = found.version;
        if let Some(number) = builtin::number_of(target) {
            return add_built_in(found, &import, || builtin::published(&number, version));
        }
        if is_url(target) {
            return Err(import.not_found());
        }
        match find(parent, target) {
            Some(path) => self.file(found, &import, path),
            None if is_builtin_name(target) => {
                add_built_in(found, &import, || builtin::current(version))
            }
            None => Err(import.not_found()),
        }
    }

    /// Adds the file of an uploaded plugin.
    fn plugin<'t>(
        &mut self,
        found: &mut Found<'t>,
        import: &Import<'_, 't>,
        request: &str,
    ) -> Result<()> {
        if found.has(import.target, &import.namespace, import.parent)? {
            return Ok(());
        }
        let (plugin, query) = request.split_once('?').unwrap_or((request, ""));
        let offers = self.importer.plugins(plugin);
        let chosen = plugin_imports::choose(plugin, query, offers)?;
        let name = plugin_imports::file_for(&chosen, found.version);
        let text = name.and_then(|name| self.importer.plugin_file(&chosen, name));
        let text = text.ok_or_else(|| import.not_found())?;
        let file = self.load(text.as_bytes(), import.target, &import.failed())?;
        let mut file = file.unwrap_or_else(|| Node::empty(self.here()));
        plugin_imports::take_labels(&mut file, &chosen, self.here());
        let origin = import.origin(Files::Fetched(Rc::new(Tree::default())), import.target);
        found.add(file, origin, &import.parent.namespace, import.properties)
    }

    /// Adds an uploaded blueprint, with its own imports.
    fn other_blueprint<'t>(
        &mut self,
        found: &mut Found<'t>,
        import: &Import<'_, 't>,
        id: &str,
    ) -> Result<()> {
        let Import {
            target, namespace, ..
        } = import;
        if found.has(target, namespace, import.parent)? {
            return Ok(());
        }
        if namespace.is_empty() {
            let message =
                format!("Invalid {target}: blueprint import cannotbe used without namespace");
            return Err(Error::parser(213, message));
        }
        if found.namespaces.contains_key(namespace) {
            let message = format!(
                "Import failed {namespace}: can not use the samenamespace for importing blueprints"
            );
            return Err(Error::parser(214, message));
        }
        let imported = self.importer.blueprint(id).ok_or_else(|| {
            let message = format!("Import failed: Requested blueprint import `{id}` was not found");
            Error::parser(13, message)
        })?;
        found.namespaces.insert(namespace.clone(), json!(id));
        let files = Files::Fetched(Rc::new(imported.tree));
        let depth = import.parent.depth + 1;
        let document = self.blueprint(files, &imported.main_file, depth)?;
        found.add_blueprint(document, import.origin(import.parent.files.clone(), target))
    }

    /// Adds a file of the blueprint.
    fn file<'t>(
        &mut self,
        found: &mut Found<'t>,
        import: &Import<'_, 't>,
        path: String,
    ) -> Result<()> {
        if found.has(&path, &import.namespace, import.parent)? {
            return Ok(());
        }
        let bytes = import.parent.files.text(&path);
        let bytes = bytes.ok_or_else(|| import.not_found())?;
        let file = self.load(bytes, &path, &import.failed())?;
        let file = file.unwrap_or_else(|| Node::empty(self.here()));
        let origin = import.origin(import.parent.files.clone(), &path);
        found.add(file, origin, &import.parent.namespace, import.properties)
    }
}

/// One import: what it names, and which file it is in.
struct Import<'i, 't> {
    name: &'i str,
    /// The name without its namespace.
    target: &'i str,
    /// The namespace of the imported names. It includes that of the importing file.
    namespace: String,
    /// The properties that the import sets in a plugin.
    properties: Option<&'i Node>,
    parent: &'i Origin<'t>,
}

impl<'i, 't> Import<'i, 't> {
    fn of(name: &'i str, properties: Option<&'i Node>, parent: &'i Origin<'t>) -> Result<Self> {
        let (own, target) = name.rsplit_once("--").unwrap_or(("", name));
        if own.contains("--") {
            let message =
                format!("Invalid {own}: import's namespace cannotcontain namespace delimiter");
            return Err(Error::parser(212, message));
        }
        if parent.depth >= MAX_DEPTH {
            let message = format!("Import failed: {name} is nested too deeply");
            return Err(Error::parser(13, message));
        }
        Ok(Self {
            name,
            target,
            namespace: joined(&parent.namespace, own),
            properties,
            parent,
        })
    }

    fn origin(&self, files: Files<'t>, path: &str) -> Origin<'t> {
        Origin {
            files,
            path: path.to_owned(),
            namespace: self.namespace.clone(),
            depth: self.parent.depth + 1,
        }
    }

    fn not_found(&self) -> Error {
        let target = self.target;
        Error::parser(
            13,
            format!("Import failed: Unable to open import url {target}"),
        )
    }

    /// The first words of the refusal of a file that is not YAML.
    fn failed(&self) -> String {
        let Self { name, target, .. } = self;
        format!("Failed to parse import '{name}'(via '{target}')")
    }
}

/// Adds the built-in types, unless they are there. They need not be in the archive.
fn add_built_in<'t>(
    found: &mut Found<'t>,
    import: &Import<'_, 't>,
    types: impl FnOnce() -> Node,
) -> Result<()> {
    let parent = import.parent;
    if found.has(BUILTIN_NAME, "", parent)? {
        return check_builtin(&import.namespace, &parent.namespace);
    }
    let origin = import.origin(parent.files.clone(), BUILTIN_NAME);
    found.add(types(), origin, &parent.namespace, import.properties)
}
