//! The interfaces in `wit/` as Rust, generated.
#![allow(unsafe_code, missing_docs, reason = "generated code")]

wit_bindgen::generate!({
    path: "wit",
    world: "windlass:cron/cron",
    generate_all,
});

use crate::Cron;
export!(Cron with_types_in self);
