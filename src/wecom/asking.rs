//! One question to WeCom, from the first try to the last.
//!
//! | WeCom | then |
//! |---|---|
//! | refuses the token (40014, 42001, 41001) | the token is renewed once, and the question asked again |
//! | has a hiccup (-1, 6000, a broken connection) | the question is asked again after a pause, twice at most, if the budget and the deadline allow |
//! | says that the quota is spent (45009) | nobody of that corp asks for a while |
//! | says that too much is under way (45033, 429) | the window of that corp is halved |
//! | says anything else | that is the answer, or the fault |

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use tokio::time::Instant;

use super::Absent;
use super::Fault;
use super::Instruments;
use super::Line;
use super::Question;
use super::Reply;
use super::Told;
use super::block::Leave;
use super::budget;
use super::budget::Budget;
use super::errcode::Class;
use super::measured::GET_INFO;
use super::measured::Kind;
use super::measured::Measured;
use super::reply;
use super::token::AccessToken;
use super::transport;
use super::transport::Transport;
use super::window::Turn;
use super::wire;
use super::wire::MeetingInfo;
use crate::dice::Dice;
use crate::meeting::MeetingCode;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::meeting::view::Views;
use crate::metrics::Api;
use crate::metrics::Outcome;
use crate::telemetry;

/// How often a question may be asked again after a hiccup (document 90313: three tries in all).
const REPETITIONS_MAX: u32 = 2;

/// How much trouble to take over a question.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Until when an answer is of use.
    pub deadline: Instant,
    /// Whether to ask again after a hiccup. Of no use where the same question failed just before:
    /// that was no hiccup.
    pub patient: bool,
}

/// A question that is being asked.
pub(super) struct Asking<'a> {
    pub(super) question: &'a Question,
    pub(super) effort: Effort,
    pub(super) line: &'a Line,
    pub(super) transport: &'a Transport,
    pub(super) budget: &'a Budget,
    pub(super) dice: Dice,
    pub(super) instruments: &'a Instruments,
}

/// What it takes to ask once. The turn is given back when it is dropped.
struct Ready {
    token: Arc<AccessToken>,
    _turn: Turn,
}

/// What came of one try.
enum Try {
    Answered(Reply),
    Failed(Fault),
    TokenRefused { errcode: i64 },
}

impl Try {
    fn as_counted(&self) -> Outcome {
        match self {
            Self::Answered(Reply { meeting: Ok(_), .. }) => Outcome::Ok,
            Self::Answered(Reply {
                meeting: Err(_), ..
            }) => Outcome::Absent,
            Self::Failed(fault) => fault.outcome(),
            Self::TokenRefused { .. } => Outcome::TokenRefused,
        }
    }

    /// WeCom's number for what went wrong, or for why there is nothing.
    fn errcode(&self) -> Option<i64> {
        match self {
            Self::Answered(Reply { meeting, .. }) => {
                meeting.as_ref().err().map(|absent| absent.errcode)
            }
            Self::Failed(fault) => fault.errcode(),
            Self::TokenRefused { errcode } => Some(*errcode),
        }
    }
}

