//! SMTP, as much of it as it takes to hand a message to a relay (RFC 5321).
//!
//! Nothing is encrypted: a relay on this machine or network is meant, which knows how to reach the
//! world and keeps what it was given.

use crate::Sent;
use base64::Engine as _;
use std::time::Duration;
use windlass_core::platform::tcp::{self, Connection};

/// How long the relay may take for each step.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest reply that is read, in bytes.
const REPLY: usize = 16 << 10;

/// Who writes what to whom.
pub struct Envelope<'a> {
    /// The sender's address.
    pub from: &'a str,
    /// The receiver's address.
    pub to: &'a str,
    /// Headers and body.
    pub message: &'a [u8],
}

/// A reply of the relay.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn is_good(&self) -> bool {
        (200..400).contains(&self.code)
    }

    fn text(&self) -> String {
        format!("{} {}", self.code, self.lines.join(" "))
    }
}

/// Hands over a message.
pub async fn send(
    host: &str,
    port: u16,
    login: Option<(&str, &str)>,
    own_name: &str,
    envelope: &Envelope<'_>,
) -> Sent {
    match talk(host, port, login, own_name, envelope).await {
        Ok(()) => Sent::Delivered,
        Err(sent) => sent,
    }
}

/// Whether the relay would take messages: connects, logs in and leaves.
///
/// # Errors
/// Why not, in a sentence.
pub async fn greet(
    host: &str,
    port: u16,
    login: Option<(&str, &str)>,
    own_name: &str,
) -> Result<(), String> {
    match enter(host, port, login, own_name).await {
        Ok(mut session) => {
            let _ = session.write(b"QUIT\r\n").await;
            Ok(())
        }
        Err(Sent::Later(why, _) | Sent::Never(why) | Sent::Gone(why)) => Err(why),
        Err(Sent::Delivered) => Ok(()),
    }
}

async fn talk(
    host: &str,
    port: u16,
    login: Option<(&str, &str)>,
    own_name: &str,
    envelope: &Envelope<'_>,
) -> Result<(), Sent> {
    let mut session = enter(host, port, login, own_name).await?;
    let relay = session.relay();
    session
        .step(&format!("MAIL FROM:<{}>", envelope.from))
        .await?;
    session.step(&format!("RCPT TO:<{}>", envelope.to)).await?;
    session.step("DATA").await?;
    session.write(&stuffed(envelope.message)).await?;
    let reply = session.reply().await?;
    conclude(&relay, &reply)?;
    // It has the message; how it says goodbye does not matter.
    let _ = session.write(b"QUIT\r\n").await;
    Ok(())
}

/// Connects, greets and logs in.
async fn enter(
    host: &str,
    port: u16,
    login: Option<(&str, &str)>,
    own_name: &str,
) -> Result<Session, Sent> {
    let connection = tcp::connect(host, port, TIMEOUT).await;
    let mut session = Session {
        connection: connection.map_err(later)?,
        buffer: Vec::new(),
    };
    let relay = session.relay();
    // What the relay refuses before it knows the message is not the message's fault.
    let demand = |reply: Reply| match reply.is_good() {
        true => Ok(reply),
        false => Err(later(format!("{relay} answered {}", reply.text()))),
    };
    demand(session.reply().await?)?;
    let hello = demand(
        session
            .command(&format!("EHLO {}", literal(own_name)))
            .await?,
    )?;
    if let Some((user, password)) = login {
        let offers = hello.lines.iter().any(|line| {
            let mut words = line.split([' ', '=']);
            words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("AUTH"))
                && words.any(|word| word.eq_ignore_ascii_case("PLAIN"))
        });
        if !offers {
            return Err(later(format!(
                "{relay} does not offer to log in (AUTH PLAIN) without encryption"
            )));
        }
        let engine = base64::engine::general_purpose::STANDARD;
        let secret = engine.encode(format!("\0{user}\0{password}"));
        demand(session.command(&format!("AUTH PLAIN {secret}")).await?)?;
    }
    Ok(session)
}

struct Session {
    connection: Connection,
    buffer: Vec<u8>,
}

impl Session {
    /// The relay in sentences.
    fn relay(&self) -> String {
        format!("the mail relay `{}`", self.connection.server())
    }

