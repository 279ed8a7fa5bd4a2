//! The listener: connections in, requests to where they belong. Knows no answer of its own but
//! "there is no such path".

mod troubled;

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::net::TcpSocket;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::control;
use crate::protocol::Api;
use crate::reply;
use crate::reply::Flow;
use crate::reply::Hangup;
use crate::state::State;
use crate::trouble::REDIRECTED_PATH;

/// Connections that wait to be accepted: tests open a thousand at once.
const BACKLOG: u32 = 4096;

/// How long to wait when the process has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Opens the door. From here on a client can connect, even if nobody accepts yet.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until it is aborted, and with it every connection.
pub(crate) async fn run(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(converse(stream, Arc::clone(&state)));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection to its end.
async fn converse(stream: TcpStream, state: Arc<State>) {
    // Without this, a drip would arrive in gulps. If it cannot be set, the client has gone.
    let _ = stream.set_nodelay(true);
    let connected = state.ledger.count_connection();
    let connection = connected.number;
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        async move { route(state, connection, request).await }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let Err(error) = (&mut connection).await else {
        return;
    };
    let hangup = error.source().and_then(|source| source.downcast_ref());
    if hangup == Some(&Hangup::Reset) {
        let stream = connection.into_parts().io.into_inner();
        // A socket that does not linger says RST instead of FIN when it is dropped.
        let _ = stream.set_zero_linger();
    }
    drop(connected);
}

async fn route(
    state: Arc<State>,
    connection: u64,
    request: Request<Incoming>,
) -> Result<Response<Flow>, Hangup> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/cgi-bin/gettoken") => {
            troubled::answer(&state, Api::GetToken, connection, request).await
        }
        (&Method::POST, "/cgi-bin/meeting/get_info") => {
            troubled::answer(&state, Api::GetInfo, connection, request).await
        }
        (_, REDIRECTED_PATH) => {
            state.ledger.count_redirect();
            Ok(reply::bait())
        }
        (_, path) if path.starts_with(control::PREFIX) => {
            Ok(control::answer(&state, request).await)
        }
        _ => Ok(reply::empty(404)),
    }
}
