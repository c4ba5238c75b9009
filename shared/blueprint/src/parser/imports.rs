//! Imports: finding every file that a blueprint names.
//!
//! The main file comes first, then what it imports, then what those import: in this order they
//! are merged, so a file's own words always come before those of its imports.

use super::merge::merge;
use super::schema::{self, map};
use super::version::{self, Version};
use super::{BUILTIN, Importer, plugin_imports};
use crate::archive::Tree;
use crate::error::{Error, Result, Under};
use crate::functions::function_of;
use crate::yaml::{self, Data, Node, Position};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

/// How deep imports may import.
const MAX_DEPTH: usize = 30;
/// How many files a blueprint may consist of.
const MAX_FILES: usize = 500;
/// What the built-in types are imported as.
const BUILTIN_NAME: &str = "cloudify/types/types.yaml";

const BUILTIN_TYPES: &str = include_str!("../builtin/types.yaml");

/// Everything that a blueprint and its imports say, section by section.
pub(super) struct Document {
    pub version: Version,
    pub sections: IndexMap<String, Node>,
    /// The blueprints that were imported, each once.
    pub imported_blueprints: Vec<Value>,
    /// Which of them has which namespace.
    pub namespaces: Map<String, Value>,
}

/// Reads the files. Their names go into `files`, at the number that their positions have.
pub(super) struct Reader<'a> {
    importer: &'a dyn Importer,
    pub files: Vec<String>,
}

/// A file that is part of a blueprint.
pub(super) struct File {
    pub sections: IndexMap<String, Node>,
    pub namespace: String,
    /// It holds the built-in types, or stands for them: what it defines wins.
    pub is_builtin: bool,
    /// For a blueprint that was imported: what it imported in turn.
    nested: Option<(Vec<Value>, Map<String, Value>)>,
}

/// The files among which a file lies: those of the archive, or of a blueprint that is imported.
#[derive(Clone)]
enum Files<'t> {
    Given(&'t Tree),
    Fetched(Rc<Tree>),
}

impl std::ops::Deref for Files<'_> {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        match self {
            Self::Given(tree) => tree,
            Self::Fetched(tree) => tree,
        }
    }
}

/// Where a file lies, and the namespace that names in it have.
#[derive(Clone)]
struct Origin<'t> {
    files: Files<'t>,
    path: String,
    namespace: String,
    depth: usize,
}

/// A file's imports, still to be followed.
struct Open<'t> {
    origin: Origin<'t>,
    imports: Node,
    /// The main file's list, which may name each import only once.
    is_main: bool,
}

