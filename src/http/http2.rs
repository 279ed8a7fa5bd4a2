//! HTTP/2 with one caller (RFC 9113): hyper speaks it, and a gate before it waits no longer than we
//! would in HTTP/1.1.
//!
//! | while | we wait at most |
//! |---|---|
//! | a head is coming, or any other frame | `head_timeout` |
//! | a request is under way | as long as it takes: it has a deadline of its own |
//! | the connection rests between requests, whatever other frames come | `idle_timeout` |
//! | the caller takes nothing of its answer | `idle_timeout` |
//!
//! Frames are handed on as they come. A connection that is ending is ended by hyper, which tells the
//! caller so.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use bytes::Bytes;
use bytes::BytesMut;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::header;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;

use super::frames::Complete;
use super::frames::FrameReader;
use super::guest::Guest;
use super::head::HEAD_BYTES_MAX;
use super::patience::Patience;
use super::patience::Taking;
use super::patience::Waiting;
use super::patience::Watch;
use super::reply;
use super::seldom::Seldom;

/// How it begins (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a head that hyper takes: more than we let in. Beyond that, it answers by itself, without
/// a problem and a request id.
const BUFFER_BYTES_MAX: usize = 2 * HEAD_BYTES_MAX;

/// Serves a connection to its end that began with this.
pub(super) async fn serve<S>(
    stream: S,
    beginning: BytesMut,
    guest: Arc<Guest>,
    patience: Patience,
) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let requests = Arc::new(Requests::default());
    let gate = Gate::new(stream, beginning, Arc::clone(&requests), patience);
    let service = service_fn(|request: Request<Incoming>| {
        let guest = Arc::clone(&guest);
        // At once, and not when it is first gone on with: the gate looks before that.
        let under_way = UnderWay::begin(&requests);
        let only_head = request.method() == Method::HEAD;
        async move {
            // No request here has a body.
            let response = guest.answer(request.map(|_| ()), None).await;
            drop(under_way);
            let framed = if only_head {
                head_of(response)
            } else {
                framed(response)
            };
            Ok::<_, Infallible>(framed)
        }
    });
    let head_bytes_max = u32::try_from(BUFFER_BYTES_MAX).unwrap_or(u32::MAX);
    let mut server = http2::Builder::new(TokioExecutor::new());
    server.max_header_list_size(head_bytes_max);
    let mut serving = pin!(server.serve_connection(TokioIo::new(gate), service));
    let is_ending = guest.turned_away.is_some();
    let ending = Seldom::new(async {
        if !is_ending {
            guest.stop.cancelled().await;
        }
    });
    // The ending is looked at first: what is served after that knows of it.
    tokio::select! {
        biased;
        () = ending => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
        ended = serving.as_mut() => ended,
    }
}

/// An answer as HTTP/2 takes it: a connection goes on there, whatever becomes of one request.
fn framed(mut response: Response<Bytes>) -> Response<Full<Bytes>> {
    let has_body = reply::has_body(response.status());
    response.headers_mut().remove(header::CONNECTION);
    if has_body {
        return response.map(Full::new);
    }
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response.map(|_| Full::default())
}

/// The same without its body: only how long it is (RFC 9110, section 9.3.2).
fn head_of(mut response: Response<Bytes>) -> Response<Full<Bytes>> {
    let length = HeaderValue::from(response.body().len());
    let told = response.headers_mut().entry(header::CONTENT_LENGTH);
    told.or_insert(length);
    framed(response).map(|_| Full::default())
}

/// How many requests of one connection are under way.
#[derive(Debug, Default)]
struct Requests {
    under_way: AtomicUsize,
    /// Who reads the connection, and is to know when none is under way any more. Held only to be
    /// replaced.
    reader: Mutex<Option<Waker>>,
}

impl Requests {
    fn are_under_way(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    /// Has `reader` woken when one is answered.
    fn wake_when_answered(&self, reader: &Waker) {
        let mut waiting = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(reader.clone());
    }
}

/// A request that is being answered, until it is answered or its caller has gone.
struct UnderWay(Arc<Requests>);

impl UnderWay {
    fn begin(requests: &Arc<Requests>) -> Self {
        requests.under_way.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(requests))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Requests { under_way, reader } = &*self.0;
        under_way.fetch_sub(1, Ordering::AcqRel);
        let reader = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// A connection that is waited for as long as we are patient: then it has ended.
struct Gate<S> {
    stream: S,
    /// What was received before it was known what is spoken.
    beginning: BytesMut,
    requests: Arc<Requests>,
    watch: Watch,
    received: FrameReader,
    sent: FrameReader,
    taking: Taking,
}

impl<S> Gate<S> {
    fn new(stream: S, beginning: BytesMut, requests: Arc<Requests>, patience: Patience) -> Self {
        let mut gate = Self {
            stream,
            requests,
            watch: Watch::new(patience),
            received: FrameReader::default(),
            sent: FrameReader::default(),
            beginning: BytesMut::new(),
            taking: Taking::new(patience),
        };
        gate.follow_received(beginning.get(PREFACE.len()..).unwrap_or_default());
        gate.beginning = beginning;
        gate
    }

    fn follow_received(&mut self, received: &[u8]) {
        match self.received.follow(received) {
            Complete::Head => self.watch.begin_anew(),
            Complete::Data | Complete::Frame => self.watch.note_frame(),
            Complete::Nothing => {}
        }
    }

    /// Follows the answers. It is the caller who says how much of one may be sent, and no write waits
    /// for that: so whoever takes one is known by what of it goes out.
    fn follow_sent(&mut self, slices: &[io::IoSlice<'_>], mut length: usize) {
        for slice in slices {
            let sent = slice.get(..length.min(slice.len())).unwrap_or_default();
            length -= sent.len();
            if self.sent.follow(sent) >= Complete::Data {
                self.watch.note_taken();
            }
        }
    }

    /// Ready when the caller has been waited for too long.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.taking.is_waited_for() {
            // It is the caller who is to take something, and has its time for that.
            return Poll::Pending;
        }
        let waiting = Waiting {
            midst: self.received.midst(),
            rests: !self.requests.are_under_way(),
            ends: false,
        };
        self.watch.poll_overdue(context, waiting)
    }

    /// Passes on what became of a write, unless nothing was taken for too long.
    fn check_write<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let was_waited_for = self.taking.is_waited_for();
        let checked = self.taking.check(context, written);
        if was_waited_for && checked.is_ready() {
            // Now that the answer goes on, what is waited for may be something else, and the wait for
            // it begins anew: a caller who takes an answer does not rest.
            self.watch.begin_anew();
            context.waker().wake_by_ref();
        }
        checked
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.beginning.is_empty() {
            let length = self.beginning.len().min(into.remaining());
            into.put_slice(&self.beginning.split_to(length));
            return Poll::Ready(Ok(()));
        }
        if self.requests.are_under_way() {
            self.requests.wake_when_answered(context.waker());
        }
        let before = into.filled().len();
        if Pin::new(&mut self.stream)
            .poll_read(context, into)?
            .is_pending()
        {
            // To hyper, a caller who is waited for no longer has hung up.
            return self.poll_overdue(context).map(Ok);
        }
        let received = into.filled().get(before..).unwrap_or_default();
        self.follow_received(received);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
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
        self.check_write(context, shut)
    }
}
