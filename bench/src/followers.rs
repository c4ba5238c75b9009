//! Live events: how long an event takes from the request that reports it to everybody who follows, and
//! what followers cost the host while nothing happens.

use crate::application::Application;
use crate::prepare;
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How many follow, and within how many milliseconds 99 of 100 events are to be there, where that is
/// promised.
const FOLLOWERS: [(usize, Option<u128>); 3] = [(1, None), (100, Some(100)), (500, None)];

/// The deployment that `prepare` makes first.
const DEPLOYMENT: &str = "first";

/// Events that are reported to each number of followers, and the time between two.
const EVENTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(100);

/// How long is looked at followers to whom nothing happens.
const QUIET: Duration = Duration::from_secs(10);

/// How long a follower waits for the next event before it is lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures each number of followers and prints a table; an error when an event is lost or late.
pub fn measure() -> Result<()> {
    let application = Application::start()?;
    prepare::deployments(&application, 1)?;
    let path = format!("/executions?deployment_id={DEPLOYMENT}&_include_system_workflows=true");
    let executions = application.call("GET", &path, None, 200)?;
    let execution = executions["items"][0]["id"].as_str();
    let execution = execution.context("it was made by an execution")?.to_owned();
    println!(
        "\n| followers | median ms | p99 ms | slowest ms | MiB | processor ms a second while nothing happens |"
    );
    println!("|---|---|---|---|---|---|");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    for (round, (followers, most)) in FOLLOWERS.into_iter().enumerate() {
        let about = About {
            application: &application,
            execution: &execution,
            round,
        };
        let (mut times, idle) = runtime.block_on(about.followed_by(followers))?;
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_millis();
        let (median, late) = (at(50), at(99));
        let memory = application.memory()? >> 20;
        println!(
            "| {followers} | {median} | {late} | {} | {memory} | {:.0} |",
            at(100),
            idle * 1000.0
        );
        ensure!(
            most.is_none_or(|most| late <= most),
            "{late} ms with {followers} followers"
        );
    }
    Ok(())
}

/// What is followed.
struct About<'a> {
    application: &'a Application,
    execution: &'a str,
    round: usize,
}

impl About<'_> {
    /// The times of all events to all of so many followers, and what they take of a processor while
    /// nothing happens.
    async fn followed_by(&self, followers: usize) -> Result<(Vec<Duration>, f64)> {
        let mut streams = Vec::new();
        for _ in 0..followers {
            let mut stream = TcpStream::connect(self.application.address()).await?;
            stream.write_all(&self.request()).await?;
            let head = read_until(&mut stream, &mut Vec::new(), "retry: ").await?;
            ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
            streams.push(stream);
        }
        let before = self.application.processor_time()?;
        tokio::time::sleep(QUIET).await;
        let spent = self.application.processor_time()? - before;
        let follow = streams.into_iter().map(|stream| {
            let round = self.round;
            tokio::spawn(async move { follow(stream, round).await })
        });
        let follow: Vec<_> = follow.collect();
        let mut told = Vec::new();
        for number in 0..EVENTS {
            told.push(Instant::now());
            self.tell(number).await?;
            tokio::time::sleep(PAUSE).await;
        }
        let mut times = Vec::new();
        for follower in follow {
            let seen = follower.await??;
            times.extend(seen.iter().zip(&told).map(|(seen, told)| *seen - *told));
        }
        Ok((times, spent.as_secs_f64() / QUIET.as_secs_f64()))
    }

    fn headers(&self) -> String {
        let headers = self.application.headers();
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        lines.collect()
    }

    fn request(&self) -> Vec<u8> {
        format!(
            "GET /api/v3.1/events/stream?deployment_id={DEPLOYMENT}&_include=message HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
            self.headers()
        )
        .into_bytes()
    }

    async fn tell(&self, number: usize) -> Result<()> {
        let text = name(self.round, number);
        let event = json!({ "event_type": "workflow_event", "message": { "text": text } });
        let body = json!({ "execution_id": self.execution, "events": [event] }).to_string();
        let request = format!(
            "POST /api/v3.1/events HTTP/1.1\r\nhost: localhost\r\n{}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.headers(),
            body.len()
        );
        let mut stream = TcpStream::connect(self.application.address()).await?;
        stream.write_all(request.as_bytes()).await?;
        let head = read_until(&mut stream, &mut Vec::new(), "\r\n\r\n").await?;
        ensure!(head.starts_with("HTTP/1.1 201"), "{head}");
        Ok(())
    }
}

fn name(round: usize, number: usize) -> String {
    format!("event {round}-{number}.")
}

/// When each event was there, in their order.
async fn follow(mut stream: TcpStream, round: usize) -> Result<Vec<Instant>> {
    let mut seen = Vec::new();
    let mut rest = Vec::new();
    for number in 0..EVENTS {
        let event = read_until(&mut stream, &mut rest, "\n\n");
        let wanted = name(round, number);
        let mut text = event.await?;
        while !text.contains("data: ") {
            text = read_until(&mut stream, &mut rest, "\n\n").await?;
        }
        ensure!(text.contains(&wanted), "{text} came instead of {wanted}");
        seen.push(Instant::now());
    }
    Ok(seen)
}

/// Reads up to and with a text; what came behind it stays in `rest`.
async fn read_until(stream: &mut TcpStream, rest: &mut Vec<u8>, end: &str) -> Result<String> {
    loop {
        let found = rest
            .windows(end.len())
            .position(|part| part == end.as_bytes());
        if let Some(place) = found {
            let text: Vec<u8> = rest.drain(..place + end.len()).collect();
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
        let reading = tokio::time::timeout(PATIENCE, stream.read_buf(rest));
        if reading.await.context("an event is lost")?? == 0 {
            bail!("the stream ended: {}", String::from_utf8_lossy(rest));
        }
    }
}
