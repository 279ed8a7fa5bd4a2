//! How much the doors let in.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::patience::Patience;
use super::seating::Places;
use super::settings::Settings;

/// Connections of operators at a time. Probes, scrapers and a person or two.
const ADMIN_CONNECTIONS_MAX: usize = 64;

/// How much the doors let in. Clones share what can change while the doors are open.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(super) callers: Door,
    pub(super) operators: Door,
}

/// How much one door lets in.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) places: Places,
    /// With those who come from now on.
    pub(super) patience: Arc<ArcSwap<Patience>>,
    /// Whether HTTP/2 is spoken besides HTTP/1.1.
    pub(super) http2: bool,
}

impl Limits {
    /// What is set.
    pub fn of(settings: &Settings) -> Self {
        let patience = Arc::new(ArcSwap::from_pointee(Patience::of(settings)));
        let callers_max = usize::try_from(settings.max_connections).unwrap_or(usize::MAX);
        Self {
            callers: Door {
                places: Places::with(callers_max),
                patience: Arc::clone(&patience),
                http2: settings.http2,
            },
            operators: Door {
                places: Places::with(ADMIN_CONNECTIONS_MAX),
                patience,
                http2: false,
            },
        }
    }

    /// Has those who come from now on waited for as these say. The rest waits for the next start.
    pub fn adjust(&self, settings: &Settings) {
        // Both doors share it.
        self.callers
            .patience
            .store(Arc::new(Patience::of(settings)));
    }

    /// The same, and no more connections than that. Operators come first, with a quarter at most:
    /// they do not answer a probe who have no descriptor left for it.
    #[must_use]
    pub fn within(mut self, connections: usize) -> Self {
        if connections < self.connections_max() {
            let operators = self.operators.places.within(connections / 4);
            let left = connections.saturating_sub(operators.total());
            self.operators.places = operators;
            self.callers.places = self.callers.places.within(left);
        }
        self
    }

    /// How many callers are served at a time.
    pub fn callers_max(&self) -> usize {
        self.callers.places.hall
    }

    /// How many connections both doors may hold at a time, of those served and those turned away.
    pub fn connections_max(&self) -> usize {
        let both = [self.callers.places, self.operators.places].map(Places::total);
        both.into_iter().fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places_within(connections: usize) -> [(usize, usize); 2] {
        let limits = Limits::of(&Settings::default()).within(connections);
        [limits.callers, limits.operators].map(|Door { places, .. }| (places.hall, places.anteroom))
    }

    #[test]
    fn what_does_not_fit_is_taken_off_callers_first() {
        for (connections, callers, operators) in [
            (usize::MAX, (10_000, 256), (64, 256)),
            (10_576, (10_000, 256), (64, 256)),
            (10_575, (9_999, 256), (64, 256)),
            (896, (582, 194), (64, 56)),
            (30, (18, 5), (6, 1)),
            (0, (1, 0), (1, 0)),
        ] {
            let expected = [callers, operators];
            assert_eq!(places_within(connections), expected, "{connections}");
        }
    }

    #[test]
    fn no_more_connections_are_held_than_fit() {
        for connections in 2..12_000 {
            let places = places_within(connections);
            let total: usize = places.iter().map(|(hall, anteroom)| hall + anteroom).sum();
            assert!(total <= connections, "{places:?} of {connections}");
        }
    }
}
