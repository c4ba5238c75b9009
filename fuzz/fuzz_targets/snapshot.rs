//! A snapshot of any bytes: opened and its rows looked at, it is refused in words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_core::db::NativeDb;
use windlass_core::{Error, Result, blob};
use windlass_snapshot::opened::Opened;

thread_local! {
    static DATABASE: NativeDb = {
        let db = NativeDb::in_memory();
        pollster::block_on(windlass_store::migrations::apply(&db)).unwrap();
        db
    };
}

async fn look(db: &NativeDb, bytes: &[u8]) -> Result<()> {
    let stored = blob::write(bytes).await?;
    let looked = async {
        let mut opened = Opened::open(db, &stored.id, stored.size).await?;
        opened.verify_rows().await
    };
    let looked = looked.await;
    blob::delete(&stored.id, stored.size).await?;
    looked
}

fuzz_target!(|bytes: &[u8]| {
    let looked = DATABASE.with(|db| pollster::block_on(look(db, bytes)));
    let status = |error: &Error| error.kind().wire().0;
    assert!(
        looked.as_ref().is_err_and(|error| status(error) == 400),
        "{looked:?}"
    );
});
