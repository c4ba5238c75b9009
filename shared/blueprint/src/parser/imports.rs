//! Imports: reading every file that a blueprint names, and merging them into one document.

use super::schema::{self, map};
use super::version::{self, Version};
use super::{BUILTIN, Importer, namespace};
use crate::archive::Tree;
use crate::error::{Error, Result, Under};
use crate::yaml::{self, Data, Node, Position};
use indexmap::IndexMap;
use serde_json::{Value, json};
use std::collections::HashSet;

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
    pub imported_blueprints: Vec<Value>,
    pub namespaces: serde_json::Map<String, Value>,
    /// Properties given to plugins where they are imported.
    pub plugin_properties: IndexMap<String, Value>,
}

/// Reads the files. Their names go into `files`, at the number that their positions have.
pub(super) struct Reader<'a> {
    pub importer: &'a dyn Importer,
    pub files: Vec<String>,
    seen: HashSet<(String, String)>,
    document: Document,
}

/// Where a file's relative imports start.
struct Origin<'t> {
    tree: &'t Tree,
    path: String,
    namespace: String,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub fn new(importer: &'a dyn Importer) -> Self {
        Self {
            importer,
            files: vec![BUILTIN_NAME.to_owned()],
            seen: HashSet::new(),
            document: Document {
                version: Version(0),
                sections: IndexMap::new(),
                imported_blueprints: Vec::new(),
                namespaces: serde_json::Map::new(),
                plugin_properties: IndexMap::new(),
            },
        }
    }

    /// Reads the main file and all that it imports.
    pub fn read(&mut self, tree: &Tree, main_file: &str) -> Result<Document> {
        let bytes = tree.text(main_file).ok_or_else(|| {
            Error::parser(13, format!("Could not find the main file {main_file}"))
        })?;
        let main = self.load(bytes, main_file)?;
        let missing = || {
            let message = format!(
                "{} field must appear in the main blueprint file",
                version::SECTION
            );
            Error::parser(27, message).under(version::SECTION)
        };
        let main = main.ok_or_else(missing)?;
        map(&main)?;
        self.document.version = Version::of(&main)?.ok_or_else(missing)?;
        self.seen.insert((String::new(), main_file.to_owned()));
        self.take(
            main,
            Origin {
                tree,
                path: main_file.to_owned(),
                namespace: String::new(),
                depth: 0,
            },
        )?;
        let empty = Document {
            version: self.document.version,
            sections: IndexMap::new(),
            imported_blueprints: Vec::new(),
            namespaces: serde_json::Map::new(),
            plugin_properties: IndexMap::new(),
        };
        Ok(std::mem::replace(&mut self.document, empty))
    }

    fn load(&mut self, bytes: &[u8], name: &str) -> Result<Option<Node>> {
        if self.files.len() >= MAX_FILES {
            return Err(Error::parser(
                13,
                format!("More than {MAX_FILES} files are imported"),
            ));
        }
        self.files.push(name.to_owned());
        yaml::load(bytes, (self.files.len() - 1) as u16)
    }

    /// Merges a file into the document, then what it imports.
    fn take(&mut self, mut file: Node, origin: Origin<'_>) -> Result<()> {
        let imports = match &mut file.data {
            Data::Map(map) => map.shift_remove("imports"),
            _ => None,
        };
        if !origin.namespace.is_empty() {
            namespace::apply(&mut file, &origin.namespace);
        }
        let Data::Map(sections) = file.data else {
            return Err(map(&file)
                .err()
                .unwrap_or_else(|| Error::parser(1, "Expected 'dict'")));
        };
        let place = imports.clone();
        for (name, section) in sections {
            self.merge(name, section).map_err(|error| match &place {
                Some(place) => error.at(place).under("imports"),
                None => error,
            })?;
        }
        let Some(imports) = imports else {
            return Ok(());
        };
        let mut here = HashSet::new();
        for item in schema::list(&imports).under("imports")? {
            let (name, properties) = import_name(item).under("imports")?;
            if !here.insert(name.to_owned()) {
                return Err(Error::parser(2, "Duplicate imports")
                    .at(&imports)
                    .under("imports"));
            }
            self.import(name, properties, item, &origin)
                .map_err(|error| error.at(&imports))
                .map_err(
                    |error| match error.place.as_ref().is_some_and(|p| p.path.is_empty()) {
                        true => error.under("imports"),
                        false => error,
                    },
                )?;
        }
        Ok(())
    }

    fn import(
        &mut self,
        name: &str,
        properties: Option<&Node>,
        at: &Node,
        origin: &Origin<'_>,
    ) -> Result<()> {
        let (own_namespace, target) = match name.rsplit_once("--") {
            Some((namespace, target)) => (namespace, target),
            None => ("", name),
        };
        if own_namespace.contains("--") {
            return Err(Error::parser(
                212,
                format!("Invalid namespace: '{own_namespace}'"),
            ));
        }
        let namespace = match (origin.namespace.as_str(), own_namespace) {
            ("", own) => own.to_owned(),
            (outer, "") => outer.to_owned(),
            (outer, own) => format!("{outer}--{own}"),
        };
        if origin.depth >= MAX_DEPTH {
            return Err(Error::parser(
                13,
                format!("Import failed: {name} is nested too deeply"),
            ));
        }
        if target == BUILTIN_NAME {
            if !own_namespace.is_empty() {
                let message = format!("Import failed: cannot use namespace in '{name}'");
                return Err(Error::parser(214, message));
            }
            return self.take_builtin();
        }
        let not_found = || {
            Error::parser(
                13,
                format!("Import failed: Unable to open import url {name}"),
            )
        };
        if let Some(request) = target.strip_prefix("plugin:") {
            let (plugin, query) = request.split_once('?').unwrap_or((request, ""));
            if !self.seen.insert((namespace.clone(), target.to_owned())) {
                return Ok(());
            }
            let text = self.importer.plugin(plugin, query).ok_or_else(|| {
                let message = format!("Import failed: Plugin {plugin} (query: {query}) not found");
                Error::parser(13, message)
            })?;
            let file = self.load(text.as_bytes(), target)?;
            if let (Some(properties), Some(file)) = (properties, &file) {
                for (plugin, _) in schema::map_at(file, "plugins")? {
                    self.document
                        .plugin_properties
                        .insert(plugin.clone(), properties.to_value());
                }
            }
            let empty = Tree::default();
            return self.take_import(
                file,
                at,
                Origin {
                    tree: &empty,
                    path: target.to_owned(),
                    namespace,
                    depth: origin.depth + 1,
                },
            );
        }
        if let Some(id) = target.strip_prefix("blueprint:") {
            if own_namespace.is_empty() {
                let message =
                    format!("Invalid import of blueprint '{id}': a namespace is required");
                return Err(Error::parser(213, message));
            }
            if !self.seen.insert((namespace.clone(), target.to_owned())) {
                return Ok(());
            }
            let imported = self.importer.blueprint(id).ok_or_else(not_found)?;
            let bytes = imported
                .tree
                .text(&imported.main_file)
                .ok_or_else(not_found)?;
            let file = self.load(bytes, target)?;
            if !self.document.imported_blueprints.contains(&json!(id)) {
                self.document.imported_blueprints.push(json!(id));
            }
            self.document
                .namespaces
                .insert(namespace.clone(), json!(id));
            return self.take_import(
                file,
                at,
                Origin {
                    tree: &imported.tree,
                    path: imported.main_file.clone(),
                    namespace,
                    depth: origin.depth + 1,
                },
            );
        }
        if target.contains("://") {
            return Err(Error::parser(
                13,
                format!(
                    "Import failed: Unable to open import url {target}; imports from the network are not allowed"
                ),
            ));
        }
        let path = find(origin, target).ok_or_else(not_found)?;
        if !self.seen.insert((namespace.clone(), path.clone())) {
            return Ok(());
        }
        let bytes = origin.tree.text(&path).ok_or_else(not_found)?;
        let file = self.load(bytes, &path)?;
        self.take_import(
            file,
            at,
            Origin {
                tree: origin.tree,
                path,
                namespace,
                depth: origin.depth + 1,
            },
        )
    }

    fn take_import(&mut self, file: Option<Node>, at: &Node, origin: Origin<'_>) -> Result<()> {
        let Some(mut file) = file else {
            let message = format!("Import failed: {} is empty", origin.path);
            return Err(Error::parser(13, message));
        };
        map(&file)?;
        let version = self.document.version;
        if let Some(stated) = Version::of(&file)?
            && stated > version
        {
            return Err(Error::parser(
                28,
                format!(
                    "An import uses a different {} than the one defined in the main blueprint's file: \
                     main blueprint's file version is '{}', import with different version is '{}', \
                     version of problematic import is '{}'",
                    version::SECTION,
                    version.name(),
                    origin.path,
                    stated.name()
                ),
            )
            .at(at));
        }
        if let Data::Map(map) = &mut file.data {
            map.shift_remove(version::SECTION);
        }
        self.take(file, origin)
    }

    fn take_builtin(&mut self) -> Result<()> {
        if !self.seen.insert((String::new(), BUILTIN_NAME.to_owned())) {
            return Ok(());
        }
        let builtin = yaml::load(BUILTIN_TYPES.as_bytes(), BUILTIN)?;
        let mut builtin = builtin.unwrap_or_else(|| Node::empty(Position::default()));
        super::builtin::fit(&mut builtin, self.document.version);
        let Data::Map(sections) = builtin.data else {
            return Ok(());
        };
        for (name, section) in sections {
            self.merge(name, section)?;
        }
        Ok(())
    }

    /// Adds a section of a file to what earlier files said.
    fn merge(&mut self, name: String, section: Node) -> Result<()> {
        if section.is_null() {
            return Ok(());
        }
        let version = self.document.version;
        let Some(old) = self.document.sections.get_mut(&name) else {
            self.document.sections.insert(name, section);
            return Ok(());
        };
        if matches!(
            name.as_str(),
            "description" | "metadata" | "dsl_definitions" | version::SECTION
        ) {
            return Ok(());
        }
        let mergeable = matches!(
            name.as_str(),
            "node_types"
                | "data_types"
                | "relationships"
                | "plugins"
                | "policy_types"
                | "policy_triggers"
                | "groups"
                | "workflows"
        );
        // These could not be split over files before 1.3.
        let later = matches!(
            name.as_str(),
            "inputs"
                | "outputs"
                | "node_templates"
                | "capabilities"
                | "labels"
                | "blueprint_labels"
                | "resource_tags"
        );
        let from_builtin = section.at.file == BUILTIN || old.at.file == BUILTIN;
        let later = later && version >= Version(3);
        if !(mergeable || later || from_builtin) {
            let message = format!("Import failed: non-mergeable field: '{name}'");
            return Err(Error::parser(3, message));
        }
        let (Data::Map(old), Data::Map(new)) = (&mut old.data, section.data) else {
            return Err(Error::parser(
                1,
                format!("Expected 'dict' type in '{name}'"),
            ));
        };
        for (key, node) in new {
            let Some(existing) = old.get_mut(&key) else {
                old.insert(key, node);
                continue;
            };
            if node.at.file == BUILTIN {
                *existing = node;
                continue;
            }
            if existing.at.file == BUILTIN {
                continue;
            }
            match name.as_str() {
                "labels" | "blueprint_labels" | "resource_tags" => {}
                "workflows" => fill(existing, node),
                "node_templates" if append_relationships(existing, &node) => {}
                _ => {
                    let message = format!(
                        "Import failed: Could not merge '{name}' due to conflict on '{key}'"
                    );
                    return Err(Error::parser(4, message));
                }
            }
        }
        Ok(())
    }
}

