//! Opens a door and serves whoever comes in, until told to stop.
//!
//! The accept loop is our own: each connection has a [`Gate`] with its deadlines, there is a bound
//! on connections, and a stop loses no request and ends in a bounded time whatever callers do. What
//! a request is answered is the business of the [`Front`].
//!
//! | who comes | when | is |
//! |---|---|---|
//! | first | there is a place | served |
//! | next | there is one in the anteroom | told that we are overloaded, and to come again |
//! | then | | left before the door |
//!
//! On a stop, those before the door are let in as far as there is room, and the door is closed.
//! Every answer is the last of its connection from then on, and a connection whose caller is quiet
//! is closed after a grace.

use std::convert::Infallible;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::Request;
use http::Response;
use http::Version;
use http::header;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Origin;
use super::answered::Content;
use super::connection::Connection;
use super::front::Arrival;
use super::front::Front;
use super::gate::Gate;
use super::head::HEAD_BYTES_MAX;
use super::limits::Door;
use super::line::Line;
use super::patience::Patience;
use super::seating::Room;
use super::seating::Seating;
use super::seldom::Seldom;
use crate::clock::Clock;
use crate::repeat::Repeats;
use crate::tls;

/// Callers who may stand before the door until we let them in. Linux caps it at `somaxconn`.
const BACKLOG: u32 = 4096;

/// How long a connection is waited for whose caller is only told that there is no place.
const ANTEROOM_PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait after the system could not give us a connection, as when descriptors run out:
/// asking again at once would only burn the processor.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// Bytes of a head that the server takes: more than the gate lets in.
const BUFFER_BYTES_MAX: usize = 2 * HEAD_BYTES_MAX;

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// A door that is open, and not yet served.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<tls::Server>>,
}

impl Listener {
    /// Opens a door at `address`. From now on callers can come; they wait until it is served.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv6() {
            TcpSocket::new_v6()?
        } else {
            TcpSocket::new_v4()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            tls: None,
        })
    }

    /// The same door, where TLS is spoken if there is any.
    #[must_use]
    pub fn speaking(self, tls: Option<Arc<tls::Server>>) -> Self {
        Self { tls, ..self }
    }

    /// Where the door is: the port is the real one, if any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves whoever comes in, until `stop`; then finishes what is under way. Ends when the last
    /// connection is closed, so whoever calls this sets a deadline.
    pub(super) async fn serve(self, hall: Hall) {
        loop {
            let accepted = tokio::select! {
                () = hall.stop.cancelled() => break,
                accepted = self.accept(&hall.seating) => accepted,
            };
            match accepted {
                Ok(stream) => {
                    // There was a place, and nobody else takes them.
                    let _ = hall.let_in(Line::over(stream, self.tls.as_deref()));
                }
                Err(error) if is_the_callers(&error) => {}
                Err(error) => {
                    hall.log.not_accepted(&error);
                    tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
                }
            }
        }
        match self.socket.into_std() {
            Ok(listener) => hall.let_in_who_waits(&listener, self.tls.as_deref()),
            Err(error) => hall.log.not_accepted(&error),
        }
        hall.connections.close();
        hall.connections.wait().await;
    }

    async fn accept(&self, seating: &Seating) -> io::Result<TcpStream> {
        seating.some().await?;
        let (stream, _) = self.socket.accept().await?;
        Ok(stream)
    }
}

/// Whether it is the fault of one caller who left, and says nothing about the next.
fn is_the_callers(error: &io::Error) -> bool {
    let kinds = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::Interrupted,
    ];
    kinds.contains(&error.kind())
}

/// Behind a door: where connections are served.
pub(super) struct Hall {
    front: Arc<Front>,
    door: Door,
    stop: CancellationToken,
    seating: Seating,
    connections: TaskTracker,
    log: Log,
}

impl Hall {
    pub(super) fn new(front: Front, door: Door, clock: Clock, stop: CancellationToken) -> Self {
        Self {
            front: Arc::new(front),
            seating: Seating::new(door.places),
            door,
            stop,
            connections: TaskTracker::new(),
            log: Log {
                clock,
                repeats: Repeats::default(),
            },
        }
    }

    /// Serves a connection, or tells its caller that there is no place. Whether it found one.
    fn let_in(&self, line: Line) -> bool {
        let Some((room, place)) = self.seating.take() else {
            return false;
        };
        let (connection, patience) = match room {
            Room::Anteroom => {
                self.front.turn_away();
                self.log.turned_away();
                (
                    Connection::turned_away(),
                    Patience::always(ANTEROOM_PATIENCE),
                )
            }
            Room::Hall => (Connection::default(), **self.door.patience.load()),
        };
        let connection = Arc::new(connection);
        let guest = Arc::new(Guest {
            front: Arc::clone(&self.front),
            connection: Arc::clone(&connection),
            origin: line.origin(),
            stop: self.stop.clone(),
            http2: self.door.http2,
        });
        let gate = Gate::new(line, connection, patience, self.door.http2);
        self.connections.spawn(async move {
            guest.serve(gate).await;
            drop(place);
        });
        true
    }

