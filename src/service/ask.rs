//! Asks WeCom, and makes an answer of what it says.

use std::sync::Arc;
use std::time::Duration;

use super::Finding;
use super::Inner;
use super::Meetings;
use super::Present;
use super::Settings;
use super::alias;
use super::lifetime::Belief;
use super::lifetime::Occasion;
use crate::cache::Fetched;
use crate::cache::Memory;
use crate::freshness::Answer;
use crate::meeting::Selector;
use crate::telemetry;
use crate::wecom::Effort;
use crate::wecom::Fault;
use crate::wecom::Question;
use crate::wecom::Reply;
use crate::wecom::Spare;
use crate::wecom::Told;

/// A question that failed so short a while ago is asked once: that was no hiccup. Where no answer is kept
/// beside it, the fault is forgotten sooner.
const JUST_BEFORE: Duration = Duration::from_secs(10);

impl Meetings {
    /// Asks WeCom, and makes an answer of what it says. `spare` is given back when that is done.
    pub(super) fn ask(
        &self,
        question: &Question,
        memory: &Memory<Finding, Fault>,
        spare: Option<Spare>,
    ) -> impl Future<Output = Result<Fetched<Question, Finding>, Fault>> + Send + use<> {
        let (this, question) = (self.clone(), question.clone());
        let Present { wecom, load, .. } = &**self.0.present.load();
        let (wecom, now) = (wecom.clone(), self.0.clock.now());
        let failed_before = memory.fault.as_ref().map(|fault| fault.since);
        let effort = Effort {
            // A little sooner than whoever waits for it gives up, who is then told what came of it.
            deadline: tokio::time::Instant::now() + load.patience * 49 / 50,
            patient: failed_before
                .is_none_or(|before| JUST_BEFORE <= now.saturating_duration_since(before)),
        };
        let span = telemetry::flight();
        async move {
            let _spare = spare;
            let reply = span.around(wecom.meeting(&question, effort)).await?;
            Ok(this.believe(&question, reply))
        }
    }

    /// Makes an answer of what WeCom said, to be believed for as long as it deserves.
    fn believe(&self, question: &Question, reply: Reply) -> Fetched<Question, Finding> {
        let Inner { clock, dice, .. } = &*self.0;
        let Settings { fresh_for, .. } = self.0.present.load().settings;
        let arrived_at = clock.now();
        let on_its_way = arrived_at.saturating_duration_since(reply.asked_at);
        let occasion = Occasion {
            asked: clock.wall_at(reply.asked_at),
            throw: dice.throw(),
        };
        let answer = |meeting, belief: Belief, other_name| {
            let Belief { span, rule } = belief.of_answer(on_its_way);
            let finding = Finding {
                meeting,
                rule,
                other_name,
            };
            Answer::new(finding, reply.asked_at, arrived_at, span)
        };
        let Told { meeting, views } = match reply.meeting {
            Err(absent) => {
                return Fetched {
                    answer: answer(Err(absent), fresh_for.absence(occasion), None),
                    other_name: None,
                };
            }
            Ok(told) => *told,
        };
        let belief = |selector: &Selector| fresh_for.meeting(&meeting, selector, occasion);
        let name = &question.selector;
        let other_name = alias::other_name(name, &meeting);
        let views = Arc::new(views);
        let of_question = answer(Ok(Arc::clone(&views)), belief(name), other_name.clone());
        let other_name = other_name.map(|other| {
            // One of the two is a number, and neither is believed for longer than what was found by it.
            let by_number = match name {
                Selector::Code(_) => name,
                Selector::Id(_) => &other,
            };
            let of_other = answer(Ok(views), belief(by_number), Some(name.clone()));
            let question = Question {
                selector: other,
                ..question.clone()
            };
            (question, of_other)
        });
        Fetched {
            answer: of_question,
            other_name,
        }
    }
}
