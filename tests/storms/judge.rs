//! What the house may have asked of WeCom, judged by what the simulator saw.
//!
//! A question that was given up looks, from WeCom's side, as if it were under way a little longer:
//! the news of it takes time. So what is *sure* is judged strictly, what was given up with a grace.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use wecom_simulator::Api;
use wecom_simulator::Connections;
use wecom_simulator::Outcome;
use wecom_simulator::Visit;

/// How long news may take to arrive: that somebody hung up, or what was answered.
const GRACE: Duration = Duration::from_millis(100);

/// Tasks that must come to run one after another before an answer has arrived and is acted upon.
const WAKES: u32 = 4;

/// Connections beyond those in use: opened in vain, as another became free first.
const CONNECTIONS_MORE: usize = 4;

/// A question is asked three times at most …
const REPETITIONS_MAX: usize = 2;

/// … and repetitions are so many to begin with, and then one in so many questions.
const REPETITIONS_FIRST: usize = 10;
const QUESTIONS_A_REPETITION: usize = 5;

/// What the house was set to, and what was done to it.
pub(crate) struct Terms {
    pub(crate) in_flight_max: usize,
    pub(crate) apps: usize,
    pub(crate) wecom_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) lag: Duration,
    pub(crate) purged_at: Vec<Instant>,
}

impl Terms {
    fn grace(&self) -> Duration {
        GRACE + self.lag * WAKES
    }

    /// What was answered, and can be sure to have arrived; `None` where nobody may have waited for
    /// it any more.
    fn sure(&self, visit: &Visit) -> Option<i32> {
        let end = visit.end?;
        let is_in_time = end.at - visit.came_at < self.wecom_timeout / 2;
        match end.outcome {
            Outcome::Said(errcode) if is_in_time => Some(errcode),
            Outcome::Abandoned | Outcome::Said(_) | Outcome::Spoilt => None,
        }
    }
}

/// Each question is under way once at a time; and one request for a token of each app.
pub(crate) fn questions(visits: &[Visit], terms: &Terms) -> Vec<String> {
    let mut damage = Vec::new();
    let mut by_question: BTreeMap<&str, Vec<&Visit>> = BTreeMap::new();
    for visit in visits {
        by_question.entry(&visit.question).or_default().push(visit);
    }
    for (question, visits) in by_question {
        for (index, first) in visits.iter().enumerate() {
            let Some(end) = first.end else { continue };
            let grace = if terms.sure(first).is_some() {
                Duration::ZERO
            } else {
                terms.grace()
            };
            let is_beside = |second: &&&Visit| {
                second.came_at + grace < end.at && !may_be_two(first, second, terms)
            };
            let beside = visits[index + 1..].iter().filter(is_beside).count();
            if 0 < beside {
                damage.push(format!(
                    "{beside} more under way beside one about {question}: {first:?}"
                ));
            }
        }
    }
    damage
}

/// Whether what was asked first may have been purged when the second was asked.
fn may_be_two(first: &Visit, second: &Visit, terms: &Terms) -> bool {
    let Some(since) = first.came_at.checked_sub(terms.request_timeout) else {
        return true;
    };
    let until = second.came_at + terms.grace();
    let meanwhile = |purged_at: &Instant| (since..=until).contains(purged_at);
    first.api == Api::GetInfo && terms.purged_at.iter().any(meanwhile)
}

/// A token that was refused is not used again, but by those who were on their way with it.
pub(crate) fn tokens(visits: &[Visit], terms: &Terms) -> Vec<String> {
    let mut refused_at: BTreeMap<u64, Instant> = BTreeMap::new();
    for visit in visits {
        let (Some(token), Some(end)) = (visit.token, visit.end) else {
            continue;
        };
        if matches!(terms.sure(visit), Some(40014 | 42001)) {
            let at = refused_at.entry(token).or_insert(end.at);
            *at = end.at.min(*at);
        }
    }
    let mut damage = Vec::new();
    for (token, at) in refused_at {
        let after = |visit: &&Visit| visit.token == Some(token) && at < visit.came_at;
        let after: Vec<_> = visits.iter().filter(after).collect();
        let last = after.iter().map(|visit| visit.came_at - at).max();
        if terms.in_flight_max * 2 < after.len() || last.is_some_and(|last| terms.grace() < last) {
            damage.push(format!(
                "token {token} was used {} times after it was refused, up to {last:?} later",
                after.len()
            ));
        }
    }
    damage
}

