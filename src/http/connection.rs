//! What the listener, the gate and the service know of one connection together.
//!
//! A connection that is ending takes what its caller is just sending, says in its answer that it is
//! the last, and is closed once its caller is quiet. For the end of the house that loses nothing;
//! and who is turned away at the door is on a connection that is ending from its beginning.

use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Waker;

use tokio::sync::Notify;

use super::head::Verdict;

/// What is known of one connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Why each of its requests is refused, however good its head.
    turned_away: Option<Verdict>,
    /// Why its last head was refused.
    refused: OnceLock<Verdict>,
    under_way: AtomicUsize,
    /// Who reads the connection, and was told to wait until its request is answered. Held only to
    /// be replaced.
    reader: Mutex<Option<Waker>>,
    ending: AtomicBool,
    parted: AtomicBool,
    http2: Notify,
}

impl Connection {
    /// One whose caller has no place here, and is told so.
    pub(super) fn turned_away() -> Self {
        Self {
            turned_away: Some(Verdict::Crowded),
            ending: AtomicBool::new(true),
            ..Self::default()
        }
    }

    /// Why its requests are not answered as they ask.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.refused.get().copied().or(self.turned_away)
    }

    /// Notes that its last head is refused. There is no other head after that.
    pub(super) fn refuse(&self, verdict: Verdict) {
        // It can be set once; what was said first counts.
        let _ = self.refused.set(verdict);
    }

    pub(super) fn is_refused(&self) -> bool {
        self.refused.get().is_some()
    }

    /// Notes that a request has come.
    pub(super) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that it has been answered: the next head may be let in.
    pub(super) fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::AcqRel);
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Has `reader` woken when the request under way is answered.
    pub(super) fn wake_when_answered(&self, reader: &Waker) {
        let mut waiting = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = Some(reader.clone());
    }

    pub(super) fn is_busy(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    /// From now on, the next answer is the last.
    pub(super) fn wind_up(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Notes that an answer says that it is the last.
    pub(super) fn part(&self) {
        self.parted.store(true, Ordering::Release);
    }

    pub(super) fn has_parted(&self) -> bool {
        self.parted.load(Ordering::Acquire)
    }

    /// Notes that HTTP/2 is spoken.
    pub(super) fn recognise_http2(&self) {
        self.http2.notify_one();
    }

    /// Waits until it is known that HTTP/2 is spoken: in HTTP/1.1, for ever. For one who waits.
    pub(super) async fn speaks_http2(&self) {
        self.http2.notified().await;
    }
}
