//! Notices as rooms of Slack, Microsoft Teams and Discord show them.
//!
//! What people and programs wrote is put where the chat reads plain text, or with the chat's own marks taken
//! out of force: an incident's title must not call a whole room, nor show a link that leads elsewhere.

use super::texts::{facts, minutes, plain, subject};
use crate::direction::without_turns;
use crate::outbox::Notice;
use crate::subscriptions::Format;
use serde_json::{Value, json};

/// The longest text of an update that a room is shown, in characters; the page has all of it.
const TEXT: usize = 1500;
/// The most updates of one notice that a room is shown: the newest.
const UPDATES: usize = 5;

/// What a room is sent. Nothing for [`Format::Standard`], which is no chat.
pub fn body(format: Format, notice: &Notice, public_url: &str) -> Option<Value> {
    let said = Said::of(notice, public_url);
    match format {
        Format::Standard => None,
        Format::Slack => Some(slack(&said)),
        Format::Teams => Some(teams(&said)),
        Format::Discord => Some(discord(&said)),
    }
}

/// A notice in words.
struct Said {
    headline: String,
    url: String,
    facts: Vec<(&'static str, String)>,
    description: Option<String>,
    /// When and where it stood, and what was told.
    updates: Vec<(String, String)>,
    /// How bad it is, 0 to 3; 0 also for what is over.
    impact: i64,
    at: String,
}

impl Said {
    fn of(notice: &Notice, public_url: &str) -> Self {
        let newest = notice.updates.len().saturating_sub(UPDATES);
        let updates = notice.updates.iter().skip(newest).map(|update| {
            let heading = format!("{} - {}", minutes(&update.timestamp), update.status);
            (heading, shown(&plain(&update.text, update.is_markup)))
        });
        let is_over = notice.event.ends_with(".closed");
        Self {
            headline: subject(notice),
            url: format!("{public_url}/incidents/{}", notice.id),
            facts: facts(notice)
                .into_iter()
                .map(|(name, value)| (name, shown(&value)))
                .collect(),
            description: notice.description.as_deref().map(shown),
            updates: updates.collect(),
            impact: if is_over { 0 } else { notice.impact },
            at: notice.created_at.clone(),
        }
    }
}

/// A text in its own direction, cut where it is too long.
fn shown(text: &str) -> String {
    let text = without_turns(text);
    if text.chars().count() <= TEXT {
        return text.into_owned();
    }
    let mut short: String = text.chars().take(TEXT - 1).collect();
    short.push('…');
    short
}

/// Slack's blocks. Only what is in `<>` is a mention or a link there, and that is escaped.
fn slack(said: &Said) -> Value {
    let plain = |text: &str| json!({ "type": "plain_text", "text": text, "emoji": false });
    let section = |text: &str| json!({ "type": "section", "text": plain(text) });
    let mut blocks = vec![json!({
        "type": "header", "text": plain(&said.headline.chars().take(150).collect::<String>()),
    })];
    let facts: Vec<Value> = (said.facts.iter())
        .map(|(name, value)| plain(&format!("{name}: {value}")))
        .collect();
    blocks.push(json!({ "type": "section", "fields": facts }));
    blocks.extend(said.description.as_deref().map(section));
    for (heading, text) in &said.updates {
        blocks.push(section(&format!("{heading}\n{text}")));
    }
    blocks.push(json!({ "type": "actions", "elements": [
        { "type": "button", "text": plain("See it on the status page"), "url": said.url },
    ] }));
    json!({ "text": slack_text(said), "blocks": blocks })
}

/// All of it as one text: what Slack's notifications begin with, and all that the rooms of Mattermost show,
/// which know no blocks.
fn slack_text(said: &Said) -> String {
    let mut text = slack_escaped(&said.headline);
    for (name, value) in &said.facts {
        text.push_str(&format!("\n{name}: {}", slack_escaped(value)));
    }
    let description = said.description.as_deref().map(slack_escaped);
    text.extend(description.map(|description| format!("\n\n{description}")));
    for (heading, update) in &said.updates {
        let update = slack_escaped(update);
        text.push_str(&format!("\n\n{heading}\n{update}"));
    }
    text.push_str(&format!("\n\n{}", said.url));
    text
}

fn slack_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        // Programs that take Slack's messages read this as Markdown with mentions.
        .replace('@', "@\u{200b}")
        .replace("](", "]\u{200b}(")
        .replace("][", "]\u{200b}[")
        .replace("]:", "]\u{200b}:")
        // A fence would hide what follows it.
        .replace('`', "`\u{200b}")
}

