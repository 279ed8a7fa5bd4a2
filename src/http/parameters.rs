//! The query parameters of a question about a meeting, a caller's and an operator's.

use utoipa::IntoParams;

use super::problem::Kind;
use super::problem::Problem;
use crate::meeting::MeetingId;

/// The query parameters. Any other is refused, and so is one that is repeated or empty.
#[derive(Debug, Default, Eq, IntoParams, PartialEq)]
#[into_params(parameter_in = Query)]
pub(super) struct Parameters {
    /// The app to ask as, by its name in the service's settings. WeCom shows an app only what it
    /// created itself. Left out: the first of the caller's apps.
    #[param(min_length = 1, example = "default")]
    pub(super) app: Option<String>,
    /// One occurrence of a recurring meeting, by its id (`occurrences.items[].id`).
    #[param(inline, example = "sub-20261123")]
    pub(super) sub_meeting_id: Option<MeetingId>,
}

impl Parameters {
    /// Reads a query. A name that we do not know is refused, not ignored: it may be a misspelling,
    /// and WeCom has parameters of its own that must not be passed on.
    pub(super) fn parse(query: &str) -> Result<Self, Problem> {
        let invalid = |detail| Problem::new(Kind::InvalidQuery, detail);
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if value.is_empty() {
                return Err(invalid("a parameter is empty"));
            }
            let repeated = match name.as_ref() {
                "app" => parameters.app.replace(value.into_owned()).is_some(),
                "sub_meeting_id" => {
                    let id = value.parse();
                    let id =
                        id.map_err(|_| invalid("sub_meeting_id is spelled as a meeting id"))?;
                    parameters.sub_meeting_id.replace(id).is_some()
                }
                _ => return Err(invalid("the parameters are app and sub_meeting_id")),
            };
            if repeated {
                return Err(invalid("a parameter is repeated"));
            }
        }
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_an_app_and_an_occurrence_and_nothing_else() {
        let parsed = Parameters::parse("app=hr&sub_meeting_id=s-1").expect("a query");
        assert_eq!(parsed.app.as_deref(), Some("hr"));
        assert_eq!(
            parsed.sub_meeting_id.map(|id| id.to_string()),
            Some("s-1".to_owned())
        );

        for query in [
            "app=",
            "app",
            "app=a&app=a",
            "debug=1",
            "sub_meeting_id=a/b",
            "=x",
            "%ff=1",
        ] {
            assert!(Parameters::parse(query).is_err(), "{query}");
        }
        for query in ["", "&", "&&"] {
            assert_eq!(
                Parameters::parse(query).expect("a query"),
                Parameters::default(),
                "{query}"
            );
        }
    }
}
