//! What is kept under one key: an answer, a fault, or both.
//!
//! What is known by two names is kept once. The name that was asked for owns the value and carries its
//! bytes; the other only borrows it, and finds nothing when there is no room for the owner any more.

use std::sync::Arc;
use std::time::Duration;

use super::Memory;
use super::Remembered;
use super::Values;
use crate::freshness::Answer;

/// Bytes that one entry costs besides its key and its value: moka's nodes, its hash table, its
/// queues, and what the allocator rounds up. Measured, see `tests/memory.rs`.
const UPKEEP_BYTES: usize = 900;

/// Has the value back that was lent, as long as it is kept where it was lent from.
pub type Lent<V> = Arc<dyn Fn() -> Option<V> + Send + Sync>;

/// A value as it is kept. What is known by two names is kept once: the name that it was asked for by
/// owns it, and carries its bytes; to the other it is lent.
#[derive(Clone)]
pub(super) enum Held<V> {
    Lent(Lent<V>),
    Own(V),
}

impl<V: Clone> Held<V> {
    pub(super) fn value(&self) -> Option<V> {
        match self {
            Self::Lent(lent) => lent(),
            Self::Own(value) => Some(value.clone()),
        }
    }
}

/// What is kept under one key.
#[derive(Clone)]
pub(super) struct Kept<K, V, E> {
    pub(super) answer: Option<Answer<Held<V>>>,
    pub(super) fault: Option<Box<Remembered<E>>>,
    /// The key to which the value is lent.
    pub(super) lent_to: Option<Arc<K>>,
    /// How many purges there had been of which this knows.
    pub(super) epoch: u64,
    pub(super) span: Duration,
}

impl<K, V: Clone, E> Kept<K, V, E> {
    /// Nothing, of which nothing was purged since.
    pub(super) fn nothing(epoch: u64) -> Self {
        Self {
            answer: None,
            fault: None,
            lent_to: None,
            epoch,
            span: Duration::ZERO,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.answer.is_none() && self.fault.is_none()
    }

    pub(super) fn memory(self) -> Memory<V, E> {
        let Self { answer, fault, .. } = self;
        let revived = answer.and_then(|answer| {
            let value = answer.value.value()?;
            Some(answer.map(|_| value))
        });
        Memory {
            answer: revived,
            fault,
        }
    }
}

/// Bytes that something kept under `key` takes. What is lent is counted where it is owned.
pub(super) fn weigh<K, V, E, S>(values: Values<K, V, S>, key: &K, kept: &Kept<K, V, E>) -> u32 {
    let value_bytes = match kept.answer.as_ref().map(|answer| &answer.value) {
        None | Some(Held::Lent(_)) => 0,
        Some(Held::Own(value)) => (values.bytes)(value),
    };
    let lent_to = kept.lent_to.as_deref();
    let lent_to_bytes = lent_to.map_or(0, |key| (values.key_bytes)(key));
    let bytes = (values.key_bytes)(key) + value_bytes + lent_to_bytes + UPKEEP_BYTES;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
