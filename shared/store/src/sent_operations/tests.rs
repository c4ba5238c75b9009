use super::*;
use crate::fresh_database;

#[test]
fn who_waits_for_results_reads_by_an_index() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let plan = db.plan(ENDED, params![1, 0, 100]).await.unwrap().join("\n");
        let index = "sent_operations_by_execution (execution_key=? AND number>?)";
        assert!(plan.contains(index), "{plan}");
        assert!(!plan.contains("SCAN"), "{plan}");
    });
}
