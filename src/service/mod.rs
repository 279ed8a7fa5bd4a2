//! What we know about a meeting, asking WeCom if need be.
//!
//! Strategy (when to ask) and policy (how long to believe, in `lifetime`) live here; how answers
//! are kept is the cache's business, how they are had is WeCom's. This is the only room that knows
//! both. It does not know HTTP, nor who asks.

mod lifetime;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::cache::Found;
use crate::cache::Limits;
use crate::cache::Trouble;
use crate::clock::Clock;
use crate::freshness::Answer;
use crate::meeting::view::Views;
use crate::setting;
use crate::wecom::Absent;
use crate::wecom::Fault;
use crate::wecom::Question;
use crate::wecom::WeCom;

pub use self::lifetime::FreshFor;

/// How answers are kept: `[cache]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Bytes kept in all: of answers, their keys and their upkeep.
    #[serde(deserialize_with = "setting::size")]
    pub max_bytes: u64,
    /// How long a stale answer is served while it is renewed.
    #[serde(deserialize_with = "setting::span")]
    pub stale_while_revalidate: Duration,
    /// How long a stale answer is served when WeCom fails.
    #[serde(deserialize_with = "setting::span")]
    pub stale_if_error: Duration,
    /// How often at most callers can have one meeting asked anew.
    #[serde(deserialize_with = "setting::span")]
    pub min_refresh_interval: Duration,
    /// How long an answer is believed.
    pub fresh_for: FreshFor,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_bytes: 256 * 1024 * 1024,
            stale_while_revalidate: Duration::from_secs(30),
            stale_if_error: Duration::from_secs(600),
            min_refresh_interval: Duration::from_secs(1),
            fresh_for: FreshFor::default(),
        }
    }
}

/// How much may go on at a time. Set by how many callers are let in.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Callers who may wait at a time.
    pub callers_max: usize,
    /// Longest time that one question may take in all.
    pub patience: Duration,
}

/// What WeCom says of a meeting: its views, or that there is none to show. Absence is knowledge.
pub type Finding = Result<Arc<Views>, Absent>;

/// The meetings, as far as we know them.
pub struct Meetings {
    cache: Cache<Question, Finding, Fault>,
    wecom: WeCom,
    fresh_for: FreshFor,
    patience: Duration,
    clock: Clock,
}

impl Meetings {
    /// Knows nothing yet. Questions are asked in `tasks`.
    pub fn new(
        settings: Settings,
        load: Load,
        wecom: WeCom,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Self {
        let Load {
            callers_max,
            patience,
        } = load;
        let limits = Limits {
            bytes_max: settings.max_bytes,
            flights_max: callers_max,
            waiters_max: callers_max,
            fault_kept: settings.fresh_for.fault,
        };
        Self {
            cache: Cache::new(limits, weigh, clock.clone(), tasks),
            wecom,
            fresh_for: settings.fresh_for,
            patience,
            clock,
        }
    }

    /// What we know about one meeting, asking WeCom if need be.
    ///
    /// A fresh answer is served from memory. Whoever finds none waits for WeCom, together with all
    /// who ask the same; nobody who hangs up takes the answer from the others.
    pub async fn lookup(&self, question: &Question) -> Result<Found<Finding>, Trouble<Fault>> {
        self.cache
            .get_or_fetch(question, || self.ask(question.clone()))
            .await
    }

    fn ask(
        &self,
        question: Question,
    ) -> impl Future<Output = Result<Answer<Finding>, Fault>> + Send + 'static {
        let Self {
            wecom,
            fresh_for,
            patience,
            clock,
            ..
        } = self;
        let (wecom, fresh_for, clock) = (wecom.clone(), *fresh_for, clock.clone());
        let deadline = tokio::time::Instant::now() + *patience;
        async move {
            let asking = tokio::time::timeout_at(deadline, wecom.meeting(&question));
            let reply = match asking.await {
                Err(_) => Err(Fault::TimedOut),
                Ok(reply) => reply,
            };
            let reply = reply.inspect_err(|fault| {
                tracing::warn!(
                    wecom.errcode = fault.errcode(),
                    "no answer about meeting {question}: {fault}"
                );
            })?;
            let selector = &question.selector;
            let (finding, believed_for) = match reply.meeting {
                Err(absent) => (Err(absent), fresh_for.absence(selector)),
                Ok(meeting) => {
                    let believed_for = fresh_for.meeting(&meeting, selector);
                    (Ok(Arc::new(Views::of(*meeting))), believed_for)
                }
            };
            Ok(Answer::new(
                finding,
                reply.asked_at,
                clock.now(),
                believed_for,
            ))
        }
    }
}

/// Bytes that a question and what was found take.
fn weigh(question: &Question, finding: &Finding) -> usize {
    let selector = question.selector.to_string().len();
    let occurrence = question
        .occurrence
        .as_ref()
        .map_or(0, |id| id.as_str().len());
    let views = finding.as_ref().map_or(0, |views| views.bytes());
    size_of::<Question>() + selector + occurrence + views
}
