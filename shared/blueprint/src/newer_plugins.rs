//! Which plugins a blueprint gets when it is parsed again for newer ones.
//!
//! Every import `plugin:<name>` chooses the newest version that it allows. [`Wish`] says for which packages
//! that is not wanted; [`Versions`], made from it and the plan so far, tells the parser.

use crate::parser::UploadedPlugin;
use crate::plan::Plan;
use pep440_rs::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// What somebody wants of the versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Only these packages get other versions; all, when there are none.
    pub only: BTreeSet<String>,
    /// These get the latest version.
    pub to_latest: BTreeSet<String>,
    /// All others do.
    pub all_to_latest: bool,
    /// These keep their major version.
    pub to_minor: BTreeSet<String>,
    /// All others do.
    pub all_to_minor: bool,
    /// Versions that are named, which come before everything else.
    pub named: Vec<NamedVersion>,
}

/// A version that is named for a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedVersion {
    /// The import of the blueprint that is to mean it.
    pub import: String,
    /// The package.
    pub package: String,
    /// The version.
    pub version: String,
}

impl Wish {
    /// Whether a package keeps its major version.
    fn keeps_major(&self, package: &str) -> bool {
        let (latest, minor) = (
            self.to_latest.contains(package),
            self.to_minor.contains(package),
        );
        match (self.all_to_latest, self.all_to_minor) {
            (false, true) => !latest,
            (true, _) => minor,
            (false, false) => minor && !latest,
        }
    }

    /// What follows for the packages of a plan.
    pub fn versions(&self, plan: &Plan) -> Versions {
        let mut versions = Versions::default();
        for (package, version) in plan.packages() {
            let Some(version) = version else { continue };
            if let Some(named) = self.named.iter().find(|named| named.package == package) {
                let (import, version) = (named.import.clone(), named.version.clone());
                let named = versions.named.entry(package.to_owned());
                named.or_insert(Named { import, version });
                continue;
            }
            let is_meant = self.only.is_empty() || self.only.contains(package);
            let limit = match is_meant {
                false => Limit::Exactly(version.to_owned()),
                true if self.keeps_major(package) => Limit::MinorOf(version.to_owned()),
                true => continue,
            };
            versions.limits.entry(package.to_owned()).or_insert(limit);
        }
        versions
    }
}

