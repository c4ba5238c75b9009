//! Mail: from a text to a message, and to whoever carries it on.

use crate::settings::{MailServer, Settings};
use crate::{Sent, smtp};
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use serde_json::{Map, Value, json};
use std::time::Duration;
use windlass_core::Timestamp;
use windlass_core::outbound::Outbound;
use windlass_core::platform::{OutboundRequest, OutboundResponse};

/// How long a mail service may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One mail to one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// What it is known by: the same for every attempt. Without brackets.
    pub message_id: String,
    /// The first mail about the same event, so that readers show them together.
    pub thread: Option<String>,
    /// The address that it goes to.
    pub to: String,
    /// The subject. What breaks the line is taken out when it is sent.
    pub subject: String,
    /// The text for programs that show no markup.
    pub text: String,
    /// The same text as markup.
    pub html: String,
    /// When it was written.
    pub date: Timestamp,
    /// Where a POST ends the subscription, if it is about one.
    pub unsubscribe_url: Option<String>,
    /// More headers.
    pub headers: Vec<(&'static str, String)>,
}

/// Sends a mail in the operator's way.
pub async fn send(mail: &Mail, settings: &Settings, outbound: &impl Outbound) -> Sent {
    let server = match &settings.mail {
        Ok(server) => server,
        // The operator may repair it within the day.
        Err(why) => return Sent::Later(why.clone(), None),
    };
    let Some((name, address)) = mailbox(&settings.from) else {
        return Sent::Later("mail_from is not an address".into(), None);
    };
    if !is_address(&mail.to) {
        return Sent::Never("this is not an address".into());
    }
    match server {
        MailServer::Smtp { host, port, login } => {
            let message = match message(mail, name, address) {
                Ok(message) => message,
                Err(why) => return Sent::Never(why),
            };
            let envelope = smtp::Envelope {
                from: address,
                to: &mail.to,
                message: &message,
            };
            let login = login
                .as_ref()
                .map(|(user, password)| (user.as_str(), password.as_str()));
            smtp::send(host, *port, login, &settings.host(), &envelope).await
        }
        MailServer::Http { url, authorization } => {
            let request = request(mail, settings, url, authorization.as_deref());
            conclude(outbound.send(request).await)
        }
    }
}

/// Whether mail can be handed over as the operator has set it up. An HTTP service is not asked: every
/// request to it is a mail.
///
/// # Errors
/// Why not, in a sentence without secrets.
pub async fn reach(settings: &Settings) -> Result<(), String> {
    if mailbox(&settings.from).is_none() {
        return Err("mail_from is not an address".to_owned());
    }
    match settings.mail.as_ref().map_err(Clone::clone)? {
        MailServer::Smtp { host, port, login } => {
            let login = login.as_ref();
            let login = login.map(|(user, password)| (user.as_str(), password.as_str()));
            smtp::greet(host, *port, login, &settings.host()).await
        }
        MailServer::Http { .. } => Ok(()),
    }
}

/// The headers beside those that every mail has.
fn headers(mail: &Mail) -> Vec<(&'static str, String)> {
    // Out-of-office answers are not wanted.
    let mut headers = vec![("Auto-Submitted", "auto-generated".into())];
    if let Some(url) = &mail.unsubscribe_url {
        headers.push(("List-Unsubscribe", format!("<{url}>")));
        headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into()));
    }
    headers.extend(mail.headers.iter().cloned());
    if let Some(thread) = &mail.thread {
        headers.push(("In-Reply-To", format!("<{thread}>")));
        headers.push(("References", format!("<{thread}>")));
    }
    headers
}

fn message(mail: &Mail, name: Option<&str>, address: &str) -> Result<Vec<u8>, String> {
    let mut builder = MessageBuilder::new()
        .message_id(MessageId::new(mail.message_id.as_str()))
        .date(mail.date.millis() / 1000)
        .from(Address::new_address(name, address))
        .to(mail.to.as_str())
        .subject(one_line(&mail.subject))
        .text_body(mail.text.as_str())
        .html_body(mail.html.as_str());
    for (name, value) in headers(mail) {
        builder = builder.header(name, HeaderType::from(Raw::new(one_line(&value))));
    }
    let written = builder.write_to_vec();
    written.map_err(|_| "the mail cannot be written".to_owned())
}

fn request(
    mail: &Mail,
    settings: &Settings,
    url: &str,
    authorization: Option<&str>,
) -> OutboundRequest {
    let mut fields: Map<String, Value> = headers(mail)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), one_line(&value).into()))
        .collect();
    fields.insert("Message-ID".into(), format!("<{}>", mail.message_id).into());
    let body = json!({
        "from": settings.from,
        "to": mail.to,
        "subject": one_line(&mail.subject),
        "text": mail.text,
        "html": mail.html,
        "headers": fields,
    });
    let mut headers = vec![
        ("content-type".to_owned(), "application/json".to_owned()),
        ("idempotency-key".to_owned(), mail.message_id.clone()),
    ];
    if let Some(value) = authorization {
        headers.push(("authorization".to_owned(), value.to_owned()));
    }
    OutboundRequest {
        method: "POST".into(),
        url: url.to_owned(),
        headers,
        body: body.to_string().into_bytes(),
        timeout: Some(TIMEOUT),
    }
}

