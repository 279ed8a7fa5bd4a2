//! How many connections there can be behind a door: so many that are served, and a bounded number
//! that are only told that there is no place.

use std::io;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

/// Connections at a time that are only told that there is no place.
const ANTEROOM_CONNECTIONS_MAX: usize = 256;

/// How many places there are behind a door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// Where callers are served.
    pub(super) hall: usize,
    /// Where they are told that there is none.
    pub(super) anteroom: usize,
}

impl Places {
    /// So many where callers are served.
    pub(super) const fn with(hall: usize) -> Self {
        Self {
            hall,
            anteroom: ANTEROOM_CONNECTIONS_MAX,
        }
    }

    /// The same, and no more than that altogether, a quarter of them to turn callers away in. One
    /// caller is always served.
    pub(super) fn within(self, most: usize) -> Self {
        let anteroom = self.anteroom.min(most / 4);
        let hall = self.hall.min(most - anteroom);
        Self {
            hall: hall.max(1),
            anteroom,
        }
    }

    pub(super) const fn total(self) -> usize {
        self.hall.saturating_add(self.anteroom)
    }
}

/// Where connections can be. Only the one who lets them in takes places.
pub(super) struct Seating {
    hall: Arc<Semaphore>,
    anteroom: Arc<Semaphore>,
}

/// Where there is a place.
pub(super) enum Room {
    /// Callers are told that there is none.
    Anteroom,
    /// Callers are served.
    Hall,
}

impl Seating {
    pub(super) fn new(Places { hall, anteroom }: Places) -> Self {
        let of = |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self {
            hall: of(hall),
            anteroom: of(anteroom),
        }
    }

    /// Waits until there is one.
    pub(super) async fn some(&self) -> io::Result<()> {
        let found = tokio::select! {
            found = self.hall.acquire() => found,
            found = self.anteroom.acquire() => found,
        };
        found.map(drop).map_err(io::Error::other)
    }

    /// Takes the best there is, to be given back by dropping it.
    pub(super) fn take(&self) -> Option<(Room, OwnedSemaphorePermit)> {
        let of = |places: &Arc<Semaphore>| Arc::clone(places).try_acquire_owned().ok();
        let in_hall = of(&self.hall).map(|place| (Room::Hall, place));
        in_hall.or_else(|| of(&self.anteroom).map(|place| (Room::Anteroom, place)))
    }
}
