//! The sums of children that triggers keep are those of the children that there are.

use super::*;

/// What is kept, and what the rows themselves say.
const KEPT: &str =
    "select json_group_array(json_array(parent_id, is_environment, deployment_status,
        sub_services_status, children, sub_services_count, sub_environments_count)) from (
    select * from child_sums order by 1, 2, 3, 4, 5, 6)";
const COUNTED: &str = "select json_group_array(json_array(parent, is_environment, status, below, children, services,
        environments)) from (
    select l.value as parent, d.deployment_status as status, coalesce(d.sub_services_status, '') as below,
        exists (select 1 from deployment_labels e where e.deployment_key = d.key
            and e.key = 'csys-obj-type' and e.value = 'environment') as is_environment,
        count(*) as children, sum(d.sub_services_count) as services, sum(d.sub_environments_count) as environments
    from deployment_labels l join deployments d on d.key = l.deployment_key
    where l.key = 'csys-obj-parent' and l.value <> d.id
    group by d.tenant_name, l.value, is_environment, status, below, coalesce(d.sub_environments_status, '')
    order by d.tenant_name, l.value, is_environment, status, below, coalesce(d.sub_environments_status, ''))";

async fn text(db: &NativeDb, sql: &str) -> String {
    let row = db.first(sql, &[]).await.unwrap().unwrap();
    row.text(0).unwrap().to_owned()
}

#[test]
fn they_follow_labels_statuses_and_deletions() {
    pollster::block_on(async {
        let (db, scope) = harbour().await;
        for id in ["top", "a", "b", "c"] {
            insert(&db, &scope, &new(id)).await.unwrap();
        }
        let label = |id: &str, key: &str, value: &str| {
            format!(
                "insert into deployment_labels (deployment_key, key, value, created_at, created_by)
                 select key, '{key}', '{value}', '', 'ann' from deployments where id = '{id}'"
            )
        };
        let parent = "csys-obj-parent";
        let mut seen = Vec::new();
        for sql in [
            label("a", parent, "top"),
            label("b", parent, "top"),
            // Two parents, one of which is not there, and itself, which counts nowhere.
            label("c", parent, "top"),
            label("c", parent, "nobody"),
            label("c", parent, "c"),
            label("b", "csys-obj-type", "environment"),
            label("b", "csys-obj-type", "service"),
            "update deployments set deployment_status = 'good' where id in ('a', 'b')".to_owned(),
            "update deployments set sub_services_status = 'good', sub_services_count = 3,
                 sub_environments_count = 1 where id = 'c'"
                .to_owned(),
            "update deployments set display_name = 'x'".to_owned(),
            "delete from deployment_labels where value = 'environment'".to_owned(),
            label("a", "csys-obj-type", "environment"),
            "delete from deployments where id = 'a'".to_owned(),
            "delete from deployment_labels where value = 'top' and deployment_key = (
                 select key from deployments where id = 'c')"
                .to_owned(),
            "delete from deployments where id = 'top'".to_owned(),
            "delete from deployments".to_owned(),
        ] {
            db.execute(&sql, &[]).await.unwrap();
            let kept = text(&db, KEPT).await;
            assert_eq!(kept, text(&db, COUNTED).await, "{sql}");
            seen.push(kept);
        }
        assert_eq!(
            seen.first().unwrap(),
            r#"[["top",0,"requires_attention","",1,0,0]]"#
        );
        assert_eq!(seen.last().unwrap(), "[]");
    });
}
