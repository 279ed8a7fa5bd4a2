//! Which answers an operator wants gone.
//!
//! | purged | goes | is not kept, if it is on its way |
//! |---|---|---|
//! | everything | everything | everything |
//! | a meeting by its id | what is kept under that id, its occurrences too; what was found by a number and is known to be of it | the same; and whatever was asked by number, as it may be of it |
//! | a meeting by its number | what is kept under that number, its occurrences too | the same; and whatever was asked by id, as it may be kept under that number too |

use std::fmt;

use crate::meeting::Selector;
use crate::wecom::AppName;
use crate::wecom::Question;

use super::Finding;

/// Which answers a purge is about.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Of one meeting, or of all.
    pub meeting: Option<Selector>,
    /// Of one app, or of all.
    pub app: Option<AppName>,
}

/// How thorough a purge is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Thoroughness {
    /// The answers are dropped.
    Drop,
    /// The answers become stale: they are served while they are renewed.
    Expire,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.meeting {
            Some(selector) => write!(f, "meeting {selector}")?,
            None => f.write_str("all meetings")?,
        }
        match &self.app {
            Some(app) => write!(f, " of app {app}"),
            None => Ok(()),
        }
    }
}

impl Scope {
    /// Whether an answer is covered.
    pub(super) fn covers(&self, question: &Question, finding: Option<&Finding>) -> bool {
        let is_of_meeting = self.meeting.as_ref().is_none_or(|selector| {
            question.selector == *selector || is_known_to_be_of(selector, finding)
        });
        is_of_meeting && self.is_of_app(question)
    }

    /// Whether the answer to a question may turn out to be covered: what is found by one kind of
    /// name may be kept under the other too.
    pub(super) fn may_cover(&self, question: &Question) -> bool {
        let may_be_of_meeting = self.meeting.as_ref().is_none_or(|selector| {
            let same_kind = matches!(
                (selector, &question.selector),
                (Selector::Code(_), Selector::Code(_)) | (Selector::Id(_), Selector::Id(_))
            );
            !same_kind || question.selector == *selector
        });
        may_be_of_meeting && self.is_of_app(question)
    }

    fn is_of_app(&self, question: &Question) -> bool {
        self.app.as_ref().is_none_or(|app| *app == question.app)
    }
}

fn is_known_to_be_of(selector: &Selector, finding: Option<&Finding>) -> bool {
    match (selector, finding) {
        (
            Selector::Id(id),
            Some(Finding {
                meeting: Ok(views), ..
            }),
        ) => views.meeting_id() == Some(id.as_str()),
        (Selector::Code(_) | Selector::Id(_), _) => false,
    }
}
