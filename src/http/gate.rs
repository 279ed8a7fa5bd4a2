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
//! | a frame of HTTP/2 is coming | `head_timeout`, too |
//! | a request is under way | as long as it takes: it has a deadline of its own |
//! | the connection rests between requests, whatever other frames come | `idle_timeout` |
//! | the caller takes nothing of its answer | `idle_timeout` |
//! | the connection is ending, and no request is under way | a short grace |
//!
//! Frames of HTTP/2 are handed on as they come: the server reads them by itself, and has half a head
//! now and then. A connection of HTTP/2 that is ending is ended by the server, which tells the caller
//! so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Buf;
use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use super::connection::Connection;
use super::frames::Complete;
use super::frames::FrameReader;
use super::head;
use super::head::HeadReader;
use super::patience::Midst;
use super::patience::Patience;
use super::patience::Waiting;
use super::patience::Watch;

/// How HTTP/2 begins (RFC 9113, section 3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much is read at a time.
const READ_BYTES: usize = 4 * 1024;

/// How long, and how much, we go on reading from a caller who was told that this is the last answer:
/// were we to close with something unread, the network would throw our answer away.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// A connection of which the server sees vetted heads only.
pub(super) struct Gate<S> {
    stream: S,
    connection: Arc<Connection>,
    watch: Watch,
    protocol: Protocol,
    heads: HeadReader,
    frames: FrameReader,
    /// The same for what is sent.
    sent: FrameReader,
    /// What was received and the server has not had yet.
    inbox: BytesMut,
    /// How much of the inbox, from its beginning, the server may have.
    vetted: usize,
    write_deadline: Option<Pin<Box<Sleep>>>,
    linger: Option<Linger>,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Protocol {
    /// HTTP/1.1.
    Heads,
    /// HTTP/2, whose frames the server reads by itself.
    Frames,
    /// Not known yet; HTTP/2 is one of the possibilities.
    Either,
    /// Nothing was let in yet; it can only be HTTP/1.1.
    HeadsToCome,
}

/// What came of reading.
enum Received {
    /// Nothing will come any more.
    End,
    /// One head, which the server has.
    Head,
    /// Something in the inbox.
    Other,
}

/// The end of a connection whose caller was told that it is one.
struct Linger {
    deadline: Pin<Box<Sleep>>,
    bytes_left: usize,
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
            watch: Watch::new(patience),
            protocol: if http2 {
                Protocol::Either
            } else {
                Protocol::HeadsToCome
            },
            heads: HeadReader::default(),
            frames: FrameReader::default(),
            sent: FrameReader::default(),
            inbox: BytesMut::new(),
            vetted: 0,
            write_deadline: None,
            linger: None,
        }
    }

    /// Vets what stands at the beginning of the inbox, once the server is done with everything
    /// before it. What frames hold is none of our business.
    fn vet(&mut self) {
        if self.protocol == Protocol::Either {
            self.recognise();
        }
        match self.protocol {
            Protocol::Frames => self.follow_frames(),
            Protocol::Heads | Protocol::HeadsToCome => self.vet_head(),
            Protocol::Either => {}
        }
    }

    /// Tells HTTP/2 by its first bytes, once they are there.
    fn recognise(&mut self) {
        if self.inbox.starts_with(HTTP2_PREFACE) {
            self.protocol = Protocol::Frames;
            self.vetted = HTTP2_PREFACE.len();
            self.connection.recognise_http2();
        } else if !HTTP2_PREFACE.starts_with(&self.inbox) {
            self.protocol = Protocol::HeadsToCome;
        }
    }

    fn follow_frames(&mut self) {
        let news = self.inbox.get(self.vetted..).unwrap_or_default();
        match self.frames.follow(news) {
            Complete::Head => self.watch.begin_anew(),
            Complete::Data | Complete::Frame => self.watch.note_frame(),
            Complete::Nothing => {}
        }
        self.vetted = self.inbox.len();
    }

    fn vet_head(&mut self) {
        if self.vetted > 0 || self.connection.is_busy() || self.connection.is_refused() {
            return;
        }
        // An empty line before a head is none of it (RFC 9112, section 2.2).
        while self.inbox.starts_with(b"\r\n") {
            self.inbox.advance(2);
            self.heads = HeadReader::default();
        }
        match self.heads.inspect(&self.inbox) {
            Ok(None) => return,
            Ok(Some(length)) => self.vetted = length,
            Err(verdict) => {
                self.connection.refuse(verdict);
                self.inbox = BytesMut::from(&*head::stand_in(&self.inbox));
                self.vetted = self.inbox.len();
            }
        }
        self.let_in();
    }

    /// Reads straight into the server's hands, and leaves it there if it is just one head that may be
    /// let in, as it is nearly always. Whatever else it is goes to the inbox.
    fn poll_receive_head(
        &mut self,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Received>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        let news = into.filled().get(before..).unwrap_or_default();
        if news.is_empty() {
            return Poll::Ready(Ok(Received::End));
        }
        if HeadReader::default().inspect(news) == Ok(Some(news.len())) {
            self.let_in();
            return Poll::Ready(Ok(Received::Head));
        }
        self.inbox.extend_from_slice(news);
        into.set_filled(before);
        Poll::Ready(Ok(Received::Other))
    }

    /// Whether the next that comes should be a head of HTTP/1.1, and may be let in.
    fn awaits_head(&self) -> bool {
        let speaks_heads = matches!(self.protocol, Protocol::Heads | Protocol::HeadsToCome);
        speaks_heads && self.inbox.is_empty() && !self.connection.is_busy()
    }

    /// Notes that a head is let in.
    fn let_in(&mut self) {
        self.protocol = Protocol::Heads;
        self.watch.begin_anew();
        self.connection.begin();
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

    /// Reads on, into the inbox. More than a head and a half is not taken in.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Received>> {
        if self.inbox.len() > head::HEAD_BYTES_MAX {
            return Poll::Pending;
        }
        self.inbox.reserve(READ_BYTES);
        let length = ready!(poll_read_buf(
            Pin::new(&mut self.stream),
            context,
            &mut self.inbox
        ))?;
        Poll::Ready(Ok(if length == 0 {
            Received::End
        } else {
            Received::Other
        }))
    }

    /// Ready when the caller has been waited for too long.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.write_deadline.is_some() {
            // It is the caller who is to take something, and has its time for that.
            return Poll::Pending;
        }
        let waiting = self.waiting();
        self.watch.poll_overdue(context, waiting)
    }

    fn waiting(&self) -> Waiting {
        let rests = !self.connection.is_busy();
        // The server ends a connection of HTTP/2: it knows what is under way.
        let ends = rests && self.connection.is_ending() && self.protocol != Protocol::Frames;
        let midst = match self.protocol {
            Protocol::Frames => self.frames.midst(),
            // What is sent ahead is not looked at.
            Protocol::Heads if !rests || self.inbox.is_empty() => Midst::Nothing,
            Protocol::Either | Protocol::Heads | Protocol::HeadsToCome => Midst::Head,
        };
        Waiting { midst, rests, ends }
    }

    /// Reads and throws away what the caller still sends, for a while.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            deadline: Box::pin(tokio::time::sleep(LINGER)),
            bytes_left: LINGER_BYTES_MAX,
        });
        while linger.bytes_left > 0 {
            self.inbox.clear();
            self.inbox.reserve(READ_BYTES);
            let stream = Pin::new(&mut self.stream);
            match poll_read_buf(stream, context, &mut self.inbox) {
                Poll::Pending => return linger.deadline.as_mut().poll(context),
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(length)) => {
                    linger.bytes_left = linger.bytes_left.saturating_sub(length);
                }
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
            if self.connection.is_refused() {
                // Nothing more is taken from this caller: the refusal ends the connection.
                return Poll::Pending;
            }
            let received = if self.awaits_head() {
                self.poll_receive_head(context, into)?
            } else {
                self.poll_receive(context)?
            };
            match received {
                Poll::Ready(Received::End | Received::Head) => return Poll::Ready(Ok(())),
                Poll::Ready(Received::Other) => {}
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
            if self.write_deadline.take().is_some() {
                // Now that the answer goes on, what is waited for may be something else, and the
                // wait for it begins anew: a caller who takes an answer does not rest.
                self.watch.begin_anew();
                context.waker().wake_by_ref();
            }
            return written;
        }
        let idle = self.watch.idle();
        let deadline = self
            .write_deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S> Gate<S> {
    /// Follows the answers of HTTP/2. It is the caller who says how much of one may be sent, and no
    /// write waits for that: so whoever takes one is known by what of it goes out.
    fn follow_sent(&mut self, slices: &[io::IoSlice<'_>], mut length: usize) {
        if self.protocol != Protocol::Frames {
            return;
        }
        for slice in slices {
            let sent = slice.get(..length.min(slice.len())).unwrap_or_default();
            length -= sent.len();
            if self.sent.follow(sent) >= Complete::Data {
                self.watch.note_taken();
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        let length = ready!(self.check_write(context, written))?;
        self.follow_sent(&[io::IoSlice::new(bytes)], length);
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        let length = ready!(self.check_write(context, written))?;
        self.follow_sent(slices, length);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.check_write(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Over TLS, that is something to be taken, too.
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        ready!(self.check_write(context, shut))?;
        if self.connection.has_parted() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::io::empty;

    use super::*;

    /// One whose other end takes nothing: not even that this is the end, as TLS says it.
    struct Stuck;

    impl AsyncRead for Stuck {
        fn poll_read(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut empty()).poll_read(context, into)
        }
    }

    impl AsyncWrite for Stuck {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Pending
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_caller_who_does_not_take_the_end_is_not_waited_for_without_end() {
        let patience = Patience::always(Duration::from_millis(50));
        let mut gate = Gate::new(Stuck, Arc::default(), patience, false);

        let shut = tokio::time::timeout(Duration::from_secs(20), gate.shutdown()).await;

        let error = shut.expect("in time").expect_err("not taken");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
