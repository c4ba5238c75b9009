use super::rate_limit::{REQUESTS, WINDOW};
use super::request::UNCONFIRMED;
use super::*;
use crate::Page;
use serde_json::json;
use windlass_core::db::{Db as _, NativeDb};
use windlass_core::platform::kv;
use windlass_core::{Kind, Result, Scope, Timestamp, params, secretbox};
use windlass_store::queue::Work;

pub(crate) async fn request(
    db: &NativeDb,
    new: &NewSubscription<'_>,
    secret: &Secret,
    now: Timestamp,
) -> Result<Option<String>> {
    db.transaction(async |tx| super::request(tx, new, secret, now).await)
        .await
}

pub(crate) async fn find(db: &NativeDb, id: &str) -> Result<Option<Subscription>> {
    assert!(super::find(db, &Scope::public(), id).await.is_err());
    match super::find(db, &Scope::engine(), id).await {
        Ok(found) => Ok(Some(found)),
        Err(refusal) if refusal.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn known(db: &NativeDb, id: &str) -> Subscription {
    find(db, id).await.unwrap().unwrap()
}

pub(crate) async fn confirm(db: &NativeDb, id: &str, now: Timestamp) -> Result<()> {
    let subscription = known(db, id).await;
    db.transaction(async |tx| super::confirm(tx, &subscription, now).await)
        .await
}

/// Whether there was one.
pub(crate) async fn delete(db: &NativeDb, id: &str) -> Result<bool> {
    let scope = Scope::system("ann", crate::TENANT);
    let Some(subscription) = find(db, id).await? else {
        return Ok(false);
    };
    db.transaction(async |tx| super::delete(tx, &scope, &subscription).await)
        .await?;
    Ok(true)
}

async fn expire(db: &NativeDb, id: &str, now: Timestamp) -> Result<Option<Timestamp>> {
    let subscription = known(db, id).await;
    db.transaction(async |tx| super::expire(tx, &subscription, now).await)
        .await
}

async fn count_request(db: &NativeDb, address: &str, now: Timestamp) -> Result<()> {
    db.transaction(async |tx| super::count_request(tx, address, now).await)
        .await
}

/// A database with the components 1 (EU, Disk) and 2 (US, Disk), and a key to encrypt with.
pub(crate) async fn stage() -> NativeDb {
    kv::set(secretbox::ENCRYPTION_KEY_KEY, b"a key")
        .await
        .unwrap();
    let db = NativeDb::in_memory();
    windlass_store::migrations::apply(&db).await.unwrap();
    for (name, region) in [("Disk", "EU"), ("Disk", "US"), ("Net", "EU")] {
        let attributes = json!([{ "name": "region", "value": region }]).to_string();
        db.execute(
            "insert into status_components
                 (name, attributes, attributes_key, region, category, position, created_at)
             values (?1, ?2, ?2, ?3, 'Storage', 1, '2026-01-01T00:00:00.000Z')",
            params![name, attributes, region],
        )
        .await
        .unwrap();
    }
    db
}

/// A subscription that is confirmed.
pub(crate) async fn confirmed(
    db: &NativeDb,
    channel: Channel,
    target: &str,
    region: Option<&str>,
    components: &[i64],
) -> String {
    let secret = Secret::new().await.unwrap();
    let new = NewSubscription {
        channel,
        format: Format::Standard,
        target,
        region,
        components,
    };
    let now = Timestamp::now();
    let id = request(db, &new, &secret, now).await.unwrap().unwrap();
    confirm(db, &id, now).await.unwrap();
    id
}

fn mail(target: &str) -> NewSubscription<'_> {
    NewSubscription {
        channel: Channel::Email,
        format: Format::Standard,
        target,
        region: None,
        components: &[],
    }
}

/// What waits in the queue: kinds and the seconds from `now` until they are due.
async fn waiting(db: &NativeDb, now: Timestamp) -> Vec<(String, i64)> {
    let rows = db.query(
        "select kind, not_before from queue order by kind, not_before",
        &[],
    );
    let rows = rows.await.unwrap();
    rows.iter()
        .map(|row| {
            let due = row.integer(1).unwrap() - now.millis();
            (row.text(0).unwrap().to_owned(), due / 1000)
        })
        .collect()
}

#[test]
fn a_link_confirms_and_another_ends_it() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        let secret = Secret::new().await.unwrap();
        let asked = request(&db, &mail("ann@example.com"), &secret, now)
            .await
            .unwrap();
        let id = asked.unwrap();
        assert_eq!(
            waiting(&db, now).await,
            [
                (Work::StatusConfirmation.name().to_owned(), 0),
                (Work::StatusSubscriptionExpiry.name().to_owned(), LIFETIME)
            ]
        );
        let found = find(&db, &id).await.unwrap().unwrap();
        let stored = found.open_secret().await.unwrap();
        assert_eq!(stored, secret, "it is read back from its encryption");
        assert!(!found.is_confirmed);
        let (confirming, ending) = (secret.confirm_token(), secret.unsubscribe_token());
        let dump = db
            .query("select * from status_subscriptions", &[])
            .await
            .unwrap();
        let dump = format!("{dump:?}");
        assert!(
            !dump.contains(&confirming) && !dump.contains(&ending),
            "{dump}"
        );
        for (link, token, is_good) in [
            (Link::Confirm, confirming.as_str(), true),
            (Link::Confirm, ending.as_str(), false),
            (Link::Unsubscribe, ending.as_str(), true),
            (Link::Unsubscribe, confirming.as_str(), false),
            (Link::Confirm, "", false),
        ] {
            let found = find_by_token(&db, link, token, now).await.unwrap();
            assert_eq!(found.is_some(), is_good, "{link:?} {token}");
        }
        let late = now.plus_seconds(LIFETIME + 1);
        assert!(
            find_by_token(&db, Link::Confirm, &confirming, late)
                .await
                .unwrap()
                .is_none()
        );
        confirm(&db, &id, now).await.unwrap();
        assert!(
            find_by_token(&db, Link::Confirm, &confirming, late)
                .await
                .unwrap()
                .is_some()
        );
        assert!(find(&db, &id).await.unwrap().unwrap().is_confirmed);
        assert_eq!(waiting(&db, now).await, []);
        let page = list(&db, &Scope::engine(), 10, 0).await;
        let Page { items, total } = page.unwrap();
        assert_eq!(total, 1);
        assert!(items.contains(r#""state":"active""#), "{items}");
        assert!(delete(&db, &id).await.unwrap());
        assert!(!delete(&db, &id).await.unwrap());
        assert!(find(&db, &id).await.unwrap().is_none());
    });
}

