//! Deployments: what becomes of a blueprint's plan when it is put to use.
//!
//! [`environment`] makes the nodes and node instances of a deployment and takes them away again.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod environment;