    /// Lets in who was before the door when we were told to stop, as far as there is room.
    fn let_in_who_waits(&self, listener: &std::net::TcpListener, tls: Option<&tls::Server>) {
        loop {
            let accepted = listener.accept().and_then(|(stream, _)| {
                stream.set_nonblocking(true)?;
                TcpStream::from_std(stream)
            });
            let goes_on = match accepted {
                Ok(stream) => self.let_in(Line::over(stream, tls)),
                // As when nobody waits any more.
                Err(error) => is_the_callers(&error),
            };
            if !goes_on {
                return;
            }
        }
    }
}

/// Who is on a connection.
struct Guest {
    front: Arc<Front>,
    connection: Arc<Connection>,
    origin: Origin,
    stop: CancellationToken,
    http2: bool,
}

impl Guest {
    /// Serves the connection to its end.
    async fn serve(self: Arc<Self>, gate: Gate<Line>) {
        let service = service_fn(|request: Request<Incoming>| {
            let guest = Arc::clone(&self);
            // At once, and not when it is first gone on with: the gate looks before that.
            let under_way = UnderWay::begin(&self.connection, request.version());
            async move {
                let answer = guest.answer(request).await;
                drop(under_way);
                answer
            }
        });
        let io = TokioIo::new(gate);
        if self.http2 {
            let server = server();
            let serving = pin!(server.serve_connection(io, service));
            self.serve_until_the_end(serving, auto::Connection::graceful_shutdown)
                .await;
        } else {
            // The same without looking for what else might be spoken.
            let serving = pin!(http1().serve_connection(io, service));
            self.serve_until_the_end(serving, |_| {}).await;
        }
    }

    /// Serves what is being served. In HTTP/2 the server is to tell the caller that it ends: `shut`.
    async fn serve_until_the_end<S, E: Display>(
        &self,
        mut serving: Pin<&mut S>,
        shut: impl FnOnce(Pin<&mut S>),
    ) where
        S: Future<Output = Result<(), E>>,
    {
        let ending = Seldom::new(self.ending_in_http2());
        // The ending is looked at first: what is served after that knows of it.
        let ended = tokio::select! {
            biased;
            () = ending => {
                shut(serving.as_mut());
                serving.await
            }
            ended = serving.as_mut() => ended,
        };
        if let Err(error) = ended {
            // Callers hang up as they please. Nothing of what they sent is in such an error.
            tracing::debug!("a connection ended early: {error}");
        }
    }

    /// Winds the connection up when it is to end. Comes back only for HTTP/2, where the server is to
    /// tell the caller; the gate ends one of HTTP/1.1.
    async fn ending_in_http2(&self) {
        if !self.connection.is_ending() {
            self.stop.cancelled().await;
            self.connection.wind_up();
        }
        self.connection.speaks_http2().await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Content>, Infallible> {
        let connection = &*self.connection;
        let is_http2 = request.version() == Version::HTTP_2;
        let arrival = Arrival {
            // No request here has a body.
            request: &mut request.map(|_| ()),
            origin: &self.origin,
            refused: connection.verdict(),
        };
        let mut response = self.front.answer(arrival).await;
        if connection.is_ending() && !is_http2 {
            response.headers_mut().insert(header::CONNECTION, CLOSE);
        }
        if response.headers().get(header::CONNECTION) == Some(&CLOSE) {
            connection.part();
        }
        Ok(response)
    }
}

fn http1() -> http1::Builder {
    let mut server = http1::Builder::new();
    server.max_buf_size(BUFFER_BYTES_MAX).half_close(false);
    server
}

/// Both, whichever the caller speaks.
fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .max_buf_size(BUFFER_BYTES_MAX)
        .half_close(false);
    // Beyond that, the server answers by itself, without a problem and a request id.
    let head_bytes_max = u32::try_from(BUFFER_BYTES_MAX).unwrap_or(u32::MAX);
    server.http2().max_header_list_size(head_bytes_max);
    server
}

/// A request that is being answered, until it is answered or its caller has gone.
struct UnderWay(Arc<Connection>);

impl UnderWay {
    /// The gate counts a head of HTTP/1.1 as it lets it in; it does not see those of HTTP/2.
    fn begin(connection: &Arc<Connection>, version: Version) -> Self {
        if version == Version::HTTP_2 {
            connection.begin();
        }
        Self(Arc::clone(connection))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// What is told of a door's troubles: each once a second at most.
struct Log {
    clock: Clock,
    repeats: Repeats<Trouble>,
}

/// A door's troubles.
#[derive(Eq, Hash, PartialEq)]
enum Trouble {
    /// The system gave us no connection, for a reason of this number.
    NotAccepted(Option<i32>),
    /// There was no place for a caller.
    TurnedAway,
}

impl Log {
    fn not_accepted(&self, error: &io::Error) {
        let trouble = Trouble::NotAccepted(error.raw_os_error());
        if let Some(times) = self.repeats.note(trouble, self.clock.now()) {
            tracing::warn!(%error, times, "no connection could be accepted, {times} times: {error}");
        }
    }

    fn turned_away(&self) {
        if let Some(times) = self.repeats.note(Trouble::TurnedAway, self.clock.now()) {
            tracing::warn!(
                times,
                "turned away {times} callers: too many connections are open"
            );
        }
    }
}