/// What failed is asked again twice at most, and by all together only as the budget has it; and not
/// by who comes next, as long as the clock stands: a fault is remembered for a second.
///
/// Only a storm without purges can be judged: these take faults away too.
pub(crate) fn repetitions(visits: &[Visit], terms: &Terms) -> Vec<String> {
    if !terms.purged_at.is_empty() {
        return Vec::new();
    }
    let mut failures: BTreeMap<(&str, Duration), usize> = BTreeMap::new();
    let mut damage = Vec::new();
    let mut repeated = 0;
    let asked = visits.iter().filter(|visit| visit.api == Api::GetInfo);
    for visit in asked.clone() {
        let before = failures
            .entry((&visit.question, visit.advanced))
            .or_default();
        repeated += usize::from(0 < *before);
        if REPETITIONS_MAX < *before {
            damage.push(format!("asked again after {before} failures: {visit:?}"));
        }
        match visit.end.map(|end| end.outcome) {
            Some(Outcome::Said(-1 | 6000) | Outcome::Spoilt) => *before += 1,
            Some(Outcome::Abandoned | Outcome::Said(_)) | None => *before = 0,
        }
    }
    let budget = REPETITIONS_FIRST + asked.count() / QUESTIONS_A_REPETITION;
    if budget < repeated {
        damage.push(format!(
            "{repeated} repetitions, where {budget} are allowed"
        ));
    }
    damage
}

/// Whether one API may be asked.
#[derive(Clone, Copy, Debug)]
enum Gate {
    /// WeCom has said 45009: nobody asks before the clock has been advanced so far. Some were on
    /// their way.
    Closed {
        since: Instant,
        until: Duration,
        on_their_way: usize,
    },
    Open,
    /// One question is under way.
    Probing(usize),
}

/// After 45009 nobody asks for a minute, then one does; if it is told the same, nobody for an hour.
pub(crate) fn blocks(visits: &[Visit], api: Api, terms: &Terms) -> Vec<String> {
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(60 * 60);
    let mut news = Vec::new();
    for (index, visit) in visits
        .iter()
        .enumerate()
        .filter(|(_, visit)| visit.api == api)
    {
        news.push((visit.came_at, false, index));
        news.extend(visit.end.map(|end| (end.at, true, index)));
    }
    news.sort_unstable();

    let mut damage = Vec::new();
    let mut gate = Gate::Open;
    for (at, is_end, index) in news {
        let visit = &visits[index];
        let closed_for = |time| Gate::Closed {
            since: at,
            until: visit.advanced + time,
            on_their_way: 0,
        };
        gate = match (gate, is_end) {
            (Gate::Open, true) if terms.sure(visit) == Some(45009) => closed_for(MINUTE),
            (Gate::Probing(probe), true) if probe == index => match terms.sure(visit) {
                Some(45009) => closed_for(HOUR),
                // Answered; or in a way that nobody can be sure of.
                _ => Gate::Open,
            },
            (
                Gate::Closed {
                    since,
                    until,
                    on_their_way,
                },
                false,
            ) => {
                let is_on_its_way = at <= since + terms.grace();
                if visit.advanced < until {
                    if !is_on_its_way || terms.in_flight_max * 2 <= on_their_way {
                        damage.push(format!("asked {:?} after 45009: {visit:?}", at - since));
                    }
                    Gate::Closed {
                        since,
                        until,
                        on_their_way: on_their_way + 1,
                    }
                } else if is_on_its_way {
                    // The clock was turned so soon that nobody can tell.
                    Gate::Open
                } else {
                    Gate::Probing(index)
                }
            }
            (Gate::Probing(probe), false) => {
                damage.push(format!(
                    "asked while another was to see whether 45009 is over: {visit:?} beside {:?}",
                    visits[probe]
                ));
                gate
            }
            (gate, _) => gate,
        };
    }
    damage
}

/// There are no more connections than questions that may be under way, and a few.
pub(crate) fn connections(connections: Connections, terms: &Terms) -> Option<String> {
    let peak_max = terms.in_flight_max + terms.apps + CONNECTIONS_MORE;
    let peak = usize::try_from(connections.peak).expect("a number");
    (peak_max < peak).then(|| format!("{peak} connections at a time: {connections:?}"))
}

/// A visit as a line of the story that is told of a storm that did damage.
pub(crate) fn line(visit: &Visit) -> String {
    let Visit {
        api,
        question,
        token,
        connection,
        advanced,
        came_at,
        end,
    } = visit;
    let end = end.map(|end| (end.outcome, end.at - *came_at));
    format!(
        "at {advanced:?}: {api:?} {question}, token {token:?}, connection {connection}: {end:?}"
    )
}
