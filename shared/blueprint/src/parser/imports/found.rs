//! The files of a blueprint, in the order in which they are merged.

use super::Document;
use super::names::joined;
use crate::archive::Tree;
use crate::error::{Error, Result, Under};
use crate::parser::merge::merge;
use crate::parser::plugin_imports;
use crate::parser::schema::{self, map};
use crate::parser::version::{self, Version};
use crate::yaml::{Data, Node};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

/// A file that is part of a blueprint.
pub(in crate::parser) struct File {
    pub sections: IndexMap<String, Node>,
    pub namespace: String,
    /// Whether the file defines the built-in types. Its definitions then win over all others.
    pub is_builtin: bool,
    /// For an imported blueprint: the ids of the blueprints that it imported, and their namespaces.
    nested: Option<(Vec<Value>, Map<String, Value>)>,
}

/// Where other files are looked for: in the archive, or in an imported blueprint.
#[derive(Clone)]
pub(super) enum Files<'t> {
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

/// The place of a file, and the namespace of the names in it.
#[derive(Clone)]
pub(super) struct Origin<'t> {
    pub files: Files<'t>,
    pub path: String,
    pub namespace: String,
    pub depth: usize,
}

/// The imports of one file, when they are still to be followed.
pub(super) struct Open<'t> {
    pub origin: Origin<'t>,
    pub imports: Node,
    /// Whether this is the list of the main file, which must not repeat an import.
    pub is_main: bool,
}

/// The files of one blueprint, in the order in which they are merged.
pub(super) struct Found<'t> {
    pub version: Version,
    /// Files whose imports are still to be followed.
    pub open: VecDeque<Open<'t>>,
    /// The imported blueprints, each by its namespace.
    pub namespaces: Map<String, Value>,
    files: Vec<File>,
    /// The files so far by name and namespace, and whether they define the built-in types.
    seen: HashMap<(String, String), bool>,
    /// The list of imports in the main file. Refusals point to it.
    imports: Option<Node>,
}

impl<'t> Found<'t> {
    /// Starts with the main file.
    pub fn new(main: Node, version: Version, origin: Origin<'t>) -> Result<Self> {
        let mut found = Self {
            version,
            open: VecDeque::new(),
            namespaces: Map::new(),
            files: Vec::new(),
            seen: HashMap::from([((origin.path.clone(), String::new()), false)]),
            imports: main.get("imports").cloned(),
        };
        found.add(main, origin, "", None)?;
        Ok(found)
    }

    /// Whether a file was found before. The built-in types are the same in every namespace, but
    /// they must not get a namespace of their own.
    pub fn has(&self, path: &str, namespace: &str, parent: &Origin<'_>) -> Result<bool> {
        let key = (path.to_owned(), namespace.to_owned());
        let known = self.seen.get(&key).copied();
        if known == Some(true) {
            check_builtin(namespace, &parent.namespace)?;
        }
        Ok(known.is_some())
    }

    /// Adds a file, and puts its imports on the list of those to follow.
    pub fn add(
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
        // This section holds anchors for the file itself. It is checked in the main file only.
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

    /// Adds an imported blueprint, whose own files were merged before.
    pub fn add_blueprint(&mut self, document: Document, origin: Origin<'t>) -> Result<()> {
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

    /// Merges the files. The first files win over later ones.
    pub fn merge(self) -> Result<Document> {
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

/// Refuses a namespace for the built-in types, unless the importing file has the same one.
pub(super) fn check_builtin(namespace: &str, parent: &str) -> Result<()> {
    if namespace.is_empty() || namespace == parent {
        return Ok(());
    }
    let message =
        format!("Invalid import namespace {namespace}: cannot be used on Cloudify basic types.");
    Err(Error::parser(214, message))
}
