//! What can be served without waiting for anything.

use std::time::Instant;

use super::Finding;
use super::Found;
use super::Meetings;
use super::Source;
use super::Wish;
use super::plan::Grounds;
use super::plan::Plan;
use crate::freshness::Answer;
use crate::wecom::Question;

/// An answer that is there, and can be served.
pub struct AtHand {
    answer: Answer<Finding>,
    grounds: Grounds,
    /// It is to be renewed behind the caller's back.
    is_renewed: bool,
}

impl AtHand {
    /// What is known of the meeting.
    pub fn finding(&self) -> &Finding {
        &self.answer.value
    }
}

impl Meetings {
    /// The answer to a question that a lookup would serve at `now` without asking WeCom; `None` if
    /// there is none. Nothing comes of it yet.
    pub fn peek(&self, question: &Question, wish: Wish, now: Instant) -> Option<AtHand> {
        let memory = self.0.cache.recall(question, now);
        let (answer, grounds, is_renewed) = match self.plan(question, memory, wish, now) {
            Plan::Serve(answer, grounds) => (answer, grounds, false),
            Plan::ServeAndRenew(answer, grounds) => (answer, grounds, true),
            Plan::Ask(..) | Plan::Fail(..) | Plan::Refuse => return None,
        };
        Some(AtHand {
            answer,
            grounds,
            is_renewed,
        })
    }

    /// Serves it: what a lookup would have come to.
    pub fn serve(&self, question: &Question, at_hand: AtHand) -> Found {
        let AtHand {
            answer,
            grounds,
            is_renewed,
        } = at_hand;
        if is_renewed {
            self.renew(question, &answer);
        }
        let found = Found {
            answer,
            source: Source::Remembered(grounds),
        };
        self.0.metrics.looked_up(found.lookup());
        found
    }
}
