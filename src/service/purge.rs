//! Which answers an operator wants gone.
//!
//! | purged | goes | nobody joins, if it is on its way |
//! |---|---|---|
//! | everything | everything | everything |
//! | a meeting by its id | what is kept under that id, its occurrences too; what was found by a number and is known to be of it | the same; and whatever was asked by number, as it may be of it |
//! | a meeting by its number | what is kept under that number, its occurrences too; what is kept of the same under its id; if that is the meeting as a whole, the id's occurrences | the same; and whatever was asked by id, as it may be kept under that number too |

use std::fmt;

use super::Finding;
use super::Inner;
use super::Meetings;
use crate::cache::Thoroughness;
use crate::meeting::Selector;
use crate::wecom::AppName;
use crate::wecom::Question;

/// Which answers a purge is about. All, by default.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Scope {
    /// Of one meeting, or of all.
    pub meeting: Option<Selector>,
    /// Of one app, or of all.
    pub app: Option<AppName>,
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

impl Meetings {
    /// Purges the answers in `scope`: whoever asks from now on is not given what was known, nor
    /// what is on its way.
    pub fn purge(&self, scope: &Scope, thoroughness: Thoroughness) {
        let mut scopes = self.same_by_id(scope);
        scopes.push(scope.clone());
        let may_be_meant = |question: &Question| scope.may_cover(question);
        self.0.cache.purge(scopes, thoroughness, may_be_meant);
    }

    /// What is known by its id to be behind the number that `scope` names, for each app.
    fn same_by_id(&self, scope: &Scope) -> Vec<Scope> {
        let Some(code @ Selector::Code(_)) = &scope.meeting else {
            return Vec::new();
        };
        let apps = match &scope.app {
            Some(app) => vec![app.clone()],
            None => self.standings().into_iter().map(|(app, _)| app).collect(),
        };
        let same = apps.into_iter().filter_map(|app| {
            let question = Question {
                app,
                selector: code.clone(),
                occurrence: None,
            };
            let Inner { cache, clock, .. } = &*self.0;
            let known = cache.recall(&question, clock.now()).answer?;
            let Question { app, selector, .. } = self.alias(&question, &known.value)?;
            Some(Scope {
                meeting: Some(selector),
                app: Some(app),
            })
        });
        same.collect()
    }

    /// The question by the other name, if the same is kept there too.
    pub(super) fn alias(&self, question: &Question, finding: &Finding) -> Option<Question> {
        let Inner { cache, clock, .. } = &*self.0;
        let other = finding.by_other_name(question)?;
        let known = cache.recall(&other, clock.now()).answer?;
        finding.is_same(&known.value).then_some(other)
    }
}

impl Scope {
    /// Every scope that a question is in, together with what was found.
    pub(super) fn of(question: &Question, finding: Option<&Finding>) -> Vec<Self> {
        let known = finding.into_iter().flat_map(Finding::names);
        let names = std::iter::once(question.selector.clone()).chain(known);
        let meetings = std::iter::once(None).chain(names.map(Some));
        let apps = [None, Some(question.app.clone())];
        meetings
            .flat_map(|meeting| {
                apps.clone().map(|app| Self {
                    meeting: meeting.clone(),
                    app,
                })
            })
            .collect()
    }

    /// Whether the answer to a question may turn out to be covered: what is found by one kind of
    /// name may be kept under the other too.
    fn may_cover(&self, question: &Question) -> bool {
        let may_be_of_meeting = self.meeting.as_ref().is_none_or(|selector| {
            let same_kind = matches!(
                (selector, &question.selector),
                (Selector::Code(_), Selector::Code(_)) | (Selector::Id(_), Selector::Id(_))
            );
            !same_kind || question.selector == *selector
        });
        let is_of_app = self.app.as_ref().is_none_or(|app| *app == question.app);
        may_be_of_meeting && is_of_app
    }
}
