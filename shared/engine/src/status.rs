//! What happens on the status page by itself.

pub mod maintenance;
