use super::*;
use crate::faults::Faults;
use crate::room::{FULL, Room};
use std::path::PathBuf;

/// A database of its own, in write-ahead mode, with a counter.
struct Fixture {
    folder: PathBuf,
    database: Arc<Database>,
}

impl Fixture {
    async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let limit = Duration::from_secs(20);
        let flag = folder.join("full");
        let faults = Faults::parse(&format!("full-disk:{}", flag.display())).unwrap();
        let faults = Arc::new(faults);
        let room = Room::of(&folder, faults.clone());
        let database = Database::new(&folder.join("test.db"), limit, faults, room);
        let fixture = Self { folder, database };
        let setup = fixture.open();
        setup.ok("pragma journal_mode = wal").await;
        setup.ok("create table counter (value integer)").await;
        setup.ok("insert into counter values (0)").await;
        fixture
    }

    fn open(&self) -> Session {
        Session::open(&self.database).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Session {
    async fn ok(&self, sql: &str) -> Vec<Vec<Value>> {
        let rows = self.execute(sql.to_owned(), Vec::new()).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.rows.into_iter().map(|row| row.values).collect()
    }

    async fn number(&self, sql: &str) -> i64 {
        match self.ok(sql).await.as_slice() {
            [row] => match row.as_slice() {
                [Value::Integer(number)] => *number,
                other => panic!("{sql}: {other:?}"),
            },
            other => panic!("{sql}: {} rows", other.len()),
        }
    }

    async fn error(&self, sql: &str) -> String {
        let result = self.execute(sql.to_owned(), Vec::new()).await;
        result.err().unwrap_or_else(|| panic!("{sql} succeeded"))
    }
}

#[tokio::test]
async fn sixteen_writers_take_turns() {
    let fixture = Fixture::new("writers").await;
    let done = Arc::new(std::sync::Mutex::new(Vec::new()));
    let writers = (0..16).map(|writer| {
        let session = fixture.open();
        let done = done.clone();
        async move {
            for _ in 0..25 {
                session.ok("begin immediate").await;
                let value = session.number("select value from counter").await;
                // The others run now, and must not get in between.
                tokio::task::yield_now().await;
                let next = format!("update counter set value = {}", value + 1);
                session.ok(&next).await;
                session.ok("commit").await;
                done.lock().unwrap().push(writer);
            }
        }
    });
    futures::future::join_all(writers).await;

    assert_eq!(
        fixture.open().number("select value from counter").await,
        400
    );
    // First come, first served: in every sixteen turns, each writer has one.
    for turns in done.lock().unwrap().chunks(16) {
        let mut writers = turns.to_vec();
        writers.sort_unstable();
        assert_eq!(writers, (0..16).collect::<Vec<_>>(), "{turns:?}");
    }
}

#[tokio::test]
async fn writers_on_several_threads_all_succeed() {
    let fixture = Fixture::new("threads").await;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let database = &fixture.database;
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let session = Session::open(database).unwrap();
                    for _ in 0..50 {
                        session.ok("update counter set value = value + 1").await;
                    }
                });
            });
        }
    });
    assert_eq!(
        fixture.open().number("select value from counter").await,
        200
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_turn_ends_after_the_limit() {
    let fixture = Fixture::new("limit").await;
    let holder = fixture.open();
    holder.ok("begin immediate").await;
    let waited = tokio::time::Instant::now();
    let error = fixture.open().error("begin immediate").await;
    assert_eq!(error, LOCKED);
    assert!(
        waited.elapsed() >= Duration::from_secs(4),
        "{:?}",
        waited.elapsed()
    );
}

#[tokio::test]
async fn a_dropped_transaction_is_rolled_back_and_its_turn_ends() {
    let fixture = Fixture::new("dropped").await;
    let careless = fixture.open();
    careless.ok("begin immediate").await;
    careless.ok("update counter set value = 7").await;
    drop(careless);

    let next = fixture.open();
    assert_eq!(next.number("select value from counter").await, 0);
    next.ok("update counter set value = 8").await;
}

#[tokio::test]
async fn a_pooled_connection_is_as_good_as_new() {
    let fixture = Fixture::new("pooled").await;
    let first = fixture.open();
    first.ok("insert into counter values (1)").await;
    assert_eq!((first.changes(), first.last_insert_rowid()), (1, 2));
    first.ok("pragma foreign_keys = off").await;
    first.ok("create temp table leftover (x)").await;
    drop(first);

    let second = fixture.open();
    assert_eq!((second.changes(), second.last_insert_rowid()), (0, 0));
    assert_eq!(second.number("pragma foreign_keys").await, 1);
    assert_eq!(
        second
            .number("select count(*) from sqlite_temp_master")
            .await,
        0
    );
}

#[tokio::test]
async fn a_statement_is_prepared_once_whatever_its_values_are() {
    let fixture = Fixture::new("prepared").await;
    let pooled = fixture.database.take().unwrap();
    let mut statement = pooled
        .connection
        .prepare_cached("select value from counter where value > ?1 limit ?2")
        .unwrap();
    for number in 0..5 {
        assert!(!statement.exists([number, 20 + number]).unwrap());
    }
    let again = statement.get_status(rusqlite::StatementStatus::RePrepare);
    assert_eq!(again, 0);
}

#[tokio::test]
async fn statements_behave_as_on_spin() {
    let fixture = Fixture::new("statements").await;
    let session = fixture.open();
    // Of two statements, only the first runs.
    session
        .ok("insert into counter values (1); delete from counter")
        .await;
    assert_eq!(session.number("select count(*) from counter").await, 2);
    for (sql, expected) in [
        ("attach database ':memory:' as other", "not authorized"),
        ("select cast(x'ff' as text)", "not valid UTF-8"),
        ("select * from nowhere", "no such table"),
        ("select ?1", "Wrong number of parameters"),
        ("", "misuse"),
    ] {
        let error = session.error(sql).await;
        assert!(error.contains(expected), "{sql}: {error}");
    }
    assert_eq!(session.number("pragma foreign_keys").await, 1);
    assert_eq!(session.number("pragma synchronous").await, 2);
}

#[tokio::test]
async fn on_a_full_disk_things_can_be_deleted_and_nothing_grows() {
    let fixture = Fixture::new("full").await;
    let session = fixture.open();
    session.ok("create table things (name text)").await;
    let many = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 2000)
         insert into things select hex(zeroblob(100)) from n";
    session.ok(many).await;
    let pages = session.number("pragma page_count").await;
    std::fs::write(fixture.folder.join("full"), "").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;

    for _ in 0..2 {
        session.ok("begin immediate").await;
        assert_eq!(session.error(many).await, FULL);
        session.ok("rollback").await;
    }
    assert_eq!(session.number("pragma page_count").await, pages);
    // A deletion may tell a little beside it, also where nothing is free yet.
    session.ok("begin immediate").await;
    session.ok("delete from things where rowid = 1").await;
    session
        .ok("insert into things values (hex(zeroblob(40000)))")
        .await;
    session.ok("commit").await;
    // What was deleted is room for others.
    session.ok("delete from things").await;
    session.ok("insert into things values ('a')").await;

    std::fs::remove_file(fixture.folder.join("full")).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    session.ok(many).await;
}

