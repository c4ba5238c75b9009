//! The parameters of a list: what is taken names only fields that there are, and its statement is one that SQLite
//! can prepare.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_core::db::NativeDb;
use windlass_core::list::ListQuery;
use windlass_core::{Request, Scope};
use windlass_identity::tokens::TOKENS;

thread_local! {
    static DATABASE: NativeDb = {
        let db = NativeDb::in_memory();
        pollster::block_on(windlass_store::migrations::apply(&db)).unwrap();
        db
    };
}

fuzz_target!(|query: &str| {
    let request = Request::new(http::Method::GET, &format!("/tokens?{query}"));
    let Ok(read) = ListQuery::parse(&TOKENS, &request, &[]) else {
        return;
    };
    let page = DATABASE.with(|db| pollster::block_on(TOKENS.page(db, &Scope::engine(), &read)));
    if let Err(error) = page {
        assert!(
            error.kind().wire().0 < 500,
            "{query:?}: {}",
            error.for_log()
        );
    }
});
