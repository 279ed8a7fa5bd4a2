//! Asks a service for a meeting, for one that is not there, and for one that is known already, with a
//! client that nobody wrote.
//!
//! `generated-client BASE_URL KEY`

use std::error::Error;

use bytes::Bytes;
use futures_util::TryStreamExt;
use reqwest::header::AUTHORIZATION;
use reqwest::header::ETAG;

use self::generated::Client;
use self::generated::Error as ClientError;
use self::generated::types;

mod generated {
    progenitor::generate_api!(spec = "../../docs/openapi-3.0.json", interface = Builder);
}

/// A meeting that the simulator has, and one that nobody has.
const MEETING: &str = "mtfDesignReview-0000000000000004";
const NOBODYS: &str = "nobody-called-this";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().ok_or("where?")?;
    let key = arguments.next().ok_or("by which key?")?;
    let authorization = (AUTHORIZATION, format!("Bearer {key}").parse()?);
    let http = reqwest::Client::builder()
        .default_headers([authorization].into_iter().collect())
        .build()?;
    let client = Client::new_with_client(&base, http);

    let found = client.get_meeting().meeting_id(MEETING).send().await?;
    assert_eq!(found.meeting_id.as_deref(), Some(MEETING));
    assert_eq!(found.status, Some(types::MeetingStatus::InProgress));
    assert!(found.start_time < found.end_time);
    let settings = found.settings.as_ref().ok_or("settings")?;
    assert_eq!(settings.enter_mute, Some(types::SettingsEnterMute::Off));
    assert_eq!(found.attendees[0].kind, types::AttendeeKind::Member);
    let by_code = client.get_meeting_by_code();
    let same = by_code.meeting_code("446 153 273").send().await?;
    assert_eq!(same.title, found.title);
    println!("200: {} of {:?}", found.attendees.len(), found.start_time);

    let none = client.get_meeting().meeting_id(NOBODYS).send().await;
    let Err(ClientError::ErrorResponse(refused)) = none else {
        return Err(format!("a problem was expected: {none:?}").into());
    };
    assert_eq!(refused.status(), 404);
    // It takes application/problem+json for bytes, and knows what is in them.
    let body: Vec<Bytes> = refused.into_inner_stream().try_collect().await?;
    let problem: types::Problem = serde_json::from_slice(&body.concat())?;
    assert_eq!(problem.code, types::ProblemCode::MeetingNotFound);
    assert_eq!(problem.wecom_errcode, Some(90_602));
    println!("404: {}", problem.detail);

    let etag = found.headers()[ETAG].to_str()?;
    let again = client.get_meeting().meeting_id(MEETING);
    let known = again.if_none_match(etag).send().await;
    let Err(ClientError::UnexpectedResponse(known)) = known else {
        return Err(format!("304 was expected: {known:?}").into());
    };
    assert_eq!(known.status(), 304);
    println!("304: {:?}", known.headers()["cache-status"]);
    Ok(())
}
