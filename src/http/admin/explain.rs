//! `GET /explain/…`: what is kept under a name, until when and why, and what a request would come to
//! now. As each app, or as the one of `?app=`.

use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use axum::response::Response;
use serde::Serialize;

use super::Office;
use super::json;
use crate::http::parameters::Parameters;
use crate::http::problem::Problem;
use crate::meeting::InvalidMeetingCode;
use crate::meeting::InvalidMeetingId;
use crate::meeting::MeetingId;
use crate::meeting::Selector;
use crate::service::Explanation;
use crate::wecom::AppName;
use crate::wecom::Question;

/// What there is to say of a name.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    selector: Selector,
    sub_meeting_id: Option<MeetingId>,
    answers: Vec<Explanation>,
}

/// `GET /explain/meetings/{meeting_id}`
pub(super) async fn by_id(
    State(office): State<Office>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Path(id) = id.map_err(|_| InvalidMeetingId)?;
    office.explain(Selector::Id(id.parse()?), query.as_deref())
}

/// `GET /explain/meetings/by-code/{meeting_code}`
pub(super) async fn by_code(
    State(office): State<Office>,
    code: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let Path(code) = code.map_err(|_| InvalidMeetingCode)?;
    office.explain(Selector::Code(code.parse()?), query.as_deref())
}

impl Office {
    fn explain(&self, selector: Selector, query: Option<&str>) -> Result<Response, Problem> {
        let Parameters {
            app,
            sub_meeting_id,
        } = Parameters::parse(query.unwrap_or_default())?;
        let apps = match app {
            Some(name) => vec![self.app(&name)?],
            None => self.apps(),
        };
        let explain = |app: AppName| {
            self.meetings.explain(&Question {
                app,
                selector: selector.clone(),
                occurrence: sub_meeting_id.clone(),
            })
        };
        let answers = apps.into_iter().map(explain).collect();
        json(&Explained {
            selector,
            sub_meeting_id,
            answers,
        })
    }
}
