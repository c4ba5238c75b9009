//! The load: connections that are kept alive, each with one request under way.
//!
//! One thread, and no more work per answer than finding its end: on a small machine the generator
//! takes its cores from the server.

use anyhow::{Context, Result, bail};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Before measuring: instances and connections are made.
const WARM_UP: Duration = Duration::from_secs(1);

/// One kind of request.
#[derive(Clone)]
pub struct Case {
    /// What it is called in the report.
    pub name: &'static str,
    method: &'static str,
    path: String,
    headers: String,
    body: String,
    statuses: &'static [u16],
    period: u64,
    repeats: u64,
}

impl Case {
    /// A request without a body that is answered 200. `{}` in the path stands for a number that no
    /// other request has.
    pub fn new(
        name: &'static str,
        method: &'static str,
        path: &str,
        headers: &[(String, String)],
    ) -> Self {
        let headers = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        Self {
            name,
            method,
            path: path.to_owned(),
            headers,
            body: String::new(),
            statuses: &[200],
            period: u64::MAX,
            repeats: 1,
        }
    }

    /// The same request under another name.
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// With numbers that start over: so many different requests.
    pub fn period(self, period: u64) -> Self {
        Self { period, ..self }
    }

    /// With a JSON body, answered by other statuses. `<>` in the body stands for the same number as
    /// `{}` in the path.
    pub fn body(self, body: String, statuses: &'static [u16]) -> Self {
        let headers = format!("{}content-type: application/json\r\n", self.headers);
        Self {
            body,
            statuses,
            headers,
            ..self
        }
    }

    /// With each number used so many times.
    pub fn repeats(self, repeats: u64) -> Self {
        Self { repeats, ..self }
    }

    fn is_numbered(&self) -> bool {
        self.path.contains("{}") || self.body.contains("<>")
    }

    fn request(&self, number: u64) -> Vec<u8> {
        let number = (number / self.repeats % self.period).to_string();
        let path = self.path.replace("{}", &number);
        let body = self.body.replace("<>", &number);
        format!(
            "{} {path} HTTP/1.1\r\nhost: localhost\r\n{}content-length: {}\r\n\r\n{body}",
            self.method,
            self.headers,
            body.len(),
        )
        .into_bytes()
    }
}

/// How much load.
#[derive(Clone, Copy)]
pub struct Load {
    /// Connections at the same time.
    pub connections: usize,
    /// How long it is measured.
    pub time: Duration,
    /// Requests a second at fixed moments, whose answers' times count from those moments; none:
    /// as many as are answered.
    pub pace: Option<u32>,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Answers a second.
    pub rate: f64,
    /// Half of the answers came within this time.
    pub p50: Duration,
    /// All but one in a hundred.
    pub p99: Duration,
}

impl Load {
    /// Sends requests for the time and counts. An answer of another status ends it with an error.
    pub fn run(self, server: SocketAddr, case: &Case) -> Result<Figures> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let local = tokio::task::LocalSet::new();
        let numbers = Rc::new(Cell::new(0_u64));
        let begun = Instant::now() + WARM_UP;
        let end = begun + self.time;
        let mut times: Vec<Duration> = local.block_on(&runtime, async {
            let clients: Vec<_> = (0..self.connections)
                .map(|place| {
                    let (case, numbers) = (case.clone(), numbers.clone());
                    let pace = self
                        .pace
                        .map(|rate| Pace::new(rate, place, self.connections));
                    tokio::task::spawn_local(client(server, case, numbers, pace, begun, end))
                })
                .collect();
            let mut times = Vec::new();
            for client in clients {
                times.extend(client.await??);
            }
            anyhow::Ok(times)
        })?;
        times.sort_unstable();
        let at = |share: f64| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index"
            )]
            let index = (times.len() as f64 * share) as usize;
            times
                .get(index)
                .or(times.last())
                .copied()
                .context("no answer came in time")
        };
        #[allow(clippy::cast_precision_loss, reason = "a count of seconds")]
        let rate = times.len() as f64 / self.time.as_secs_f64();
        Ok(Figures {
            rate,
            p50: at(0.50)?,
            p99: at(0.99)?,
        })
    }
}

/// How long each of so many answers took, of servers that are asked by turns: what else runs on the
/// machine meets all of them. An answer of another status ends it with an error.
pub fn by_turns(servers: &[SocketAddr], case: &Case, answers: usize) -> Result<Vec<Vec<Duration>>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut streams = Vec::new();
        for server in servers {
            streams.push(TcpStream::connect(server).await?);
        }
        let mut times = vec![Vec::new(); servers.len()];
        let mut buffer = Vec::with_capacity(64 << 10);
        for _ in 0..answers {
            for (stream, times) in streams.iter_mut().zip(&mut times) {
                stream.set_nodelay(true)?;
                let sent = Instant::now();
                stream.write_all(&case.request(0)).await?;
                let status = answer(stream, &mut buffer).await?;
                if !case.statuses.contains(&status) {
                    let text = String::from_utf8_lossy(&buffer);
                    bail!("{}: answered {status}: {text}", case.path);
                }
                times.push(sent.elapsed());
            }
        }
        Ok(times)
    })
}

/// The moments at which one of several connections sends.
struct Pace {
    next: Instant,
    step: Duration,
}

impl Pace {
    fn new(rate: u32, place: usize, connections: usize) -> Self {
        let one = Duration::from_secs(1) / rate.max(1);
        let times = |count: usize| one * u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            next: Instant::now() + times(place),
            step: times(connections),
        }
    }

    /// Waits for the next moment, from which the answer's time counts. The clock that wakes this
    /// one is late by up to two milliseconds, which is not the server's doing.
    async fn wait(&mut self) -> Instant {
        let due = self.next;
        self.next += self.step;
        if Instant::now() >= due {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        Instant::now()
    }
}

async fn client(
    server: SocketAddr,
    case: Case,
    numbers: Rc<Cell<u64>>,
    mut pace: Option<Pace>,
    begun: Instant,
    end: Instant,
) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    let mut buffer = Vec::with_capacity(64 << 10);
    let mut request = case.request(0);
    let is_numbered = case.is_numbered();
    loop {
        if is_numbered {
            numbers.set(numbers.get() + 1);
            request = case.request(numbers.get());
        }
        let sent = match &mut pace {
            Some(pace) => pace.wait().await,
            None => Instant::now(),
        };
        if sent >= end {
            return Ok(times);
        }
        stream.write_all(&request).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        if !case.statuses.contains(&status) {
            bail!(
                "{}: answered {status}: {}",
                case.name,
                String::from_utf8_lossy(&buffer)
            );
        }
        let now = Instant::now();
        if sent >= begun && now <= end {
            times.push(now - sent);
        }
    }
}

/// Reads one answer into the buffer; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<u16> {
    buffer.clear();
    let mut whole = None;
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed a connection");
        }
        if whole.is_none()
            && let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .context("an answer tells its length")?
                .trim()
                .parse()?;
            whole = Some(end + 4 + length);
        }
        if whole.is_some_and(|whole| buffer.len() >= whole) {
            return Ok(std::str::from_utf8(buffer.get(9..12).context("a status line")?)?.parse()?);
        }
    }
}
