//! Activity: what people changed, from the audit trail that every family writes, and where tokens were
//! shown.

use crate::access::{Asker, Standing};
use crate::rows::{Listed, MOST, time_sql, user_id_sql};
use windlass_core::db::{Db, Value};
use windlass_core::{Error, Request, Result, Timestamp, params};

/// How far back lists go where no date is named, in seconds.
const USUAL: i64 = 7 * 86_400;

/// What of the activity is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
    count: i64,
}

impl Window {
    /// Reads `date`, one day in UTC, and `count`.
    ///
    /// # Errors
    /// 400 for what is no date, and for a count that is not within 1 and 1000.
    pub fn of(request: &Request, now: Timestamp) -> Result<Self> {
        let refuse = |name: &str, text: &str| {
            Error::bad_parameters(format!("{name} {text}")).field(name, text.to_owned())
        };
        let count = match request.query_value("count") {
            None => MOST,
            Some(text) => text
                .parse()
                .ok()
                .filter(|count| (1..=MOST).contains(count))
                .ok_or_else(|| refuse("count", "must be a whole number from 1 to 1000"))?,
        };
        let Some(date) = request.query_value("date") else {
            return Ok(Self {
                from: now.plus_seconds(-USUAL),
                to: now.plus_seconds(86_400),
                count,
            });
        };
        let is_shaped = date.len() == 10
            && date.bytes().zip(1..).all(|(byte, place)| match place {
                5 | 8 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let from = Timestamp::parse("date", date).ok().filter(|_| is_shaped);
        let from = from.ok_or_else(|| refuse("date", "must be a day as YYYY-MM-DD"))?;
        Ok(Self {
            from,
            to: from.plus_seconds(86_400),
            count,
        })
    }
}

/// The type of a change, as the original calls it; what it does not know goes by its own name.
const TYPE: &str = "case t.target_type when 'Tool' then 'registry'
     when 'Person' then 'analytics_data_mapping_user'
     when 'Project' then 'analytics_data_mapping_project'
     when 'Mapping' then 'analytics_data_mapping_project'
     when 'Organization' then 'analytics_data_mapping_organization'
     else lower(t.target_type) end";

/// What was done, without what it was done to: `pipeline_start` is `start`.
const ACTION: &str = "substr(t.action, instr(t.action, '_') + 1)";

/// Changes of the account, newest first.
///
/// # Errors
/// 403 for who does not look after the account.
pub async fn actions(
    db: &impl Db,
    asker: &Asker,
    window: &Window,
    of_type: Option<&str>,
) -> Result<Listed> {
    asker.demand(Standing::PowerUser)?;
    let (keys, values) = action_keys(asker, window, of_type);
    let item = format!(
        "json_object('_id', printf('%024x', t.key), 'user_id', {user},
             'user_email', (select u.email from users u where u.username = t.username),
             'user_name', t.username, 'type', {TYPE}, 'action', {ACTION}, 'target_id', t.target_id,
             'account', t.tenant_name, 'createdAt', t.created_at, 'updatedAt', t.created_at,
             '__v', 0)",
        user = user_id_sql("t.username")
    );
    Listed::read(db, &keys, &values, (&item, "audit_log")).await
}

fn action_keys(asker: &Asker, window: &Window, of_type: Option<&str>) -> (String, Vec<Value>) {
    let mut values = params![asker.account(), window.from, window.to, window.count].to_vec();
    let mut condition = String::new();
    if let Some(of_type) = of_type {
        values.push(of_type.into());
        condition = format!("and {TYPE} = ?5");
    }
    let sql = format!(
        "select t.key, 600 from audit_log t
         where t.tenant_name = ?1 and t.created_at >= ?2 and t.created_at < ?3 {condition}
         order by t.created_at desc, t.key desc limit ?4"
    );
    (sql, values)
}

/// Uses of tokens in the account, newest first.
///
/// # Errors
/// 403 for who does not look after the account.
pub async fn token_uses(
    db: &impl Db,
    asker: &Asker,
    window: &Window,
    scope: Option<&str>,
) -> Result<Listed> {
    asker.demand(Standing::PowerUser)?;
    let (keys, values) = use_keys(asker, window, scope);
    let item = format!(
        "(select json_object('_id', printf('%024x', t.key), 'token_id', k.token_id, 'scope', k.scope,
              'target', k.target, 'user_id', printf('%024x', k.user_id), 'account', k.tenant_name,
              'createdAt', {at}, 'updatedAt', {at}, '__v', 0)
          from token_use_kinds k where k.key = t.kind_key)",
        at = time_sql("t.at")
    );
    Listed::read(db, &keys, &values, (&item, "token_uses")).await
}

