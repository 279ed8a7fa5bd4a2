//! A value behind a lock that cannot be held while waiting. Knows nothing of the value.

use std::sync::Mutex;
use std::sync::PoisonError;

/// A value that many connections share.
///
/// The guard never leaves [`Guarded::with`], so no lock can live across an `.await`: a request
/// that is kept waiting keeps nobody else waiting.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Lends the value to `work`, which must be brief.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // A test that panics elsewhere must not make every later question fail for another reason.
        let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut value)
    }
}
