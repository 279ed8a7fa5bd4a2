//! What a connection goes over: TCP, or TLS on it.
//!
//! A handshake is part of reading: the gate, which bounds how long a head may take, bounds it with
//! it, and whoever shakes hands slowly holds up nobody else. What a caller sends before the end of a
//! handshake is no request, so nothing is lost with one that fails.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

use super::access::Certificate;
use super::access::Origin;
use super::access::Peer;
use crate::tls;

/// What a connection goes over, and what is known of the other end.
pub(super) struct Line {
    origin: Origin,
    stage: Stage,
}

enum Stage {
    /// Hands were not shaken, and never will be.
    Broken,
    Handshake(Box<Accept<TcpStream>>),
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Line {
    /// Over TLS where there is any.
    pub(super) fn over(stream: TcpStream, tls: Option<&tls::Server>) -> Self {
        // Without it, answers are only later. Whoever has hung up by now is noticed in time.
        let _ = stream.set_nodelay(true);
        Self {
            origin: Origin::at(Peer::at(stream.peer_addr().ok())),
            stage: match tls {
                None => Stage::Plain(stream),
                Some(tls) => Stage::Handshake(Box::new(tls.accept(stream))),
            },
        }
    }

    /// What is known of the other end. What it shows is there before the first byte is read, if it is
    /// ever.
    pub(super) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// Goes on with the handshake, if that is what there is to do.
    fn poll_shake_hands(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stage::Handshake(handshake) = &mut self.stage else {
            return Poll::Ready(Ok(()));
        };
        match ready!(Pin::new(handshake).poll(context)) {
            Ok(stream) => {
                let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
                if let Some(own) = shown.first() {
                    self.origin.note(|| Certificate::of(own));
                }
                self.stage = Stage::Tls(Box::new(stream));
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                // Nothing of what they sent is in such an error.
                tracing::debug!("hands were not shaken with a caller: {error}");
                self.stage = Stage::Broken;
                Poll::Ready(Err(error))
            }
        }
    }

    /// The stream for what is read and written, once there is one.
    fn stream(&mut self) -> Option<Pin<&mut dyn Stream>> {
        match &mut self.stage {
            Stage::Broken | Stage::Handshake(_) => None,
            Stage::Plain(stream) => Some(Pin::new(stream)),
            Stage::Tls(stream) => Some(Pin::new(stream)),
        }
    }
}

/// Bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_shake_hands(context))?;
        match self.stream() {
            Some(stream) => stream.poll_read(context, into),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.stream() {
            Some(stream) => stream.poll_write(context, bytes),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.stream() {
            Some(stream) => stream.poll_write_vectored(context, slices),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream() {
            Some(stream) => stream.poll_flush(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.stream() {
            Some(stream) => stream.poll_shutdown(context),
            // It is closed when it is dropped.
            None => Poll::Ready(Ok(())),
        }
    }
}
