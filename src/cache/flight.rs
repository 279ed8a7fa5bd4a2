//! One question under way, shared by all who wait for its answer (single flight).
//!
//! A flight runs in a task of its own, whoever hangs up. The table below *is* the lease: a flight
//! that no longer stands in it when it lands was asked for before a purge, and is told so. Who purges
//! takes flights off the table: those who wait for one still get what it brings, nobody joins them.

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
    table: Mutex<Table<K, T>>,
    under_way_max: usize,
    waiters_max: usize,
}

struct Table<K, T> {
    leases: HashMap<K, watch::Sender<Outcome<T>>>,
    /// Flights that have not landed: those that were taken off the table are among them.
    under_way: usize,
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
    has_landed: bool,
}

/// How it is around a flight that lands.
pub(super) struct Landing<'a, K> {
    /// Whether it was taken off the table: it may not bring what its key asks for by now.
    pub(super) is_diverted: bool,
    /// Whether another flight is under way.
    pub(super) is_under_way: &'a dyn Fn(&K) -> bool,
}

impl<T: Clone> Seat<T> {
    /// What the flight brings; `None` if it never landed.
    pub async fn outcome(mut self) -> Option<T> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }
}

impl<K: Eq + Hash, T> Flights<K, T> {
    /// A panic while the table is held would leave it whole: none can come between changes that belong
    /// together.
    fn table(&self) -> MutexGuard<'_, Table<K, T>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, T> Flights<K, T> {
    pub(super) fn new(under_way_max: usize, waiters_max: usize) -> Arc<Self> {
        Arc::new(Self {
            table: Mutex::new(Table {
                leases: HashMap::new(),
                under_way: 0,
            }),
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
        let mut table = self.table();
        if let Some(flight) = table.leases.get(key) {
            return if flight.receiver_count() < self.waiters_max {
                Boarding::Joined(Seat(flight.subscribe()))
            } else {
                Boarding::Full
            };
        }
        if let Some(settled) = settle() {
            return Boarding::Settled(settled);
        }
        if table.under_way >= self.under_way_max {
            return Boarding::Full;
        }
        let (outcome, waiter) = watch::channel(None);
        table.leases.insert(key.clone(), outcome.clone());
        table.under_way += 1;
        let ticket = Ticket {
            flights: Arc::clone(self),
            key: key.clone(),
            outcome,
            has_landed: false,
        };
        Boarding::Started(Seat(waiter), ticket)
    }

    /// Has no flight start or land while `act` is called.
    pub(super) fn hold<R>(&self, act: impl FnOnce() -> R) -> R {
        let _table = self.table();
        act()
    }

    /// How many flights have not landed.
    pub(super) fn under_way(&self) -> usize {
        self.table().under_way
    }

    /// How many wait for the flight for `key`; `None` if there is none.
    pub(super) fn waiting(&self, key: &K) -> Option<usize> {
        self.table()
            .leases
            .get(key)
            .map(watch::Sender::receiver_count)
    }

    /// Takes the flights off the table of which `is_meant` says so.
    pub(super) fn divert(&self, is_meant: impl Fn(&K) -> bool) {
        self.table().leases.retain(|key, _| !is_meant(key));
    }
}

impl<K: Eq + Hash, T> Ticket<K, T> {
    /// Brings what `remember` makes of it to all who wait. While that is called, no other flight
    /// starts or lands: so there is no moment in which neither the flight nor its outcome can be
    /// seen.
    pub(super) fn land(mut self, remember: impl FnOnce(&K, &Landing<'_, K>) -> T) {
        let mut remembered = None;
        self.leave(|key, landing| remembered = Some(remember(key, landing)));
        self.outcome.send_replace(remembered);
    }

    /// Takes this very flight off the table, not one that was started after it was diverted.
    fn leave(&mut self, before: impl FnOnce(&K, &Landing<'_, K>)) {
        let mut table = self.flights.table();
        let lease = table.leases.get(&self.key);
        let is_leased = lease.is_some_and(|lease| lease.same_channel(&self.outcome));
        let landing = Landing {
            is_diverted: !is_leased,
            is_under_way: &|key| table.leases.contains_key(key),
        };
        before(&self.key, &landing);
        if is_leased {
            table.leases.remove(&self.key);
        }
        table.under_way -= 1;
        self.has_landed = true;
    }
}

impl<K: Eq + Hash, T> Drop for Ticket<K, T> {
    fn drop(&mut self) {
        if !self.has_landed {
            self.leave(|_, _| {});
        }
    }
}
