//! What the simulator was asked, and how often. Knows no answers.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use crate::guarded::Guarded;
use crate::protocol::Api;
use crate::visits::Connections;
use crate::visits::End;
use crate::visits::Outcome;
use crate::visits::Visit;

/// As many questions as are kept word for word.
const ASKED_MAX: usize = 100;

/// As many visits as are on record; after that, the oldest are forgotten.
const VISITS_MAX: usize = 10_000;

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
    visits: VecDeque<Visit>,
    /// So many visits are older than those on record: the number of the first of these.
    visits_forgotten: u64,
    connections: Connections,
}

/// A request under way. Dropped before it is complete, it was abandoned.
#[derive(Debug)]
pub(crate) struct InFlight {
    ledger: Ledger,
    api: Api,
    visit: u64,
    outcome: Outcome,
}

/// A connection, until this is dropped.
#[derive(Debug)]
pub(crate) struct Connected {
    ledger: Ledger,
    /// Counted from 1.
    pub(crate) number: u64,
}

impl Ledger {
    pub(crate) fn count_gettoken(&self, visit: Visit) -> InFlight {
        self.in_flight(visit, |page| page.hits.gettoken += 1)
    }

    /// Counts a request for the meeting of that id or code, if it named one.
    pub(crate) fn count_get_info(
        &self,
        visit: Visit,
        asked: Asked,
        meeting: Option<&str>,
    ) -> InFlight {
        self.in_flight(visit, |page| page.note(asked, meeting))
    }

    pub(crate) fn count_connection(&self) -> Connected {
        let number = self.0.with(|page| page.connections.open());
        Connected {
            ledger: self.clone(),
            number,
        }
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

    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.0.with(|page| page.visits.iter().cloned().collect())
    }

    pub(crate) fn connections(&self) -> Connections {
        self.0.with(|page| page.connections)
    }

    /// Starts counting again. Requests under way are still under way, connections still open.
    pub(crate) fn reset(&self) {
        self.0.with(|page| {
            *page = Page {
                in_flight: page.in_flight,
                in_flight_peak: page.in_flight,
                visits_forgotten: page.next_visit(),
                connections: Connections {
                    peak: page.connections.open,
                    ..page.connections
                },
                ..Page::default()
            };
        });
    }

    fn in_flight(&self, visit: Visit, count: impl FnOnce(&mut Page)) -> InFlight {
        let api = visit.api;
        let visit = self.0.with(|page| {
            count(page);
            page.keep(visit)
        });
        InFlight {
            ledger: self.clone(),
            api,
            visit,
            outcome: Outcome::Spoilt,
        }
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

    /// Puts a visit on record, and tells its number.
    fn keep(&mut self, visit: Visit) -> u64 {
        if self.visits.len() == VISITS_MAX {
            self.visits.pop_front();
            self.visits_forgotten += 1;
        }
        let number = self.next_visit();
        self.visits.push_back(visit);
        number
    }

    /// Ends a visit, unless it has ended or is forgotten.
    fn end_visit(&mut self, number: u64, outcome: Outcome) {
        let place = number.checked_sub(self.visits_forgotten);
        let place = place.and_then(|place| usize::try_from(place).ok());
        let visit = place.and_then(|place| self.visits.get_mut(place));
        if let Some(visit) = visit.filter(|visit| visit.end.is_none()) {
            let at = Instant::now();
            visit.end = Some(End { at, outcome });
        }
    }

    fn next_visit(&self) -> u64 {
        let on_record = u64::try_from(self.visits.len()).unwrap_or_default();
        self.visits_forgotten + on_record
    }
}

impl InFlight {
    /// Notes how it goes, if it is not abandoned.
    pub(crate) fn goes(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// Notes that the answer is complete.
    pub(crate) fn complete(self) {
        let outcome = self.outcome;
        self.ledger
            .0
            .with(|page| page.end_visit(self.visit, outcome));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.ledger.0.with(|page| {
            page.end_visit(self.visit, Outcome::Abandoned);
            if self.api == Api::GetInfo {
                page.in_flight -= 1;
            }
        });
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.ledger.0.with(|page| page.connections.open -= 1);
    }
}

impl Connections {
    /// One more. Its number.
    fn open(&mut self) -> u64 {
        self.opened += 1;
        self.open += 1;
        self.peak = self.peak.max(self.open);
        self.opened
    }
}
