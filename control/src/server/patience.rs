//! A stream that gives up on clients who are slow to ask: from the first byte of a request its headers have a
//! short time, and between requests a connection may be silent for a longer one. Hyper alone has one clock
//! for both.

use futures_util::task::AtomicWaker;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a request to the end of its headers.
    pub(super) header: Duration,
    /// From one request's answer to the first byte of the next.
    pub(super) idle: Duration,
}

/// Tells the stream that a request is being answered: then no clock of the stream runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<Answering>);

#[derive(Debug, Default)]
struct Answering {
    requests: AtomicUsize,
    /// Whoever reads the stream: its clock starts when the last answer is there.
    reader: AtomicWaker,
}

impl Busy {
    /// Busy until the guard is dropped.
    pub(super) fn begin(&self) -> BusyGuard {
        self.0.requests.fetch_add(1, Ordering::SeqCst);
        BusyGuard(Self(Arc::clone(&self.0)))
    }

    fn is(&self) -> bool {
        self.0.requests.load(Ordering::SeqCst) > 0
    }
}

/// See [`Busy::begin`].
pub(super) struct BusyGuard(Busy);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.0.requests.fetch_sub(1, Ordering::SeqCst);
        self.0.0.reader.wake();
    }
}

/// What the stream waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// A request's first byte.
    First,
    /// The rest of its headers.
    Rest,
    /// Nothing: a request is being answered.
    Answer,
}

/// A stream with [`Patience`].
pub(super) struct Patient<S> {
    stream: S,
    patience: Patience,
    busy: Busy,
    waiting: Waiting,
    clock: Pin<Box<Sleep>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, patience: Patience, busy: Busy) -> Self {
        let clock = Box::pin(sleep(patience.header));
        // A client that connects has something to ask: its first request gets no idle time.
        Self { stream, patience, busy, waiting: Waiting::Rest, clock }
    }

    fn wait_for(&mut self, waiting: Waiting) {
        if self.waiting == waiting {
            return;
        }
        self.waiting = waiting;
        let wait = match waiting {
            Waiting::First => self.patience.idle,
            Waiting::Rest => self.patience.header,
            Waiting::Answer => return,
        };
        self.clock.as_mut().reset(Instant::now() + wait);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.busy.0.reader.register(context.waker());
        if self.busy.is() {
            self.wait_for(Waiting::Answer);
        } else if self.waiting == Waiting::Answer {
            self.wait_for(Waiting::First);
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match (&read, self.waiting) {
            (Poll::Ready(_), Waiting::First) => self.wait_for(Waiting::Rest),
            (Poll::Pending, Waiting::First | Waiting::Rest)
                if self.clock.as_mut().poll(context).is_ready() =>
            {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            _ => {}
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
