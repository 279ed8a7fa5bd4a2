//! Lets it forget: `DELETE /cache`, all of it or what is of one meeting.

use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::extract::rejection::PathRejection;
use http::StatusCode;

use super::Office;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::meeting::InvalidMeetingCode;
use crate::meeting::InvalidMeetingId;
use crate::meeting::Selector;
use crate::service::Scope;
use crate::service::Thoroughness;

/// `DELETE /cache`
pub(super) async fn all(
    State(office): State<Office>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    office.purge(None, query.as_deref())
}

/// `DELETE /cache/meetings/{meeting_id}`: its occurrences too, and what is known to be of it.
pub(super) async fn by_id(
    State(office): State<Office>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let Path(id) = id.map_err(|_| InvalidMeetingId)?;
    office.purge(Some(Selector::Id(id.parse()?)), query.as_deref())
}

/// `DELETE /cache/meetings/by-code/{meeting_code}`: the meeting that is now behind that number.
pub(super) async fn by_code(
    State(office): State<Office>,
    code: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let Path(code) = code.map_err(|_| InvalidMeetingCode)?;
    office.purge(Some(Selector::Code(code.parse()?)), query.as_deref())
}

impl Office {
    fn purge(&self, meeting: Option<Selector>, query: Option<&str>) -> Result<StatusCode, Problem> {
        let Parameters { app, soft } = Parameters::parse(query.unwrap_or_default())?;
        let soft = soft.unwrap_or(false);
        let app = app.map(|name| self.app(&name)).transpose()?;
        let scope = Scope { meeting, app };
        let thoroughness = if soft {
            Thoroughness::Expire
        } else {
            Thoroughness::Drop
        };
        tracing::info!(soft, "purging what is kept of {scope}");
        self.meetings.purge(&scope, thoroughness);
        Ok(StatusCode::NO_CONTENT)
    }
}

/// The query parameters of a purge.
#[derive(Debug, Default)]
struct Parameters {
    app: Option<String>,
    soft: Option<bool>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, Problem> {
        let invalid = || {
            let detail = "the parameters are app and soft, each once; soft is true or false";
            Problem::new(Kind::InvalidQuery, detail)
        };
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (name.as_ref(), value.as_ref()) {
                ("app", value) if parameters.app.is_none() && !value.is_empty() => {
                    parameters.app = Some(value.to_owned());
                }
                ("soft", value @ ("true" | "false")) if parameters.soft.is_none() => {
                    parameters.soft = Some(value == "true");
                }
                _ => return Err(invalid()),
            }
        }
        Ok(parameters)
    }
}