/// The files of one blueprint, in the order in which they are merged.
struct Found<'t> {
    version: Version,
    files: Vec<File>,
    /// By name and namespace; whether it holds the built-in types.
    seen: HashMap<(String, String), bool>,
    open: VecDeque<Open<'t>>,
    namespaces: Map<String, Value>,
    /// The main file's list, for refusals.
    imports: Option<Node>,
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
        let mut found = Found {
            version,
            files: Vec::new(),
            seen: HashMap::from([((main_file.to_owned(), String::new()), false)]),
            open: VecDeque::new(),
            namespaces: Map::new(),
            imports: main.get("imports").cloned(),
        };
        let origin = Origin {
            path: main_file.to_owned(),
            files,
            namespace: String::new(),
            depth,
        };
        found.add(main, origin, "", None)?;
        while let Some(open) = found.open.pop_front() {
            let mut here = HashSet::new();
            for item in schema::list(&open.imports).under("imports")? {
                let place = |error: Error| match &error.place {
                    Some(place) if !place.path.is_empty() => error,
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

    /// The beginning of the file that was read last.
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
            error
        })
    }

    /// Finds what an import names, unless it is there already.
    fn import<'t>(
        &mut self,
        found: &mut Found<'t>,
        name: &str,
        properties: Option<&Node>,
        parent: &Origin<'t>,
    ) -> Result<()> {
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
        let namespace = joined(&parent.namespace, own);
        let not_found = || {
            let message = format!("Import failed: Unable to open import url {target}");
            Error::parser(13, message)
        };
        let failed = format!("Failed to parse import '{name}'(via '{target}')");
        let mut origin = Origin {
            files: parent.files.clone(),
            path: target.to_owned(),
            namespace: namespace.clone(),
            depth: parent.depth + 1,
        };
        if let Some(request) = target.strip_prefix("plugin:") {
            if found.has(target, &namespace, parent)? {
                return Ok(());
            }
            let (plugin, query) = request.split_once('?').unwrap_or((request, ""));
            let offers = self.importer.plugins(plugin);
            let chosen = plugin_imports::choose(plugin, query, offers)?;
            let text = plugin_imports::file_for(&chosen, found.version).ok_or_else(not_found)?;
            let file = self.load(text.as_bytes(), target, &failed)?;
            let mut file = file.unwrap_or_else(|| Node::empty(self.here()));
            plugin_imports::take_labels(&mut file, &chosen, self.here());
            origin.files = Files::Fetched(Rc::new(Tree::default()));
            return found.add(file, origin, &parent.namespace, properties);
        }
        if let Some(id) = target.strip_prefix("blueprint:") {
            if found.has(target, &namespace, parent)? {
                return Ok(());
            }
            if namespace.is_empty() {
                let message =
                    format!("Invalid {target}: blueprint import cannotbe used without namespace");
                return Err(Error::parser(213, message));
            }
            if found.namespaces.contains_key(&namespace) {
                let message = format!(
                    "Import failed {namespace}: can not use the samenamespace for importing blueprints"
                );
                return Err(Error::parser(214, message));
            }
            let imported = self.importer.blueprint(id).ok_or_else(|| {
                let message =
                    format!("Import failed: Requested blueprint import `{id}` was not found");
                Error::parser(13, message)
            })?;
            found.namespaces.insert(namespace, json!(id));
            let files = Files::Fetched(Rc::new(imported.tree));
            let document = self.blueprint(files, &imported.main_file, parent.depth + 1)?;
            return found.add_blueprint(document, origin);
        }
        if let Some((scheme, _)) = target.split_once(':')
            && matches!(scheme, "http" | "https" | "ftp" | "file")
        {
            return Err(not_found());
        }
        let Some(path) = find(parent, target) else {
            if !is_builtin_name(target) {
                return Err(not_found());
            }
            if found.has(BUILTIN_NAME, "", parent)? {
                return check_builtin(&namespace, &parent.namespace);
            }
            let types = built_in(found.version);
            origin.path = BUILTIN_NAME.to_owned();
            return found.add(types, origin, &parent.namespace, properties);
        };
        if found.has(&path, &namespace, parent)? {
            return Ok(());
        }
        let bytes = parent.files.text(&path).ok_or_else(not_found)?;
        let file = self.load(bytes, &path, &failed)?;
        let file = file.unwrap_or_else(|| Node::empty(self.here()));
        origin.path = path;
        found.add(file, origin, &parent.namespace, properties)
    }
}

impl<'t> Found<'t> {
    /// Whether a file is there already. The built-in types are the same in every namespace,
    /// but a namespace of their own is a mistake.
    fn has(&self, path: &str, namespace: &str, parent: &Origin<'_>) -> Result<bool> {
        let key = (path.to_owned(), namespace.to_owned());
        let known = self.seen.get(&key).copied();
        if known == Some(true) {
            check_builtin(namespace, &parent.namespace)?;
        }
        Ok(known.is_some())
    }

    /// Takes in a file.
    fn add(
        &mut self,
        mut file: Node,
        mut origin: Origin<'t>,
        parent_namespace: &str,
        properties: Option<&Node>,
    ) -> Result<()> {
        let is_main = self.files.is_empty();
        map(&file)?;
        if let Some(stated) = Version::of(&file)?
            && stated > self.version
        {
            return Err(newer(self.version, &origin.path, stated));
        }
        if !is_main {
            plugin_imports::set_properties(&mut file, properties)?;
        }
        let Data::Map(mut sections) = file.data else {
            return Ok(());
        };
        let is_builtin = sections
            .get("node_types")
            .is_some_and(|types| types.get("cloudify.nodes.Root").is_some());
        if is_builtin && !is_main {
            check_builtin(&origin.namespace, parent_namespace)?;
            let key = (origin.path.clone(), origin.namespace.clone());
            self.seen.insert(key, true);
            origin.namespace.clear();
        }
        let key = (origin.path.clone(), origin.namespace.clone());
        self.seen.insert(key, is_builtin);
        let imports = sections.shift_remove("imports");
        sections.shift_remove(version::SECTION);
        // What anchors stand in is of use to the file itself, and checked in the main file only.
        if let Some(definitions) = sections.shift_remove("dsl_definitions")
            && is_main
        {
            check_definitions(&definitions, self.version).under("dsl_definitions")?;
        }
        self.files.push(File {
            sections,
            namespace: origin.namespace.clone(),
            is_builtin,
            nested: None,
        });
        if let Some(imports) = imports {
            self.open.push_back(Open {
                origin,
                imports,
                is_main,
            });
        }
        Ok(())
    }

