//! Opens a door and serves whoever comes in, until told to stop.
//!
//! The accept loop is our own: each connection has a [`Gate`] with its deadlines, there is a bound
//! on connections, and a stop ends in a bounded time whatever callers do. What a request is answered
//! is the business of the [`Front`].

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http::Version;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::front::Front;
use super::gate::Connection;
use super::gate::Gate;
use super::gate::Patience;
use super::head::HEAD_BYTES_MAX;

/// Callers who may stand before the door until we let them in. Linux caps it at `somaxconn`.
const BACKLOG: u32 = 4096;

/// How long to wait after the system could not give us a connection, as when descriptors run out:
/// asking again at once would only burn the processor.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// What a door lets in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time. Whoever comes beyond that waits before the door.
    pub(super) connections_max: usize,
    /// How long a connection is waited for.
    pub(super) patience: Patience,
    /// Whether HTTP/2 is spoken besides HTTP/1.1, in the clear.
    pub(super) http2: bool,
}

/// A door that is open, and not yet served.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    address: SocketAddr,
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
        let listener = socket.listen(BACKLOG)?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
        })
    }

    /// Where the door is: the port is the real one, if any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves whoever comes in, until `stop`; then finishes what is under way. Ends when the last
    /// connection is closed, so whoever calls this sets a deadline.
    pub(super) async fn serve(self, front: Arc<Front>, limits: Limits, stop: CancellationToken) {
        let connections = TaskTracker::new();
        let room = Arc::new(Semaphore::new(
            limits.connections_max.min(Semaphore::MAX_PERMITS),
        ));
        let hall = Hall {
            front,
            limits,
            stop: stop.clone(),
        };
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.accept(&room) => accepted,
            };
            match accepted {
                Ok((stream, place)) => {
                    connections.spawn(hall.clone().serve(stream, place));
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted: {error}");
                    tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
                }
            }
        }
        drop(self);
        connections.close();
        connections.wait().await;
    }

    async fn accept(&self, room: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let place = Arc::clone(room)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (stream, _) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, place))
    }
}

/// What every connection of a door needs.
#[derive(Clone)]
struct Hall {
    front: Arc<Front>,
    limits: Limits,
    stop: CancellationToken,
}

impl Hall {
    /// Serves one connection to its end. `_place` is given back then.
    async fn serve(self, stream: TcpStream, _place: OwnedSemaphorePermit) {
        let Self {
            front,
            limits,
            stop,
        } = self;
        let connection = Arc::new(Connection::default());
        let gate = Gate::new(
            stream,
            Arc::clone(&connection),
            limits.patience,
            limits.http2,
        );
        let service = service_fn(|request: Request<Incoming>| {
            let (front, connection) = (Arc::clone(&front), Arc::clone(&connection));
            async move {
                // The gate counts a head of HTTP/1.1 as it lets it in; it does not see those of HTTP/2.
                if request.version() == Version::HTTP_2 {
                    connection.begin();
                }
                let _under_way = UnderWay(&connection);
                // No request here has a body.
                let request = request.map(|_| Body::empty());
                Ok::<_, Infallible>(front.answer(request, connection.verdict()).await)
            }
        });
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .max_buf_size(2 * HEAD_BYTES_MAX)
            .half_close(false);
        server
            .http2()
            .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX));
        let server = if limits.http2 {
            server
        } else {
            server.http1_only()
        };
        let mut serving = std::pin::pin!(server.serve_connection(TokioIo::new(gate), service));
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            // Callers hang up as they please. Nothing of what they sent is in such an error.
            tracing::debug!("a connection ended early: {error}");
        }
    }
}

/// A request that is being answered, until it is answered or its caller has gone.
struct UnderWay<'a>(&'a Connection);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
