//! What the host measures: requests by route, method and status, how long their answers took to begin, its
//! memory, and the size of its files, in the text format of Prometheus.
//!
//! It is served at an address of its own (`--metrics-listen`), because it asks nobody who they are. What the
//! application knows of itself is at its own `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The upper ends of the histogram's buckets, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// How long a scraper may take for its request.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long answers of one route took.
#[derive(Clone, Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
}

impl Histogram {
    fn add(&mut self, seconds: f64) {
        for (bucket, end) in self.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= end);
        }
        self.count += 1;
        self.seconds += seconds;
    }
}

/// Numbers of requests by method and status, and their times.
#[derive(Clone, Debug, Default)]
struct OfRoute {
    answers: BTreeMap<(&'static str, u16), u64>,
    times: Histogram,
}

/// Everything that is measured of one host.
pub struct Measured {
    /// By the route as spin.toml writes it, so there are as many as that has.
    routes: Mutex<BTreeMap<String, OfRoute>>,
    state_dir: PathBuf,
    started: f64,
}

impl Measured {
    /// Nothing yet, for the files in a folder.
    pub fn new(state_dir: &Path) -> Arc<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Arc::new(Self {
            routes: Mutex::default(),
            state_dir: state_dir.to_owned(),
            started: since.map_or(0.0, |since| since.as_secs_f64()),
        })
    }

    /// Notes an answer that began after this time.
    pub fn answered(&self, route: &str, method: &http::Method, status: u16, took: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if !routes.contains_key(route) {
            routes.insert(route.to_owned(), OfRoute::default());
        }
        if let Some(of_route) = routes.get_mut(route) {
            *of_route.answers.entry((known(method), status)).or_default() += 1;
            of_route.times.add(took.as_secs_f64());
        }
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let routes = routes.clone();
        let mut text = String::with_capacity(16 << 10);
        let version = env!("CARGO_PKG_VERSION");
        head(
            &mut text,
            "windlass_host_build_info",
            "gauge",
            "What runs here.",
        );
        let _ = writeln!(text, "windlass_host_build_info{{version=\"{version}\"}} 1");
        requests(&mut text, &routes);
        self.files(&mut text);
        self.process(&mut text);
        text
    }

    fn files(&self, text: &mut String) {
        let name = "windlass_host_state_bytes";
        head(text, name, "gauge", "The size of each file of the state.");
        for entry in std::fs::read_dir(&self.state_dir).into_iter().flatten() {
            let found = entry.and_then(|entry| Ok((entry.file_name(), entry.metadata()?)));
            if let Ok((file, about)) = found
                && about.is_file()
            {
                let file = escaped(&file.to_string_lossy());
                let _ = writeln!(text, "{name}{{file=\"{file}\"}} {}", about.len());
            }
        }
        if let Some(free) = crate::room::free_bytes(&self.state_dir) {
            let name = "windlass_host_disk_free_bytes";
            head(text, name, "gauge", "Room on the disk of the state.");
            let _ = writeln!(text, "{name} {free}");
        }
    }

    fn process(&self, text: &mut String) {
        let name = "process_start_time_seconds";
        head(text, name, "gauge", "When the process began.");
        let _ = writeln!(text, "{name} {:.3}", self.started);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<u64>().ok());
        if let Some(kilobytes) = kilobytes {
            let name = "process_resident_memory_bytes";
            head(text, name, "gauge", "Memory of the process.");
            let _ = writeln!(text, "{name} {}", kilobytes * 1024);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let name = "process_open_fds";
            head(text, name, "gauge", "Open files and connections.");
            let _ = writeln!(text, "{name} {}", open.count());
        }
    }
}

