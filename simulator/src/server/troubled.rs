//! One request to WeCom: counted, kept waiting, answered or spoilt. Knows not what is right.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;

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
use crate::wecom;
use crate::wecom::Issuance;

/// Counts a request, and answers it as the trouble of the day has it.
pub(super) async fn answer(
    state: &State,
    api: Api,
    request: Request<Incoming>,
) -> Result<Response<Flow>, Hangup> {
    let call = Call::read(request).await;
    let in_flight = count(state, api, &call);
    let Trouble { kind, latency, .. } = state.troubles.with(|troubles| troubles.next(api));
    if Duration::ZERO < latency {
        tokio::time::sleep(latency).await;
    }
    let reply = match kind {
        Kind::Array => reply::json(200, "[]"),
        Kind::Drip { every } => reply::dripping(right_body(state, api, &call), every),
        Kind::DripForever { every } => {
            reply::dripping_forever(right_body(state, api, &call), every)
        }
        Kind::Errcode(errcode) => reply::refusal(api, Errcode(errcode)),
        // Compressing in memory does not fail; if it did, no answer is trouble too.
        Kind::GzipBomb { bytes } => reply::gzip_bomb(bytes).map_err(|_| Hangup::Reset)?,
        Kind::Hang => pending().await,
        Kind::Html { status } => reply::html(status),
        Kind::Huge { bytes } => reply::huge(bytes),
        Kind::None => in_words(api, right(state, api, &call, Tokens::issue)),
        Kind::Redirect { to } => reply::redirect(&to),
        Kind::Reset => return Err(Hangup::Reset),
        Kind::SameToken => in_words(api, right(state, api, &call, Tokens::repeat)),
        Kind::Status(status) => reply::empty(status),
        Kind::Truncated => reply::truncated(&right_body(state, api, &call)),
    };
    Ok(reply.map(|flow| flow.holding(in_flight)))
}

fn count(state: &State, api: Api, call: &Call) -> Option<InFlight> {
    match api {
        Api::GetInfo => Some(state.ledger.count_get_info(call.asked(), call.meeting())),
        Api::GetToken => {
            state.ledger.count_gettoken();
            None
        }
    }
}

fn right(state: &State, api: Api, call: &Call, issuance: Issuance) -> Result<Bytes, Errcode> {
    match api {
        Api::GetInfo => wecom::get_info(state, call),
        Api::GetToken => wecom::gettoken(state, call, issuance),
    }
}

fn right_body(state: &State, api: Api, call: &Call) -> Bytes {
    let right = right(state, api, call, Tokens::issue);
    right.unwrap_or_else(|errcode| errcode.body(api).into())
}

fn in_words(api: Api, right: Result<Bytes, Errcode>) -> Response<Flow> {
    match right {
        Ok(body) => reply::json(200, body),
        Err(errcode) => reply::refusal(api, errcode),
    }
}