/// An adaptive card, as the workflows of Teams take it. Runs of text are plain there, blocks are not.
fn teams(said: &Said) -> Value {
    let run =
        |text: &str, weight: &str| json!({ "type": "TextRun", "text": text, "weight": weight });
    let rich = |runs: Vec<Value>| json!({ "type": "RichTextBlock", "inlines": runs });
    let mut headline = run(&said.headline, "bolder");
    if let Some(headline) = headline.as_object_mut() {
        headline.insert("size".into(), "large".into());
        headline.insert("color".into(), teams_colour(said.impact).into());
    }
    let mut body = vec![rich(vec![headline])];
    for (name, value) in &said.facts {
        body.push(rich(vec![
            run(&format!("{name}: "), "bolder"),
            run(value, "default"),
        ]));
    }
    body.extend((said.description.as_deref()).map(|text| rich(vec![run(text, "default")])));
    for (heading, text) in &said.updates {
        body.push(rich(vec![run(heading, "bolder")]));
        body.push(rich(vec![run(text, "default")]));
    }
    json!({ "type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard", "version": "1.4", "body": body,
            "actions": [{
                "type": "Action.OpenUrl", "title": "See it on the status page", "url": said.url,
            }],
        },
    }] })
}

const fn teams_colour(impact: i64) -> &'static str {
    match impact {
        3 => "attention",
        1 | 2 => "warning",
        _ => "good",
    }
}

/// An embed of Discord. Nothing in it mentions anybody.
fn discord(said: &Said) -> Value {
    let field = |name: &str, value: &str, is_short: bool| {
        let value = discord_escaped(value);
        let value: String = value.chars().take(1024).collect();
        json!({ "name": name, "value": value, "inline": is_short })
    };
    let mut fields: Vec<Value> = (said.facts.iter())
        .map(|(name, value)| field(name, value, true))
        .collect();
    // An embed has six thousand characters in all.
    for (heading, text) in said.updates.iter().rev().take(3).rev() {
        let heading: String = heading.chars().take(256).collect();
        fields.push(field(&heading, text, false));
    }
    let title: String = discord_escaped(&said.headline).chars().take(256).collect();
    let description = said.description.as_deref().unwrap_or_default();
    json!({
        "allowed_mentions": { "parse": [] },
        "embeds": [{
            "title": title, "url": said.url, "timestamp": said.at, "fields": fields,
            "description": discord_escaped(description).chars().take(1500).collect::<String>(),
            "color": discord_colour(said.impact),
        }],
    })
}

const fn discord_colour(impact: i64) -> i64 {
    match impact {
        3 => 0x00c6_2828,
        2 => 0x00ef_6c00,
        1 => 0x00f9_a825,
        _ => 0x002e_7d32,
    }
}

