//! One question under way, shared by all who wait for its answer (single flight).
//!
//! A flight runs in a task of its own, whoever hangs up. The table below *is* the lease: only a
//! flight that still stands in it when it lands may be remembered. Who invalidates a key takes its
//! flight off the table: those who wait for it still get what it brings, nobody else does.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::watch;

/// What a flight brings: `None` while it is under way.
type Outcome<T> = Option<T>;

/// The flights under way, by what they were sent for.
pub(super) struct Flights<K, T> {
    /// Held for a look at the table and a look at the store, never across an `.await`.
    under_way: Mutex<HashMap<K, watch::Sender<Outcome<T>>>>,
    under_way_max: usize,
    waiters_max: usize,
}

/// A place among those who wait for a flight.
pub struct Seat<T>(watch::Receiver<Outcome<T>>);

/// What became of somebody who asked for a flight.
pub(super) enum Boarding<K: Eq + Hash, T, S> {
    /// More is under way, or more are waiting, than may be.
    Full,
    /// The flight was under way.
    Joined(Seat<T>),
    /// No flight is wished for any more.
    Settled(S),
    /// There was none: whoever holds the ticket must fly it.
    Started(Seat<T>, Ticket<K, T>),
}

/// The duty to fly, and to land. Dropped without landing, as when its task panics, it takes the
/// flight off the table, and those who wait are told that nothing came.
pub(super) struct Ticket<K: Eq + Hash, T> {
    flights: Arc<Flights<K, T>>,
    key: K,
    outcome: watch::Sender<Outcome<T>>,
}

impl<T: Clone> Seat<T> {
    /// What the flight brings; `None` if it never landed.
    pub async fn outcome(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<K: Eq + Hash, T> Flights<K, T> {
    /// A panic while the table is held would leave it whole: every change to it is one call.
    fn table(&self) -> MutexGuard<'_, HashMap<K, watch::Sender<Outcome<T>>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, T> Flights<K, T> {
    pub(super) fn new(under_way_max: usize, waiters_max: usize) -> Arc<Self> {
        Arc::new(Self {
            under_way: Mutex::default(),
            under_way_max,
            waiters_max,
        })
    }

    /// Joins the flight for `key`, or starts one.
    ///
    /// Before one is started, `settle` may say that none is wished for any more: between the wish
    /// and now, another may have landed.
    pub(super) fn board<S>(
        self: &Arc<Self>,
        key: &K,
        settle: impl FnOnce() -> Option<S>,
    ) -> Boarding<K, T, S> {
        let mut under_way = self.table();
        if let Some(flight) = under_way.get(key) {
            return if flight.receiver_count() < self.waiters_max {
                Boarding::Joined(Seat(flight.subscribe()))
            } else {
                Boarding::Full
            };
        }
        if let Some(settled) = settle() {
            return Boarding::Settled(settled);
        }
        if under_way.len() >= self.under_way_max {
            return Boarding::Full;
        }
        let (outcome, waiter) = watch::channel(None);
        under_way.insert(key.clone(), outcome.clone());
        let ticket = Ticket {
            flights: Arc::clone(self),
            key: key.clone(),
            outcome,
        };
        Boarding::Started(Seat(waiter), ticket)
    }

    /// How many flights are on the table.
    pub(super) fn under_way(&self) -> usize {
        self.table().len()
    }

    /// How many wait for the flight for `key`; `None` if there is none.
    pub(super) fn waiting(&self, key: &K) -> Option<usize> {
        self.table().get(key).map(watch::Sender::receiver_count)
    }

    /// Takes the flights off the table of which `is_meant` says so.
    pub(super) fn divert(&self, is_meant: impl Fn(&K) -> bool) {
        self.table().retain(|key, _| !is_meant(key));
    }
}

impl<K: Eq + Hash, T> Ticket<K, T> {
    /// Brings the outcome to all who wait. `remember` is called first, unless the flight was
    /// diverted: so there is no moment in which neither the flight nor its outcome can be seen. It
    /// can ask whether another flight is under way; none starts or lands meanwhile.
    pub(super) fn land(self, outcome: T, remember: impl FnOnce(&K, &T, &dyn Fn(&K) -> bool)) {
        self.leave(|key, is_under_way| remember(key, &outcome, is_under_way));
        self.outcome.send_replace(Some(outcome));
    }

    /// Takes this very flight off the table, not one that was started after it was diverted.
    fn leave(&self, before: impl FnOnce(&K, &dyn Fn(&K) -> bool)) {
        let mut under_way = self.flights.table();
        if under_way
            .get(&self.key)
            .is_some_and(|flight| flight.same_channel(&self.outcome))
        {
            before(&self.key, &|key| under_way.contains_key(key));
            under_way.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash, T> Drop for Ticket<K, T> {
    fn drop(&mut self) {
        self.leave(|_, _| {});
    }
}
