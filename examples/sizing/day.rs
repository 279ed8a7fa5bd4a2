//! A working day, made up: which meetings there are, what becomes of them, and who asks for them when.
//!
//! Everything here is an assumption, and stands in `docs/sizing.md` with the same numbers. The same
//! [`Model`] makes the same day. Times are milliseconds since midnight.

use std::ops::Range;

use fastrand::Rng;

use crate::Failure;

pub(crate) const SECOND_MS: u64 = 1_000;
pub(crate) const MINUTE_MS: u64 = 60 * SECOND_MS;
pub(crate) const HOUR_MS: u64 = 60 * MINUTE_MS;

/// When callers ask at all.
pub(crate) const OPEN_MS: Range<u64> = 7 * HOUR_MS..20 * HOUR_MS;

/// When displays at doors are on.
const DOORS_MS: Range<u64> = 7 * HOUR_MS + 30 * MINUTE_MS..19 * HOUR_MS;

/// Meetings a day, and doors with a display, for 1,000 employees.
const MEETINGS_PER_1000: usize = 350;
const DOORS_PER_1000: usize = 25;

/// At which hour meetings begin: so many parts of all.
const HOURS: [(u64, u64); 11] = [
    (8, 5),
    (9, 15),
    (10, 20),
    (11, 12),
    (12, 2),
    (13, 8),
    (14, 20),
    (15, 20),
    (16, 16),
    (17, 9),
    (18, 3),
];

/// At which minute of it.
const MINUTES: [(u64, u64); 4] = [(0, 60), (15, 5), (30, 30), (45, 5)];

/// For how many minutes they are planned.
const DURATIONS_MIN: [(u64, u64); 6] = [(15, 10), (30, 35), (45, 10), (60, 35), (90, 7), (120, 3)];

/// Of which kind they are.
const KINDS: [(Kind, u64); 3] = [
    (Kind::OneTime, 60),
    (Kind::Recurring, 32),
    (Kind::PersonalRoom, 8),
];

/// What becomes of them.
const FATES: [(Fate, u64); 4] = [
    (Fate::Held, 87),
    (Fate::Rescheduled, 6),
    (Fate::Cancelled, 4),
    (Fate::NeverHeld, 3),
];

/// By how many minutes one is put off that is rescheduled.
const PUT_OFF_MIN: [(u64, u64); 3] = [(15, 1), (30, 1), (60, 1)];

/// How many people are invited: Zipf's law, between these, with this exponent.
const INVITED: Range<usize> = 2..301;
const INVITED_EXPONENT: f64 = 2.2;

/// Which meeting people look at: Zipf's law over all meetings of the day, the largest first.
const VIEWS_EXPONENT: f64 = 0.9;
const VIEWS_PER_EMPLOYEE: usize = 6;

/// How often a display asks, in seconds.
const DOOR_PERIODS_S: [(u64, u64); 5] = [(10, 1), (15, 1), (20, 1), (30, 1), (60, 1)];

const CALENDAR_PERIOD_MS: u64 = 5 * MINUTE_MS;
const CALENDAR_GOES_ON_MS: u64 = HOUR_MS;
const BOT_PERIOD_MS: u64 = 15 * SECOND_MS;
const BOT_COMES_EARLY_MS: u64 = 5 * MINUTE_MS;

/// In percent.
const HAS_ROOM: u64 = 60;
const HAS_BOT: u64 = 25;
const COMES: u64 = 80;
const LOOKS_UP_THE_NUMBER: u64 = 40;
const MISTYPES: u64 = 2;

/// How large a day.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) employees: usize,
    /// How many of each kind of caller there are: two calendars, two bots, two displays …
    pub(crate) callers: usize,
    /// When they ask: all day, or within these hours of it.
    pub(crate) asking_ms: Range<u64>,
    pub(crate) seed: u64,
}

/// A day.
pub(crate) struct Day {
    pub(crate) meetings: Vec<Meeting>,
    /// In the order of their times.
    pub(crate) lookups: Vec<Lookup>,
}

/// A caller asks.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Lookup {
    pub(crate) at_ms: u64,
    pub(crate) target: Target,
}

/// What for: by its place in the list of meetings.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Target {
    ByCode(usize),
    ById(usize),
    /// A number that nobody has.
    Mistyped(usize),
}

