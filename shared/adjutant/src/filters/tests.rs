use super::page::{joined, keys_sql, total_sql};
use super::*;
use crate::testing::World;
use crate::{notifications, tasks, tokens};
use serde_json::json;
use windlass_core::db::Db as _;

fn parse(root: Root, filter: &Value) -> Result<Filter> {
    Filter::parse(root, Some(&filter.to_string()))
}

/// Three tasks: a sign-up that waits for its token, one that nobody has looked at, and a reset.
async fn world() -> World {
    let world = World::new().await;
    world.sign_up().await.unwrap();
    world.approve().await.unwrap();
    let body =
        json!({ "email": "zoe@example.com", "project_name": "mole_1", "region": "RegionOne" });
    world
        .ask(crate::TaskType::CreateProjectAndUser, body, None)
        .await
        .unwrap();
    let body = json!({ "email": "ann@example.com" });
    world
        .ask(crate::TaskType::ResetUserPassword, body, None)
        .await
        .unwrap();
    world
}

async fn found(world: &World, filter: Value) -> Result<usize> {
    let filter = parse(Root::Tasks, &filter)?;
    let page = tasks::list(&world.db, &world.admin().scope, &filter, Listed::All).await?;
    let items: Vec<Value> = serde_json::from_str(&page.items).unwrap();
    Ok(items.len())
}

#[test]
fn each_lookup_finds_what_it_says() {
    pollster::block_on(async {
        let world = world().await;
        let uuid = world.task().await.uuid;
        for (filter, want) in [
            (json!({}), 3),
            (
                json!({ "filters": { "task_type": { "exact": "reset_user_password" } } }),
                1,
            ),
            (json!({ "task_type": { "exact": "signup" } }), 2),
            (
                json!({ "task_type": { "in": ["signup", "reset_password"] } }),
                3,
            ),
            (json!({ "task_type": { "in": [] } }), 0),
            (
                json!({ "task_type": { "iexact": "RESET_user_password" } }),
                1,
            ),
            (json!({ "task_type": { "contains": "project" } }), 2),
            (json!({ "task_type": { "contains": "PROJECT" } }), 0),
            (json!({ "task_type": { "icontains": "PROJECT" } }), 2),
            (json!({ "task_type": { "contains": "%" } }), 0),
            (json!({ "task_type": { "startswith": "reset" } }), 1),
            (json!({ "task_type": { "endswith": "user" } }), 2),
            (json!({ "task_type": { "endswith": "" } }), 3),
            (json!({ "task_type": { "iendswith": "USER" } }), 2),
            (json!({ "task_type": { "regex": "^create_.*_user$" } }), 2),
            (json!({ "task_type": { "regex": "user$" } }), 2),
            (json!({ "task_type": { "iregex": "RESET" } }), 1),
            (json!({ "task_type": { "regex": "(?i)RESET" } }), 1),
            (json!({ "uuid": { "exact": uuid } }), 1),
            (
                json!({ "task_id": { "exact": uuid }, "approved": { "exact": true } }),
                1,
            ),
            (json!({ "approved": { "exact": 1 } }), 2),
            (
                json!({ "approved": { "exact": false }, "completed": { "exact": false } }),
                1,
            ),
            (json!({ "project_id": { "isnull": true } }), 3),
            (json!({ "approved_on": { "isnull": true } }), 1),
            (json!({ "approved_on": { "exact": null } }), 1),
            (json!({ "created_on": { "gte": "2026-05-06" } }), 3),
            (json!({ "created_on": { "lt": "2026-05-06T07:08:09Z" } }), 0),
            (
                json!({ "created_on": { "range": ["2026-05-01", "2026-05-31"] } }),
                3,
            ),
            (json!({ "created_on": { "date": "2026-05-06" } }), 3),
            (json!({ "created_on": { "date__gte": "2026-05-07" } }), 0),
            (json!({ "created_on__year": { "gte": 2026 } }), 3),
            (json!({ "created_on": { "year__gte": 2027 } }), 0),
            (
                json!({ "created_on": { "month": 5, "day": 6, "hour": 7, "minute": 8, "second": 9 } }),
                3,
            ),
            (
                json!({ "created_on": { "quarter": 2, "week": 19, "week_day": 4, "iso_week_day": 3 } }),
                3,
            ),
            (json!({ "created_on": { "time__lt": "07:09" } }), 3),
            (json!({ "keystone_user": { "exact": "{}" } }), 3),
            (
                json!({ "action__action_name": { "exact": "NewProjectWithUserAction" } }),
                2,
            ),
            (
                json!({ "action": { "action_name": "ResetUserPasswordAction" } }),
                1,
            ),
            (
                json!({ "action__action_data": { "contains": "mole_1" } }),
                1,
            ),
            (json!({ "action__action_data": { "regex": "mole_\\d" } }), 1),
            // Both are about the same action.
            (
                json!({ "action__action_name": { "exact": "SetProjectQuotaAction" },
                    "action__need_token": { "exact": true } }),
                0,
            ),
            (json!({ "token": { "isnull": false } }), 2),
            (json!({ "token__expires": { "gt": "2026-05-06" } }), 2),
            (json!({ "notification": { "isnull": true } }), 1),
            (json!({ "notification__error": { "exact": false } }), 2),
        ] {
            let got = found(&world, filter.clone()).await;
            assert_eq!(
                got.map_err(|error| error.message().to_owned()),
                Ok(want),
                "{filter}"
            );
        }
    });
}

