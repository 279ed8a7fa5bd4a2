//! The two APIs, as WeCom answers when nothing is wrong with it. Knows neither troubles nor
//! counters.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::protocol::Call;
use crate::protocol::Errcode;
use crate::protocol::Question;
use crate::state::State;
use crate::tokens::Grant;
use crate::tokens::Standing;
use crate::tokens::Tokens;
use crate::world::AppNumber;
use crate::world::Found;

/// Chooses the token that an app is given: [`Tokens::issue`], or [`Tokens::repeat`] in trouble.
pub(crate) type Issuance = fn(&mut Tokens, AppNumber, Duration) -> Grant;

/// `gettoken`: corp id and secret for a token.
pub(crate) fn gettoken(state: &State, call: &Call, issuance: Issuance) -> Result<Bytes, Errcode> {
    let corp_id = call.query("corpid").ok_or(Errcode::NO_CORP_ID)?;
    let secret = call.query("corpsecret").ok_or(Errcode::NO_SECRET)?;
    let app = state.world.with(|world| world.app(corp_id, secret))?;
    let now = state.clock.now();
    let grant = state.tokens.with(|tokens| issuance(tokens, app, now));
    let answer = json!({
        "errcode": 0,
        "errmsg": "ok",
        "access_token": grant.token,
        "expires_in": grant.expires_in_s,
    });
    Ok(answer.to_string().into())
}

/// `meeting/get_info`: a token and a meeting's name for the meeting.
///
/// The token is judged before the question, so that a client whose token ran out never hears
/// about anything else.
pub(crate) fn get_info(state: &State, call: &Call) -> Result<Bytes, Errcode> {
    let now = state.clock.now();
    let token = call.query("access_token").ok_or(Errcode::NO_TOKEN)?;
    let app = match state.tokens.with(|tokens| tokens.standing(token, now)) {
        Standing::Expired => return Err(Errcode::TOKEN_EXPIRED),
        Standing::Good(app) => app,
        Standing::Unknown => return Err(Errcode::INVALID_TOKEN),
    };
    let Question { key, occurrence } = call.question.as_ref().map_err(|errcode| *errcode)?;
    match state.world.with(|world| world.find(app, key))? {
        Found::Meeting(meeting) => {
            let told = meeting.told(occurrence.as_deref(), now.as_secs())?;
            Ok(told.into())
        }
        Found::Raw(raw) => Ok(raw),
    }
}