/// A meeting, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Meeting {
    pub(crate) kind: Kind,
    /// In the order of their times; the first is there from the beginning.
    pub(crate) states: Vec<State>,
    pub(crate) invited: usize,
    /// Who came, from when to when.
    pub(crate) came: Vec<Range<u64>>,
    /// When its state changed, and when anything did: in their order.
    pub(crate) turns_ms: Vec<u64>,
    pub(crate) touches_ms: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    OneTime,
    PersonalRoom,
    Recurring,
}

/// From when on it stands like this.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) since_ms: u64,
    pub(crate) status: Status,
    pub(crate) start_ms: u64,
    pub(crate) length_ms: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    Cancelled,
    Ended,
    Expired,
    InProgress,
    NotStarted,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Cancelled,
    Held,
    NeverHeld,
    Rescheduled,
}

/// Draws by weight: Zipf's law, or any other.
struct Urn(Vec<f64>);

impl Day {
    pub(crate) fn of(model: &Model) -> Result<Self, Failure> {
        let mut rng = Rng::with_seed(model.seed);
        let sizes = Urn::zipf(INVITED, INVITED_EXPONENT);
        let count = model.employees * MEETINGS_PER_1000 / 1000;
        let mut meetings = Vec::with_capacity(count);
        for _ in 0..count {
            let invited = INVITED.start + sizes.draw(&mut rng);
            meetings.push(Meeting::planned(invited, &mut rng)?);
        }
        // The largest first: so the first are those that people look at.
        meetings.sort_by_key(|meeting| std::cmp::Reverse(meeting.invited));
        let rooms = rooms(&meetings, model.employees * DOORS_PER_1000 / 1000, &mut rng);
        let mut lookups = Vec::new();
        for _ in 0..model.callers {
            ask_at_doors(&meetings, &rooms, &mut rng, &mut lookups)?;
            for (index, meeting) in meetings.iter().enumerate() {
                ask_for_calendars(index, meeting, &mut rng, &mut lookups);
                ask_for_bots(index, meeting, &mut rng, &mut lookups);
                ask_when_joining(index, meeting, &mut rng, &mut lookups);
            }
            let views = model.employees * VIEWS_PER_EMPLOYEE;
            look_at_pages(&meetings, views, &mut rng, &mut lookups)?;
        }
        lookups.retain(|lookup| model.asking_ms.contains(&lookup.at_ms));
        lookups.sort_unstable();
        Ok(Self { meetings, lookups })
    }
}

impl Meeting {
    fn planned(invited: usize, rng: &mut Rng) -> Result<Self, Failure> {
        let start_ms = drawn(&HOURS, rng)? * HOUR_MS + drawn(&MINUTES, rng)? * MINUTE_MS;
        let planned = State {
            since_ms: 0,
            status: Status::NotStarted,
            start_ms,
            length_ms: drawn(&DURATIONS_MIN, rng)? * MINUTE_MS,
        };
        let kind = drawn(&KINDS, rng)?;
        let mut states = vec![planned];
        let mut came = Vec::new();
        match drawn(&FATES, rng)? {
            Fate::Cancelled => {
                let since_ms = rng.u64(OPEN_MS.start..start_ms);
                states.push(State {
                    since_ms,
                    status: Status::Cancelled,
                    ..planned
                });
            }
            Fate::Held => hold(planned, invited, &mut states, &mut came, rng),
            Fate::NeverHeld => {
                let since_ms = planned.end_ms();
                states.push(State {
                    since_ms,
                    status: Status::Expired,
                    ..planned
                });
            }
            Fate::Rescheduled => {
                let earliest_ms = OPEN_MS.start.max(start_ms - 2 * HOUR_MS);
                let since_ms = rng.u64(earliest_ms..start_ms - 3 * MINUTE_MS);
                let start_ms = start_ms + drawn(&PUT_OFF_MIN, rng)? * MINUTE_MS;
                let put_off = State {
                    since_ms,
                    start_ms,
                    ..planned
                };
                states.push(put_off);
                hold(put_off, invited, &mut states, &mut came, rng);
            }
        }
        let turns_ms: Vec<u64> = states.iter().skip(1).map(|state| state.since_ms).collect();
        let mut touches_ms = turns_ms.clone();
        touches_ms.extend(came.iter().flat_map(|stay| [stay.start, stay.end]));
        touches_ms.sort_unstable();
        Ok(Self {
            kind,
            states,
            invited,
            came,
            turns_ms,
            touches_ms,
        })
    }

