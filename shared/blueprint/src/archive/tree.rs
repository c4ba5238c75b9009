//! The files of a blueprint, with the content that the parser needs.

use std::collections::{BTreeMap, BTreeSet};

/// The files of a blueprint. Their names count from the blueprint's directory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    texts: BTreeMap<String, Vec<u8>>,
    paths: BTreeSet<String>,
}

impl Tree {
    /// Makes a tree of texts, for a blueprint that is not an archive.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut tree = Self::default();
        for (path, text) in texts {
            tree.insert(path.to_owned(), Some(text.as_bytes().to_vec()));
        }
        tree
    }

    /// Adds a file. Only YAML files have content.
    pub(super) fn insert(&mut self, path: String, content: Option<Vec<u8>>) {
        if let Some(content) = content {
            self.texts.insert(path.clone(), content);
        }
        self.paths.insert(path);
    }

    /// Whether there is a file of this name.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// The content of a YAML file.
    pub fn text(&self, path: &str) -> Option<&[u8]> {
        self.texts.get(path).map(Vec::as_slice)
    }

    /// The names of all files, in alphabetical order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// The YAML files at the top. One of them is the main file.
    pub fn main_file_candidates(&self) -> impl Iterator<Item = &str> {
        let at_top = |path: &&str| !path.contains('/');
        self.texts.keys().map(String::as_str).filter(at_top)
    }
}
