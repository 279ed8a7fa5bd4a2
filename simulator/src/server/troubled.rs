//! One request to WeCom: counted, kept waiting, answered or spoilt. Knows not what is right.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::ledger::InFlight;
use crate::protocol::Api;
use crate::protocol::Call;
use crate::protocol::Errcode;
use crate::reply;
use crate::reply::Flow;
use crate::reply::Hangup;
use crate::state::State;
use crate::tokens::Tokens;
use crate::trouble::Kind;
use crate::trouble::Trouble;
use crate::visits::Outcome;
use crate::visits::Visit;
use crate::wecom;
use crate::wecom::Issuance;
use crate::world::AppNumber;

/// Counts a request, and answers it as the trouble of the day has it.
pub(super) async fn answer(
    state: &State,
    api: Api,
    connection: u64,
    request: Request<Incoming>,
) -> Result<Response<Flow>, Hangup> {
    let call = Call::read(request).await;
    let mut in_flight = count(state, api, connection, &call);
    let Trouble { kind, latency, .. } = state.troubles.with(|troubles| troubles.next(api));
    if Duration::ZERO < latency {
        tokio::time::sleep(latency).await;
    }
    let right = |issuance| right(state, api, &call, issuance);
    let Spoken { outcome, reply } = match kind {
        Kind::Array => spoilt(reply::json(200, "[]")),
        Kind::Drip { every } => spoken(api, right(Tokens::issue), |body| {
            reply::dripping(body, every)
        }),
        Kind::DripForever { every } => spoken(api, right(Tokens::issue), |body| {
            reply::dripping_forever(body, every)
        }),
        Kind::Errcode(errcode) => in_words(api, Err(Errcode(errcode))),
        // Compressing in memory does not fail; if it did, no answer is trouble too.
        Kind::GzipBomb { bytes } => spoilt(reply::gzip_bomb(bytes).map_err(|_| Hangup::Reset)?),
        Kind::Hang => pending().await,
        Kind::Html { status } => spoilt(reply::html(status)),
        Kind::Huge { bytes } => spoilt(reply::huge(bytes)),
        Kind::None => in_words(api, right(Tokens::issue)),
        Kind::Raw(body) => spoilt(reply::json(200, body)),
        Kind::Redirect { to } => spoilt(reply::redirect(&to)),
        Kind::Reset => {
            in_flight.complete();
            return Err(Hangup::Reset);
        }
        Kind::SameToken => in_words(api, right(Tokens::repeat)),
        Kind::Status(status) => spoilt(reply::empty(status)),
        Kind::Truncated => Spoken {
            outcome: Outcome::Spoilt,
            ..spoken(api, right(Tokens::issue), |body| reply::truncated(&body))
        },
    };
    in_flight.goes(outcome);
    Ok(reply.map(|flow| flow.holding(in_flight)))
}

/// An answer, and what is in it.
struct Spoken {
    outcome: Outcome,
    reply: Response<Flow>,
}

fn count(state: &State, api: Api, connection: u64, call: &Call) -> InFlight {
    let (question, token) = match api {
        Api::GetInfo => asked_about(state, call),
        Api::GetToken => (format!("{:?}", secret_of(state, call)), None),
    };
    let visit = Visit {
        api,
        question,
        token,
        connection,
        advanced: state.clock.advanced(),
        came_at: Instant::now(),
        end: None,
    };
    match api {
        Api::GetInfo => state
            .ledger
            .count_get_info(visit, call.asked(), call.meeting()),
        Api::GetToken => state.ledger.count_gettoken(visit),
    }
}

/// The app and the question of a call at `get_info`, and the number of the token it came with.
fn asked_about(state: &State, call: &Call) -> (String, Option<u64>) {
    let token = call.query("access_token").unwrap_or_default();
    let issue = state.tokens.with(|tokens| tokens.issue_of(token));
    let app = issue.map(|(_, app)| app);
    let question = format!("{app:?} {:?}", call.question);
    (question, issue.map(|(number, _)| number))
}

fn secret_of(state: &State, call: &Call) -> Option<AppNumber> {
    let (corp_id, secret) = (call.query("corpid")?, call.query("corpsecret")?);
    state.world.with(|world| world.app(corp_id, secret)).ok()
}

fn right(state: &State, api: Api, call: &Call, issuance: Issuance) -> Result<Bytes, Errcode> {
    match api {
        Api::GetInfo => wecom::get_info(state, call),
        Api::GetToken => wecom::gettoken(state, call, issuance),
    }
}

fn spoilt(reply: Response<Flow>) -> Spoken {
    Spoken {
        outcome: Outcome::Spoilt,
        reply,
    }
}

/// What is right, in WeCom's words and in the manner of the day.
fn spoken(
    api: Api,
    right: Result<Bytes, Errcode>,
    manner: impl FnOnce(Bytes) -> Response<Flow>,
) -> Spoken {
    let outcome = outcome_of(&right);
    let body = right.unwrap_or_else(|errcode| errcode.body(api).into());
    Spoken {
        outcome,
        reply: manner(body),
    }
}

fn in_words(api: Api, right: Result<Bytes, Errcode>) -> Spoken {
    let outcome = outcome_of(&right);
    let reply = match right {
        Ok(body) => reply::json(200, body),
        Err(errcode) => reply::refusal(api, errcode),
    };
    Spoken { outcome, reply }
}

fn outcome_of(right: &Result<Bytes, Errcode>) -> Outcome {
    Outcome::Said(right.as_ref().err().map_or(0, |Errcode(errcode)| *errcode))
}
