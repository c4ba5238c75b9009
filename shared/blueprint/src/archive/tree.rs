//! The files of a blueprint, with the content that the parser needs.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// How many links may lead to each other until a file is found.
const MAX_LINKS: usize = 40;

/// The files of a blueprint. Their names count from the blueprint's directory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    texts: BTreeMap<String, Vec<u8>>,
    paths: BTreeSet<String>,
    /// The symbolic and hard links, and the names that they lead to.
    links: BTreeMap<String, String>,
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

    /// Adds a file, with its content if that is a text. A later file of a name replaces an earlier
    /// one.
    pub(super) fn insert(&mut self, path: String, content: Option<Vec<u8>>) {
        self.links.remove(&path);
        match content {
            Some(content) => self.texts.insert(path.clone(), content),
            None => self.texts.remove(&path),
        };
        self.paths.insert(path);
    }

    /// Adds a link to a file or directory, which need not be there.
    pub(super) fn insert_link(&mut self, path: String, target: String) {
        self.texts.remove(&path);
        self.links.insert(path.clone(), target);
        self.paths.insert(path);
    }

    /// Forgets the content of all files but those whose names are wanted.
    pub(super) fn forget_texts(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.texts.retain(|path, _| is_wanted(path));
    }

    /// Whether there is a file of this name.
    pub fn contains(&self, path: &str) -> bool {
        let followed = || {
            self.follow(path)
                .is_some_and(|path| self.paths.contains(&*path))
        };
        self.paths.contains(path) || followed()
    }

    /// The content of a file, if it is a text.
    pub fn text(&self, path: &str) -> Option<&[u8]> {
        self.texts.get(&*self.follow(path)?).map(Vec::as_slice)
    }

    /// The names of all files, in alphabetical order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(String::as_str)
    }

    /// The name that is found when all links in this one are followed. The result is `None` if they
    /// lead in a circle.
    fn follow<'p>(&self, path: &'p str) -> Option<Cow<'p, str>> {
        let mut path = Cow::Borrowed(path);
        for _ in 0..=MAX_LINKS {
            let Some((target, rest)) = self.first_link(&path) else {
                return Some(path);
            };
            let rest = rest.trim_start_matches('/');
            path = Cow::Owned(match (target, rest) {
                ("", rest) => rest.to_owned(),
                (target, "") => target.to_owned(),
                (target, rest) => format!("{target}/{rest}"),
            });
        }
        None
    }

    /// The target of the first link in a name, and what comes after that link.
    fn first_link<'a>(&'a self, path: &'a str) -> Option<(&'a str, &'a str)> {
        if self.links.is_empty() {
            return None;
        }
        let ends = path.match_indices('/').map(|(place, _)| place);
        ends.chain([path.len()]).find_map(|end| {
            let (link, rest) = path.split_at_checked(end)?;
            Some((self.links.get(link)?.as_str(), rest))
        })
    }
}
