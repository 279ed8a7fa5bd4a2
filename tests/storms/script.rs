//! What happens in a storm: made of a seed, and the same each time.

use std::time::Duration;

use fastrand::Rng;
use wecom_simulator::Api;
use wecom_simulator::Trouble;

use crate::meetings::MEETINGS;
use crate::meetings::Name;
use crate::outcomes::Blow;
use crate::outcomes::GARBLED;
use crate::outcomes::REFUSED;
use crate::outcomes::SLOW;
use crate::outcomes::UNAVAILABLE;
use crate::outcomes::of_errcode;
use crate::outcomes::of_status;

/// More than this of an answer is not taken.
pub(crate) const RESPONSE_BYTES_MAX: u64 = 64 * 1024;

/// A caller never waits longer.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// One errcode of every class, and those that are treated on their own.
const ERRCODES: [i32; 16] = [
    -1, 6000, 81026, 45009, 45009, 45033, 40014, 42001, 40001, 60020, 90602, 730_005, 730_008,
    40035, 45029, 99999,
];

/// A storm.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    /// `wecom.timeout`
    pub(crate) wecom_timeout: Duration,
    /// `cache.min_refresh_interval`
    pub(crate) min_refresh_interval: Duration,
    pub(crate) callers: u64,
    pub(crate) steps: Vec<Step>,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Change {
        meeting: usize,
    },
    Clear,
    Purge {
        what: Option<Name>,
        softly: bool,
    },
    Remove {
        meeting: usize,
    },
    Revoke,
    Trouble(Api, Blow),
    Turn(Duration),
    /// Real time, in which callers come and WeCom answers.
    Wait(Duration),
}

impl Script {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed);
        // An answer that is purged while it is on its way lets two questions be under way: so there
        // are storms without purges, in which that is never so.
        let with_purges = dice.u8(..3) == 0;
        let wecom_timeout = Duration::from_millis(dice.u64(150..=300));
        // One storm in three is about one errcode, and the minute for which a block lasts.
        let is_of_blocks = dice.u8(..3) == 0;
        let count = dice.usize(8..=14);
        let steps = (0..count).flat_map(|_| {
            let pause = Step::Wait(Duration::from_millis(dice.u64(1..=40)));
            if is_of_blocks && dice.u8(..5) < 3 {
                return [any_step_of_blocks(&mut dice), pause];
            }
            [any_step(&mut dice, with_purges, wecom_timeout), pause]
        });
        let steps = steps.collect();
        Self {
            seed,
            wecom_timeout,
            min_refresh_interval: Duration::from_secs(dice.u64(..=1)),
            callers: dice.u64(12..=30),
            steps,
        }
    }
}

fn any_step(dice: &mut Rng, with_purges: bool, wecom_timeout: Duration) -> Step {
    let meeting = dice.usize(..MEETINGS);
    match dice.u8(..20) {
        0..=5 => Step::Trouble(Api::GetInfo, any_blow(dice, Api::GetInfo, wecom_timeout)),
        6..=7 => Step::Trouble(Api::GetToken, any_blow(dice, Api::GetToken, wecom_timeout)),
        8 => Step::Clear,
        9..=10 => Step::Revoke,
        11..=12 => Step::Change { meeting },
        13 => Step::Remove { meeting },
        14 if with_purges => Step::Purge {
            what: dice.bool().then(|| Name::any(dice)),
            softly: dice.bool(),
        },
        _ => Step::Turn(any_turn(dice)),
    }
}

/// WeCom has had enough, for a while or for long; or the minute is over, or not quite.
fn any_step_of_blocks(dice: &mut Rng) -> Step {
    match dice.u8(..4) {
        0 => {
            let trouble =
                Trouble::errcode(45009).with_latency(Duration::from_millis(dice.u64(..30)));
            let outcomes = [&[of_errcode(Api::GetInfo, 45009)], SLOW].concat();
            let trouble = if dice.bool() {
                trouble.times(dice.u64(1..=4))
            } else {
                trouble
            };
            Step::Trouble(Api::GetInfo, Blow { trouble, outcomes })
        }
        1 => Step::Turn(Duration::from_millis(dice.u64(58_000..63_000))),
        2 => Step::Turn(Duration::from_millis(dice.u64(1_000..8_000))),
        _ => Step::Wait(Duration::from_millis(dice.u64(60..150))),
    }
}

fn any_turn(dice: &mut Rng) -> Duration {
    Duration::from_millis(match dice.u8(..20) {
        0..=11 => dice.u64(100..4_000),
        12..=15 => dice.u64(4_000..60_000),
        16..=18 => dice.u64(60_000..300_000),
        _ => dice.u64(3_000_000..9_000_000),
    })
}

fn any_blow(dice: &mut Rng, api: Api, wecom_timeout: Duration) -> Blow {
    let (trouble, mut outcomes) = any_trouble(dice, api);
    // Either well within the time that is set or well beyond it: what is answered in the very moment
    // in which it is given up cannot be judged.
    let latency = match dice.u8(..6) {
        0..=2 => Duration::ZERO,
        3..=4 => Duration::from_millis(dice.u64(5..60)),
        _ => wecom_timeout * 2,
    };
    if !latency.is_zero() {
        outcomes.extend(SLOW);
    }
    let mut trouble = trouble.with_latency(latency);
    if dice.bool() {
        trouble = trouble.times(dice.u64(1..=4));
    }
    Blow { trouble, outcomes }
}

fn any_trouble(dice: &mut Rng, api: Api) -> (Trouble, Vec<crate::outcomes::Outcome>) {
    let every = Duration::from_millis(dice.u64(2..20));
    let bytes = dice.u64(2 * RESPONSE_BYTES_MAX..32 * RESPONSE_BYTES_MAX);
    match dice.u8(..24) {
        0 => (Trouble::array(), vec![GARBLED]),
        1 => (Trouble::drip(every), SLOW.to_vec()),
        2 => (Trouble::drip_forever(every), SLOW.to_vec()),
        3 => (Trouble::gzip_bomb(bytes), vec![GARBLED]),
        4 => (Trouble::hang(), SLOW.to_vec()),
        5 => (Trouble::html(), vec![GARBLED]),
        6 => (Trouble::html_with_status(502), vec![UNAVAILABLE]),
        7 => (Trouble::huge(bytes), vec![GARBLED]),
        8 => (Trouble::latency(Duration::ZERO), vec![]),
        9 => (Trouble::raw(&b"{\"errcode\":"[..]), vec![GARBLED]),
        10 => (Trouble::redirect(), vec![GARBLED]),
        11 => (Trouble::reset(), vec![UNAVAILABLE]),
        12 => (Trouble::truncated(), vec![UNAVAILABLE]),
        13 if api == Api::GetToken => (Trouble::same_token(), vec![REFUSED]),
        13..=15 => {
            let status = *dice.choice(&[404, 429, 500, 503]).expect("some");
            (Trouble::status(status), vec![of_status(status)])
        }
        _ => {
            let errcode = *dice.choice(&ERRCODES).expect("some");
            (Trouble::errcode(errcode), vec![of_errcode(api, errcode)])
        }
    }
}
