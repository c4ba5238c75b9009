//! Deployments: what becomes of a blueprint's plan when it is put to use.
//!
//! [`environment`] makes the nodes and node instances of a deployment and takes them away again.
//! [`dependencies`] are those on other deployments that functions make, [`dependents`] what they forbid.
//! [`groups`] makes and deletes many in the background.
//! [`objects`] looks for what values of inputs and parameters name.
//! [`update`] says what is different when a deployment gets another blueprint or other inputs,
//! [`modification`] gives it other numbers of instances.

pub mod dependencies;
pub mod dependents;
pub mod environment;
pub mod groups;
pub mod modification;
pub mod objects;
pub mod update;
