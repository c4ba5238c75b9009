//! A blueprint that somebody deletes while a deployment is made from it: two connections to one database.

use super::*;
use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use windlass_core::db::{NativeTransaction, Row, Value as DbValue};
use windlass_core::ids;

/// A database in a file, which goes with the value.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        let name = format!("windlass-{}.db", ids::new_uuid());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> NativeDb {
        NativeDb::open(&self.0).unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A connection beside which something happens on another one, before its statement of this number.
struct Beside<F: Fn()> {
    inner: NativeDb,
    left: Rc<Cell<i64>>,
    other: F,
}

impl<F: Fn()> Beside<F> {
    fn count(&self) {
        self.left.set(self.left.get() - 1);
        if self.left.get() == -1 {
            (self.other)();
        }
    }
}

impl<F: Fn()> Db for Beside<F> {
    type Tx = NativeTransaction;

    async fn query(&self, sql: &str, parameters: &[DbValue]) -> Result<Vec<Row>> {
        self.count();
        self.inner.query(sql, parameters).await
    }

    async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&NativeTransaction) -> Result<T>,
    ) -> Result<T> {
        self.count();
        self.inner.transaction(work).await
    }
}

async fn file_with_a_blueprint(yaml: &str) -> (File, NativeDb, Scope) {
    let file = File::new();
    let db = file.open();
    windlass_store::migrations::apply(&db).await.unwrap();
    db.execute(
        "insert into tenants (name, created_at) values ('harbour', '2024')",
        &[],
    )
    .await
    .unwrap();
    let tree = Tree::from_texts([("b.yaml", yaml)]);
    let plan = parse(&tree, "b.yaml", &NoImports).unwrap();
    blueprint(&db, "crane", &plan).await;
    (file, db, Scope::system("admin", "harbour"))
}

/// Deletes the blueprint as its endpoint does, which refuses while there are deployments of it.
async fn delete_blueprint(db: &NativeDb, scope: &Scope) {
    let deleted = db.transaction(async |tx| {
        let blueprint = blueprints::find_own(tx, scope, "crane").await?;
        let used = blueprints::dependent_deployments(tx, &blueprint).await?;
        assert!(
            used.is_empty(),
            "it is deleted before the deployment is there"
        );
        blueprints::delete(tx, scope, &blueprint).await
    });
    deleted.await.unwrap();
}

const PLAIN: &str = "
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs: {key: {default: {get_secret: none}}}
node_templates: {vm: {type: cloudify.nodes.Compute}}
";

#[test]
fn a_blueprint_that_goes_at_any_moment_is_not_found() {
    pollster::block_on(async {
        let mut moments = 0;
        loop {
            let (file, db, scope) = file_with_a_blueprint(PLAIN).await;
            let wanted = wanted(&db, &scope, "crane-1", json!({ "key": 1 })).await;
            let left = Rc::new(Cell::new(moments));
            let other = file.open();
            let beside = Beside {
                inner: db.clone(),
                left: left.clone(),
                other: || pollster::block_on(delete_blueprint(&other, &scope)),
            };
            let made = async {
                let prepared = Prepared::new(&beside, &scope, wanted).await?;
                beside
                    .transaction(async |tx| create(tx, &scope, &prepared).await)
                    .await
            };
            let made = made.await;
            if left.get() >= 0 {
                assert!(matches!(made, Ok(Outcome::Created(_))));
                break;
            }
            let refusal = made.map(drop).unwrap_err();
            assert_eq!(refusal.kind(), Kind::NotFound, "moment {moments}");
            assert_eq!(number(&db, "select count(*) from deployments").await, 0);
            moments += 1;
        }
        assert!(moments >= 2, "{moments}");
    });
}

/// Rows may get the numbers of those that are gone.
#[test]
fn a_blueprint_that_was_uploaded_anew_meanwhile_is_another_one() {
    pollster::block_on(async {
        let (file, db, scope) = file_with_a_blueprint(PLAIN).await;
        let archive = "update blueprints set archive_blob = ?1, archive_format = 'zip',
                           archive_size = 1, archive_sha256 = ''";
        db.execute(archive, params!["first"]).await.unwrap();
        let wanted = wanted(&db, &scope, "crane-1", json!({ "key": 1 })).await;
        let prepared = Prepared::new(&db, &scope, wanted).await.unwrap();
        let other = file.open();
        delete_blueprint(&other, &scope).await;
        let tree = Tree::from_texts([("b.yaml", PLAIN)]);
        blueprint(
            &other,
            "crane",
            &parse(&tree, "b.yaml", &NoImports).unwrap(),
        )
        .await;
        other.execute(archive, params!["second"]).await.unwrap();
        let made = db
            .transaction(async |tx| create(tx, &scope, &prepared).await)
            .await;
        assert_eq!(made.map(drop).unwrap_err().kind(), Kind::Conflict);
    });
}
