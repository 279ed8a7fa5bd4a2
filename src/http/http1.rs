//! HTTP/1.1 with one caller: a head, its answer, and so on to the end (RFC 9112).
//!
//! No request here has a body, and every answer is bytes that are there before the first of them is
//! sent. So a connection is nothing but one head after another, vetted before anything else sees it
//! ([`head`]), and each answer is a head and so many bytes ([`reply`](super::reply)). What a caller sends ahead is
//! looked at when it is its turn.
//!
//! | while | we wait at most |
//! |---|---|
//! | nothing came yet, or a head is coming | `head_timeout` |
//! | a request is under way | as long as it takes: it has a deadline of its own |
//! | the connection rests between requests | `idle_timeout` |
//! | the caller takes nothing of its answer | `idle_timeout` |
//! | the house is closing, and no request is under way | a short grace |
//!
//! A connection that is ending takes what its caller is just sending, says in its answer that it is
//! the last, and is closed once its caller is quiet. For the end of the house that loses nothing; and
//! who is turned away at the door is on a connection that is ending from its beginning.

use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Buf;
use bytes::BytesMut;
use http::Request;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::at_once::Finished;
use super::guest::Guest;
use super::habit::Habit;
use super::head;
use super::head::Head;
use super::head::HeadReader;
use super::head::Verdict;
use super::http2;
use super::patience::Midst;
use super::patience::Patience;
use super::patience::Taking;
use super::patience::Waiting;
use super::patience::Watch;
use super::reply::Persistence;
use super::reply::Shape;
use super::seldom::Seldom;

/// How much is read at a time.
const READ_BYTES: usize = 4 * 1024;

/// How long, and how much, we go on reading from a caller who was told that this is the last answer:
/// were we to close with something unread, the network would throw our answer away.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// A connection, as long as nothing else than HTTP/1.1 is spoken on it.
pub(super) struct Talk<S> {
    stream: S,
    /// What was received and not looked at yet.
    inbox: BytesMut,
    heads: HeadReader,
    /// How the caller asks, if the last request was answered at once.
    habit: Option<Habit>,
    watch: Watch,
    taking: Taking,
    /// Nothing was taken for a head yet.
    begins: bool,
    /// The end of the house.
    stop: Seldom<WaitForCancellationFutureOwned>,
    /// The next answer is the last.
    is_ending: bool,
}

/// What is next.
enum Next {
    /// A request that was answered at once.
    Answered(Finished),
    /// Nothing.
    End,
    /// A request that is to be answered.
    Head(Request<()>),
    /// Another protocol: what was received is the beginning of it.
    Http2,
    /// A head that is not let in. It stands in for it.
    Refused(Request<()>, Verdict),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub(super) fn new(stream: S, guest: &Guest, patience: Patience) -> Self {
        Self {
            stream,
            inbox: BytesMut::new(),
            heads: HeadReader::default(),
            habit: None,
            watch: Watch::new(patience),
            taking: Taking::new(patience),
            begins: true,
            stop: Seldom::new(guest.stop.clone().cancelled_owned()),
            is_ending: guest.turned_away.is_some(),
        }
    }

    /// Serves the connection to its end; or until it turns out that HTTP/2 is spoken on it: then it is
    /// handed back, with what was received.
    pub(super) async fn serve(mut self, guest: &Guest) -> io::Result<Option<(S, BytesMut)>> {
        loop {
            let (request, refused) = match self.next(guest).await? {
                Next::Answered(finished) => {
                    self.send(&finished.head, finished.body()).await?;
                    continue;
                }
                Next::End => break,
                Next::Head(request) => (request, None),
                Next::Http2 => return Ok(Some((self.stream, self.inbox))),
                Next::Refused(stand_in, verdict) => (stand_in, Some(verdict)),
            };
            let shape = Shape::asked_by(&request);
            let answering = guest.answer(request, refused);
            let Some(response) = self.unless_hung_up(answering).await else {
                break;
            };
            // The date is shared, and not held while the answer is taken.
            let (head, persistence) = shape.head(&response, self.is_ending, &guest.front.date());
            self.send(&head, shape.body_of(&response)).await?;
            if persistence == Persistence::Closes {
                self.shut().await?;
                self.linger().await;
                return Ok(None);
            }
        }
        self.shut().await?;
        Ok(None)
    }

    /// Waits for what is next.
    async fn next(&mut self, guest: &Guest) -> io::Result<Next> {
        std::future::poll_fn(|context| self.poll_next(guest, context)).await
    }

    fn poll_next(&mut self, guest: &Guest, context: &mut Context<'_>) -> Poll<io::Result<Next>> {
        loop {
            self.note_stop(context);
            if let Some(next) = self.look_into_inbox(guest) {
                return Poll::Ready(Ok(next));
            }
            let hear = |talk: &mut Self, received: &[u8]| talk.hear(received, guest);
            match self.poll_receive(context, hear)? {
                Poll::Ready(Some(next)) => return Poll::Ready(Ok(next)),
                Poll::Ready(None) => {}
                Poll::Pending => {
                    if self.inbox.is_empty() {
                        // A connection that rests holds no memory for what it may once receive.
                        self.inbox = BytesMut::new();
                    }
                    ready!(self.poll_overdue(context));
                    // A caller who is waited for no longer has as good as hung up.
                    return Poll::Ready(Ok(Next::End));
                }
            }
        }
    }

    /// What is next, if that is known by what was received just now. Hardly ever is it not whole, or
    /// more than that: so it is looked at where it is, and only what is left goes into the inbox.
    fn hear(&mut self, mut received: &[u8], guest: &Guest) -> Option<Next> {
        if received.is_empty() {
            return Some(Next::End);
        }
        let is_all = self.inbox.is_empty();
        let next = is_all.then(|| self.look(&mut received, guest)).flatten();
        self.inbox.extend_from_slice(received);
        next
    }

