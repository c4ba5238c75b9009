//! `windlass-host audit-store`, and `/internal/audit-store` behind it.

use crate::samples;
use windlass_tests::Windlass;

#[test]
fn whoever_runs_the_application_finds_and_mends_what_is_wrong_in_its_store() {
    let windlass = Windlass::start();
    let admin = windlass.admin();
    samples::deployed(admin, "crane");
    admin.execute("crane", "install");
    windlass.run_pending_work();

    let told = windlass.host_command(&["audit-store"]);
    assert!(told.contains("inspecting the tables"), "{told}");
    assert!(!told.contains("wrong: "), "{told}");

    // A hand in the database, which triggers do not follow.
    let database = windlass.open_database();
    database
        .execute_batch(
            "update row_counts set rows = rows + 1 where counts = 'deployments';
             insert into loose_blobs (id, chunks, touched_at) values ('left', 1, 0);
             insert into queue (kind, subject, not_before, created_at) values ('telegram', 'x', 0, '');",
        )
        .expect("SQL");
    assert_eq!(total(&windlass), 2);

    let told = windlass.try_host_command(&["audit-store"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(1), "{text}");
    for line in [
        "wrong: numbers of `deployments`",
        "wrong: blobs: nobody's, and not removed: left",
        "wrong: queue: rows of the kind `telegram`, which this version does not know",
    ] {
        assert!(text.contains(line), "{text}");
    }

    // What nobody can mend stays wrong.
    let told = windlass.try_host_command(&["audit-store", "--repair"]);
    let text = String::from_utf8_lossy(&told.stdout);
    assert_eq!(told.status.code(), Some(1), "{text}");
    assert!(
        text.contains("repaired: numbers of `deployments`"),
        "{text}"
    );
    assert!(text.contains("wrong: queue: rows of the kind"), "{text}");
    assert_eq!(total(&windlass), 1);

    database
        .execute("delete from queue where kind = 'telegram'", [])
        .expect("SQL");
    let told = windlass.host_command(&["audit-store"]);
    assert!(!told.contains("wrong: "), "{told}");
}

fn total(windlass: &Windlass) -> i64 {
    let list = windlass.admin().get("/deployments").expect(200);
    list["metadata"]["pagination"]["total"]
        .as_i64()
        .expect("a number")
}
