//! A body on its way out: whole, repeated, dripping or cut. Knows not what it says.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;
use hyper::body::Frame;
use hyper::body::SizeHint;
use tokio::time::Interval;

use crate::ledger::InFlight;

/// The end of a conversation in the middle of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hangup {
    /// The connection is closed after half a body.
    Cut,
    /// The connection is reset before there is an answer.
    Reset,
}

impl fmt::Display for Hangup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cut => "hung up in the middle of an answer",
            Self::Reset => "hung up without an answer",
        })
    }
}

impl std::error::Error for Hangup {}

/// The same bytes, so many times over: a gigabyte need not be held to be sent.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) times: u64,
}

impl Piece {
    pub(super) fn once(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            times: 1,
        }
    }

    pub(super) fn endless(bytes: &'static [u8]) -> Self {
        Self {
            bytes: Bytes::from_static(bytes),
            times: u64::MAX,
        }
    }
}

/// A body.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Neither empty bytes nor zero times among them.
    pieces: VecDeque<Piece>,
    length: Option<u64>,
    ending: Ending,
    pace: Option<Interval>,
    in_flight: Option<InFlight>,
}

/// What comes after the last piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Cut,
    /// As `Cut`, but what was written has yet to reach the socket.
    CutSoon,
    Good,
}

impl Flow {
    /// A body whose length is announced.
    pub(super) fn whole(bytes: Bytes) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        Self {
            length,
            ..Self::of([Piece::once(bytes)])
        }
    }

    /// A body whose length nobody is told.
    pub(super) fn of(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces = pieces.into_iter();
        Self {
            pieces: pieces
                .filter(|piece| 0 < piece.times && !piece.bytes.is_empty())
                .collect(),
            length: None,
            ending: Ending::Good,
            pace: None,
            in_flight: None,
        }
    }

    /// The connection is closed after the last byte, as if there were more to come.
    pub(super) fn cut(mut self) -> Self {
        self.ending = Ending::CutSoon;
        self.length = None;
        self
    }

    /// One byte `every` so long. The runtime's clock paces it, not the simulator's.
    pub(super) fn dripping(mut self, every: Duration) -> Self {
        // The runtime knows no interval of zero.
        let every = every.max(Duration::from_millis(1));
        self.pace = Some(tokio::time::interval(every));
        self
    }

    /// The request that this answers is under way until the last byte is.
    pub(crate) fn holding(mut self, in_flight: InFlight) -> Self {
        self.in_flight = Some(in_flight);
        self.tell_if_complete();
        self
    }

    fn tell_if_complete(&mut self) {
        if self.pieces.is_empty()
            && let Some(in_flight) = self.in_flight.take()
        {
            in_flight.complete();
        }
    }

    fn next_bytes(&mut self) -> Option<Bytes> {
        let dripping = self.pace.is_some();
        let piece = self.pieces.front_mut()?;
        if dripping && piece.times == 1 && 1 < piece.bytes.len() {
            return Some(piece.bytes.split_to(1));
        }
        if 1 < piece.times {
            piece.times -= 1;
            return Some(piece.bytes.clone());
        }
        self.pieces.pop_front().map(|piece| piece.bytes)
    }
}

impl Body for Flow {
    type Data = Bytes;
    type Error = Hangup;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Hangup>>> {
        if let Some(pace) = &mut self.pace {
            ready!(pace.poll_tick(context));
        }
        if let Some(bytes) = self.next_bytes() {
            self.tell_if_complete();
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.ending {
            Ending::Cut => Poll::Ready(Some(Err(Hangup::Cut))),
            Ending::CutSoon => {
                // An error now would take with it what is written and not yet flushed.
                self.ending = Ending::Cut;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Ending::Good => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.ending == Ending::Good
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
