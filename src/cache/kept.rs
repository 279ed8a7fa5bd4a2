//! What is kept under one key: an answer, a fault, or both.
//!
//! What is known by two names is kept once. The name that was asked for owns the value and carries its
//! bytes; the other only borrows it, and finds nothing when there is no room for the owner any more.

use std::sync::Arc;

use super::Memory;
use super::Remembered;
use super::Values;
use super::purges::Epoch;
use crate::freshness::Answer;

/// Bytes that one entry costs besides its key and its value: moka's nodes, its hash table, its
/// queues, its share of what is near, and what the allocator rounds up. Measured, see
/// `tests/memory.rs` and `benches/results`.
const UPKEEP_BYTES: usize = 800;

/// Has the value back that was lent, as long as it is kept where it was lent from.
pub type Lent<V> = Arc<dyn Fn() -> Option<V> + Send + Sync>;

/// A value as it is kept.
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

/// What is kept under one key. But for what it knows of purges, it is not changed: another is put in its
/// place.
#[derive(Clone)]
pub(super) struct Kept<K, V, E> {
    pub(super) key: K,
    pub(super) answer: Option<Answer<Held<V>>>,
    pub(super) fault: Option<Box<Remembered<E>>>,
    pub(super) epoch: Epoch,
    /// For how many seconds it is kept. (Less of a number than a `Duration`: there may be a great many.)
    pub(super) span_s: u32,
    /// Whether the value is lent to its other name.
    pub(super) lends: bool,
}

impl<K, V, E> Kept<K, V, E> {
    /// Nothing, of which nothing was purged since.
    pub(super) fn nothing(key: K, epoch: impl Into<Epoch>) -> Self {
        Self {
            key,
            answer: None,
            fault: None,
            epoch: epoch.into(),
            span_s: 0,
            lends: false,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.answer.is_none() && self.fault.is_none()
    }

    pub(super) fn memory(&self) -> Memory<V, E>
    where
        V: Clone,
        E: Clone,
    {
        let answer = self.answer.as_ref().and_then(|answer| {
            let value = answer.value.value()?;
            Some(answer.as_ref().map(|_| value))
        });
        Memory {
            answer,
            fault: self.fault.clone(),
        }
    }
}

/// Bytes that something kept takes. What is lent is counted where it is owned.
pub(super) fn weigh<K, V, E, S>(values: Values<K, V, S>, kept: &Kept<K, V, E>) -> u32 {
    let value_bytes = match kept.answer.as_ref().map(|answer| &answer.value) {
        None | Some(Held::Lent(_)) => 0,
        Some(Held::Own(value)) => (values.bytes)(value),
    };
    let bytes = (values.key_bytes)(&kept.key) + value_bytes + UPKEEP_BYTES;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