fn requests(text: &mut String, routes: &BTreeMap<String, OfRoute>) {
    let name = "windlass_host_requests_total";
    head(text, name, "counter", "Requests that were answered.");
    for (route, of_route) in routes {
        let route = escaped(route);
        for ((method, status), count) in &of_route.answers {
            let _ = writeln!(
                text,
                "{name}{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}} {count}"
            );
        }
    }
    let name = "windlass_host_request_duration_seconds";
    let help = "How long it took until an answer began.";
    head(text, name, "histogram", help);
    for (route, of_route) in routes {
        let route = escaped(route);
        let times = &of_route.times;
        for (end, count) in BUCKETS.iter().zip(times.buckets) {
            let _ = writeln!(
                text,
                "{name}_bucket{{route=\"{route}\",le=\"{end}\"}} {count}"
            );
        }
        let count = times.count;
        let _ = writeln!(
            text,
            "{name}_bucket{{route=\"{route}\",le=\"+Inf\"}} {count}\n\
             {name}_sum{{route=\"{route}\"}} {:.6}\n\
             {name}_count{{route=\"{route}\"}} {count}",
            times.seconds
        );
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// The name of a method; what clients made up is one.
fn known(method: &http::Method) -> &'static str {
    match *method {
        http::Method::GET => "GET",
        http::Method::HEAD => "HEAD",
        http::Method::POST => "POST",
        http::Method::PUT => "PUT",
        http::Method::PATCH => "PATCH",
        http::Method::DELETE => "DELETE",
        http::Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Answers whoever connects with the numbers, one after the other, until the process ends.
///
/// # Errors
/// When the address cannot be listened on.
pub fn serve(measured: Arc<Measured>, address: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who goes away early asks again.
                let _ = answer(stream, &measured);
            }
        })?;
    Ok(address)
}

fn answer(mut stream: TcpStream, measured: &Measured) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut asked = [0; 4096];
    let mut length = 0;
    while !asked
        .get(..length)
        .unwrap_or(&[])
        .windows(4)
        .any(|end| end == b"\r\n\r\n")
    {
        let Some(room) = asked.get_mut(length..).filter(|room| !room.is_empty()) else {
            return Ok(());
        };
        match stream.read(room)? {
            0 => return Ok(()),
            read => length += read,
        }
    }
    let is_known = asked.starts_with(b"GET /metrics ") || asked.starts_with(b"GET / ");
    let (status, body) = match is_known {
        true => ("200 OK", measured.text()),
        false => ("404 Not Found", "the numbers are at /metrics\n".to_owned()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[test]
    fn requests_are_counted_by_route_and_answer_and_timed() {
        let folder = std::env::temp_dir();
        let measured = Measured::new(&folder);
        let route = "/api/v3.1/sites/...";
        for (status, millis) in [(200, 2), (200, 600), (404, 0)] {
            let took = Duration::from_millis(millis);
            measured.answered(route, &Method::GET, status, took);
        }
        let made_up = Method::from_bytes(b"BREW").unwrap();
        measured.answered("/a\"b", &made_up, 405, Duration::from_secs(40));
        let text = measured.text();
        for line in [
            r#"windlass_host_requests_total{route="/api/v3.1/sites/...",method="GET",status="200"} 2"#,
            r#"windlass_host_requests_total{route="/a\"b",method="other",status="405"} 1"#,
            r#"windlass_host_request_duration_seconds_bucket{route="/api/v3.1/sites/...",le="0.001"} 1"#,
            r#"windlass_host_request_duration_seconds_bucket{route="/api/v3.1/sites/...",le="0.005"} 2"#,
            r#"windlass_host_request_duration_seconds_bucket{route="/api/v3.1/sites/...",le="+Inf"} 3"#,
            r#"windlass_host_request_duration_seconds_sum{route="/api/v3.1/sites/..."} 0.602000"#,
            r#"windlass_host_request_duration_seconds_bucket{route="/a\"b",le="30"} 0"#,
            "# TYPE process_resident_memory_bytes gauge",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
        }
    }

    #[test]
    fn a_scraper_is_answered() {
        let measured = Measured::new(&std::env::temp_dir());
        let address = serve(measured, ([127, 0, 0, 1], 0).into()).unwrap();
        for (path, status) in [("/metrics", "200"), ("/etc", "404")] {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            let mut told = String::new();
            stream.read_to_string(&mut told).unwrap();
            assert!(told.starts_with(&format!("HTTP/1.1 {status}")), "{told}");
        }
    }
}
