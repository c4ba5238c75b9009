//! What mails say.

use crate::direction::without_turns;
use crate::events::{escape, impact_name};
use crate::outbox::{Delivery, Notice, ToldUpdate};
use crate::subscriptions::{Secret, Subscription};
use windlass_core::Timestamp;
use windlass_delivery::Settings;
use windlass_delivery::mail::{Mail, one_line};

/// The longest title in a subject, in characters.
const SUBJECT: usize = 150;

/// Where a subscription is confirmed.
pub fn confirm_url(public_url: &str, token: &str) -> String {
    format!("{public_url}/status/subscriptions/confirm?token={token}")
}

/// Where a subscription is ended.
pub fn unsubscribe_url(public_url: &str, token: &str) -> String {
    format!("{public_url}/status/subscriptions/unsubscribe?token={token}")
}

/// The mail that asks for a confirmation.
pub fn confirmation(subscription: &Subscription, secret: &Secret, settings: &Settings) -> Mail {
    let base = &settings.public_url;
    let confirm = confirm_url(base, &secret.confirm_token());
    let unsubscribe = unsubscribe_url(base, &secret.unsubscribe_token());
    let text = format!(
        "Somebody, probably you, asked for mail about incidents and maintenances of {base}.\n\n\
         To get it, open this page within two days and press the button on it:\n\n{confirm}\n\n\
         If it was not you, there is nothing to do: no mail will follow.\n\n\
         To forget the request at once: {unsubscribe}\n"
    );
    let html = format!(
        "<p>Somebody, probably you, asked for mail about incidents and maintenances of \
         <a href=\"{base}\">{base}</a>.</p>\n\
         <p><a href=\"{confirm}\">Confirm the subscription</a> within two days to get it.</p>\n\
         <p>If it was not you, there is nothing to do: no mail will follow.</p>\n\
         <p><a href=\"{unsubscribe}\">Forget the request at once</a></p>\n",
        base = escape(base),
        confirm = escape(&confirm),
        unsubscribe = escape(&unsubscribe),
    );
    // Who asks again after a while is asked again, which is another mail.
    let asked = subscription.requested_at.millis();
    Mail {
        message_id: format!("cnf_{}.{asked}@{}", subscription.id, settings.host()),
        thread: None,
        to: subscription.target.clone(),
        subject: "Confirm your subscription to the status page".into(),
        text,
        html: page(&html),
        date: subscription.requested_at,
        unsubscribe_url: Some(unsubscribe),
        headers: Vec::new(),
    }
}

/// The mail that tells of an event.
pub fn notice(
    subscription: &Subscription,
    secret: &Secret,
    delivery: &Delivery,
    settings: &Settings,
) -> Mail {
    let notice = &delivery.notice;
    let base = &settings.public_url;
    let unsubscribe = unsubscribe_url(base, &secret.unsubscribe_token());
    let host = settings.host();
    let text = without_turns(&notice_text(notice, base, &unsubscribe)).into_owned();
    let html = without_turns(&notice_html(notice, base, &unsubscribe)).into_owned();
    let date = Timestamp::parse("created_at", &notice.created_at);
    Mail {
        message_id: format!("{}@{host}", delivery.id),
        thread: Some(format!("incident-{}@{host}", notice.id)),
        to: subscription.target.clone(),
        subject: subject(notice),
        text,
        html,
        date: date.unwrap_or_else(|_| Timestamp::from_millis(0)),
        unsubscribe_url: Some(unsubscribe),
        headers: Vec::new(),
    }
}

pub(super) fn subject(notice: &Notice) -> String {
    let what = match notice.event.split_once('.') {
        Some((_, what)) => what,
        None => "updated",
    };
    let kind = match notice.event.split_once('.') {
        Some(("maintenance", _)) => "Maintenance",
        Some(("info", _)) => "Information",
        _ => "Incident",
    };
    let title = one_line(&without_turns(&notice.title));
    let title: String = title.chars().take(SUBJECT).collect();
    format!("{kind} {what}: {title}")
}

/// A time to the minute, as people read it.
pub(super) fn minutes(time: &str) -> String {
    match Timestamp::parse("time", time) {
        Ok(time) => time.format("%Y-%m-%d %H:%M UTC"),
        Err(_) => time.to_owned(),
    }
}

/// Names and values of what is known of an event.
pub(super) fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if notice.impact > 0 {
        facts.push(("Impact", impact_name(notice.impact).to_owned()));
    }
    if notice.status != crate::events::SYSTEM {
        facts.push(("Status", notice.status.replace('_', " ")));
    }
    let components: Vec<&str> = notice
        .components
        .iter()
        .map(|one| one.label.as_str())
        .collect();
    if !components.is_empty() {
        facts.push(("Components", components.join(", ")));
    }
    let begins = if notice.impact == 0 { "From" } else { "Since" };
    facts.push((begins, minutes(&notice.start_date)));
    if let Some(end) = &notice.end_date {
        facts.push(("Until", minutes(end)));
    }
    facts
}

