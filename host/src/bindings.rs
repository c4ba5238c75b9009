//! The Spin interfaces as Rust traits, generated from `wit/`.
#![allow(missing_docs, reason = "generated code")]

/// What components import beside WASI.
pub mod spin {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "windlass:host/spin",
        imports: {
            "spin:sqlite/sqlite.[method]connection.execute": async | trappable,
            default: trappable,
        },
        with: {
            "spin:sqlite/sqlite.connection": crate::sqlite::Session,
            "spin:key-value/key-value.store": crate::key_value::Store,
            "fermyon:spin/key-value.store": crate::key_value::Store,
        },
        require_store_data_send: true,
    });
}

/// What a component run by a cron trigger exports.
pub mod cron {
    wasmtime::component::bindgen!({
        path: "wit/deps/fermyon-spin-cron@2.0.0",
        world: "fermyon:spin-cron/spin-cron",
        exports: { default: async },
        require_store_data_send: true,
    });
}
