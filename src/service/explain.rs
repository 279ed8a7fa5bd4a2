//! What is kept under one name, until when and why, and what a request would come to now: for people
//! who wonder. Tells nothing of the meeting but its id and its status, and changes nothing.

use std::time::Duration;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use super::Cause;
use super::Finding;
use super::Grounds;
use super::Inner;
use super::Meetings;
use super::Moment;
use super::Rule;
use super::Wish;
use super::plan::Plan;
use crate::cache::Remembered;
use crate::clock::Clock;
use crate::freshness::Answer;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::meeting::view::Made;
use crate::meeting::view::Views;
use crate::wecom::Fault;
use crate::wecom::Question;

/// The lowest throw: with it, no answer is renewed before its time.
const NEVER_EARLY: f64 = 0.0;

/// What is known of one question.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The app that is asked as.
    app: String,
    /// What is kept; `None` if nothing is that may still be of use.
    kept: Option<Kept>,
    /// That asking failed the last time, if it did.
    last_fault: Option<LastFault>,
    /// The question that is under way, if one is.
    flight: Option<Flight>,
    /// Purges since the start, of whatever.
    epoch: u64,
    /// What a request without any wishes would come to now.
    next_request: Next,
}

/// What is kept of one question.
#[derive(Clone, Debug, Serialize)]
struct Kept {
    #[serde(flatten)]
    what: What,
    is_fresh: bool,
    asked_at: Timestamp,
    age_seconds: u64,
    lifetime_seconds: u64,
    fresh_until: Timestamp,
    /// Until when it is served while it is renewed.
    stale_while_revalidate_until: Timestamp,
    /// Until when it is served while WeCom fails.
    stale_if_error_until: Timestamp,
    because: Because,
    /// Under which other names the same is kept.
    aliases: Vec<Name>,
}

/// What is known.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum What {
    /// That there is no meeting to show.
    Absence { wecom_errcode: i64 },
    /// A meeting.
    Meeting {
        meeting_id: Option<String>,
        status: Option<String>,
        /// Bytes in memory, of all views together with what they are made of.
        bytes: usize,
        views: Vec<Made>,
    },
}

/// Why an answer is fresh for so long.
#[derive(Clone, Debug, Serialize)]
struct Because {
    rule: Rule,
    /// Whether it was made stale before its time, by a soft purge.
    purged: bool,
}

/// A name of a meeting.
#[derive(Clone, Debug, Serialize)]
struct Name {
    #[serde(flatten)]
    selector: Selector,
    sub_meeting_id: Option<MeetingId>,
}

#[derive(Clone, Debug, Serialize)]
struct LastFault {
    fault: String,
    wecom_errcode: Option<i64>,
    /// Until when it is not worth asking again.
    remembered_until: Timestamp,
    is_in_force: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Flight {
    /// Who wait for it. None, where it is a renewal behind callers' backs.
    waiting: usize,
}

/// What a request comes to.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "does", rename_all = "snake_case")]
enum Next {
    /// WeCom is asked, or the question under way is waited for.
    Ask { because: Cause },
    /// The caller is told why there is nothing.
    Fail {
        because: String,
        retry_after_seconds: u64,
    },
    /// The caller is told that nothing is kept.
    Refuse,
    /// What is kept is served.
    Serve { because: Grounds },
    /// What is kept is served, and renewed behind the caller's back.
    ServeAndRenew { because: Grounds },
}

impl Meetings {
    /// What is kept of `question`, until when and why, and what a request would come to now.
    pub fn explain(&self, question: &Question) -> Explanation {
        let Inner { cache, clock, .. } = &*self.0;
        let now = clock.now();
        let memory = cache.recall(question, now);
        let kept = memory
            .answer
            .as_ref()
            .map(|answer| self.kept(question, answer));
        let last_fault = memory.fault.as_deref();
        let moment = Moment {
            now,
            throw: NEVER_EARLY,
        };
        Explanation {
            app: question.app.to_string(),
            kept,
            last_fault: last_fault.map(|fault| LastFault::of(fault, clock)),
            flight: cache.waiting(question).map(|waiting| Flight { waiting }),
            epoch: cache.epoch(),
            next_request: Next::of(
                self.plan_with(question, memory, Wish::default(), moment),
                now,
            ),
        }
    }

    fn kept(&self, question: &Question, answer: &Answer<Finding>) -> Kept {
        let Inner { clock, .. } = &*self.0;
        let settings = self.0.present.load().settings;
        let now = clock.now();
        let at = |moment| to_the_millisecond(clock.wall_at(moment));
        let fresh_until = answer.asked_at() + answer.lifetime();
        let Finding { meeting, rule, .. } = &answer.value;
        let what = match meeting {
            Ok(views) => What::of(views),
            Err(absent) => What::Absence {
                wecom_errcode: absent.errcode,
            },
        };
        let alias = self.alias(question, &answer.value);
        let aliases = alias.map(|question| Name {
            selector: question.selector,
            sub_meeting_id: question.occurrence,
        });
        Kept {
            what,
            is_fresh: answer.is_fresh(now),
            asked_at: at(answer.asked_at()),
            age_seconds: answer.age(now).as_secs(),
            lifetime_seconds: answer.lifetime().as_secs(),
            fresh_until: at(fresh_until),
            stale_while_revalidate_until: at(fresh_until + settings.stale_while_revalidate),
            stale_if_error_until: at(fresh_until + settings.stale_if_error),
            because: Because {
                rule: *rule,
                purged: answer.is_cut_short(),
            },
            aliases: aliases.into_iter().collect(),
        }
    }
}

impl What {
    fn of(views: &Views) -> Self {
        Self::Meeting {
            meeting_id: views.meeting_id().map(str::to_owned),
            status: views.status(),
            bytes: views.bytes(),
            views: views.made(),
        }
    }
}

impl LastFault {
    fn of(remembered: &Remembered<Fault>, clock: &Clock) -> Self {
        let Remembered { fault, until, .. } = remembered;
        Self {
            fault: fault.to_string(),
            wecom_errcode: fault.errcode(),
            remembered_until: to_the_millisecond(clock.wall_at(*until)),
            is_in_force: clock.now() < *until,
        }
    }
}

impl Next {
    fn of(plan: Plan<Finding, Fault>, now: Instant) -> Self {
        match plan {
            Plan::Ask(because, _) => Self::Ask { because },
            Plan::Fail(_, Remembered { fault, until, .. }) => {
                let wait = fault.until().max(Some(until)).unwrap_or(until);
                Self::Fail {
                    because: fault.to_string(),
                    retry_after_seconds: begun_seconds(wait.saturating_duration_since(now)),
                }
            }
            Plan::Refuse => Self::Refuse,
            Plan::Serve(_, because) => Self::Serve { because },
            Plan::ServeAndRenew(_, because) => Self::ServeAndRenew { because },
        }
    }
}

fn begun_seconds(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn to_the_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
