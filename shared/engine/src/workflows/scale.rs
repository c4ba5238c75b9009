//! scale: what is asked for, and whether it can be done with the instances there are.

use super::Refusal;
use super::parameters::Parameters;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use windlass_blueprint::NodeInstance;
use windlass_deployment::modification::Present;

/// What a run of `scale` wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scaling {
    /// A node or a scaling group.
    pub entity: String,
    /// How many more instances, or fewer, in each container. Never 0.
    pub delta: i64,
    /// Whether the host of the node is scaled instead, with all that is on it.
    pub scale_compute: bool,
    /// The instances that go first.
    pub include: Vec<String>,
    /// The instances that stay if they can.
    pub exclude: Vec<String>,
}

impl Scaling {
    /// Reads the parameters; nothing when nothing is to be changed.
    ///
    /// # Errors
    /// A delta that is no number, and hints where instances are added.
    pub(super) fn of(parameters: &Parameters) -> Result<Option<Self>, Refusal> {
        let given = parameters.0.get("delta").unwrap_or(&Value::Null);
        let delta = match given {
            Value::String(text) => text.trim().parse().ok(),
            Value::Bool(truth) => Some(i64::from(*truth)),
            given => given.as_i64(),
        };
        let Some(delta) = delta else {
            let given = windlass_core::python::str(given);
            let text = format!("The delta parameter must be a number. Got: {given}");
            return Err(Refusal(text));
        };
        if delta == 0 {
            return Ok(None);
        }
        let entity = ["scalable_entity_name", "node_id"].into_iter();
        let entity = entity.filter_map(|name| parameters.0.get(name)).next();
        let scaling = Self {
            entity: windlass_core::python::str(entity.unwrap_or(&Value::Null)),
            delta,
            scale_compute: parameters.flag("scale_compute"),
            include: parameters.texts("include_instances")?,
            exclude: parameters.texts("exclude_instances")?,
        };
        if delta > 0 && !(scaling.include.is_empty() && scaling.exclude.is_empty()) {
            let text = "Instances cannot be included or excluded when scaling up.";
            return Err(Refusal(text.into()));
        }
        Ok(Some(scaling))
    }

    /// What is to be modified, a node or a group, and its new number of instances.
    ///
    /// # Errors
    /// An entity that is not there, hints that cannot be followed, fewer instances than none.
    pub fn target(&self, present: &Present) -> Result<(String, u32), Refusal> {
        let groups = present.groups();
        let (name, current) = match groups.number_of_group(&self.entity) {
            Some(current) => {
                self.demand_hints(&Available::of_group(present, &self.entity))?;
                (self.entity.clone(), current)
            }
            None => {
                let Some(node) = groups.node(&self.entity) else {
                    let text = format!("No scalable entity named {} was found", self.entity);
                    return Err(Refusal(text));
                };
                self.demand_hints(&Available::of_node(present, &self.entity))?;
                let host = node.host.as_deref().and_then(|host| groups.node(host));
                let scaled = host.filter(|_| self.scale_compute).unwrap_or(node);
                (scaled.name.clone(), scaled.number)
            }
        };
        let planned = current.saturating_add(self.delta);
        let planned = u32::try_from(planned).map_err(|_| {
            Refusal(format!(
                "Provided delta: {} is illegal. current number of instances of entity {} is {current}",
                self.delta, self.entity
            ))
        })?;
        Ok((name, planned))
    }

    fn demand_hints(&self, available: &Available) -> Result<(), Refusal> {
        if self.include.is_empty() && self.exclude.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        for (hints, what) in [(&self.include, "included"), (&self.exclude, "excluded")] {
            let missing: Vec<&str> = hints
                .iter()
                .filter(|id| !available.has(id))
                .map(String::as_str)
                .collect();
            if !missing.is_empty() {
                let missing = missing.join(", ");
                text.push_str(&format!(
                    "The following {what} instances did not exist: {missing}. "
                ));
            }
        }
        let in_both: Vec<&str> = self
            .include
            .iter()
            .filter(|id| self.exclude.contains(id))
            .map(String::as_str)
            .collect();
        if !in_both.is_empty() {
            let both = in_both.join(", ");
            text.push_str(&format!(
                "The following instances were both excluded and included: {both}. "
            ));
        }
        text.push_str(&available.too_many_exclusions(self));
        if self.scale_compute {
            text.push_str(
                "Cannot include or exclude instances while scale_compute is True. Please specify \
                 the desired compute instances and set scale_compute to False. ",
            );
        }
        if text.is_empty() {
            return Ok(());
        }
        text.push_str(&available.listed());
        Err(Refusal(text))
    }
}

/// What hints may name.
enum Available {
    /// The instances of a node.
    Instances(Vec<String>),
    /// The instances of a scaling group, with those of its members.
    Groups(BTreeMap<String, BTreeSet<String>>),
}

impl Available {
    fn of_node(present: &Present, node: &str) -> Self {
        let instances = present.instances().iter();
        let of_node = instances.filter(|instance| instance.node_id == node);
        Self::Instances(of_node.map(|instance| instance.id.clone()).collect())
    }

    fn of_group(present: &Present, group: &str) -> Self {
        let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for NodeInstance {
            id, scaling_groups, ..
        } in present.instances()
        {
            for of in scaling_groups.iter().filter(|of| of.name == group) {
                members.entry(of.id.clone()).or_default().insert(id.clone());
            }
        }
        Self::Groups(members)
    }

    fn has(&self, id: &str) -> bool {
        match self {
            Self::Instances(ids) => ids.iter().any(|known| known == id),
            Self::Groups(groups) => {
                groups.contains_key(id) || groups.values().any(|members| members.contains(id))
            }
        }
    }

    fn too_many_exclusions(&self, scaling: &Scaling) -> String {
        let left = |count: usize| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            count.saturating_add(scaling.delta)
        };
        let is_less = |left: i64, excluded: usize| left < i64::try_from(excluded).unwrap_or(0);
        match self {
            Self::Instances(ids) => {
                let left = left(ids.len());
                if !is_less(left, scaling.exclude.len()) {
                    return String::new();
                }
                format!(
                    "Target number of instances is less than excluded instance count. Target \
                     number of instances was {left}. Excluded instances were: {}. ",
                    scaling.exclude.join(", ")
                )
            }
            Self::Groups(groups) => {
                let is_excluded = |(group, members): &(&String, &BTreeSet<String>)| {
                    let mut hints = scaling.exclude.iter();
                    hints.any(|hint| hint == *group || members.contains(hint))
                };
                let excluded = groups.iter().filter(is_excluded).count();
                let left = left(groups.len());
                if !is_less(left, excluded) {
                    return String::new();
                }
                format!(
                    "Instances from too many different groups were excluded. Target number of \
                     group instances was {left}, but {excluded} excluded groups."
                )
            }
        }
    }

    fn listed(&self) -> String {
        match self {
            Self::Instances(ids) => format!("Available instances were: {}", ids.join(", ")),
            Self::Groups(groups) => {
                let groups: Vec<String> = groups
                    .iter()
                    .map(|(group, members)| {
                        let members: Vec<&str> = members.iter().map(String::as_str).collect();
                        format!("{group}: {}", members.join(", "))
                    })
                    .collect();
                format!("Groups and member instances were: {}", groups.join("; "))
            }
        }
    }
}
