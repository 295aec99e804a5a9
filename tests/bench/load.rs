//! Load: closed loops over kept connections, which do as little as possible themselves.

use anyhow::{Context, Result, anyhow, bail};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// As much as is read at once.
const BUFFER: usize = 64 * 1024;

/// A request, as it goes over the wire.
#[derive(Debug, Clone)]
pub struct Request(Vec<u8>);

impl Request {
    /// `GET` with further header lines.
    pub fn get(path: &str, headers: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n").into_bytes())
    }

    /// `POST` or `PUT` of a body.
    pub fn send(method: &str, path: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        Self([head.as_bytes(), body].concat())
    }
}

/// A kept connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).context("no connection")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::with_capacity(BUFFER, stream) })
    }

    /// Sends a request and reads the answer: status and body.
    pub fn call(&mut self, request: &Request) -> Result<(u16, Vec<u8>)> {
        let mut body = Vec::new();
        let (status, _) = self.receive(request, |part| {
            body.extend_from_slice(part);
            Ok(())
        })?;
        Ok((status, body))
    }

    /// Sends a request and gives the answer's body away as it comes: status, and when its first byte was there.
    pub fn receive(
        &mut self,
        request: &Request,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<(u16, Duration)> {
        let begun = Instant::now();
        self.stream.get_mut().write_all(&request.0).context("the request was not taken")?;
        let (status, length) = self.head()?;
        if length != Some(0) {
            self.stream.fill_buf().context("no body")?;
        }
        let first_byte = begun.elapsed();
        if let Some(length) = length {
            self.part(length, &mut take)?;
            return Ok((status, first_byte));
        }
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).context("a chunk's size")?;
            self.part(size, &mut take)?;
            self.stream.read_line(&mut line)?;
            if size == 0 {
                return Ok((status, first_byte));
            }
        }
    }

    /// Reads what comes before a body: status, and the body's length unless it comes in chunks.
    fn head(&mut self) -> Result<(u16, Option<usize>)> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("no answer within 30 s")?;
        let status =
            line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status line")?;
        let mut length = Some(0);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                return Ok((status, length));
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = Some(value.trim().parse().context("a length")?);
            }
            if header == "transfer-encoding: chunked" {
                length = None;
            }
        }
    }

    /// Gives so many bytes away.
    fn part(&mut self, mut left: usize, take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        while left > 0 {
            let come = self.stream.fill_buf()?;
            let come = come.get(..left).unwrap_or(come);
            if come.is_empty() {
                bail!("an answer broke off");
            }
            take(come)?;
            let taken = come.len();
            self.stream.consume(taken);
            left -= taken;
        }
        Ok(())
    }
}

/// How long each answer took.
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Of answers in any order.
    pub fn of(mut taken: Vec<Duration>) -> Self {
        taken.sort_unstable();
        Self(taken)
    }

    /// The latency that so many of a thousand answers did not pass.
    pub fn permille(&self, permille: usize) -> Duration {
        let at = (self.0.len().saturating_sub(1)) * permille / 1_000;
        self.0.get(at).copied().unwrap_or_default()
    }
}

/// One connection in a closed loop for a while; every answer must have this status.
pub fn probe(address: &str, requests: &[Request], status: u16, duration: Duration) -> Result<Latencies> {
    let mut connection = Connection::open(address)?;
    let (begun, mut taken) = (Instant::now(), Vec::new());
    for request in requests.iter().cycle() {
        if begun.elapsed() >= duration {
            break;
        }
        let asked = Instant::now();
        expect(connection.call(request)?, status)?;
        taken.push(asked.elapsed());
    }
    Ok(Latencies::of(taken))
}

/// Several connections at once, until each request was made `times`; tells how many that were.
pub fn all(
    address: &str,
    requests: &[Request],
    status: u16,
    (connections, times): (usize, usize),
) -> Result<usize> {
    let made = together(connections, |worker| {
        let mut connection = Connection::open(address)?;
        let mut made = 0;
        for _ in 0..times {
            for request in requests.iter().skip(worker).step_by(connections) {
                expect(connection.call(request)?, status)?;
                made += 1;
            }
        }
        Ok(made)
    })?;
    Ok(made.into_iter().sum())
}

/// Several connections at once that make one request for a while; tells how often that was in a second.
pub fn rate(
    address: &str,
    request: &Request,
    status: u16,
    (connections, duration): (usize, Duration),
) -> Result<f64> {
    let begun = Instant::now();
    let made = together(connections, |_| {
        let mut connection = Connection::open(address)?;
        let mut made = 0_u32;
        while begun.elapsed() < duration {
            expect(connection.call(request)?, status)?;
            made += 1;
        }
        Ok(made)
    })?;
    Ok(f64::from(made.into_iter().sum::<u32>()) / begun.elapsed().as_secs_f64())
}

/// So many threads at once; what each of them gave, by its number.
pub fn together<T: Send>(threads: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    thread::scope(|scope| {
        let work = &work;
        let begun: Vec<_> = (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        begun
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a connection's thread ended"))?)
            .collect()
    })
}

/// Where a link is asked.
pub fn path(token: &str, verb: &str) -> String {
    format!("/api/v1/public/shares/{token}/{verb}")
}

fn expect((status, body): (u16, Vec<u8>), expected: u16) -> Result<()> {
    if status != expected {
        bail!("status {status} instead of {expected}: {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
