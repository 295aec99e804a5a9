//! A wire between two processes that can be cut, tapped and played back: TCP, one piece at a time.
//!
//! What one side writes at once mostly comes as one piece: a request, an answer, a statement of a database's client. So
//! pieces are the steps between two processes, and a test can let something happen before or after each of them.

use crate::stack::free_port;
use anyhow::Result;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest piece; a request of the control plane's is shorter.
const PIECE: usize = 256 * 1024;

/// Where a piece comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Whoever connected.
    Client,
    /// Whoever it connected to.
    Server,
}

/// What becomes of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// It goes on.
    On,
    /// It is lost, and the connection with it.
    Cut,
}

/// Looks at each piece before it goes on, and again after it.
type Tap = Box<dyn FnMut(From, When, &[u8]) -> Pass + Send>;

/// When a tap looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The other side has not got the piece.
    Before,
    /// It has.
    After,
}

/// A wire from a port of its own to another.
pub struct Wire {
    port: String,
    target: String,
    tap: Arc<Mutex<Option<Tap>>>,
    over: Arc<AtomicBool>,
}

impl Wire {
    /// Connects to `host:port` whoever connects to it.
    ///
    /// # Errors
    /// When there is no port.
    pub fn to(target: &str) -> Result<Self> {
        let port = free_port()?;
        let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
        let wire = Self {
            port,
            target: target.to_owned(),
            tap: Arc::default(),
            over: Arc::new(AtomicBool::new(false)),
        };
        let (target, tap, over) = (wire.target.clone(), Arc::clone(&wire.tap), Arc::clone(&wire.over));
        thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                // Nobody at the other end: the client is hung up on.
                let Ok(server) = TcpStream::connect(&target) else { continue };
                for (from, source, sink) in
                    [(From::Client, &client, &server), (From::Server, &server, &client)]
                {
                    let (Ok(source), Ok(sink)) = (source.try_clone(), sink.try_clone()) else { continue };
                    let _ = source.set_nodelay(true);
                    let tap = Arc::clone(&tap);
                    thread::spawn(move || carry(from, source, sink, &tap));
                }
            }
        });
        Ok(wire)
    }

    /// Its own port.
    pub fn port(&self) -> &str {
        &self.port
    }

    /// Has every piece looked at from now on.
    pub fn tap(&self, tap: impl FnMut(From, When, &[u8]) -> Pass + Send + 'static) {
        *self.tap.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tap));
    }

    /// Lets everything pass again.
    pub fn untap(&self) {
        *self.tap.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Sends a piece once more, on a connection of its own, and waits a little for an answer.
    pub fn replay(&self, piece: &[u8]) {
        let Ok(mut server) = TcpStream::connect(&self.target) else { return };
        let _ = server.set_read_timeout(Some(Duration::from_secs(5)));
        if server.write_all(piece).is_ok() {
            let _ = server.read(&mut [0; 4_096]);
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        // Wakes the listener, so that it sees that it is over.
        let _ = TcpStream::connect(format!("127.0.0.1:{}", self.port));
    }
}

fn carry(from: From, mut source: TcpStream, mut sink: TcpStream, tap: &Mutex<Option<Tap>>) {
    let look = |when, piece: &[u8]| {
        let mut tap = tap.lock().unwrap_or_else(PoisonError::into_inner);
        tap.as_mut().map_or(Pass::On, |tap| tap(from, when, piece))
    };
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = source.read(&mut buffer) {
        let piece = &buffer[..length];
        if look(When::Before, piece) == Pass::Cut || sink.write_all(piece).is_err() {
            break;
        }
        if look(When::After, piece) == Pass::Cut {
            break;
        }
    }
    // An error means that it is gone.
    let _ = source.shutdown(Shutdown::Both);
    let _ = sink.shutdown(Shutdown::Both);
}