#[test]
fn an_address_is_asked_once_an_hour() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        let secret = Secret::new().await.unwrap();
        let first = request(&db, &mail("Ann@example.com"), &secret, now)
            .await
            .unwrap();
        let again = request(
            &db,
            &mail("ann@EXAMPLE.com"),
            &Secret::new().await.unwrap(),
            now,
        )
        .await;
        assert_eq!(again.unwrap(), None, "it is the same address");
        let due = |rows: Vec<(String, i64)>| -> Vec<i64> {
            let asked = rows
                .into_iter()
                .filter(|(kind, _)| kind == Work::StatusConfirmation.name());
            asked.map(|(_, due)| due).collect()
        };
        assert_eq!(due(waiting(&db, now).await), [0]);
        // Another subscription of the same address waits its turn.
        let other = NewSubscription {
            region: Some("EU"),
            ..mail("ann@example.com")
        };
        request(&db, &other, &Secret::new().await.unwrap(), now)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(due(waiting(&db, now).await), [0, PEACE]);
        // It was sent: asking again is for an hour later.
        let id = first.unwrap();
        note_request(&db, &known(&db, &id).await, None, now)
            .await
            .unwrap();
        db.execute("delete from queue", &[]).await.unwrap();
        request(&db, &mail("ann@example.com"), &secret, now)
            .await
            .unwrap();
        assert_eq!(due(waiting(&db, now).await), [PEACE]);
        // Whoever is subscribed hears nothing of it.
        confirm(&db, &id, now).await.unwrap();
        request(&db, &mail("ann@example.com"), &secret, now)
            .await
            .unwrap();
        assert_eq!(due(waiting(&db, now).await), [] as [i64; 0]);
        // And nobody can fill the table with one address.
        for region in ["a", "b", "c", "d"] {
            let more = NewSubscription {
                region: Some(region),
                ..mail("ann@example.com")
            };
            request(&db, &more, &Secret::new().await.unwrap(), now)
                .await
                .unwrap();
        }
        assert!(list(&db, &Scope::public(), 10, 0).await.is_err());
        let page = list(&db, &Scope::engine(), 10, 0).await.unwrap();
        assert_eq!(page.total, 1 + UNCONFIRMED);
    });
}

