//! The control: what the library offers, over HTTP, for people and for tests in other languages.
//!
//! | request                                | does                                              |
//! |----------------------------------------|---------------------------------------------------|
//! | `GET hits`                             | every counter                                     |
//! | `GET asked`                            | the last questions at `get_info`, word for word   |
//! | `POST reset`                           | starts counting again                             |
//! | `PUT trouble/{gettoken\|get_info}`     | sets a trouble (its shape: [`order::Order`])      |
//! | `DELETE trouble`                       | clears every trouble                              |
//! | `POST revoke-tokens`                   | makes every token unknown                         |
//! | `POST advance` `{"seconds"}`           | turns the clock                                   |
//! | `GET meetings`                         | what there is to ask for                          |
//! | `PUT meetings/{id}`                    | puts this JSON there, code from its `meeting_code`|
//! | `DELETE meetings/{id}`                 | takes it away                                     |
//! | `PUT raw/{id or code}`                 | answers with this body, byte for byte             |
//! | `PUT secret` `{"corp_id","old","new"}` | gives an app a new secret                         |
//!
//! None of these is counted.

mod order;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use self::order::Order;
use crate::protocol::Api;
use crate::reply;
use crate::reply::Flow;
use crate::state::State;
use crate::tokens::Tokens;
use crate::trouble::Troubles;
use crate::world::Meeting;

/// Where the control's paths begin.
pub(crate) const PREFIX: &str = "/_control/";

/// The longest body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why the control does not do as it is told.
#[derive(Debug)]
struct Complaint {
    status: u16,
    message: String,
}

impl Complaint {
    fn bad(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
        }
    }

    fn no_such_path(method: &str, path: &str) -> Self {
        Self {
            status: 404,
            message: format!("the control has no {method} {path}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    corp_id: String,
    old: String,
    new: String,
}

/// Does as it is told, or says why not.
pub(crate) async fn answer(state: &State, request: Request<Incoming>) -> Response<Flow> {
    let (head, body) = request.into_parts();
    let done = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => {
            let path = head.uri.path();
            obey(state, head.method.as_str(), path, body.to_bytes())
        }
        Err(error) => Err(Complaint::bad(error.to_string())),
    };
    match done {
        Ok(answer) => reply::json(200, answer.to_string()),
        Err(Complaint { status, message }) => {
            reply::json(status, json!({ "error": message }).to_string())
        }
    }
}

fn obey(state: &State, method: &str, path: &str, body: Bytes) -> Result<Value, Complaint> {
    let place = path.strip_prefix(PREFIX).unwrap_or_default();
    let place: Vec<&str> = place.split('/').collect();
    match (method, place.as_slice()) {
        ("GET", ["hits"]) => return Ok(hits(state)),
        ("GET", ["asked"]) => return Ok(asked(state)),
        ("GET", ["meetings"]) => return Ok(meetings(state)),
        ("POST", ["reset"]) => state.ledger.reset(),
        ("PUT", ["trouble", api]) => set_trouble(state, api, &body)?,
        ("DELETE", ["trouble"]) => state.troubles.with(|all| *all = Troubles::default()),
        ("POST", ["revoke-tokens"]) => state.tokens.with(Tokens::revoke_all),
        ("POST", ["advance"]) => {
            let Advance { seconds } = read(&body)?;
            state.clock.advance(Duration::from_secs(seconds));
        }
        ("PUT", ["meetings", id]) => put_meeting(state, id, &body)?,
        ("DELETE", ["meetings", id]) => state.world.with(|world| world.remove_meeting(id)),
        ("PUT", ["raw", key]) => state.world.with(|world| world.put_raw(*key, body)),
        ("PUT", ["secret"]) => {
            let Rotation { corp_id, old, new } = read(&body)?;
            state
                .world
                .with(|world| world.set_secret(&corp_id, &old, &new));
        }
        _ => return Err(Complaint::no_such_path(method, path)),
    }
    Ok(json!({ "ok": true }))
}

fn hits(state: &State) -> Value {
    let hits = state.ledger.hits();
    json!({
        "gettoken": hits.gettoken,
        "get_info": hits.get_info,
        "get_info_by": state.ledger.hits_by_meeting(),
        "peak_in_flight": state.ledger.peak_in_flight(),
        "redirects_followed": state.ledger.redirects_followed(),
    })
}

fn asked(state: &State) -> Value {
    let asked = state.ledger.asked();
    let told = asked.into_iter().map(|asked| {
        json!({
            "body": asked.body,
            "headers": asked.headers,
            "query_names": asked.query_names,
        })
    });
    told.collect()
}

fn meetings(state: &State) -> Value {
    let listed = state.world.with(|world| world.listed());
    let told = listed.into_iter().map(|listed| {
        json!({
            "corp_id": listed.corp_id,
            "id": listed.id,
            "code": listed.code,
            "title": listed.title,
        })
    });
    told.collect()
}

fn set_trouble(state: &State, api: &str, body: &[u8]) -> Result<(), Complaint> {
    let api = match api {
        "get_info" => Api::GetInfo,
        "gettoken" => Api::GetToken,
        _ => {
            let message = format!("no API is called {api}: it is gettoken or get_info");
            return Err(Complaint::bad(message));
        }
    };
    let order: Order = read(body)?;
    let trouble = order.trouble().map_err(Complaint::bad)?;
    state.troubles.with(|troubles| troubles.set(api, trouble));
    Ok(())
}

fn put_meeting(state: &State, id: &str, body: &[u8]) -> Result<(), Complaint> {
    let spelled_right = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if id.is_empty() || !id.bytes().all(spelled_right) {
        let message = format!("{id:?} is no meetingid: it is made of A-Z a-z 0-9 _ -");
        return Err(Complaint::bad(message));
    }
    let info: Value = read(body)?;
    if !info.is_object() {
        return Err(Complaint::bad("a meeting is a JSON object"));
    }
    let code = info.get("meeting_code").and_then(Value::as_str);
    let meeting = Meeting::new(id, code.unwrap_or_default(), info.clone());
    state.world.with(|world| world.put_meeting(meeting));
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Complaint> {
    serde_json::from_slice(body).map_err(|error| Complaint::bad(error.to_string()))
}
