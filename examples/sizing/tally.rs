//! What is counted in a day.

use serde_json::Value;
use serde_json::json;

use crate::day::MINUTE_MS;
use crate::day::OPEN_MS;

const MINUTES_AN_HOUR: usize = 60;

/// What callers were told, and what WeCom was asked.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) lookups: u64,
    /// Served from memory, fresh.
    pub(crate) fresh: u64,
    /// Served from memory while it was renewed, or was too young for that.
    pub(crate) stale: u64,
    /// Served from memory as WeCom could not be asked.
    pub(crate) stale_if_error: u64,
    /// Waited for a question, one's own or another's.
    pub(crate) waited: u64,
    /// Told a problem of 5xx.
    pub(crate) failed: u64,
    /// Answers that were meetings.
    pub(crate) meetings: u64,
    /// … of which anything had changed since, people who came and went too.
    pub(crate) touched: u64,
    /// … of which the state or the time had changed since: for how long, in milliseconds.
    pub(crate) lags_ms: Vec<u64>,
    /// How old they were, by seconds.
    pub(crate) ages_s: Vec<u64>,
    pub(crate) lookups_a_minute: Vec<u64>,
    pub(crate) questions_a_minute: Vec<u64>,
    /// What is kept in the end by one replica.
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
}

impl Tally {
    pub(crate) fn count_lookup(&mut self, at_ms: u64) {
        self.lookups += 1;
        add(&mut self.lookups_a_minute, minute(at_ms), 1);
    }

    pub(crate) fn count_question(&mut self, at_ms: u64) {
        add(&mut self.questions_a_minute, minute(at_ms), 1);
    }

    pub(crate) fn count_age(&mut self, age_ms: u64) {
        let second = usize::try_from(age_ms / 1_000).unwrap_or(usize::MAX);
        add(&mut self.ages_s, second.min(7_200), 1);
    }

    pub(crate) fn told(mut self) -> Value {
        self.lags_ms.sort_unstable();
        let questions: u64 = self.questions_a_minute.iter().sum();
        let minutes = usize::try_from((OPEN_MS.end - OPEN_MS.start) / MINUTE_MS).unwrap_or(0);
        self.lookups_a_minute.resize(minutes, 0);
        self.questions_a_minute.resize(minutes, 0);
        let hours = self.questions_a_minute.windows(MINUTES_AN_HOUR);
        let busiest_hour: u64 = hours
            .map(|hour| hour.iter().sum())
            .max()
            .unwrap_or_default();
        json!({
            "lookups": self.lookups,
            "fresh": self.fresh,
            "stale": self.stale,
            "stale_if_error": self.stale_if_error,
            "waited": self.waited,
            "failed": self.failed,
            "questions": questions,
            "busiest_hour": busiest_hour,
            "busiest_minute": self.questions_a_minute.iter().max(),
            "meetings_told": self.meetings,
            "touched": self.touched,
            "superseded": self.lags_ms.len(),
            "lag_ms": {
                "p50": of_rank(&self.lags_ms, 50),
                "p90": of_rank(&self.lags_ms, 90),
                "p99": of_rank(&self.lags_ms, 99),
                "max": self.lags_ms.last(),
            },
            "age_s": {"p50": quantile(&self.ages_s, 50), "p99": quantile(&self.ages_s, 99)},
            "kept": {"entries": self.entries, "bytes": self.bytes},
            "lookups_a_minute": self.lookups_a_minute,
            "questions_a_minute": self.questions_a_minute,
        })
    }
}

/// Of a sorted list, the value that so many percent do not exceed.
fn of_rank(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// Of a histogram, the bucket that so many percent do not exceed.
fn quantile(histogram: &[u64], percent: u64) -> Option<usize> {
    let all: u64 = histogram.iter().sum();
    let mut below = 0;
    histogram.iter().position(|count| {
        below += count;
        below * 100 >= all * percent
    })
}

fn minute(at_ms: u64) -> usize {
    let minute = at_ms.saturating_sub(OPEN_MS.start) / MINUTE_MS;
    usize::try_from(minute).unwrap_or(usize::MAX)
}

fn add(counts: &mut Vec<u64>, index: usize, count: u64) {
    if counts.len() <= index {
        counts.resize(index + 1, 0);
    }
    if let Some(here) = counts.get_mut(index) {
        *here += count;
    }
}
