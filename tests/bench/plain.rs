//! A server that sends one file, whatever it is asked for: what stands beside downloads.

use anyhow::{Result, anyhow};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A running one; stops when it goes.
pub struct Plain {
    address: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Plain {
    /// Starts it.
    pub fn start(file: &Path) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, stop) = (listener.local_addr()?.to_string(), Arc::new(AtomicBool::new(false)));
        let (stopped, file) = (Arc::clone(&stop), file.to_owned());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                // Whoever waits for the rest finds that it is missing.
                let _ = stream.map_err(anyhow::Error::from).and_then(|stream| send(stream, &file));
            }
        });
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // It looks at that when somebody comes.
        let _ = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads the head of one request and sends the file.
fn send(stream: TcpStream, path: &PathBuf) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(anyhow!("nothing was asked"));
        }
    }
    let mut file = File::open(path)?;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        file.metadata()?.len()
    );
    let stream = stream.get_mut();
    stream.write_all(head.as_bytes())?;
    io::copy(&mut file, stream)?;
    Ok(())
}