    /// How it was planned at first.
    fn plan(&self) -> Option<&State> {
        self.states.first()
    }

    /// How it stands at the end of the day.
    fn outcome(&self) -> Option<&State> {
        self.states.last()
    }

    /// How it stands then.
    pub(crate) fn at(&self, moment_ms: u64) -> Option<&State> {
        let standing = |state: &&State| state.since_ms <= moment_ms;
        self.states.iter().rev().find(standing)
    }
}

impl State {
    pub(crate) fn end_ms(&self) -> u64 {
        self.start_ms + self.length_ms
    }
}

/// It begins up to two minutes early and up to five late, and ends up to ten early or late. The first
/// comes when it begins, the others after two minutes on average, nobody before it begins; all stay to
/// the end.
fn hold(
    planned: State,
    invited: usize,
    states: &mut Vec<State>,
    came: &mut Vec<Range<u64>>,
    rng: &mut Rng,
) {
    let begins_ms = planned.start_ms - 2 * MINUTE_MS + rng.u64(0..=7 * MINUTE_MS);
    let ends_ms = planned.end_ms() - 10 * MINUTE_MS + rng.u64(0..=20 * MINUTE_MS);
    let ends_ms = ends_ms.max(begins_ms + 3 * MINUTE_MS);
    let held = State {
        since_ms: begins_ms,
        status: Status::InProgress,
        ..planned
    };
    let ended = State {
        since_ms: ends_ms,
        status: Status::Ended,
        ..planned
    };
    states.extend([held, ended]);
    came.push(begins_ms..ends_ms);
    for _ in 1..invited {
        let comes_ms = begins_ms + exponential(2 * MINUTE_MS, rng);
        if happens(COMES, rng) && comes_ms < ends_ms {
            came.push(comes_ms..ends_ms);
        }
    }
}

/// Which meetings are in each room, in their order: of those that want one, who comes first gets one
/// that is free for as long as the meeting is planned.
fn rooms(meetings: &[Meeting], doors: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
    let mut rooms: Vec<(u64, Vec<usize>)> = vec![(0, Vec::new()); doors];
    let plans = meetings.iter().enumerate();
    let mut wanting: Vec<(usize, &State)> = plans
        .filter_map(|(index, meeting)| Some((index, meeting.plan()?)))
        .filter(|_| happens(HAS_ROOM, rng))
        .collect();
    wanting.sort_by_key(|(index, plan)| (plan.start_ms, *index));
    for (index, plan) in wanting {
        let mut free = rooms
            .iter_mut()
            .filter(|(until_ms, _)| *until_ms <= plan.start_ms);
        if let Some((until_ms, held)) = free.next() {
            *until_ms = plan.end_ms();
            held.push(index);
        }
    }
    rooms.into_iter().map(|(_, held)| held).collect()
}

/// A display shows the meeting that is planned in its room, or the next; after the last, that one.
fn ask_at_doors(
    meetings: &[Meeting],
    rooms: &[Vec<usize>],
    rng: &mut Rng,
    lookups: &mut Vec<Lookup>,
) -> Result<(), Failure> {
    for held in rooms {
        let period_ms = drawn(&DOOR_PERIODS_S, rng)? * SECOND_MS;
        let mut at_ms = DOORS_MS.start + rng.u64(0..period_ms);
        let mut showing = held.iter().peekable();
        while let Some(&&index) = showing.peek() {
            let ends_ms = meetings
                .get(index)
                .and_then(Meeting::plan)
                .map(State::end_ms);
            if ends_ms.is_some_and(|ends_ms| ends_ms <= at_ms) && showing.len() > 1 {
                showing.next();
                continue;
            }
            if at_ms >= DOORS_MS.end {
                break;
            }
            lookups.push(Lookup {
                at_ms,
                target: Target::ById(index),
            });
            at_ms += period_ms;
        }
    }
    Ok(())
}

/// A calendar has all meetings of the day, each asked for again and again until an hour after it.
fn ask_for_calendars(index: usize, meeting: &Meeting, rng: &mut Rng, lookups: &mut Vec<Lookup>) {
    let Some(plan) = meeting.plan() else {
        return;
    };
    let first_ms = OPEN_MS.start + rng.u64(0..CALENDAR_PERIOD_MS);
    let until_ms = plan.end_ms() + CALENDAR_GOES_ON_MS;
    ask_every(CALENDAR_PERIOD_MS, first_ms..until_ms, index, lookups);
}

