//! Opens a door and serves whoever comes in, until told to stop.
//!
//! The accept loop is our own: each connection is waited for with patience, there is a bound on
//! connections, and a stop loses no request and ends in a bounded time whatever callers do. What
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

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::front::Front;
use super::guest::Guest;
use super::head::Verdict;
use super::http1::Talk;
use super::http2;
use super::limits::Door;
use super::line::Line;
use super::patience::Patience;
use super::seating::Room;
use super::seating::Seating;
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
        let (turned_away, patience) = match room {
            Room::Anteroom => {
                self.front.turn_away();
                self.log.turned_away();
                let patience = Patience::always(ANTEROOM_PATIENCE);
                (Some(Verdict::Crowded), patience)
            }
            Room::Hall => (None, **self.door.patience.load()),
        };
        let guest = Arc::new(Guest {
            front: Arc::clone(&self.front),
            origin: line.origin(),
            turned_away,
            http2: self.door.http2,
            stop: self.stop.clone(),
        });
        self.connections.spawn(async move {
            serve(line, guest, patience).await;
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

/// Serves a connection to its end, whichever protocol is spoken on it.
async fn serve(line: Line, guest: Arc<Guest>, patience: Patience) {
    let error: Box<dyn Error + Send + Sync> = match Talk::new(line, &guest, patience)
        .serve(&guest)
        .await
    {
        Ok(None) => return,
        Ok(Some((line, beginning))) => match http2::serve(line, beginning, guest, patience).await {
            Ok(()) => return,
            Err(error) => error.into(),
        },
        Err(error) => error.into(),
    };
    // Callers hang up as they please. Nothing of what they sent is in such an error.
    tracing::debug!("a connection ended early: {error}");
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
