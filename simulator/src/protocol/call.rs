//! A request as it arrived, and the question in it. Knows no answer.

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Limited;
use hyper::HeaderMap;
use hyper::Request;
use hyper::body::Incoming;
use serde_json::Value;

use super::Errcode;
use crate::ledger::Asked;

/// The longest body that is read. A longer one counts as empty: no question is that long.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A request to one of WeCom's APIs.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) question: Result<Question, Errcode>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

/// What `get_info` is asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) key: Key,
    pub(crate) occurrence: Option<String>,
}

/// A meeting's name: one of the two that it has.
#[derive(Debug)]
pub(crate) enum Key {
    Code(String),
    Id(String),
}

impl Key {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Code(text) | Self::Id(text) => text,
        }
    }
}

impl Call {
    /// Reads the request to its end.
    pub(crate) async fn read(request: Request<Incoming>) -> Self {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => Bytes::new(),
        };
        Self {
            question: Question::read(&body),
            query,
            headers: head.headers,
            body,
        }
    }

    /// The value of a query parameter, unless it is empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let mut named = self.query.iter().filter(|(known, _)| known == name);
        let (_, value) = named.next()?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// The meeting it asks for, if it names exactly one.
    pub(crate) fn meeting(&self) -> Option<&str> {
        let question = self.question.as_ref().ok()?;
        Some(question.key.as_str())
    }

    /// What is put on record.
    pub(crate) fn asked(&self) -> Asked {
        let headers = self.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.to_string(), value.into_owned())
        });
        Asked {
            body: String::from_utf8_lossy(&self.body).into_owned(),
            headers: headers.collect(),
            query_names: self.query.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl Question {
    /// WeCom reads no `\u` escapes, and wants the id or the code, but not both.
    fn read(body: &[u8]) -> Result<Self, Errcode> {
        if body.windows(2).any(|pair| pair == br"\u") {
            return Err(Errcode::ESCAPED_UNICODE);
        }
        let fields: Value = serde_json::from_slice(body).map_err(|_| Errcode::BAD_PARAMETER)?;
        let text = |name| {
            let text = fields.get(name).and_then(Value::as_str);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let key = match (text("meetingid"), text("meeting_code")) {
            (Some(id), None) => Key::Id(id),
            (None, Some(code)) => Key::Code(code),
            (Some(_), Some(_)) | (None, None) => return Err(Errcode::BAD_PARAMETER),
        };
        Ok(Self {
            key,
            occurrence: text("sub_meetingid"),
        })
    }
}