#[tokio::test]
async fn broken_connections_stay_broken_and_others_are_fine() {
    let fixture = Fixture::new("broken").await;
    let add = "update counter set value = value + 1";
    for (fault, count) in [
        (&fixture.database.faults.expire_connection, 0),
        (&fixture.database.faults.break_connection, 1),
    ] {
        let session = fixture.open();
        session.ok("update counter set value = 0").await;
        fault.set(1);
        session.error(add).await;
        session.error("select 1").await;
        let other = fixture.open();
        assert_eq!(other.number("select value from counter").await, count);
    }
}

#[tokio::test]
async fn a_failing_commit_keeps_nothing() {
    let fixture = Fixture::new("failing").await;
    let session = fixture.open();
    session.ok("begin immediate").await;
    session.ok("update counter set value = 7").await;
    fixture.database.faults.fail_commit(1);
    assert!(session.error("commit").await.contains("injected"));
    session.ok("rollback").await;
    assert_eq!(session.number("select value from counter").await, 0);
}

#[tokio::test]
async fn a_long_query_leaves_the_core_to_others() {
    let fixture = Fixture::new("long").await;
    let session = fixture.open();
    let long = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 4000000)
        select count(*) from n";
    let other = fixture.open();
    let query = session.number(long);
    let beside = async {
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let before = Instant::now();
            other.number("select value from counter").await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            longest = longest.max(before.elapsed());
        }
        longest
    };
    let (count, longest) = futures::join!(query, beside);
    assert_eq!(count, 4_000_000);
    assert!(longest < INLINE_LIMIT * 5, "{longest:?}");
    assert!(fixture.database.slow.contains(long));
}