#[test]
fn what_is_no_filter_is_refused_by_name() {
    pollster::block_on(async {
        let world = world().await;
        for (filter, part) in [
            (json!([]), "Filters incorrectly formatted."),
            (json!("x"), "Filters incorrectly formatted."),
            (json!({ "uuid": "x" }), "Filters incorrectly formatted."),
            (
                json!({ "nofield": { "exact": 1 } }),
                "Cannot resolve keyword 'nofield' into field. Choices are: action, action_notes,",
            ),
            (
                json!({ "action__nofield": { "exact": 1 } }),
                "Cannot resolve keyword 'nofield'",
            ),
            (json!({ "": { "": 1 } }), "Cannot resolve keyword"),
            (
                json!({ "task_type": { "nolookup": 1 } }),
                "Unsupported lookup 'nolookup' for CharField or join on the field not permitted.",
            ),
            (
                json!({ "completed": { "gt": 1 } }),
                "Unsupported lookup 'gt' for BooleanField",
            ),
            (
                json!({ "created_on": { "regex": "x" } }),
                "Unsupported lookup 'regex' for DateTimeField",
            ),
            (
                json!({ "created_on": { "year__month__gte": 1 } }),
                "Unsupported lookup 'year'",
            ),
            (
                json!({ "created_on": { "gt": "rubbish" } }),
                "created_on__gt: ",
            ),
            (
                json!({ "created_on": { "date": "2026-13-01" } }),
                "created_on__date: ",
            ),
            (
                json!({ "created_on": { "year": "x" } }),
                "created_on__year: ",
            ),
            (
                json!({ "completed": { "exact": "true" } }),
                "completed__exact: ",
            ),
            (json!({ "completed": { "exact": 2 } }), "completed__exact: "),
            (json!({ "uuid": { "exact": [] } }), "uuid__exact: "),
            (json!({ "uuid": { "in": 5 } }), "uuid__in: "),
            (json!({ "uuid": { "isnull": "true" } }), "uuid__isnull: "),
            (
                json!({ "created_on": { "range": ["2026-01-01"] } }),
                "created_on__range: ",
            ),
            (
                json!({ "uuid": { "regex": "(" } }),
                "uuid__regex: not a regular expression",
            ),
            (
                json!({ "uuid": { "regex": "a)|(b" } }),
                "uuid__regex: not a regular expression",
            ),
            (
                json!({ "uuid": { "regex": "x".repeat(300) } }),
                "uuid__regex: the regular expression is longer",
            ),
            (json!({ "uuid": { "regex": 5 } }), "uuid__regex: "),
        ] {
            let refusal = found(&world, filter.clone()).await.unwrap_err();
            assert!(
                refusal.message().starts_with(part),
                "{filter}: {}",
                refusal.message()
            );
            assert_eq!(refusal.kind(), windlass_core::Kind::BadParameters);
        }
        assert!(Filter::parse(Root::Tasks, Some("{\"uuid\":")).is_err());
        for nothing in [None, Some(""), Some("{}"), Some("  ")] {
            assert!(Filter::parse(Root::Tasks, nothing).is_ok(), "{nothing:?}");
        }
    });
}