/// Which versions of which packages may be chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    limits: BTreeMap<String, Limit>,
    named: BTreeMap<String, Named>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Limit {
    Exactly(String),
    MinorOf(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    import: String,
    version: String,
}

impl Versions {
    /// Leaves out the plugins of a package that may not be chosen.
    pub fn narrow(&self, package: &str, offers: &mut Vec<UploadedPlugin>) {
        if let Some(limit) = self.limits.get(package) {
            offers.retain(|offer| limit.allows(&offer.version));
        }
    }

    /// The import that is meant instead of another one.
    pub fn instead_of(&self, import: &str) -> Option<String> {
        let mut lines = self.named.iter();
        let named = lines.find(|(_, named)| named.import == import);
        if let Some((package, named)) = named {
            return Some(format!("plugin:{package}?version==={}", named.version));
        }
        let request = import.strip_prefix("plugin:")?;
        let (package, query) = request.split_once('?').unwrap_or((request, ""));
        let named = self.named.get(package)?;
        let others = query
            .split('&')
            .filter(|part| !part.is_empty() && !part.starts_with("version="));
        let mut query: Vec<&str> = others.collect();
        let version = format!("version==={}", named.version);
        query.push(&version);
        Some(format!("plugin:{package}?{}", query.join("&")))
    }
}

impl Limit {
    fn allows(&self, version: &str) -> bool {
        let parsed = |text: &str| Version::from_str(text).ok();
        match self {
            Self::Exactly(wanted) => {
                wanted == version || parsed(wanted).is_some_and(|it| parsed(version) == Some(it))
            }
            Self::MinorOf(present) => match (parsed(present), parsed(version)) {
                (Some(present), Some(version)) => {
                    let part = |version: &Version, place: usize| {
                        version.release().get(place).copied().unwrap_or(0)
                    };
                    version.epoch() == present.epoch()
                        && part(&version, 0) == part(&present, 0)
                        && part(&version, 1) >= part(&present, 1)
                }
                // What is no version has no major one.
                _ => present == version,
            },
        }
    }
}

/// Whether a plan wants any other plugin, or one in another version, than the one before.
pub fn plugins_differ(before: &Plan, after: &Plan) -> bool {
    const SECTIONS: [&str; 3] = [
        "deployment_plugins_to_install",
        "workflow_plugins_to_install",
        "host_agent_plugins_to_install",
    ];
    SECTIONS.into_iter().any(|section| {
        let list = |plan| Plan::section(plan, section).as_array();
        let known = list(before);
        let mut new = list(after).into_iter().flatten();
        new.any(|plugin| !known.is_some_and(|known| known.contains(plugin)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    fn plan(packages: &[(&str, &str)]) -> Plan {
        let plugins = packages.iter().map(|(name, version)| {
            json!({ "name": name, "package_name": name, "package_version": version,
                    "install": true })
        });
        let mut sections = Map::new();
        let plugins = plugins.collect::<Vec<_>>();
        sections.insert("deployment_plugins_to_install".to_owned(), plugins.into());
        Plan {
            sections,
            nodes: Vec::new(),
        }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// The versions of a package that may be chosen, of which 1.2 is in the plan.
    fn allowed(wish: &Wish) -> Vec<String> {
        let versions = wish.versions(&plan(&[("tide", "1.2")]));
        let all = ["1.0", "1.2", "1.2.9", "1.10", "2.0", "odd"];
        let mut offers: Vec<UploadedPlugin> = all
            .iter()
            .map(|version| UploadedPlugin {
                version: (*version).to_owned(),
                ..UploadedPlugin::default()
            })
            .collect();
        versions.narrow("tide", &mut offers);
        offers.into_iter().map(|offer| offer.version).collect()
    }

    #[test]
    fn a_wish_narrows_what_may_be_chosen() {
        let all = ["1.0", "1.2", "1.2.9", "1.10", "2.0", "odd"];
        let minor = ["1.2", "1.2.9", "1.10"];
        let (tide, other) = (set(&["tide"]), set(&["other"]));
        let wish = Wish::default;
        for (wish, expected) in [
            (wish(), &all[..]),
            (
                Wish {
                    only: tide.clone(),
                    ..wish()
                },
                &all,
            ),
            (
                Wish {
                    only: other.clone(),
                    ..wish()
                },
                &["1.2"],
            ),
            (
                Wish {
                    all_to_latest: true,
                    ..wish()
                },
                &all,
            ),
            (
                Wish {
                    all_to_latest: true,
                    to_minor: tide.clone(),
                    ..wish()
                },
                &minor,
            ),
            (
                Wish {
                    all_to_minor: true,
                    ..wish()
                },
                &minor,
            ),
            (
                Wish {
                    all_to_minor: true,
                    to_latest: tide.clone(),
                    ..wish()
                },
                &all,
            ),
            (
                Wish {
                    all_to_minor: true,
                    to_latest: other,
                    ..wish()
                },
                &minor,
            ),
            (
                Wish {
                    to_minor: tide.clone(),
                    ..wish()
                },
                &minor,
            ),
            (
                Wish {
                    to_latest: tide,
                    ..wish()
                },
                &all,
            ),
        ] {
            assert_eq!(allowed(&wish), expected, "{wish:?}");
        }
    }

    #[test]
    fn a_version_that_is_named_takes_the_place_of_an_import() {
        let wish = Wish {
            named: vec![NamedVersion {
                import: "http://example.com/tide.yaml".to_owned(),
                package: "tide".to_owned(),
                version: "3.1".to_owned(),
            }],
            ..Wish::default()
        };
        let versions = wish.versions(&plan(&[("tide", "1.2"), ("other", "1.0")]));
        for (import, instead) in [
            (
                "http://example.com/tide.yaml",
                Some("plugin:tide?version===3.1"),
            ),
            ("plugin:tide?version=1.2", Some("plugin:tide?version===3.1")),
            ("plugin:tide", Some("plugin:tide?version===3.1")),
            (
                "plugin:tide?version=1.2&distribution=centos",
                Some("plugin:tide?distribution=centos&version===3.1"),
            ),
            ("plugin:other?version=1.0", None),
            ("plugin:other", None),
            ("types.yaml", None),
        ] {
            assert_eq!(versions.instead_of(import).as_deref(), instead, "{import}");
        }
        let unknown = wish.versions(&plan(&[("other", "1.0")]));
        assert_eq!(unknown.instead_of("plugin:tide?version=1.2"), None);
    }

    #[test]
    fn plans_differ_by_the_plugins_that_are_new() {
        let before = plan(&[("tide", "1.2"), ("other", "1.0")]);
        assert!(!plugins_differ(&before, &before));
        assert!(!plugins_differ(&before, &plan(&[("other", "1.0")])));
        assert!(plugins_differ(
            &before,
            &plan(&[("tide", "1.3"), ("other", "1.0")])
        ));
    }
}
