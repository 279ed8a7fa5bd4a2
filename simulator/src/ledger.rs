//! What the simulator was asked, and how often. Knows no answers.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::guarded::Guarded;

/// As many questions as are kept word for word.
const ASKED_MAX: usize = 100;

/// As many meetings as are counted one by one; the questions about more count in [`Hits`] only.
const MEETINGS_MAX: usize = 100_000;

/// How often each API was asked, whatever it answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hits {
    /// Requests for an access token.
    pub gettoken: u64,
    /// Requests for a meeting.
    pub get_info: u64,
}

/// One request at `get_info`, as far as it is safe to show: without the access token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The body as it came; bytes that are no UTF-8 are replaced.
    pub body: String,
    /// The header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The names in the query, in order: nothing but `access_token` has any business there.
    pub query_names: Vec<String>,
}

/// The numbers. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Guarded<Page>>);

#[derive(Debug, Default)]
struct Page {
    hits: Hits,
    asked: VecDeque<Asked>,
    by_meeting: BTreeMap<String, u64>,
    in_flight: u64,
    in_flight_peak: u64,
    redirects_followed: u64,
}

/// A request at `get_info` under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Ledger);

impl Ledger {
    pub(crate) fn count_gettoken(&self) {
        self.0.with(|page| page.hits.gettoken += 1);
    }

    /// Counts a request for the meeting of that id or code, if it named one.
    pub(crate) fn count_get_info(&self, asked: Asked, meeting: Option<&str>) -> InFlight {
        self.0.with(|page| page.note(asked, meeting));
        InFlight(self.clone())
    }

    pub(crate) fn count_redirect(&self) {
        self.0.with(|page| page.redirects_followed += 1);
    }

    pub(crate) fn hits(&self) -> Hits {
        self.0.with(|page| page.hits)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.0.with(|page| page.asked.iter().cloned().collect())
    }

    pub(crate) fn hits_of(&self, meeting: &str) -> u64 {
        self.0
            .with(|page| page.by_meeting.get(meeting).copied().unwrap_or_default())
    }

    pub(crate) fn hits_by_meeting(&self) -> BTreeMap<String, u64> {
        self.0.with(|page| page.by_meeting.clone())
    }

    pub(crate) fn peak_in_flight(&self) -> u64 {
        self.0.with(|page| page.in_flight_peak)
    }

    pub(crate) fn redirects_followed(&self) -> u64 {
        self.0.with(|page| page.redirects_followed)
    }

    /// Starts counting again. Requests under way are still under way.
    pub(crate) fn reset(&self) {
        self.0.with(|page| {
            *page = Page {
                in_flight: page.in_flight,
                in_flight_peak: page.in_flight,
                ..Page::default()
            };
        });
    }
}

impl Page {
    fn note(&mut self, asked: Asked, meeting: Option<&str>) {
        self.hits.get_info += 1;
        self.in_flight += 1;
        self.in_flight_peak = self.in_flight_peak.max(self.in_flight);
        if self.asked.len() == ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(asked);
        let Some(meeting) = meeting else { return };
        if let Some(count) = self.by_meeting.get_mut(meeting) {
            *count += 1;
        } else if self.by_meeting.len() < MEETINGS_MAX {
            self.by_meeting.insert(meeting.to_owned(), 1);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.with(|page| page.in_flight -= 1);
    }
}
