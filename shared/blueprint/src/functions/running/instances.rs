//! Finding the node instances that a function means.

use super::Running;
use crate::error::{Error, Result};
use crate::functions::Context;
use crate::functions::evaluate::{Call, refuse};
use crate::instances::{InstanceRelationship, NodeInstance};
use serde_json::Value;
use windlass_python as python;

/// How many instances may be contained in each other.
const MAX_NESTING: usize = 200;

impl<'a> Running<'a> {
    /// The instance that `SELF`, `SOURCE` or `TARGET` means. The result is `None` for other names,
    /// and `Some(None)` when the context has no such instance.
    pub(super) fn named(&self, name: &str, context: &Context) -> Option<Option<&'a NodeInstance>> {
        let id = match name {
            "SELF" => &context.self_instance,
            "SOURCE" => &context.source_instance,
            "TARGET" => &context.target_instance,
            _ => return None,
        };
        Some(id.as_deref().and_then(|id| self.lookup.instance(id)))
    }

    /// The refusal of a keyword when the context has no such instance.
    fn nobody(call: &Call<'_>, name: &str, path: &[Value]) -> Error {
        refuse(
            call.function,
            format!(
                "{name} is missing in request context in {} for attribute {}",
                call.path,
                python::repr(&Value::from(path))
            ),
        )
    }

    pub(super) fn instances(
        &self,
        call: &Call<'_>,
        name: &str,
        path: &[Value],
    ) -> Result<Vec<&'a NodeInstance>> {
        match self.named(name, call.context) {
            Some(Some(instance)) => Ok(self.lookup.instances_of(&instance.node_id)),
            Some(None) => Err(Self::nobody(call, name, path)),
            None => Ok(self.lookup.instances_of(name)),
        }
    }

    /// The one instance that a name means in this context.
    pub(super) fn instance(
        &self,
        call: &Call<'_>,
        name: &str,
        path: &[Value],
    ) -> Result<&'a NodeInstance> {
        if let Some(instance) = self.named(name, call.context) {
            return instance.ok_or_else(|| Self::nobody(call, name, path));
        }
        let instances = self.lookup.instances_of(name);
        match instances.as_slice() {
            [] => {
                let why = format!("Node {name} has no instances.");
                return Err(refuse(call.function, why));
            }
            [instance] => return Ok(instance),
            _ => {}
        }
        let find = |id: &Option<String>| id.as_deref().and_then(|id| self.lookup.instance(id));
        let (own, source, target) = (
            find(&call.context.self_instance),
            find(&call.context.source_instance),
            find(&call.context.target_instance),
        );
        let near: Vec<&NodeInstance> = [own, source, target].into_iter().flatten().collect();
        if let Some(one) = near.iter().find(|one| one.node_id == name) {
            return Ok(one);
        }
        // Next come the targets of its relationships, and of those of its containers.
        for from in &near {
            for one in self.containers(from) {
                if one.node_id == name {
                    return Ok(one);
                }
                let mut targets = one
                    .relationships
                    .iter()
                    .filter(|relationship| relationship.target_name == name)
                    .map(|relationship| relationship.target_id.as_str());
                if let Some(target) = targets.next()
                    && targets.all(|other| other == target)
                    && let Some(target) = self.lookup.instance(target)
                {
                    return Ok(target);
                }
            }
        }
        for from in near {
            if let Some(one) = self.beside(from, &instances) {
                return Ok(one);
            }
        }
        Err(refuse(
            call.function,
            format!(
                "More than one node instance found for node \"{name}\". Cannot resolve a node instance unambiguously."
            ),
        ))
    }

    /// The instance, the one that contains it, the one that contains that one, and so on.
    fn containers(&self, from: &'a NodeInstance) -> impl Iterator<Item = &'a NodeInstance> + '_ {
        let next = |one: &&'a NodeInstance| {
            let is_container = |relationship: &&InstanceRelationship| {
                relationship.type_name.ends_with("contained_in")
            };
            let container = one.relationships.iter().find(is_container)?;
            self.lookup.instance(&container.target_id)
        };
        std::iter::successors(Some(from), next).take(MAX_NESTING)
    }

    /// The one of these instances that is in the same instance of a scaling group as `from`. The
    /// innermost group that they share decides. An instance is in a group when its container is.
    /// There is no result if several instances fit.
    fn beside(
        &self,
        from: &'a NodeInstance,
        instances: &[&'a NodeInstance],
    ) -> Option<&'a NodeInstance> {
        let groups = |one: &'a NodeInstance| {
            self.containers(one)
                .flat_map(|one| &one.scaling_groups)
                .collect::<Vec<_>>()
        };
        let all: Vec<_> = instances.iter().map(|one| (*one, groups(one))).collect();
        let (_, first) = all.first()?;
        let shared = groups(from)
            .into_iter()
            .find(|group| first.iter().any(|one| one.name == group.name))?;
        let mut together = all
            .iter()
            .filter(|(_, groups)| groups.iter().any(|group| group.id == shared.id));
        match (together.next(), together.next()) {
            (Some((one, _)), None) => Some(one),
            _ => None,
        }
    }
}
