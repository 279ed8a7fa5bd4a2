//! Where spans wait to be handed over, so that nobody else does.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::courier::Courier;

/// Bytes of spans that wait, at most; as many may be on their way. What comes beyond is lost.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of spans that are handed over before their time.
const BATCH_BYTES: usize = 512 * 1024;

/// How long a span waits for others to be handed over with.
const BATCH_EVERY: Duration = Duration::from_secs(2);

/// Spans that wait.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// As they are written. Held for as long as it takes to write one.
    waiting: Mutex<Vec<u8>>,
    /// That there are enough.
    enough: Notify,
    lost: AtomicU64,
}

impl Outbox {
    /// Has a span written, if there is room for it.
    pub(super) fn leave(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.waiting();
        let before = waiting.len();
        if before > WAITING_BYTES_MAX {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        write(&mut waiting);
        if before < BATCH_BYTES && BATCH_BYTES <= waiting.len() {
            self.enough.notify_one();
        }
    }

    /// Hands over what waits, every now and then, until `end`; and then what is left.
    pub(super) async fn empty_into(self: Arc<Self>, courier: Courier, end: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(BATCH_EVERY) => {}
                () = self.enough.notified() => {}
                () = end.cancelled() => {}
            }
            let is_last = end.is_cancelled();
            let spans = std::mem::take(&mut *self.waiting());
            if !spans.is_empty() {
                courier.hand_over(&spans).await;
            }
            courier.tell_lost(self.lost.swap(0, Ordering::Relaxed));
            if is_last {
                return;
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
