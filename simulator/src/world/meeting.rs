//! One meeting and what is told of it. Knows no other meeting.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::App;
use super::timekeeping;
use crate::protocol::Errcode;

/// A meeting, in the shape in which WeCom tells of it.
#[derive(Clone, Debug)]
pub struct Meeting {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) owner: App,
    info: Value,
    occurrences: BTreeMap<String, Value>,
    errcode: Option<i32>,
    keeps_time: bool,
}

impl Meeting {
    /// A meeting of the default app. Whoever asks gets `info` as it is, after an `errcode` of 0
    /// if it has none of its own: neither the id nor the code is put into it.
    pub fn new(id: impl Into<String>, code: impl Into<String>, info: Value) -> Self {
        Self {
            id: id.into(),
            code: code.into(),
            owner: App::default(),
            info,
            occurrences: BTreeMap::new(),
            errcode: None,
            keeps_time: false,
        }
    }

    /// Created by another app.
    #[must_use]
    pub fn of_app(mut self, corp_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.owner = App::new(corp_id, secret);
        self
    }

    /// Whoever asks is refused with this, 730008 for a deleted meeting.
    #[must_use]
    pub fn with_errcode(mut self, errcode: i32) -> Self {
        self.errcode = Some(errcode);
        self
    }

    /// What is told of one occurrence. An occurrence that only `sub_meetings` names is known too,
    /// and what is told of it is what is told of the series.
    #[must_use]
    pub fn with_occurrence(mut self, id: impl Into<String>, info: Value) -> Self {
        self.occurrences.insert(id.into(), info);
        self
    }

    /// What is told follows the simulator's clock: the status, and of a series the current
    /// occurrence and how many are left.
    #[must_use]
    pub fn keeping_time(mut self) -> Self {
        self.keeps_time = true;
        self
    }

    /// The answer to a question about the meeting, or about one occurrence of it.
    pub(crate) fn told(&self, occurrence: Option<&str>, now_s: u64) -> Result<String, Errcode> {
        if let Some(errcode) = self.errcode {
            return Err(Errcode(errcode));
        }
        let mut info = Cow::Borrowed(self.info_of(occurrence)?);
        if self.keeps_time {
            let info = info.to_mut();
            timekeeping::keep_series(info, now_s);
            if occurrence.is_some() {
                timekeeping::keep_single(info, now_s);
            }
        }
        Ok(successful(&info))
    }

    pub(super) fn title(&self) -> &str {
        let title = self.info.get("title").and_then(Value::as_str);
        title.unwrap_or_default()
    }

    fn info_of(&self, occurrence: Option<&str>) -> Result<&Value, Errcode> {
        let Some(occurrence) = occurrence else {
            return Ok(&self.info);
        };
        if let Some(info) = self.occurrences.get(occurrence) {
            return Ok(info);
        }
        if timekeeping::occurrences(&self.info).any(|known| known.id == occurrence) {
            return Ok(&self.info);
        }
        Err(Errcode::NO_SUCH_OCCURRENCE)
    }
}

/// `info` as text. The `errcode` goes first, as WeCom sends it, which a sorted map would not do.
fn successful(info: &Value) -> String {
    let text = info.to_string();
    match text.strip_prefix('{') {
        Some(rest) if info.get("errcode").is_none() => {
            let comma = if rest == "}" { "" } else { "," };
            format!(r#"{{"errcode":0,"errmsg":"ok"{comma}{rest}"#)
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_success_says_so_first_unless_it_speaks_for_itself() {
        for (info, expected) in [
            (json!({}), r#"{"errcode":0,"errmsg":"ok"}"#),
            (json!({"a": 1}), r#"{"errcode":0,"errmsg":"ok","a":1}"#),
            (json!({"a": 1, "errcode": 7}), r#"{"a":1,"errcode":7}"#),
            (json!([]), "[]"),
        ] {
            assert_eq!(successful(&info), expected, "of {info}");
        }
    }
}
