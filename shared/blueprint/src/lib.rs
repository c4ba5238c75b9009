//! The blueprint language: from an uploaded archive to a plan, and from a plan to node instances.
//!
//! The way of a blueprint: [`archive::unpack`] makes a tree of files, [`parse`] a [`Plan`],
//! [`prepare_deployment`] puts a deployment's inputs in, [`instantiate`] makes its node
//! instances. Nothing here reads files, clocks or networks: what the language asks of the
//! outside comes in through [`Importer`] and [`functions::Lookup`].

pub mod archive;
mod constraints;
mod deployment;
mod error;
pub mod functions;
mod inputs;
mod instances;
pub mod operations;
mod parser;
mod plan;
mod python_text;
mod weight;
pub mod workflows;
mod yaml;

pub use deployment::prepare_deployment;
pub use error::{Error, ErrorKind, Place, Result};
pub use inputs::{InputProblem, check_inputs};
pub use instances::{InstanceRelationship, NodeInstance, ScalingGroupInstance, instantiate};
pub use parser::{Imported, Importer, NoImports, parse};
pub use plan::{DeploymentPlan, Fields, Operations, Part, Plan};