#[test]
fn a_pattern_that_runs_for_ever_is_given_up() {
    pollster::block_on(async {
        let world = world().await;
        let long = format!("update adjutant_tasks set hash_key = '{}'", "a".repeat(500));
        world.db.execute(&long, &[]).await.unwrap();
        let filter = json!({ "hash_key": { "regex": "(a*)*(a*)*(a*)*b" } });
        let refusal = found(&world, filter).await.unwrap_err();
        assert!(refusal.message().contains("too many steps"), "{refusal:?}");
    });
}

#[test]
fn tokens_and_notifications_are_filtered_over_their_tasks() {
    pollster::block_on(async {
        let world = world().await;
        let admin = world.admin();
        let (token, uuid) = (world.token().await.unwrap(), world.task().await.uuid);
        for (filter, want) in [
            (json!({}), 2),
            (json!({ "token": { "exact": token } }), 1),
            (json!({ "token": { "in": [token, "x"] } }), 1),
            (json!({ "task": { "exact": uuid } }), 1),
            (json!({ "task_id": { "exact": uuid } }), 1),
            (json!({ "task__task_type": { "exact": "signup" } }), 1),
            (json!({ "task": { "task_type": "signup" } }), 1),
            (json!({ "task__action__valid": { "exact": true } }), 2),
            (json!({ "expires": { "lt": "2026-05-06" } }), 0),
        ] {
            let parsed = parse(Root::Tokens, &filter).unwrap();
            let page = tokens::list(&world.db, &admin.scope, &parsed, Listed::All)
                .await
                .unwrap();
            let items: Vec<Value> = serde_json::from_str(&page.items).unwrap();
            assert_eq!(items.len(), want, "{filter}");
            assert!(
                items
                    .iter()
                    .all(|item| item["token"].as_str().unwrap().len() == 32)
            );
        }
        let refusal = parse(Root::Tokens, &json!({ "token": { "startswith": "a" } })).unwrap_err();
        assert!(
            refusal
                .message()
                .starts_with("Unsupported lookup 'startswith'")
        );
        let signups = parse(
            Root::Notifications,
            &json!({ "task__task_type": { "exact": "signup" } }),
        );
        let page =
            notifications::list(&world.db, &admin.scope, &signups.unwrap(), Listed::All).await;
        let items: Vec<Value> = serde_json::from_str(&page.unwrap().items).unwrap();
        assert_eq!(items.len(), 2);
    });
}

