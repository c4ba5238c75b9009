//! Totals that instances remember, beside those of counting.

use super::*;

/// What an instance remembers is compared with counting after each step of a history, in which much is taken
/// back: each total is asked twice, so that the second one is what was remembered.
#[test]
fn remembered_totals_are_those_of_counting_whatever_happens() {
    pollster::block_on(async {
        let db = after(300, 5).await;
        let mut dice = Dice(17);
        let mut remembered = 0;
        for step in 0..400 {
            let sql = rolled(&mut dice);
            let taken_back = db.transaction(async |tx| {
                tx.execute(&sql, &[]).await?;
                let query = ListQuery::parse(
                    &DEPLOYMENT,
                    &Request::new(Method::GET, "/x?created_by=ann&_size=0"),
                    &[],
                )?;
                DEPLOYMENT.page(tx, &scopes()[0], &query).await?;
                match step % 3 {
                    0 => Err(windlass_core::Error::internal("taken back")),
                    _ => Ok(()),
                }
            });
            let _ = taken_back.await;
            for scope in &scopes()[..4] {
                for (resource, text) in [
                    (&DEPLOYMENT, "created_by=ann"),
                    (&DEPLOYMENT, "display_name=d&installation_status=started"),
                    (&BLUEPRINT, "created_by=bob&is_hidden=false"),
                ] {
                    let request = Request::new(Method::GET, &format!("/x?{text}&_size=0"));
                    let query = ListQuery::parse(resource, &request, &[]).unwrap();
                    let counting = Resource {
                        counts: &[],
                        ..*resource
                    };
                    let truth = counting.page(&db, scope, &query).await.unwrap().total;
                    for _ in 0..2 {
                        let statement = resource.page_statement(scope, &query);
                        let total = page(&db, &statement).await.unwrap().total;
                        assert_eq!(total, truth, "{sql}: {text}, {}", scope.username());
                        remembered += usize::from(statement.sql.contains("list_versions"));
                    }
                }
            }
        }
        assert_eq!(remembered, 400 * 4 * 3 * 2);
    });
}
