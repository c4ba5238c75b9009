//! The blueprint language: from an uploaded archive to a plan, and from a plan to node instances.
//!
//! A blueprint goes through four steps. [`archive::unpack`] makes a tree of files, [`parse`] makes
//! a [`Plan`], [`prepare_deployment`] puts the inputs of a deployment in, and [`instantiate`] makes
//! its node instances. Nothing here reads files, clocks or networks. The language asks the outside
//! through [`Importer`] and [`functions::Lookup`].

pub mod archive;
mod constraints;
mod deployment;
mod error;
pub mod functions;
mod inputs;
mod instances;
mod json;
pub mod newer_plugins;
pub mod operations;
mod parser;
mod plan;
mod weight;
pub mod workflows;
mod yaml;

pub use constraints::objects::{
    Candidate, ObjectReference, Place as ObjectPlace, Within, object_references,
};
pub use deployment::prepare_deployment;
pub use error::{Error, ErrorKind, Place, Result};
pub use inputs::{InputProblem, check_inputs, correct_types, objects_of_inputs};
pub use instances::{
    InstanceRelationship, Modification, NodeInstance, ScalingGroupInstance, Wanted, instantiate,
    modify,
};
pub use parser::{
    Imported, Importer, NoImports, UploadedPlugin, built_in_file, built_in_types, parse,
};
pub use plan::{DeploymentPlan, Fields, Operations, Part, Plan};

/// Reads a YAML text that is not a blueprint, with the same limits. An empty text is null.
///
/// # Errors
/// What is wrong with it, and where.
pub fn yaml_value(bytes: &[u8]) -> std::result::Result<serde_json::Value, String> {
    match yaml::load(bytes, 0) {
        Ok(node) => Ok(node.map_or(serde_json::Value::Null, |node| node.to_value())),
        Err(error) => {
            let text = error.to_string();
            let (_, reason) = text.split_once("Illegal yaml; ").unwrap_or(("", &text));
            Err(reason.to_owned())
        }
    }
}