/// A bot that records or writes minutes waits for its meeting to begin, and then to end.
fn ask_for_bots(index: usize, meeting: &Meeting, rng: &mut Rng, lookups: &mut Vec<Lookup>) {
    let (Some(plan), Some(outcome)) = (meeting.plan(), meeting.outcome()) else {
        return;
    };
    if happens(HAS_BOT, rng) {
        let first_ms = plan.start_ms - BOT_COMES_EARLY_MS + rng.u64(0..BOT_PERIOD_MS);
        // Once more, in which it sees that it is over.
        let until_ms = outcome.since_ms + BOT_PERIOD_MS;
        ask_every(BOT_PERIOD_MS, first_ms..until_ms, index, lookups);
    }
}

fn ask_every(period_ms: u64, span_ms: Range<u64>, index: usize, lookups: &mut Vec<Lookup>) {
    let mut at_ms = span_ms.start;
    while at_ms < span_ms.end {
        lookups.push(Lookup {
            at_ms,
            target: Target::ById(index),
        });
        at_ms += period_ms;
    }
}

/// Some of those who come have looked up the number that they were given, just before.
fn ask_when_joining(index: usize, meeting: &Meeting, rng: &mut Rng, lookups: &mut Vec<Lookup>) {
    for stay in &meeting.came {
        if happens(LOOKS_UP_THE_NUMBER, rng) {
            let at_ms = stay.start - rng.u64(5 * SECOND_MS..30 * SECOND_MS);
            let target = if happens(MISTYPES, rng) {
                Target::Mistyped(index)
            } else {
                Target::ByCode(index)
            };
            lookups.push(Lookup { at_ms, target });
        }
    }
}

/// People look at a meeting's page: an hour before it begins on average, or, where that would be too
/// early in the day, at any time before it.
fn look_at_pages(
    meetings: &[Meeting],
    views: usize,
    rng: &mut Rng,
    lookups: &mut Vec<Lookup>,
) -> Result<(), Failure> {
    let popularity = Urn::zipf(1..meetings.len() + 1, VIEWS_EXPONENT);
    for _ in 0..views {
        let index = popularity.draw(rng);
        let plan = meetings
            .get(index)
            .and_then(Meeting::plan)
            .ok_or("no meeting")?;
        let before_ms = exponential(HOUR_MS, rng);
        let at_ms = plan.start_ms.checked_sub(before_ms);
        let at_ms = at_ms.filter(|at_ms| OPEN_MS.contains(at_ms));
        let at_ms = at_ms.unwrap_or_else(|| rng.u64(OPEN_MS.start..plan.start_ms));
        lookups.push(Lookup {
            at_ms,
            target: Target::ById(index),
        });
    }
    Ok(())
}

impl Urn {
    /// The nth of these is drawn in proportion to `n` to the power of minus `exponent`.
    fn zipf(ranks: Range<usize>, exponent: f64) -> Self {
        let mut sum = 0.0;
        let summed = ranks.map(|rank| {
            sum += as_f64(rank).powf(-exponent);
            sum
        });
        Self(summed.collect())
    }

    /// Which one, counted from 0.
    fn draw(&self, rng: &mut Rng) -> usize {
        let sum = self.0.last().copied().unwrap_or_default();
        let drawn = rng.f64() * sum;
        let index = self.0.partition_point(|&summed| summed <= drawn);
        index.min(self.0.len().saturating_sub(1))
    }
}

fn happens(percent: u64, rng: &mut Rng) -> bool {
    rng.u64(0..100) < percent
}

/// One of these, by their weights.
fn drawn<T: Copy>(weighted: &[(T, u64)], rng: &mut Rng) -> Result<T, Failure> {
    let sum = weighted.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.u64(0..sum);
    for &(value, weight) in weighted {
        if left < weight {
            return Ok(value);
        }
        left -= weight;
    }
    Err("nothing to draw from".into())
}

/// So long on average, and any other time the less likely, the longer.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "milliseconds of a day, rounded"
)]
fn exponential(mean_ms: u64, rng: &mut Rng) -> u64 {
    (mean_ms as f64 * -(1.0 - rng.f64()).ln()).round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "a rank, far below 2^52")]
fn as_f64(rank: usize) -> f64 {
    rank as f64
}