    /// What stands at the beginning of the inbox, if that is known yet.
    fn look_into_inbox(&mut self, guest: &Guest) -> Option<Next> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut rest = &*inbox;
        let next = (!rest.is_empty()).then(|| self.look(&mut rest, guest));
        let looked_at = inbox.len() - rest.len();
        inbox.advance(looked_at);
        self.inbox = inbox;
        next.flatten()
    }

    /// What stands at the beginning of this, if that is known yet. Leaves what comes after it.
    fn look(&mut self, received: &mut &[u8], guest: &Guest) -> Option<Next> {
        if self.begins && guest.http2 {
            if received.starts_with(http2::PREFACE) {
                return Some(Next::Http2);
            }
            if http2::PREFACE.starts_with(received) {
                return None;
            }
        }
        // An empty line before a head is none of it (RFC 9112, section 2.2).
        while let Some(rest) = received.strip_prefix(b"\r\n") {
            *received = rest;
            self.heads = HeadReader::default();
        }
        // The long way knows what to say to others.
        let at_once = !self.is_ending && guest.turned_away.is_none();
        let habit = self.habit.as_ref().filter(|_| at_once);
        let (next, length) = match habit.and_then(|habit| guest.front.as_usual(received, habit)) {
            Some((finished, length)) => (Next::Answered(finished), length),
            None => self.read(received, guest, at_once)?,
        };
        received.advance(length);
        self.heads = HeadReader::default();
        self.begins = false;
        self.watch.begin_anew();
        Some(next)
    }

    /// What comes of the head at the beginning of this, and how long it is; if that is known yet.
    fn read(&mut self, received: &[u8], guest: &Guest, at_once: bool) -> Option<(Next, usize)> {
        let take = |head: &Head<'_>| {
            let answer = || guest.front.at_once(head, &guest.origin, &mut self.habit);
            match at_once.then(answer).flatten() {
                Some(finished) => Ok(Next::Answered(finished)),
                None => head.to_request().map(Next::Head),
            }
        };
        match self.heads.inspect(received, take) {
            Ok(next) => next,
            // Nothing that comes after it can be told from it.
            Err(verdict) => Some((Next::Refused(head::stand_in(received), verdict), 0)),
        }
    }

    /// Reads on, and has what comes taken: nothing, if nothing will come any more.
    fn poll_receive<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Self, &[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        let mut memory = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut received = ReadBuf::uninit(&mut memory);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut received))?;
        Poll::Ready(Ok(take(self, received.filled())))
    }

    /// Notes the end of the house, if it has come.
    fn note_stop(&mut self, context: &mut Context<'_>) {
        if !self.is_ending {
            self.is_ending = Pin::new(&mut self.stop).poll(context).is_ready();
        }
    }

    /// Ready when the caller has been waited for too long, between requests.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let midst = if self.begins || !self.inbox.is_empty() {
            Midst::Head
        } else {
            Midst::Nothing
        };
        let waiting = Waiting {
            midst,
            rests: true,
            ends: self.is_ending,
        };
        self.watch.poll_overdue(context, waiting)
    }

    /// What comes of answering; `None` if the caller hangs up before. What they send ahead is taken
    /// in, up to a head and a half.
    async fn unless_hung_up<T>(&mut self, answering: impl Future<Output = T>) -> Option<T> {
        let mut answering = pin!(answering);
        std::future::poll_fn(|context| {
            if let Poll::Ready(answer) = answering.as_mut().poll(context) {
                self.note_stop(context);
                return Poll::Ready(Some(answer));
            }
            while self.inbox.len() <= head::HEAD_BYTES_MAX {
                let keep = |talk: &mut Self, received: &[u8]| {
                    talk.inbox.extend_from_slice(received);
                    received.len()
                };
                match ready!(self.poll_receive(context, keep)) {
                    Ok(0) | Err(_) => return Poll::Ready(None),
                    Ok(_) => {}
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn send(&mut self, mut head: &[u8], mut body: &[u8]) -> io::Result<()> {
        std::future::poll_fn(|context| {
            while !(head.is_empty() && body.is_empty()) {
                let slices = [IoSlice::new(head), IoSlice::new(body)];
                let written = Pin::new(&mut self.stream).poll_write_vectored(context, &slices);
                let length = ready!(self.taking.check(context, written))?;
                if length == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                let of_head = length.min(head.len());
                head.advance(of_head);
                body.advance(length - of_head);
            }
            let flushed = Pin::new(&mut self.stream).poll_flush(context);
            self.taking.check(context, flushed)
        })
        .await
    }

    /// Says that nothing more will be sent. Over TLS, that is something to be taken, too.
    async fn shut(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| {
            let shut = Pin::new(&mut self.stream).poll_shutdown(context);
            self.taking.check(context, shut)
        })
        .await
    }

    /// Reads and throws away what the caller still sends, for a while.
    async fn linger(&mut self) {
        let mut bytes_left = LINGER_BYTES_MAX;
        let reading = std::future::poll_fn(|context| {
            while bytes_left > 0 {
                match ready!(self.poll_receive(context, |_, received| received.len())) {
                    Ok(0) | Err(_) => return Poll::Ready(()),
                    Ok(length) => bytes_left = bytes_left.saturating_sub(length),
                }
            }
            Poll::Ready(())
        });
        // Whichever comes first.
        let _ = tokio::time::timeout(LINGER, reading).await;
    }
}