fn use_keys(asker: &Asker, window: &Window, scope: Option<&str>) -> (String, Vec<Value>) {
    let (from, to) = (window.from.millis(), window.to.millis());
    let mut values = params![asker.account(), from, to, window.count].to_vec();
    let mut condition = "";
    if let Some(scope) = scope {
        values.push(scope.into());
        condition = "and (select k.scope from token_use_kinds k where k.key = t.kind_key) = ?5";
    }
    let sql = format!(
        "select t.key, 600 from token_uses t
         where t.tenant_id = (select id from tenants where name = ?1) and t.at >= ?2 and t.at < ?3
             {condition}
         order by t.at desc, t.key desc limit ?4"
    );
    (sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{asker, database, plan};
    use serde_json::Value as Json;
    use windlass_core::http::Method;
    use windlass_store::audit;

    fn window(query: &str) -> Result<Window> {
        let now = Timestamp::now();
        Window::of(&Request::new(Method::GET, &format!("/x?{query}")), now)
    }

    async fn read(listed: Listed, db: &windlass_core::db::NativeDb) -> Json {
        let body = listed
            .respond_counted(db)
            .made
            .unwrap()
            .read()
            .await
            .unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn a_day_or_a_week_of_it_is_shown() {
        for (query, good) in [
            ("", true),
            ("date=2026-02-28&count=5", true),
            ("count=1000", true),
            ("count=1001", false),
            ("count=0", false),
            ("count=x", false),
            ("date=2026-02-30", false),
            ("date=2026-2-3", false),
            ("date=20260203", false),
            ("date=2026-02-03T00:00:00Z", false),
            ("date=", false),
        ] {
            assert_eq!(window(query).is_ok(), good, "{query}");
        }
        let day = window("date=2026-02-28").unwrap();
        assert_eq!(day.from.to_string(), "2026-02-28T00:00:00.000Z");
        assert_eq!(day.to.to_string(), "2026-03-01T00:00:00.000Z");
    }

    #[test]
    fn changes_of_every_family_are_told_in_the_words_of_opsera() {
        pollster::block_on(async {
            let db = database().await;
            for (who, action, target, id) in [
                ("ann", "blueprint_upload", "Blueprint", "crane"),
                ("ann", "pipeline_start", "Pipeline", "p1"),
                ("mia", "tool_update", "Tool", "t1"),
                ("mia", "person_create", "Person", "a@b.example"),
                ("mia", "organization_create", "Organization", "m1"),
                ("root@quay", "pipeline_start", "Pipeline", "theirs"),
            ] {
                let scope = asker(who).scope;
                db.transaction(async |tx| audit::insert(tx, &scope, action, target, id).await)
                    .await
                    .unwrap();
            }
            let mia = asker("mia");
            let week = window("").unwrap();
            let all = read(actions(&db, &mia, &week, None).await.unwrap(), &db).await;
            let told: Vec<(&str, &str, &str)> = all["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| {
                    (
                        one["type"].as_str().unwrap(),
                        one["action"].as_str().unwrap(),
                        one["target_id"].as_str().unwrap(),
                    )
                })
                .collect();
            assert_eq!(
                told,
                [
                    ("analytics_data_mapping_organization", "create", "m1"),
                    ("analytics_data_mapping_user", "create", "a@b.example"),
                    ("registry", "update", "t1"),
                    ("pipeline", "start", "p1"),
                    ("blueprint", "upload", "crane"),
                ]
            );
            assert_eq!(
                (&all["count"], &all["data"][4]["user_id"]),
                (&5.into(), &"000000000000000000000007".into())
            );
            let some = read(
                actions(&db, &mia, &week, Some("pipeline")).await.unwrap(),
                &db,
            )
            .await;
            assert_eq!(some["count"], 1);
            let day = window("date=2020-01-01").unwrap();
            let none = read(actions(&db, &mia, &day, None).await.unwrap(), &db).await;
            assert_eq!(none, serde_json::json!({ "count": 0, "data": [] }));
            for who in ["ann", "vic"] {
                let refusal = actions(&db, &asker(who), &week, None).await.unwrap_err();
                assert_eq!(refusal.kind().wire().0, 403, "{who}");
            }
        });
    }

    #[test]
    fn both_lists_follow_their_indexes() {
        pollster::block_on(async {
            let db = database().await;
            let mia = asker("mia");
            let week = window("").unwrap();
            let (sql, values) = action_keys(&mia, &week, Some("pipeline"));
            let actions = plan(&db, &sql, &values).await;
            assert!(
                actions.contains(
                    "audit_log_by_tenant (tenant_name=? AND created_at>? AND created_at<?)"
                ),
                "{actions}"
            );
            let (sql, values) = use_keys(&mia, &week, Some("api"));
            let uses = plan(&db, &sql, &values).await;
            assert!(
                uses.contains("token_uses_by_tenant (tenant_id=? AND at>? AND at<?)"),
                "{uses}"
            );
            for plan in [actions, uses] {
                assert!(!plan.contains("TEMP B-TREE"), "{plan}");
            }
        });
    }
}