#[test]
fn pages_are_numbered_from_one_to_the_last() {
    pollster::block_on(async {
        let world = world().await;
        let scope = world.admin().scope;
        let everything = Filter::default();
        let searched = parse(Root::Tasks, &json!({ "task_type": { "regex": "." } })).unwrap();
        for filter in [&everything, &searched] {
            let page = async |number, size| {
                tasks::list(&world.db, &scope, filter, Listed::Page { number, size }).await
            };
            let first = page(1, 2).await.unwrap().envelope("tasks");
            assert!(
                first.ends_with(r#","pages":2,"has_more":true,"has_prev":false}"#),
                "{first}"
            );
            let last = page(2, 2).await.unwrap().envelope("tasks");
            assert!(
                last.ends_with(r#","pages":2,"has_more":false,"has_prev":true}"#),
                "{last}"
            );
            for number in [0, -1, 3] {
                assert_eq!(page(number, 2).await.unwrap_err().message(), "Empty page");
            }
        }
        let nothing = parse(Root::Tasks, &json!({ "uuid": { "exact": "x" } })).unwrap();
        let one = Listed::Page { number: 1, size: 2 };
        let page = tasks::list(&world.db, &scope, &nothing, one).await.unwrap();
        assert_eq!(page.pages, Some((1, 1)));
    });
}

#[test]
fn only_who_sees_all_projects_lists() {
    pollster::block_on(async {
        let world = world().await;
        let ann = world.ann().await;
        let refusal = tasks::list(&world.db, &ann.scope, &Filter::default(), Listed::All).await;
        assert_eq!(refusal.unwrap_err().kind(), windlass_core::Kind::Forbidden);
    });
}

#[test]
fn large_lists_follow_an_index_and_count_nothing() {
    pollster::block_on(async {
        let world = World::new().await;
        for (root, filter, index) in [
            (Root::Tasks, json!({}), "adjutant_tasks_by_time"),
            (
                Root::Tasks,
                json!({ "completed": { "exact": false } }),
                "adjutant_tasks_by_completion",
            ),
            (
                Root::Tasks,
                json!({ "approved": { "exact": false } }),
                "adjutant_tasks_by_approval",
            ),
            (
                Root::Tasks,
                json!({ "cancelled": { "exact": true } }),
                "adjutant_tasks_by_cancellation",
            ),
            (
                Root::Tasks,
                json!({ "task_type": { "exact": "update_quota" } }),
                "adjutant_tasks_by_type",
            ),
            (
                Root::Tasks,
                json!({ "project_id": { "exact": "harbour" } }),
                "adjutant_tasks_by_project",
            ),
            (
                Root::Tasks,
                json!({ "created_on": { "gt": "2026-01-01" } }),
                "adjutant_tasks_by_time",
            ),
            (Root::Tokens, json!({}), "adjutant_tokens_by_time"),
            (
                Root::Notifications,
                json!({ "acknowledged": { "exact": false } }),
                "adjutant_notifications_open",
            ),
            (
                Root::Notifications,
                json!({ "error": { "exact": true }, "acknowledged": { "exact": false } }),
                "adjutant_notifications_errors",
            ),
            (Root::Mails, json!({}), "adjutant_mails_by_time"),
            (
                Root::Mails,
                json!({ "state": { "exact": "failed" } }),
                "adjutant_mails_by_state",
            ),
            (
                Root::Mails,
                json!({ "stage": { "exact": "token" } }),
                "adjutant_mails_by_stage",
            ),
            (
                Root::Mails,
                json!({ "recipient": { "exact": "ann@example.com" } }),
                "adjutant_mails_by_recipient",
            ),
        ] {
            let parsed = parse(root, &filter).unwrap();
            let (sql, mut values) = keys_sql(root, &parsed.conditions);
            values.extend([20.into(), 0.into()]);
            let plan = world.db.plan(&sql, &values).await.unwrap().join("; ");
            assert!(plan.contains(index), "{filter}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{filter}: {plan}");
        }
        for (root, filter, is_kept) in [
            (Root::Tasks, json!({}), true),
            (
                Root::Tasks,
                json!({ "task_type": { "in": ["signup"] }, "completed": { "exact": true } }),
                true,
            ),
            (
                Root::Notifications,
                json!({ "acknowledged": { "exact": false } }),
                true,
            ),
            (
                Root::Mails,
                json!({ "state": { "exact": "queued" }, "stage": { "exact": "token" } }),
                true,
            ),
            (
                Root::Tasks,
                json!({ "project_id": { "exact": "harbour" } }),
                false,
            ),
        ] {
            let parsed = parse(root, &filter).unwrap();
            let (sql, _) = total_sql(root, &parsed.conditions);
            assert_eq!(sql.contains("row_counts"), is_kept, "{filter}");
        }
    });
}

#[test]
fn kept_totals_are_those_of_counting() {
    pollster::block_on(async {
        let world = world().await;
        for (root, filter) in [
            (Root::Tasks, json!({})),
            (Root::Tasks, json!({ "approved": { "exact": true } })),
            (
                Root::Tasks,
                json!({ "approved": { "exact": false }, "task_type": { "exact": "signup" } }),
            ),
            (
                Root::Tasks,
                json!({ "task_type": { "in": ["reset_password", "update_quota"] } }),
            ),
            (
                Root::Notifications,
                json!({ "acknowledged": { "exact": false }, "error": { "exact": false } }),
            ),
            (
                Root::Mails,
                json!({ "state": { "in": ["queued", "sent"] }, "stage": { "exact": "initial" } }),
            ),
        ] {
            let parsed = parse(root, &filter).unwrap();
            let (kept, values) = total_sql(root, &parsed.conditions);
            let kept = world.db.first(&kept, &values).await.unwrap().unwrap();
            let (condition, values) = joined(&parsed.conditions);
            let sql = format!("select count(*) from {} where {condition}", root.rows());
            let counted = world.db.first(&sql, &values).await.unwrap().unwrap();
            assert_eq!(kept, counted, "{filter}");
        }
    });
}
