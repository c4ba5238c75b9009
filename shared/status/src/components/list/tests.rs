use super::*;
use windlass_core::db::NativeDb;

async fn insert(
    db: &NativeDb,
    scope: &Scope,
    name: &str,
    attributes: &[Attribute],
    now: Timestamp,
) -> Result<String> {
    db.transaction(async |tx| super::insert(tx, scope, name, attributes, now).await)
        .await
}

fn attribute(name: &str, value: &str) -> Attribute {
    Attribute {
        name: name.into(),
        value: value.into(),
    }
}

#[test]
fn a_component_is_there_once_however_it_is_written() {
    pollster::block_on(async {
        let db = NativeDb::in_memory();
        windlass_store::migrations::apply(&db).await.unwrap();
        let scope = Scope::system("anna", "default_tenant");
        let now = Timestamp::now();
        let eu = [attribute("region", "EU"), attribute("type", "evs")];
        let turned = [attribute("type", "evs"), attribute("region", "EU")];
        let us = [attribute("region", "US"), attribute("type", "evs")];

        let first = insert(&db, &scope, "Volumes", &eu, now).await.unwrap();
        assert_eq!(
            first,
            r#"{"id":1,"name":"Volumes","attributes":[{"name":"region","value":"EU"},{"name":"type","value":"evs"}]}"#
        );
        let again = insert(&db, &scope, "Volumes", &turned, now).await;
        assert_eq!(again.unwrap_err().message(), "component already exists");
        let second = insert(&db, &scope, "Volumes", &us, now).await.unwrap();
        assert_eq!(list_json(&db).await.unwrap(), format!("[{first},{second}]"));
        assert_eq!(find_json(&db, 2).await.unwrap(), second);
        assert_eq!(find(&db, 2).await.unwrap().attributes, us);
        let missing = find_json(&db, 3).await.unwrap_err();
        assert_eq!(missing.message(), "component does not exist");

        let found = find_all(&db, &[2, 1]).await.unwrap();
        assert_eq!(found.iter().map(|c| c.id).collect::<Vec<_>>(), [2, 1]);
        let missing = find_all(&db, &[1, 7]).await.unwrap_err();
        assert_eq!(
            missing.message(),
            "component does not exist, component_id: 7"
        );

        // One that had left comes back as what it was, at the end.
        db.execute(
            "update status_components set retired_at = 'x' where id = 1",
            &[],
        )
        .await
        .unwrap();
        assert!(find_json(&db, 1).await.is_err());
        assert!(find_all(&db, &[1]).await.is_err());
        assert_eq!(find_all_ever(&db, &[1]).await.unwrap().len(), 1);
        let back = insert(&db, &scope, "Volumes", &turned, now).await.unwrap();
        assert!(back.starts_with(r#"{"id":1,"#), "{back}");
        assert_eq!(list_json(&db).await.unwrap(), format!("[{second},{back}]"));
    });
}
