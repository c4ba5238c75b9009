use super::*;
use crate::fresh_database;
use windlass_core::db::NativeDb;

async fn plan(db: &NativeDb, sql: &str, values: &[windlass_core::db::Value]) -> String {
    db.plan(sql, values).await.unwrap().join("\n")
}

#[test]
fn those_who_wait_and_those_who_look_after_them_read_by_indexes() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let waiting = params!["harbour", "[\"central_deployment_agent\"]"];
        let sql = format!("select 1 {WAITING} limit 1");
        let found = plan(&db, &sql, waiting).await;
        assert!(
            found.contains("SEARCH o USING INDEX operations_for_workers"),
            "{found}"
        );
        let found = plan(&db, EXPIRED, params![Timestamp::now()]).await;
        assert!(
            found.contains("INDEX operation_leases_open (expires_at<?)"),
            "{found}"
        );
        let found = plan(&db, BY_TOKEN, params!["x"]).await;
        assert!(
            found.contains("SEARCH l USING INDEX operation_leases_by_token"),
            "{found}"
        );
    });
}