#[test]
fn what_is_not_confirmed_goes() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::from_millis(Timestamp::now().millis());
        let secret = Secret::new().await.unwrap();
        let asked = request(&db, &mail("ann@example.com"), &secret, now)
            .await
            .unwrap();
        let id = asked.unwrap();
        let early = expire(&db, &id, now.plus_seconds(60)).await.unwrap();
        assert_eq!(early, Some(now.plus_seconds(LIFETIME)));
        let late = now.plus_seconds(LIFETIME);
        assert_eq!(expire(&db, &id, late).await.unwrap(), None);
        assert!(find(&db, &id).await.unwrap().is_none());
        let id = confirmed(
            &db,
            Channel::Webhook,
            "https://example.com/hook",
            None,
            &[1],
        )
        .await;
        assert_eq!(expire(&db, &id, late).await.unwrap(), None);
        assert!(find(&db, &id).await.unwrap().is_some());
        note_failure(&db, &known(&db, &id).await, "refused", now)
            .await
            .unwrap();
        note_failure(&db, &known(&db, &id).await, "refused again", late)
            .await
            .unwrap();
        assert_eq!(
            find(&db, &id).await.unwrap().unwrap().failing_since,
            Some(now)
        );
        note_success(&db, &known(&db, &id).await).await.unwrap();
        assert_eq!(find(&db, &id).await.unwrap().unwrap().failing_since, None);
        disable(&db, &known(&db, &id).await, "gone", now)
            .await
            .unwrap();
        assert!(find(&db, &id).await.unwrap().unwrap().is_disabled);
    });
}

#[test]
fn a_client_that_asks_too_often_waits() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        for _ in 0..REQUESTS {
            count_request(&db, "192.0.2.1", now).await.unwrap();
        }
        let refusal = count_request(&db, "192.0.2.1", now).await.unwrap_err();
        assert_eq!(refusal.kind(), Kind::TooManyRequests);
        assert_eq!(i64::from(refusal.seconds_to_wait()), WINDOW + 1);
        count_request(&db, "192.0.2.2", now).await.unwrap();
        let later = now.plus_seconds(WINDOW);
        count_request(&db, "192.0.2.1", later).await.unwrap();
    });
}

#[test]
fn only_what_the_catalogue_has_can_be_chosen() {
    pollster::block_on(async {
        let db = stage().await;
        for (region, components, refused) in [
            (None, &[][..], None),
            (Some("EU"), &[1, 2], None),
            (
                Some("EU' or 1=1"),
                &[],
                Some("There is no region `EU' or 1=1`"),
            ),
            (None, &[1, 99], Some("There is no component 99")),
        ] {
            let checked = demand_in_catalogue(&db, region, components).await;
            let text = checked.err().map(|refusal| refusal.message().to_owned());
            assert_eq!(text.as_deref(), refused, "{region:?} {components:?}");
        }
        let Choices {
            regions,
            components,
        } = choices(&db).await.unwrap();
        assert_eq!(regions, ["EU", "US"]);
        assert_eq!(components.len(), 3);
    });
}

#[test]
fn a_room_is_told_at_once_and_its_url_is_not_listed() {
    pollster::block_on(async {
        let db = stage().await;
        let now = Timestamp::now();
        let scope = Scope::system("ann", crate::TENANT);
        let add = async |target: &str| {
            let room = NewSubscription {
                channel: Channel::Webhook,
                format: Format::Slack,
                target,
                region: None,
                components: &[1],
            };
            let secret = Secret::new().await?;
            db.transaction(async |tx| add_room(tx, &scope, &room, &secret, now).await)
                .await
        };
        let id = add("https://hooks.slack.com/services/T0/B0/key")
            .await
            .unwrap();
        let room = known(&db, &id).await;
        assert!(room.is_active());
        assert_eq!(room.format, Format::Slack);
        let again = add("https://hooks.slack.com/services/T0/B0/key").await;
        assert_eq!(again.unwrap_err().kind(), Kind::Conflict);
        let listed = list(&db, &Scope::engine(), 10, 0).await.unwrap().items;
        assert!(
            listed.contains(r#""kind":"slack","target":"https://hooks.slack.com/...""#),
            "{listed}"
        );
        for number in 1..100 {
            add(&format!("https://hooks.slack.com/{number}"))
                .await
                .unwrap();
        }
        let more = add("https://hooks.slack.com/more").await;
        assert_eq!(more.unwrap_err().kind(), Kind::Conflict);
    });
}
