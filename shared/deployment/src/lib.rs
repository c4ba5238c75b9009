//! Deployments: what becomes of a blueprint's plan when it is put to use.
//!
//! [`environment`] makes the nodes and node instances of a deployment and takes them away again.
//! [`objects`] looks for what values of inputs and parameters name.

pub mod environment;
pub mod objects;