impl Asking<'_> {
    /// WeCom's answer, or why there is none.
    ///
    /// If the token that replaced a refused one is refused too, a third would be: a person must
    /// look.
    pub(super) async fn answer(self) -> Result<Reply, Fault> {
        let mut renewed = false;
        let mut repetitions = 0;
        let mut ready = self.ready().await?;
        self.budget.put_aside();
        loop {
            match self.try_once(ready, repetitions).await {
                Try::Answered(reply) => return Ok(reply),
                Try::Failed(fault) => {
                    repetitions += 1;
                    let Some(pause) = self.pause_before(repetitions, &fault) else {
                        return Err(fault);
                    };
                    tokio::time::sleep(pause).await;
                }
                Try::TokenRefused { errcode } => {
                    if std::mem::replace(&mut renewed, true) {
                        return Err(Fault::Refused { errcode });
                    }
                }
            }
            ready = self.ready().await?;
        }
    }

    /// How long to wait before asking again; `None` where it is not asked again.
    fn pause_before(&self, repetition: u32, fault: &Fault) -> Option<Duration> {
        let Effort { deadline, patient } = self.effort;
        if !patient || !fault.is_a_hiccup() || repetition > REPETITIONS_MAX {
            return None;
        }
        let pause = budget::pause(repetition, self.dice);
        let in_time = Instant::now() + pause < deadline;
        (in_time && self.budget.take()).then_some(pause)
    }

    async fn try_once(&self, Ready { token, _turn }: Ready, resend_count: u32) -> Try {
        let Line { keeper, corp, .. } = self.line;
        // Only now: while this one waited for its turn, another may have been told to stop.
        let leave = match corp.leave_to_ask() {
            Ok(leave) => leave,
            Err(fault) => return Try::Failed(fault),
        };
        let kind = Kind {
            api: Api::GetInfo,
            app: &self.question.app,
            resend_count,
        };
        let measured = Measured::begin(self.instruments, kind);
        let outcome = match measured.ask(self.post(&token)).await {
            Ok(heard) => heard.taken(leave),
            Err(fault) => Try::Failed(fault),
        };
        measured.end(outcome.as_counted(), outcome.errcode());
        match &outcome {
            Try::Answered(_) => token.accepted(),
            Try::Failed(fault) if fault.is_for_crowding() => corp.window.halve(),
            Try::Failed(_) => {}
            // Before the turn goes to the next, who would ask with that token.
            Try::TokenRefused { errcode } => keeper.refuse(&token, *errcode),
        }
        outcome
    }

    /// Waits for a token, and then for a turn: whoever has no token takes no turn from those who have
    /// one. It is asked with the token that is held by then, as the first may have been refused
    /// meanwhile.
    async fn ready(&self) -> Result<Ready, Fault> {
        let Line { keeper, corp, .. } = self.line;
        loop {
            telemetry::token().around(keeper.token()).await?;
            let turn = corp.window.turn(self.effort.deadline).await;
            let turn = turn.ok_or(Fault::Crowded)?;
            if let Some(known) = keeper.known() {
                return Ok(Ready {
                    token: known?,
                    _turn: turn,
                });
            }
        }
    }

    async fn post(&self, token: &AccessToken) -> Result<Heard, Fault> {
        let query = [("access_token", token.reveal())];
        let json = self.question.body();
        let reply = self.transport.post(GET_INFO, &query, json).await?;
        let transport::Reply { asked_at, body } = reply;
        let question = self.question.clone();
        let said = body.read(move |object| question.said_in(object)).await?;
        Ok(Heard { asked_at, said })
    }
}

/// What WeCom said to a question.
struct Heard {
    /// When the question was sent.
    asked_at: std::time::Instant,
    /// The meeting, or WeCom's number for why there is none.
    said: Result<Box<Told>, i64>,
}

impl Heard {
    /// What that means for the question, and for who may ask the next.
    fn taken(self, leave: Leave) -> Try {
        let Self { asked_at, said } = self;
        let said = said.map_err(|errcode| (errcode, Class::of(errcode)));
        if let Err((errcode, class @ Class::Rate)) = said {
            let until = leave.refused();
            return Try::Failed(class.fault(errcode).lasting_until(until));
        }
        leave.answered();
        let meeting = match said {
            Ok(meeting) => Ok(meeting),
            Err((errcode, class)) => match class {
                Class::Absent(absence) => Err(Absent { absence, errcode }),
                Class::Token => return Try::TokenRefused { errcode },
                Class::Busy
                | Class::Concurrency
                | Class::Configuration
                | Class::Rate
                | Class::Rejected
                | Class::Size
                | Class::Unknown => return Try::Failed(class.fault(errcode)),
            },
        };
        Try::Answered(Reply { asked_at, meeting })
    }
}

/// What `get_info` is asked with: exactly one of id and code.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    meetingid: Option<&'a MeetingId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting_code: Option<&'a MeetingCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_meetingid: Option<&'a MeetingId>,
}

impl Question {
    /// The question as WeCom takes it: JSON in raw UTF-8. Nothing in it can need a `\u` escape,
    /// which WeCom would refuse (40033): ids and codes are plain ASCII.
    fn body(&self) -> Vec<u8> {
        let (meetingid, meeting_code) = match &self.selector {
            Selector::Code(code) => (None, Some(code)),
            Selector::Id(id) => (Some(id), None),
        };
        let body = Body {
            meetingid,
            meeting_code,
            sub_meetingid: self.occurrence.as_ref(),
        };
        // Three texts always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// What an answer says.
    fn said_in(&self, object: Map<String, Value>) -> Result<Box<Told>, i64> {
        if let Some(errcode) = reply::errcode(&object) {
            return Err(errcode);
        }
        let (info, occurrence) = (MeetingInfo(object), self.occurrence.as_ref());
        let mut meeting = wire::normalise(info, &self.selector, occurrence);
        let views = Views::of(&mut meeting);
        Ok(Box::new(Told { meeting, views }))
    }
}