    fn speaks_something_else(&self) -> Sent {
        later(format!("{} does not speak SMTP", self.relay()))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Sent> {
        self.connection.write_all(bytes).await.map_err(later)
    }

    async fn command(&mut self, line: &str) -> Result<Reply, Sent> {
        // Addresses were checked; nothing else may begin a second command either.
        if line.contains(['\r', '\n']) {
            return Err(Sent::Never("a line end in a command".into()));
        }
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// A command about this message: its refusal may be for good.
    async fn step(&mut self, line: &str) -> Result<(), Sent> {
        let reply = self.command(line).await?;
        conclude(&self.relay(), &reply)
    }

    async fn reply(&mut self) -> Result<Reply, Sent> {
        let mut lines = Vec::new();
        let mut total = 0;
        loop {
            let line = self.line().await?;
            total += line.len();
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let (Some(code), true) = (code, total <= REPLY) else {
                return Err(self.speaks_something_else());
            };
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
    }

    async fn line(&mut self) -> Result<String, Sent> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.buffer.len() > REPLY {
                return Err(self.speaks_something_else());
            }
            let bytes = self.connection.read().await.map_err(later)?;
            if bytes.is_empty() {
                return Err(later(format!("{} closed the connection", self.relay())));
            }
            self.buffer.extend_from_slice(&bytes);
        }
    }
}

fn later(why: String) -> Sent {
    Sent::Later(why, None)
}

/// What a reply to a step means: 4xx is for now, 5xx for good.
fn conclude(relay: &str, reply: &Reply) -> Result<(), Sent> {
    let why = format!("{relay} answered {}", reply.text());
    match reply.code {
        200..=399 => Ok(()),
        500..=599 => Err(Sent::Never(why)),
        _ => Err(later(why)),
    }
}

/// A message as it goes over the line: CRLF ends, no line that is a dot alone, and the end.
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 64);
    let mut lines: Vec<&[u8]> = message.split(|byte| *byte == b'\n').collect();
    // What follows the last line end is no line.
    if lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    for line in lines {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        // A lone CR is the end of a line to some.
        stuffed.extend(line.iter().copied().filter(|byte| *byte != b'\r'));
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

/// The name a client says for itself: addresses are written in brackets.
fn literal(name: &str) -> String {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    match bare.parse() {
        Ok(std::net::IpAddr::V4(address)) => format!("[{address}]"),
        Ok(std::net::IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        Err(_) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    #[test]
    fn dots_are_stuffed_and_lines_end_in_crlf() {
        assert_eq!(
            stuffed(b"a\r\n.\r\n..b\nc\rd"),
            b"a\r\n..\r\n...b\r\ncd\r\n.\r\n"
        );
        assert_eq!(stuffed(b"a\r\n"), b"a\r\n.\r\n");
    }

    /// A relay that answers each command by its first word; what it heard.
    fn with_relay(
        answers: &'static [(&'static str, &'static str)],
        login: Option<(&str, &str)>,
    ) -> (Sent, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let relay = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut writer = stream.try_clone().unwrap();
            let answer = |word: &str| {
                let found = answers.iter().find(|(known, _)| *known == word);
                found.map_or("250 ok\r\n", |(_, answer)| answer)
            };
            writer.write_all(answer("").as_bytes()).unwrap();
            let (mut heard, mut in_data) = (Vec::new(), false);
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                heard.push(line.clone());
                let word = if in_data {
                    "."
                } else {
                    line.split([' ', ':']).next().unwrap()
                };
                if in_data && line != "." {
                    continue;
                }
                in_data = word == "DATA" && answer(word).starts_with('3');
                if writer.write_all(answer(word).as_bytes()).is_err() || word == "QUIT" {
                    break;
                }
            }
            heard
        });
        let envelope = Envelope {
            from: "status@example.com",
            to: "ann@example.com",
            message: b"Subject: x\r\n\r\n.hidden\r\n",
        };
        let sent = pollster::block_on(send(
            "127.0.0.1",
            port,
            login,
            "status.example.com",
            &envelope,
        ));
        (sent, relay.join().unwrap())
    }

    const GOOD: &[(&str, &str)] = &[
        ("", "220-relay\r\n220 ready\r\n"),
        (
            "EHLO",
            "250-relay\r\n250-AUTH LOGIN PLAIN\r\n250 8BITMIME\r\n",
        ),
        ("AUTH", "235 welcome\r\n"),
        ("DATA", "354 go on\r\n"),
    ];

    #[test]
    fn a_message_is_handed_over() {
        let (sent, heard) = with_relay(GOOD, Some(("ann", "secret")));
        assert_eq!(sent, Sent::Delivered);
        assert_eq!(
            heard,
            [
                "EHLO status.example.com",
                "AUTH PLAIN AGFubgBzZWNyZXQ=",
                "MAIL FROM:<status@example.com>",
                "RCPT TO:<ann@example.com>",
                "DATA",
                "Subject: x",
                "",
                "..hidden",
                ".",
                "QUIT"
            ]
        );
    }

    #[test]
    fn refusals_are_for_now_or_for_good() {
        let cases: [(&'static [(&str, &str)], bool); 6] = [
            (&[("", "554 no\r\n")], false),
            (&[("", "220 ready\r\n"), ("EHLO", "502 what\r\n")], false),
            (
                &[("", "220 ready\r\n"), ("RCPT", "450 greylisted\r\n")],
                false,
            ),
            (
                &[("", "220 ready\r\n"), ("RCPT", "550 no such user\r\n")],
                true,
            ),
            (
                &[
                    ("", "220 ready\r\n"),
                    ("DATA", "354 go\r\n"),
                    (".", "552 too large\r\n"),
                ],
                true,
            ),
            (&[("", "HTTP/1.1 400 Bad Request\r\n")], false),
        ];
        for (answers, for_good) in cases {
            let (sent, _) = with_relay(answers, None);
            assert_eq!(
                matches!(sent, Sent::Never(_)),
                for_good,
                "{answers:?}: {sent:?}"
            );
            assert_ne!(sent, Sent::Delivered, "{answers:?}");
        }
        let (sent, heard) = with_relay(&[("", "220 ready\r\n")], Some(("ann", "secret")));
        assert!(matches!(sent, Sent::Later(..)), "{sent:?}");
        assert!(
            !heard.iter().any(|line| line.starts_with("AUTH")),
            "{heard:?}"
        );
    }
}
