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

    /// How many connections both doors may hold at a time, of those served and those turned away.
    pub fn connections_max(&self) -> usize {
        let both = [self.callers.places, self.operators.places].map(Places::total);
        both.into_iter().fold(0, usize::saturating_add)
    }
}