/// An import's name, with the properties that it may give to a plugin.
fn import_name(item: &Node) -> Result<(&str, Option<&Node>)> {
    match item.as_map() {
        Some(map) if map.len() == 1 => {
            let entry = map.get_index(0);
            Ok(entry.map_or(("", None), |(name, properties)| {
                (name.as_str(), Some(properties))
            }))
        }
        _ => Ok((schema::text(item)?, None)),
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
        .find(|path| origin.tree.text(path).is_some())
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

/// Adds entries that are not there yet.
fn fill(existing: &mut Node, node: Node) {
    if let (Data::Map(existing), Data::Map(new)) = (&mut existing.data, node.data) {
        for (key, value) in new {
            existing.entry(key).or_insert(value);
        }
    }
}

/// Of two templates for one node, one may be nothing but relationships to add.
fn append_relationships(existing: &mut Node, node: &Node) -> bool {
    let only_relationships = |node: &Node| {
        let map = node.as_map();
        map.is_some_and(|map| map.len() == 1 && map.contains_key("relationships"))
    };
    let first_is_less = only_relationships(existing);
    if !first_is_less && !only_relationships(node) {
        return false;
    }
    let mut items: Vec<Node> = Vec::new();
    for part in [&*existing, node] {
        let list = part.get("relationships").and_then(Node::as_list);
        items.extend(list.unwrap_or_default().iter().cloned());
    }
    if first_is_less {
        existing.data = node.data.clone();
    }
    if let Data::Map(map) = &mut existing.data {
        let at = node.at;
        map.insert(
            "relationships".to_owned(),
            Node {
                at,
                data: Data::List(items),
            },
        );
    }
    true
}