    /// Takes in a blueprint, whose own files are merged already.
    fn add_blueprint(&mut self, document: Document, origin: Origin<'t>) -> Result<()> {
        if document.version > self.version {
            return Err(newer(self.version, &origin.path, document.version));
        }
        let key = (origin.path.clone(), origin.namespace.clone());
        self.seen.insert(key, false);
        self.files.push(File {
            sections: document.sections,
            namespace: origin.namespace,
            is_builtin: false,
            nested: Some((document.imported_blueprints, document.namespaces)),
        });
        Ok(())
    }

    fn merge(self) -> Result<Document> {
        let mut imported: Vec<Value> = self.namespaces.values().cloned().collect();
        let mut document = Document {
            version: self.version,
            sections: IndexMap::new(),
            imported_blueprints: Vec::new(),
            namespaces: self.namespaces,
        };
        for mut file in self.files {
            if let Some((blueprints, namespaces)) = file.nested.take() {
                for id in blueprints {
                    if !imported.contains(&id) {
                        imported.push(id);
                    }
                }
                for (inner, id) in namespaces {
                    let whole = joined(&file.namespace, &inner);
                    document.namespaces.insert(whole, id);
                }
            }
            merge(&mut document.sections, file, self.version).map_err(|error| {
                match &self.imports {
                    Some(imports) if error.place.is_none() => error.at(imports).under("imports"),
                    _ => error,
                }
            })?;
        }
        document.imported_blueprints = imported;
        Ok(document)
    }
}

fn check_definitions(definitions: &Node, version: Version) -> Result<()> {
    match &definitions.data {
        Data::Scalar(Value::Null) => Ok(()),
        Data::Scalar(_) => Err(schema::wrong(definitions, "['dict', 'list']")),
        _ => version.requires(Version(2), "dsl_definitions", definitions),
    }
}

fn newer(version: Version, path: &str, stated: Version) -> Error {
    Error::parser(
        28,
        format!(
            "An import uses a different {} than the one defined in the main blueprint's file: \
             main blueprint's file version is '{}', import with different version is '{path}', \
             version of problematic import is '{}'",
            version::SECTION,
            version.name(),
            stated.name()
        ),
    )
}

/// The built-in types go without a namespace. That of the importing file does no harm.
fn check_builtin(namespace: &str, parent: &str) -> Result<()> {
    if namespace.is_empty() || namespace == parent {
        return Ok(());
    }
    let message =
        format!("Invalid import namespace {namespace}: cannot be used on Cloudify basic types.");
    Err(Error::parser(214, message))
}

fn joined(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", inner) => inner.to_owned(),
        (outer, "") => outer.to_owned(),
        (outer, inner) => format!("{outer}--{inner}"),
    }
}

/// `cloudify/types/types.yaml`, or the same with a version of the language in its name.
fn is_builtin_name(name: &str) -> bool {
    let middle = name
        .strip_prefix("cloudify/types/types")
        .and_then(|rest| rest.strip_suffix(".yaml"));
    middle.is_some_and(|version| version.is_empty() || Version::is_suffix(version))
}

/// The built-in types for a version of the language.
pub(super) fn built_in(version: Version) -> Node {
    let types = yaml::load(BUILTIN_TYPES.as_bytes(), BUILTIN).ok().flatten();
    let mut types = types.unwrap_or_else(|| Node::empty(Position::default()));
    super::builtin::fit(&mut types, version);
    types
}

/// An import's name, with the properties that it may give to a plugin.
fn import_name(item: &Node, version: Version) -> Result<(&str, Option<&Node>)> {
    let Data::Map(entries) = &item.data else {
        // The original names the last of the kinds that an import may be.
        let name = item.as_str().ok_or_else(|| schema::wrong(item, "dict"))?;
        return Ok((name, None));
    };
    for (name, properties) in entries {
        for (property, value) in map(properties)? {
            version.requires(Version(5), property, value)?;
            let is_function = function_of(&value.to_value()).is_some();
            if value.is_null() || (value.as_map().is_some() && !is_function) {
                let message = "Properties of imported node should either be strings, integers, \
                     floats, booleans, lists or intrinsic functions";
                return Err(Error::parser(220, message).at(value).under(property));
            }
        }
        version.requires(Version(5), name, properties)?;
    }
    match (entries.len(), entries.get_index(0)) {
        (1, Some((name, properties))) => Ok((name, Some(properties))),
        _ => Err(Error::parser(
            220,
            "Import with properties should be a single-entry dictionary",
        )),
    }
}

/// A file by its name: from the importing file, then from the blueprint's directory.
fn find(origin: &Origin<'_>, target: &str) -> Option<String> {
    let directory = origin
        .path
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    let from_file = normalise(directory, target);
    let from_top = normalise("", target);
    [from_file, from_top]
        .into_iter()
        .flatten()
        .find(|path| origin.files.text(path).is_some())
}

/// Joins two paths; `None` when the result lies outside.
pub(super) fn normalise(directory: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
