use super::*;
use crate::fresh_database;

#[test]
fn those_who_wait_and_those_who_look_after_them_read_by_indexes() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let waiting = params!["harbour", "[\"build\"]"];
        let sql = format!("select key {WAITING} limit 1");
        let found = db.plan(&sql, waiting).await.unwrap().join("\n");
        assert!(found.contains("INDEX shell_steps_waiting"), "{found}");
        let found = db.plan(EXPIRED, params![Timestamp::now()]).await.unwrap();
        let found = found.join("\n");
        assert!(
            found.contains("INDEX shell_steps_open (expires_at<?)"),
            "{found}"
        );
    });
}
