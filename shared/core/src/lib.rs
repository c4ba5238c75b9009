//! What every component leans on: requests and routing, families and errors, callers and
//! permissions, the database, lists, times and ids.
//!
//! A component's `lib.rs` names its routes with [`component!`]; everything between the socket and
//! its handlers is here. Nothing in this crate knows a table: SQL lives in `windlass-store`.

pub mod app;
pub mod blob;
pub mod body;
pub mod caller;
pub mod client;
#[cfg(target_arch = "wasm32")]
pub mod component;
pub mod context;
pub mod db;
pub mod error;
pub mod family;
pub mod hashing;
pub mod hiding;
pub mod ids;
pub mod limits;
pub mod list;
pub mod log;
pub mod named_enum;
pub mod outbound;
pub mod permission;
pub mod places;
pub mod platform;
pub mod request;
pub mod response;
pub mod router;
pub mod secretbox;
pub mod spreadsheet;
pub mod stream;
#[cfg(feature = "native")]
pub mod testing;
pub mod time;
pub mod token_scope;
pub mod variables;
pub mod visibility;

pub use body::{Body, Given};
pub use caller::{Caller, Scope};
pub use context::Context;
pub use db::Db;
pub use error::{Error, Kind, Result};
pub use family::Family;
pub use permission::Permission;
pub use request::Request;
pub use response::{MadeBody, NextPart, Parts, Response};
pub use time::Timestamp;
pub use visibility::Visibility;
pub use windlass_python as python;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use wasip3;

/// The route table and the entry point of a component.
///
/// ```text
/// windlass_core::component! {
///     family: Conductor,
///     identity: windlass_identity::Identity,
///     base: "/api/v3.1",
///     routes: {
///         GET "/blueprints" => blueprints::list;
///         PUT "/blueprints/{blueprint_id}" => upload::upload, streamed;
///     }
/// }
/// ```
///
/// A handler is `async fn(ctx: &Context<impl Db>) -> Result<Response>`. `streamed` leaves reading
/// the body to the handler, and raises its limit from that of JSON to that of archives. Makes the
/// function `routes`, which native tests can use with their own database, and on Wasm the export
/// that Spin calls. A second base, `also: "..",` after the first, has the same routes.
#[macro_export]
macro_rules! component {
    (
        family: $family:ident,
        identity: $identity:ty,
        base: $base:literal,
        $(also: $also:literal,)?
        routes: { $($method:ident $path:literal => $handler:path $(, $option:ident)?;)+ }
    ) => {
        /// Which URL goes to which function.
        #[allow(dead_code, reason = "natively only tests call it")]
        pub fn routes<D: $crate::db::KeptDb>() -> ::std::vec::Vec<$crate::router::Route<D>> {
            let mut routes = ::std::vec::Vec::new();
            for base in [$base $(, $also)?] {
                routes.extend([$(
                    $crate::router::Route::new(
                        $crate::http::Method::$method,
                        base,
                        $path,
                        |ctx| ::std::boxed::Box::pin($handler(ctx)),
                    )$(.$option())?,
                )+]);
            }
            routes
        }

        #[cfg(target_arch = "wasm32")]
        mod entry {
            #![allow(unsafe_code, reason = "the export is made by wit-bindgen")]
            use $crate::wasip3;

            struct Entry;
            wasip3::http::service::export!(Entry with_types_in wasip3);

            impl wasip3::exports::http::handler::Guest for Entry {
                async fn handle(
                    request: wasip3::http::types::Request,
                ) -> Result<wasip3::http::types::Response, wasip3::http::types::ErrorCode> {
                    $crate::component::serve::<$identity>(
                        $crate::Family::$family,
                        super::routes,
                        request,
                    )
                    .await
                }
            }
        }
    };
}

#[doc(hidden)]
pub use http;
#[doc(hidden)]
pub use serde;
