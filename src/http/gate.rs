//! Stands between a connection and the HTTP server, and lets in complete, vetted heads only.
//!
//! So the server never holds half a request: it can be closed at any time without losing one, and
//! whoever sends a head byte by byte runs into a deadline here. Where a head is refused, the server
//! is handed a plain one in its place, and the [`Connection`] knows the verdict: so that the refusal
//! is answered like everything else, with a problem and a request id.
//!
//! | while | we wait at most |
//! |---|---|
//! | nothing came yet, or a head is coming | `head_timeout` |
//! | a request is under way | as long as it takes: it has a deadline of its own |
//! | the connection rests between requests | `idle_timeout` |
//! | the caller does not take its answer | `idle_timeout` |

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;
use std::time::Duration;

use bytes::Buf;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use super::head;
use super::head::Verdict;

/// What the server is handed in place of a head that is refused. It is never routed.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: refused\r\n\r\n";

/// How HTTP/2 begins (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much is read at a time.
const READ_BYTES: usize = 4 * 1024;

/// How long, and how much, we go on reading from a caller who was refused: were we to close with
/// something unread, the network would throw our answer away.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// What a gate and the service behind it know of one connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    under_way: AtomicUsize,
    /// Who reads the connection, and was told to wait until its request is answered. Held only to
    /// be replaced.
    reader: Mutex<Option<Waker>>,
    verdict: OnceLock<Verdict>,
}

impl Connection {
    /// Why the last head of this connection was refused.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.verdict.get().copied()
    }

    /// Notes that a request has come.
    pub(super) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that it has been answered: the next head may be let in.
    pub(super) fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Has `reader` woken when the request under way is answered.
    fn wake_when_answered(&self, reader: &Waker) {
        let mut waiting = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(reader.clone());
    }

    fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }
}

/// How long a gate waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a head to be complete.
    pub(super) head: Duration,
    /// For the next head to begin, and for an answer to be taken.
    pub(super) idle: Duration,
}

/// A connection of which the server sees vetted heads only.
pub(super) struct Gate<S> {
    stream: S,
    connection: Arc<Connection>,
    patience: Patience,
    /// Whether HTTP/2 may begin here: where it is spoken, and before the first head.
    http2: bool,
    /// What was received and the server has not had yet.
    inbox: BytesMut,
    /// How much of the inbox, from its beginning, the server may have.
    vetted: usize,
    phase: Phase,
    read_deadline: Pin<Box<Sleep>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
    lingered_bytes: usize,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// The rest of a head, or the first byte of the first.
    Head,
    /// The next head.
    Idle,
    /// An answer of ours: nothing of the caller.
    Answer,
    /// HTTP/2: frames, which the server reads by itself.
    Frames,
}

impl<S: AsyncRead + Unpin> Gate<S> {
    pub(super) fn new(
        stream: S,
        connection: Arc<Connection>,
        patience: Patience,
        http2: bool,
    ) -> Self {
        Self {
            stream,
            connection,
            patience,
            http2,
            inbox: BytesMut::new(),
            vetted: 0,
            phase: Phase::Head,
            read_deadline: Box::pin(tokio::time::sleep(patience.head)),
            write_deadline: None,
            lingered_bytes: 0,
        }
    }

    /// Vets what stands at the beginning of the inbox, if the server has had everything before it.
    fn vet(&mut self) {
        if self.vetted > 0 || self.connection.is_busy() || self.connection.verdict().is_some() {
            return;
        }
        if self.http2 && HTTP2_PREFACE.starts_with(&self.inbox) {
            return;
        }
        if self.phase == Phase::Frames || self.begins_http2() {
            self.phase = Phase::Frames;
            self.read_deadline
                .as_mut()
                .reset(Instant::now() + self.patience.idle);
            self.vetted = self.inbox.len();
            return;
        }
        self.http2 = false;
        // An empty line before a head is none of it (RFC 9112, section 2.2).
        while self.inbox.starts_with(b"\r\n") {
            self.inbox.advance(2);
        }
        match head::inspect(&self.inbox) {
            Ok(None) => return,
            Ok(Some(length)) => self.vetted = length,
            Err(verdict) => {
                // It can be set once, and it is not set: see above.
                let _ = self.connection.verdict.set(verdict);
                self.inbox = BytesMut::from(STAND_IN);
                self.vetted = self.inbox.len();
            }
        }
        self.phase = Phase::Answer;
        self.connection.begin();
    }

    fn begins_http2(&self) -> bool {
        self.http2 && self.inbox.starts_with(HTTP2_PREFACE)
    }

    /// Hands the server what it may have.
    fn deliver(&mut self, into: &mut ReadBuf<'_>) {
        let length = self.vetted.min(into.remaining());
        into.put_slice(self.inbox.get(..length).unwrap_or_default());
        self.inbox.advance(length);
        self.vetted -= length;
        if self.inbox.is_empty() {
            // A connection that rests holds no memory for what it may once receive.
            self.inbox = BytesMut::new();
        }
    }

    /// Reads on. `Ok(0)` is the end. More than a head and a half is not taken in.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.inbox.len() > head::HEAD_BYTES_MAX {
            return Poll::Pending;
        }
        self.inbox.reserve(READ_BYTES);
        poll_read_buf(Pin::new(&mut self.stream), context, &mut self.inbox)
    }

    /// Ready when the caller has been waited for too long.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let phase = match self.phase {
            Phase::Frames => Phase::Frames,
            _ if self.connection.is_busy() => Phase::Answer,
            Phase::Head | Phase::Idle | Phase::Answer if !self.inbox.is_empty() => Phase::Head,
            Phase::Head => Phase::Head,
            Phase::Idle | Phase::Answer => Phase::Idle,
        };
        if phase != self.phase {
            self.phase = phase;
            let patience = match phase {
                Phase::Head => self.patience.head,
                Phase::Idle | Phase::Answer | Phase::Frames => self.patience.idle,
            };
            self.read_deadline.as_mut().reset(Instant::now() + patience);
        }
        match phase {
            Phase::Answer => Poll::Pending,
            Phase::Frames if self.connection.is_busy() => Poll::Pending,
            Phase::Head | Phase::Idle | Phase::Frames => self.read_deadline.as_mut().poll(context),
        }
    }

    /// Reads and throws away what a refused caller still sends, for a while.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.lingered_bytes == 0 {
            self.read_deadline.as_mut().reset(Instant::now() + LINGER);
        }
        while self.lingered_bytes < LINGER_BYTES_MAX {
            self.inbox.clear();
            match self.poll_receive(context) {
                Poll::Pending => return self.read_deadline.as_mut().poll(context),
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(length)) => self.lingered_bytes += length,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.connection.is_busy() {
                self.connection.wake_when_answered(context.waker());
            }
            // Only now: a request that was answered in between is seen here, or wakes us.
            self.vet();
            if self.vetted > 0 {
                self.deliver(into);
                return Poll::Ready(Ok(()));
            }
            if self.connection.verdict().is_some() {
                // Nothing more is taken from this caller: the refusal ends the connection.
                return Poll::Pending;
            }
            match self.poll_receive(context)? {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => {}
                // To the server, a caller who is waited for no longer has hung up.
                Poll::Pending => return self.poll_overdue(context).map(Ok),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gate<S> {
    /// Passes on what became of a write, unless the caller has not taken anything for too long.
    fn check_write<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let idle = self.patience.idle;
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check_write(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.check_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.check_write(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        if self.connection.verdict().is_some() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
