use super::*;
use crate::fresh_database;

#[test]
fn who_waits_for_results_reads_by_an_index() {
    pollster::block_on(async {
        let db = fresh_database().await;
        let plan = db
            .plan(ENDED, params![1, 0, 100, 9])
            .await
            .unwrap()
            .join("\n");
        let index = "sent_operations_by_execution (execution_key=? AND number>?)";
        assert!(plan.contains(index), "{plan}");
        for table in ["sent_operations", "operations", "o"] {
            assert!(!plan.contains(&format!("SCAN {table}\n")), "{plan}");
        }
    });
}

/// An execution whose workflow has sent so many operations, all of which have ended with results of a length.
async fn sent(db: &impl Db, count: i64, length: i64) {
    for sql in [
        "insert into executions (key, id, tenant_name, created_by, visibility, created_at, workflow_id, status)
         values (1, 'one', 'harbour', 'ann', 'tenant', '', 'paint', 'started')",
        "insert into tasks_graphs (key, id, execution_key, execution_id, tenant_name, created_by, visibility, created_at,
             name)
         values (1, 'g', 1, 'one', 'harbour', 'ann', 'tenant', '', 'sent_operations')",
    ] {
        db.execute(sql, &[]).await.unwrap();
    }
    let sql = "with recursive n (n) as (select 1 union all select n + 1 from n where n < ?1)
         insert into operations (key, id, execution_key, tasks_graph_key, tasks_graph_id, tenant_name, created_by,
             visibility, created_at, name, state, type)
         select n, 'o' || n, 1, 1, 'g', 'harbour', 'ann', 'tenant', '', 'o', 'sent', 't' from n";
    db.execute(sql, params![count]).await.unwrap();
    let sql = "insert into sent_operations (operation_key, execution_key, number, outcome)
         select key, 1, key, json_object('result', printf('%.*c', ?1, 'x')) from operations";
    db.execute(sql, params![length]).await.unwrap();
}

/// A workflow that goes on asks for all of them again: what comes at once must fit into the memory of a request.
#[test]
fn large_results_come_a_few_at_a_time() {
    pollster::block_on(async {
        let db = crate::executions::tests::database().await;
        sent(&db, 4, 600_000).await;
        let ids = async |after| -> Vec<String> {
            let found = ended(&db, 1, after).await.unwrap();
            found.into_iter().map(|one| one.id).collect()
        };
        assert_eq!(ids(0).await, ["o1", "o2"]);
        assert_eq!(ids(2).await, ["o3", "o4"]);
        assert_eq!(ids(3).await, ["o4"]);
        assert!(ids(4).await.is_empty());
    });
}

/// However many have ended: a page of results reads no more than itself.
#[test]
fn a_page_of_results_costs_the_same_of_many() {
    pollster::block_on(async {
        let steps = async |count: i64| {
            let db = crate::executions::tests::database().await;
            sent(&db, count, 10).await;
            db.steps();
            assert_eq!(ended(&db, 1, 0).await.unwrap().len(), AT_ONCE);
            db.steps()
        };
        let (few, many) = (steps(200).await, steps(5000).await);
        assert!(many < few + few / 10, "{few} steps of 200, {many} of 5,000");
    });
}