/// A text whose marks Discord shows as they are.
fn discord_escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if "\\*_~`|>#[]()<@".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::{ToldComponent, ToldUpdate};

    fn notice() -> Notice {
        Notice {
            event: "incident.opened".into(),
            id: 7,
            title: "Disks <!channel> @everyone [x](http://evil.example)".into(),
            description: Some("a".repeat(4000)),
            impact: 3,
            status: "analysing".into(),
            start_date: "2026-05-01T10:00:00.000Z".into(),
            end_date: None,
            components: vec![ToldComponent {
                id: 1,
                name: "Disk".into(),
                region: Some("EU".into()),
                label: "Disk (EU)".into(),
            }],
            updates: (0..9)
                .map(|number| ToldUpdate {
                    status: "analysing".into(),
                    text: format!("<b>{number}</b> &lt;"),
                    is_markup: true,
                    timestamp: "2026-05-01T10:05:00.000Z".into(),
                })
                .collect(),
            created_at: "2026-05-01T10:05:01.000Z".into(),
        }
    }

    fn of(format: Format) -> Value {
        body(format, &notice(), "https://status.example.com").unwrap()
    }

    #[test]
    fn what_reads_markdown_in_it_finds_neither_mentions_nor_links() {
        let text = slack_escaped("@channel [log in](http://x.example)");
        assert!(!text.contains("@channel") && !text.contains("]("), "{text}");
        let text = slack_escaped("[log in][1]\n\n[1]: http://x.example ```");
        assert!(
            !text.contains("][") && !text.contains("]:") && !text.contains("``"),
            "{text}"
        );
    }

    #[test]
    fn slack_is_told_in_plain_blocks() {
        let told = of(Format::Slack);
        let text = told["text"].as_str().unwrap();
        assert!(
            text.starts_with("Incident opened: Disks &lt;!channel&gt;"),
            "{text}"
        );
        // Mattermost shows nothing else.
        for part in [
            "\nImpact: outage\n",
            &"a".repeat(TEXT - 1),
            "\n\n2026-05-01 10:05 UTC - analysing\n8 &lt;\n\nhttps://status.example.com/incidents/7",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.chars().count() < 16_000);
        let blocks = told["blocks"].as_array().unwrap();
        assert_eq!(blocks.len(), 1 + 1 + 1 + UPDATES + 1);
        assert_eq!(blocks[0]["type"], "header");
        assert_eq!(blocks[1]["fields"][0]["text"], "Impact: outage");
        assert_eq!(
            blocks[2]["text"]["text"].as_str().unwrap().chars().count(),
            TEXT
        );
        assert_eq!(
            blocks[7]["text"]["text"],
            "2026-05-01 10:05 UTC - analysing\n8 <"
        );
        assert_eq!(
            blocks[8]["elements"][0]["url"],
            "https://status.example.com/incidents/7"
        );
        assert!(!told.to_string().contains("mrkdwn"));
    }

    #[test]
    fn teams_is_told_by_a_card() {
        let told = of(Format::Teams);
        let card = &told["attachments"][0]["content"];
        assert_eq!(
            (&told["type"], &card["type"]),
            (&json!("message"), &json!("AdaptiveCard"))
        );
        let headline = &card["body"][0]["inlines"][0];
        assert_eq!(
            (&headline["color"], &headline["type"]),
            (&json!("attention"), &json!("TextRun"))
        );
        assert_eq!(
            card["actions"][0]["url"],
            "https://status.example.com/incidents/7"
        );
        assert!(
            !told.to_string().contains("\"TextBlock\""),
            "blocks read marks"
        );
    }

    #[test]
    fn discord_is_told_by_an_embed_that_calls_nobody() {
        let told = of(Format::Discord);
        assert_eq!(told["allowed_mentions"], json!({ "parse": [] }));
        let embed = &told["embeds"][0];
        let title = embed["title"].as_str().unwrap();
        assert!(title.contains("\\@everyone \\[x\\]\\(http"), "{title}");
        assert_eq!(embed["fields"].as_array().unwrap().len(), 4 + 3);
        let length: usize = embed.to_string().chars().count();
        assert!(length < 6000, "{length}");
    }

    #[test]
    fn what_is_over_is_green() {
        let mut notice = notice();
        notice.event = "incident.closed".into();
        let told = body(Format::Discord, &notice, "https://x").unwrap();
        assert_eq!(told["embeds"][0]["color"], 0x002e_7d32);
        assert_eq!(body(Format::Standard, &notice, "https://x"), None);
    }
}
