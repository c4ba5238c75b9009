//! What a probe asks, how often, and from when on it counts.

use crate::body::{impact, refusal};
use crate::lifecycle::check_system_title;
use serde::{Deserialize, Serialize};
use windlass_core::outbound::address;
use windlass_core::{Body, Error, Result};

/// The longest URL or address, in bytes, and the longest text that is looked for, in characters.
const TARGET: usize = 2000;
const TEXT: usize = 500;
/// How bad it is that something does not answer, unless the probe says otherwise: an outage.
const IMPACT: i64 = 3;
/// The fields of a probe.
const KNOWN: [&str; 13] = [
    "component_id",
    "type",
    "url",
    "method",
    "expected_statuses",
    "contains",
    "address",
    "interval_seconds",
    "timeout_seconds",
    "failures_to_open",
    "successes_to_close",
    "impact",
    "title",
];

windlass_core::named_enum! {
    /// How a probe asks.
    pub enum Check {
        /// By a request, whose answer has to be as expected.
        Http = "http",
        /// By a connection.
        Tcp = "tcp",
    }
}

/// What a probe asks and what it makes of the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How it asks.
    #[serde(rename = "type")]
    pub check: Check,
    /// The URL, of `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The method, of `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The statuses that are good; from 200 to 399 where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_statuses: Vec<u16>,
    /// What the answer has to contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Host and port, of `tcp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How often it asks.
    pub interval_seconds: i64,
    /// How long an answer may take.
    pub timeout_seconds: u64,
    /// How many failures in a row open an incident.
    pub failures_to_open: i64,
    /// How many successes in a row end it.
    pub successes_to_close: i64,
    /// How bad it is, 1 to 3.
    pub impact: i64,
    /// What the public reads; that the component does not answer where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

impl Settings {
    /// Reads what somebody wants of a probe, and which component it is about.
    ///
    /// # Errors
    /// 400 naming the field.
    pub fn read(body: &Body, allow_private: bool) -> Result<(i64, Self)> {
        if let Some(unknown) = body.names().find(|name| !KNOWN.contains(name)) {
            return Err(refusal(unknown, format!("Unknown field `{unknown}`")));
        }
        let component = body.integer("component_id")?;
        let component = component.ok_or_else(|| Error::missing("component_id"))?;
        let check = body.required_text("type")?;
        let check = Check::named(check).ok_or_else(|| {
            let text = format!("type must be `http` or `tcp`, not `{check}`");
            refusal("type", text)
        })?;
        let title = body.filled_text("title")?.map(str::to_owned);
        if let Some(title) = &title {
            check_system_title(title)?;
        }
        let mut settings = Self {
            check,
            url: None,
            method: None,
            expected_statuses: Vec::new(),
            contains: None,
            address: None,
            interval_seconds: number(body, "interval_seconds", 60, 10..=3600)?,
            timeout_seconds: number(body, "timeout_seconds", 10, 1..=30)?.unsigned_abs(),
            failures_to_open: number(body, "failures_to_open", 3, 1..=100)?,
            successes_to_close: number(body, "successes_to_close", 2, 1..=100)?,
            impact: impact(body, IMPACT)?,
            title,
        };
        match check {
            Check::Http => settings.read_http(body, allow_private)?,
            Check::Tcp => settings.read_tcp(body, allow_private)?,
        }
        Ok((component, settings))
    }

    fn read_http(&mut self, body: &Body, allow_private: bool) -> Result<()> {
        refuse_given(body, "http", &["address"])?;
        let url = body.required_text("url")?.trim();
        if url.len() > TARGET {
            let text = format!("The URL is longer than {TARGET} bytes");
            return Err(refusal("url", text));
        }
        address::check(url, allow_private).map_err(|text| refusal("url", text))?;
        self.url = Some(url.to_owned());
        let method = body.filled_text("method")?.unwrap_or("GET");
        if !matches!(method, "GET" | "HEAD") {
            let text = "method must be `GET` or `HEAD`: a probe changes nothing";
            return Err(refusal("method", text.to_owned()));
        }
        self.method = Some(method.to_owned());
        for status in body.list("expected_statuses")?.into_iter().flatten() {
            let number = status
                .as_u64()
                .and_then(|number| u16::try_from(number).ok());
            let number = number.filter(|number| (100..=599).contains(number));
            self.expected_statuses.push(number.ok_or_else(|| {
                let text = "expected_statuses are numbers from 100 to 599";
                refusal("expected_statuses", text.to_owned())
            })?);
        }
        if self.expected_statuses.len() > 50 {
            let text = "expected_statuses are at most 50";
            return Err(refusal("expected_statuses", text.to_owned()));
        }
        self.contains = body.filled_text("contains")?.map(str::to_owned);
        match &self.contains {
            Some(text) if text.chars().count() > TEXT => {
                let text = format!("contains is longer than {TEXT} characters");
                Err(refusal("contains", text))
            }
            Some(_) if method == "HEAD" => {
                let text = "an answer to HEAD contains nothing";
                Err(refusal("contains", text.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn read_tcp(&mut self, body: &Body, allow_private: bool) -> Result<()> {
        let of_http = ["url", "method", "expected_statuses", "contains"];
        refuse_given(body, "tcp", &of_http)?;
        let address = body.required_text("address")?.trim();
        let named = host_and_port(address).filter(|_| address.len() <= TARGET);
        if named.is_none() {
            let text = format!("`{address}` is no host and port, such as `db.example.com:5432`");
            return Err(refusal("address", text));
        }
        // The rule for URLs, which is about the host.
        address::check(&format!("http://{address}"), allow_private)
            .map_err(|text| refusal("address", text))?;
        self.address = Some(address.to_owned());
        Ok(())
    }

    /// What is asked: the URL, or host and port.
    pub fn target(&self) -> &str {
        let target = self.url.as_deref().or(self.address.as_deref());
        target.unwrap_or_default()
    }
}

/// The host and the port of an address; an IPv6 address stands in brackets.
pub(super) fn host_and_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let is_bare = host.contains(':') && !host.starts_with('[');
    let is_odd = host.contains(['/', '@', '?', '#', '\\']) || host.contains(char::is_whitespace);
    (!host.is_empty() && !is_bare && !is_odd).then_some((host, port))
}

fn refuse_given(body: &Body, check: &str, names: &[&str]) -> Result<()> {
    match names.iter().find(|name| body.get(name).is_some()) {
        Some(name) => {
            let text = format!("`{name}` means nothing to a probe of the type `{check}`");
            Err(refusal(name, text))
        }
        None => Ok(()),
    }
}

fn number(
    body: &Body,
    name: &str,
    standard: i64,
    range: std::ops::RangeInclusive<i64>,
) -> Result<i64> {
    let number = body.integer(name)?.unwrap_or(standard);
    if !range.contains(&number) {
        let (least, most) = (range.start(), range.end());
        let text = format!("{name} must be a number from {least} to {most}");
        return Err(refusal(name, text));
    }
    Ok(number)
}