fn notice_text(notice: &Notice, base: &str, unsubscribe: &str) -> String {
    let mut text = format!("{}\n\n", one_line(&notice.title));
    for (name, value) in facts(notice) {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if let Some(description) = &notice.description {
        text.push_str(&format!("\n{description}\n"));
    }
    for update in &notice.updates {
        let said = plain(&update.text, update.is_markup);
        text.push_str(&format!(
            "\n{} - {}\n{said}\n",
            minutes(&update.timestamp),
            update.status
        ));
    }
    text.push_str(&format!(
        "\n{base}/incidents/{}\n\n-- \nNo more of these mails: {unsubscribe}\n",
        notice.id
    ));
    text
}

fn notice_html(notice: &Notice, base: &str, unsubscribe: &str) -> String {
    let mut html = format!("<h1 dir=\"auto\">{}</h1>\n<dl>\n", escape(&notice.title));
    for (name, value) in facts(notice) {
        html.push_str(&format!(
            "<dt>{name}</dt><dd dir=\"auto\">{}</dd>\n",
            escape(&value)
        ));
    }
    html.push_str("</dl>\n");
    if let Some(description) = &notice.description {
        html.push_str(&format!("<p dir=\"auto\">{}</p>\n", lines(description)));
    }
    for update in &notice.updates {
        html.push_str(&format!(
            "<p><small>{}</small><br><strong>{}</strong> <bdi>{}</bdi></p>\n",
            escape(&minutes(&update.timestamp)),
            escape(&update.status),
            markup(update, base)
        ));
    }
    html.push_str(&format!(
        "<p><a href=\"{base}/incidents/{}\">See it on the status page</a></p>\n\
         <p><small><a href=\"{}\">No more of these mails</a></small></p>\n",
        notice.id,
        escape(unsubscribe),
        base = escape(base),
    ));
    page(&html)
}

/// An update as markup; links in it lead to the page.
fn markup(update: &ToldUpdate, base: &str) -> String {
    if update.is_markup {
        update
            .text
            .replace("<a href='/", &format!("<a href='{}/", escape(base)))
    } else {
        lines(&update.text)
    }
}

fn lines(text: &str) -> String {
    escape(text).replace("\r\n", "\n").replace('\n', "<br>")
}

fn page(body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"></head><body>\n{body}</body></html>\n"
    )
}

/// A text without the markup that was made here: links become their texts.
pub fn plain(text: &str, is_markup: bool) -> String {
    if !is_markup {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut in_tag = false;
    for letter in text.chars() {
        match letter {
            '<' => in_tag = true,
            '>' if in_tag => in_tag = false,
            letter if !in_tag => plain.push(letter),
            _ => {}
        }
    }
    // The ampersand last: it begins the others.
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .into_iter()
    .fold(plain, |text, (name, letter)| text.replace(name, letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{EventRef, link};

    #[test]
    fn markup_made_here_reads_as_it_was_written() {
        for title in ["Disks & <b>more</b>", "it's \"down\"", "&lt;b&gt;", "plain"] {
            let event = EventRef {
                id: 7,
                title: title.to_owned(),
            };
            let text = format!("Volumes (EU) moved to {}", link(&event));
            assert_eq!(plain(&text, true), format!("Volumes (EU) moved to {title}"));
        }
        assert_eq!(plain("<b>&amp;", false), "<b>&amp;");
    }

    #[test]
    fn what_people_write_is_no_markup_in_a_mail() {
        let notice = Notice {
            event: "incident.opened".into(),
            id: 7,
            title: "Disks <script>alert(1)</script>\r\nBcc: eve@example.com".into(),
            description: Some("a < b".into()),
            impact: 2,
            status: "analysing".into(),
            start_date: "2026-05-01T10:00:00.000Z".into(),
            end_date: None,
            components: Vec::new(),
            updates: vec![ToldUpdate {
                status: "analysing".into(),
                text: "We look <i>into</i> it".into(),
                is_markup: false,
                timestamp: "2026-05-01T10:05:00.000Z".into(),
            }],
            created_at: "2026-05-01T10:05:01.000Z".into(),
        };
        let html = notice_html(
            &notice,
            "https://status.example.com",
            "https://x/u?token=1&a=2",
        );
        assert!(
            !html.contains("<script>") && !html.contains("<i>"),
            "{html}"
        );
        assert!(html.contains("token=1&amp;a=2"), "{html}");
        let text = notice_text(&notice, "https://status.example.com", "https://x/u");
        assert!(text.contains("Since: 2026-05-01 10:00 UTC"), "{text}");
        assert!(
            text.contains("https://status.example.com/incidents/7"),
            "{text}"
        );
        let subject = subject(&notice);
        assert!(subject.starts_with("Incident opened: Disks"), "{subject}");
        assert!(!subject.contains(['\r', '\n']), "{subject}");
    }
}
