//! Who came, with what, when, and how it went: the raw material of invariants. Judges nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::Api;

/// One request at one of the APIs, from the moment it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Visit {
    /// Where it came.
    pub api: Api,
    /// As which app it came, and what for: equal for two requests of which one would have done.
    pub question: String,
    /// The access token it came with, by the number under which that was issued.
    pub token: Option<u64>,
    /// The connection it came on, counted from 1.
    pub connection: u64,
    /// How far the clock had been advanced when it came.
    pub advanced: Duration,
    /// When it was read.
    pub came_at: Instant,
    /// `None` while it is under way.
    pub end: Option<End>,
}

/// The end of a visit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// When the last byte was given to the connection; no client can have seen it before.
    pub at: Instant,
    /// How it went.
    pub outcome: Outcome,
}

/// How a visit went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The client hung up before the answer was complete. The simulator may notice a little late.
    Abandoned,
    /// It was answered in WeCom's words, with this `errcode`; 0 is a success.
    Said(i32),
    /// It was answered, or cut off, by a trouble that has no `errcode`.
    Spoilt,
}

/// Connections, of whatever client.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Connections {
    /// As many as were ever opened.
    pub opened: u64,
    /// As many as are open.
    pub open: u64,
    /// The most that were open at once.
    pub peak: u64,
}
