//! Callers who ask as fast as they are answered, and never twice: a request that is lost is seen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http::header;
use http_body_util::BodyExt;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// Of how many requests one is for a meeting that nobody has asked for.
const COLD_EVERY: usize = 16;

/// Callers under way, each on a connection of its own.
pub(crate) struct Callers {
    asking: JoinSet<Result<(), String>>,
    answers: Arc<AtomicUsize>,
}

impl Callers {
    /// Callers who ask until they are told that the connection is closed. All are connected.
    pub(crate) async fn at_full_speed(number: usize, to: SocketAddr) -> Self {
        let mut streams = Vec::new();
        for _ in 0..number {
            streams.push(TcpStream::connect(to).await.expect("a connection"));
        }
        Self::on(streams).await
    }

    /// The same, each on one of these streams.
    pub(crate) async fn on<S>(streams: Vec<S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut asking, answers) = (JoinSet::new(), Arc::<AtomicUsize>::default());
        for (caller, stream) in streams.into_iter().enumerate() {
            let connection = speak_on(stream).await;
            asking.spawn(ask_on(connection, caller, Arc::clone(&answers)));
        }
        Self { asking, answers }
    }

    /// Waits until that many answers have come.
    pub(crate) async fn have_heard(&self, answers: usize) {
        let heard = async {
            while self.answers.load(Ordering::Relaxed) < answers {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, heard).await.expect("answers");
    }

    /// What each caller met with who was not told to stop, but cut off.
    pub(crate) async fn cut_off(self) -> Vec<String> {
        let ended = tokio::time::timeout(LONG, self.asking.join_all()).await;
        let ended = ended.expect("all are told to stop");
        ended.into_iter().filter_map(Result::err).collect()
    }
}

async fn speak_on<S>(stream: S) -> SendRequest<Body>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.expect("HTTP/1.1");
    tokio::spawn(connection);
    sender
}

async fn ask_on(
    mut connection: SendRequest<Body>,
    caller: usize,
    answers: Arc<AtomicUsize>,
) -> Result<(), String> {
    for turn in 1.. {
        let path = path(caller, turn);
        let met_with = |what: &dyn std::fmt::Display| {
            Err(format!("caller {caller}, request {turn}, {path}: {what}"))
        };
        let request = Request::get(&path).header(header::HOST, "proxy");
        let request = request.body(Body::empty()).expect("a request");
        let answer = match connection.send_request(request).await {
            Ok(answer) => answer,
            Err(error) => return met_with(&error),
        };
        let (head, body) = answer.into_parts();
        if let Err(error) = body.collect().await {
            return met_with(&error);
        }
        if head.status != 200 && head.status != 404 {
            return met_with(&head.status);
        }
        answers.fetch_add(1, Ordering::Relaxed);
        let is_last = head.headers.get(header::CONNECTION);
        if is_last.is_some_and(|connection| connection == "close") {
            break;
        }
    }
    Ok(())
}

/// Mostly what is kept already, now and then what WeCom must be asked for.
fn path(caller: usize, turn: usize) -> String {
    if turn % COLD_EVERY == caller % COLD_EVERY {
        format!("/meetings/cold-{caller}-{turn}")
    } else {
        "/meetings/warm".to_owned()
    }
}