fn conclude(answer: Result<OutboundResponse, String>) -> Sent {
    match answer {
        Err(why) => Sent::Later(format!("the mail service: {why}"), None),
        Ok(answer) => match answer.status {
            200..=299 => Sent::Delivered,
            // What is wrong with the mail itself will be wrong tomorrow.
            400 | 413 | 422 => Sent::Never(format!("the mail service answered {}", answer.status)),
            status => Sent::Later(format!("the mail service answered {status}"), None),
        },
    }
}

/// The display name and the address of `Name <address>`, or of an address alone.
fn mailbox(text: &str) -> Option<(Option<&str>, &str)> {
    let text = text.trim();
    let (name, address) = match text
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    {
        Some((name, address)) => (name.trim().trim_matches('"'), address.trim()),
        None => ("", text),
    };
    // The operator's own host may be called `localhost`.
    let is_usable = address.split_once('@').is_some_and(|(local, host)| {
        is_local_part(local) && !host.is_empty() && host.bytes().all(is_host_byte)
    });
    let is_plain = !name.chars().any(char::is_control);
    (is_usable && is_plain).then_some(((!name.is_empty()).then_some(name), address))
}

/// Whether this is an address that mail can be sent to, by the rule that browsers apply to such
/// fields, with a host that has a dot.
pub fn is_address(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 254
        && is_local_part(local)
        && host.contains('.')
        && host.split('.').all(is_label)
        // An address of numbers is not a name.
        && !host.rsplit('.').next().unwrap_or_default().bytes().all(|byte| byte.is_ascii_digit())
}

fn is_local_part(local: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    (1..=64).contains(&local.len())
        && local.bytes().all(is_allowed)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte)
}

/// A text without line ends and other control characters: what a header may hold.
pub fn one_line(text: &str) -> String {
    text.split(|letter: char| letter.is_whitespace() || letter.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_browsers_take_for_one() {
        for (text, is_one) in [
            ("ann@example.com", true),
            ("a.n+n'o@mail.example.co.uk", true),
            ("ann@localhost", false),
            ("ann", false),
            ("@example.com", false),
            ("ann@", false),
            ("ann@exa mple.com", false),
            ("ann@example..com", false),
            ("ann@-example.com", false),
            (".ann@example.com", false),
            ("a..b@example.com", false),
            ("\"ann\"@example.com", false),
            ("ann@[192.0.2.1]", false),
            ("ann@192.0.2.1", false),
            ("änn@example.com", false),
            ("ann@example.com\r\nBcc: eve@example.com", false),
            ("ann@example.com>", false),
            ("a@b@example.com", false),
        ] {
            assert_eq!(is_address(text), is_one, "{text}");
        }
        assert!(!is_address(&format!("{}@example.com", "a".repeat(65))));
        assert!(!is_address(&format!("a@{}com", "abc.".repeat(70))));
    }

    #[test]
    fn who_mail_is_from_may_have_a_name() {
        for (text, want) in [
            ("status@example.com", Some((None, "status@example.com"))),
            (
                "Harbour Status <status@example.com>",
                Some((Some("Harbour Status"), "status@example.com")),
            ),
            (
                "\"Harbour\" <a@localhost>",
                Some((Some("Harbour"), "a@localhost")),
            ),
            ("status", None),
            ("A\r\nBcc: x <a@example.com>", None),
            ("<>", None),
        ] {
            assert_eq!(mailbox(text), want, "{text}");
        }
    }

    #[test]
    fn no_line_end_reaches_a_header() {
        let mail = Mail {
            message_id: "dlv_1@status.example.com".into(),
            thread: Some("incident-1@status.example.com".into()),
            to: "ann@example.com".into(),
            subject: "Down\r\nBcc: eve@example.com\n\nand\u{85}out".into(),
            text: "Text\r\n.\r\nMore".into(),
            html: "<p>Text</p>".into(),
            date: Timestamp::from_millis(0),
            unsubscribe_url: Some("https://status.example.com/u?token=1\r\nX-Evil: 1".into()),
            headers: vec![("X-Task", "1\r\nX-Evil: 2".into())],
        };
        let message = message(&mail, Some("Status"), "status@example.com").unwrap();
        let message = String::from_utf8(message).unwrap();
        let (head, _) = message.split_once("\r\n\r\n").unwrap();
        for line in head.split("\r\n") {
            let name = line.split(':').next().unwrap_or_default();
            assert!(
                !name.eq_ignore_ascii_case("bcc") && !name.eq_ignore_ascii_case("x-evil"),
                "{head}"
            );
            assert!(!line.contains('\n') && !line.contains('\r'), "{head}");
        }
        assert!(
            head.contains("Message-ID: <dlv_1@status.example.com>"),
            "{head}"
        );
        assert!(
            head.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
            "{head}"
        );
        assert!(head.contains("1970"), "{head}");
    }
}
