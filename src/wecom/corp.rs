//! What the apps of one corp share: WeCom counts what they ask together.

use std::sync::Arc;
use std::time::Instant;

use super::Fault;
use super::Settings;
use super::block::Block;
use super::block::Leave;
use super::errcode::QUOTA_SPENT;
use super::fault::Limit;
use super::quota::Quota;
use super::window::Window;
use crate::clock::Clock;
use crate::places::Place;
use crate::places::Places;

/// What the apps of one corp share.
#[derive(Debug)]
pub(super) struct Corp {
    /// Whether `meeting/get_info` may be asked.
    pub(super) get_info: Arc<Block>,
    /// Whether `gettoken` may be asked.
    pub(super) gettoken: Arc<Block>,
    /// How often `meeting/get_info` may be asked.
    pub(super) quota: Arc<Quota>,
    /// How many questions there may be under way at a time.
    pub(super) window: Arc<Window>,
    /// One place for each answer that may be renewed at a time while nobody waits for it.
    renewals: Arc<Places>,
}

/// Leave to renew an answer that nobody waits for. Held until it is renewed.
#[derive(Debug)]
pub struct Spare {
    _place: Place,
}

impl Corp {
    pub(super) fn new(settings: &Settings, clock: &Clock) -> Self {
        let Settings {
            max_in_flight,
            calls_per_minute,
            calls_per_hour,
            ..
        } = *settings;
        let width_max = usize::try_from(max_in_flight).unwrap_or(usize::MAX);
        Self {
            get_info: Block::new(clock.clone()),
            gettoken: Block::new(clock.clone()),
            quota: Arc::new(Quota::new(calls_per_minute, calls_per_hour, clock)),
            window: Window::new(width_max, clock.clone()),
            renewals: Places::new(width_max / 2),
        }
    }

    /// The same, going on from what the one before has used up and been told, if there is one.
    pub(super) fn succeeding(self, before: Option<&Self>) -> Self {
        let Some(before) = before else {
            return self;
        };
        let quota = Some(Arc::clone(&before.quota));
        let quota = quota.filter(|quota| quota.allows_as_much_as(&self.quota));
        let quota = quota.unwrap_or_else(|| {
            self.quota.carry_over(&before.quota);
            self.quota
        });
        let window = Arc::clone(&before.window);
        Self {
            get_info: Arc::clone(&before.get_info),
            gettoken: Arc::clone(&before.gettoken),
            quota,
            window: Some(window)
                .filter(|window| window.is_as_wide_as(&self.window))
                .unwrap_or(self.window),
            renewals: self.renewals,
        }
    }

    /// Leave to ask `meeting/get_info` one question, which counts.
    pub(super) fn leave_to_ask(&self) -> Result<Leave, Fault> {
        let leave = self.get_info.admit().map_err(quota_spent)?;
        self.quota.take().map_err(own_quota_spent)?;
        Ok(leave)
    }

    /// Why `meeting/get_info` is not being asked at present, and until when, if so.
    pub(super) fn closed(&self) -> Option<(Fault, Instant)> {
        let closed = |until: Option<Instant>, why: fn(Instant) -> Fault| {
            until.map(|until| (why(until), until))
        };
        closed(self.get_info.closed_until(), quota_spent)
            .or_else(|| closed(self.quota.spent_until(), own_quota_spent))
    }

    /// Leave to ask something that nobody waits for: as long as half of what may be under way, and
    /// half of the quota, are left for what callers wait for.
    pub(super) fn spare(&self) -> Option<Spare> {
        let under_way = self.renewals.taken();
        let is_calm = self.window.has_room_to_spare()
            && self.quota.has_more_than_half_left(under_way)
            && self.get_info.closed_until().is_none();
        let place = is_calm.then(|| self.renewals.try_take())??;
        Some(Spare { _place: place })
    }
}

/// WeCom has said that our quota is spent, to whoever asked last.
pub(super) fn quota_spent(until: Instant) -> Fault {
    let errcode = QUOTA_SPENT;
    Fault::rate_limited(Limit::Quota { errcode }).lasting_until(until)
}

fn own_quota_spent(until: Instant) -> Fault {
    Fault::rate_limited(Limit::OwnQuota).lasting_until(until)
}
