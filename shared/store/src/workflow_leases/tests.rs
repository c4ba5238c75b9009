use super::*;
use crate::fresh_database;

#[test]
fn those_who_wait_and_those_who_look_after_them_read_by_indexes() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let waiting = format!("select 1 {WAITING} limit 1");
        let queues = "[\"central_deployment_agent\"]";
        for (sql, values, index) in [
            (
                waiting.as_str(),
                params!["harbour", queues],
                "workflow_leases_waiting (tenant_name=? AND queue=?)",
            ),
            (
                EXPIRED,
                params![Timestamp::now()],
                "workflow_leases_open (expires_at<?)",
            ),
            (
                BY_TOKEN,
                params!["x"],
                "workflow_leases_by_token (token_hash=?)",
            ),
        ] {
            let plan = db.plan(sql, values).await.unwrap().join("\n");
            assert!(plan.contains(index), "{index}: {plan}");
        }
    });
}
