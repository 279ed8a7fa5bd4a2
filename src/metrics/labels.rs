//! The labels: closed sets, in the words of the operators' documents.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::EncodeLabelValue;
use prometheus_client::encoding::LabelValueEncoder;

/// Declares a closed set of label values, one word each.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$word_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$variant),*];

            /// As it is written in a label, and in a line of the log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                self.as_str().encode(encoder)
            }
        }
    };
}

words! {
    /// Which API of WeCom.
    Api {
        /// `meeting/get_info`.
        GetInfo = "get_info",
        /// `gettoken`.
        GetToken = "gettoken",
    }
}

words! {
    /// Why an answer was dropped.
    Eviction {
        /// Nobody would have believed it any more.
        Expired = "expired",
        /// There was no room for it.
        Size = "size",
    }
}

words! {
    /// Where an answer came from.
    Lookup {
        /// Somebody else's question was under way.
        Collapsed = "collapsed",
        /// Nowhere: there is none.
        Error = "error",
        /// From memory, fresh.
        Hit = "hit",
        /// WeCom was asked.
        Miss = "miss",
        /// From memory: that there is no such meeting.
        Negative = "negative",
        /// From memory, past its time.
        Stale = "stale",
    }
}

words! {
    /// A method of HTTP.
    Method {
        /// GET.
        Get = "GET",
        /// HEAD.
        Head = "HEAD",
        /// Any other.
        Other = "other",
    }
}

words! {
    /// What came of a question to WeCom.
    Outcome {
        /// That there is no such meeting to see.
        Absent = "absent",
        /// An answer of no use.
        Garbled = "garbled",
        /// What was asked for.
        Ok = "ok",
        /// That we ask too much.
        RateLimited = "rate_limited",
        /// That a person must act.
        Refused = "refused",
        /// That the question is a wrong one.
        Rejected = "rejected",
        /// Nothing, in time.
        TimedOut = "timeout",
        /// That the token is no longer good.
        TokenRefused = "token_refused",
        /// Nothing: WeCom could not be reached, or was not well.
        Unavailable = "unavailable",
        /// An error that no document explains.
        Unknown = "unknown",
    }
}

words! {
    /// A route of the callers' door.
    Route {
        /// `/meetings/by-code/{meeting_code}`
        ByCode = "/meetings/by-code/{meeting_code}",
        /// `/meetings/{meeting_id}`
        ById = "/meetings/{meeting_id}",
        /// `/docs`
        Docs = "/docs",
        /// `/docs/{file}`
        DocsFile = "/docs/{file}",
        /// Any other.
        None = "none",
        /// `/openapi.json`
        OpenApi = "/openapi.json",
        /// `/openapi-3.0.json`
        OpenApi30 = "/openapi-3.0.json",
    }
}

impl Route {
    /// The route of a path, whether or not what stands in it is good.
    pub fn of(path: &str) -> Self {
        let is_one = |rest: &str| !rest.is_empty() && !rest.contains('/');
        let Some(rest) = path.strip_prefix("/meetings/") else {
            return Self::of_description(path);
        };
        match rest.strip_prefix("by-code/") {
            Some(code) if is_one(code) => Self::ByCode,
            None if is_one(rest) => Self::ById,
            Some(_) | None => Self::None,
        }
    }

    /// The same, for what describes the API.
    fn of_description(path: &str) -> Self {
        match path {
            "/docs" => Self::Docs,
            "/openapi.json" => Self::OpenApi,
            "/openapi-3.0.json" => Self::OpenApi30,
            _ => match path.strip_prefix("/docs/") {
                Some(file) if !file.is_empty() && !file.contains('/') => Self::DocsFile,
                Some(_) | None => Self::None,
            },
        }
    }

    /// The statuses that are commonly answered there.
    pub(super) const fn statuses(self) -> &'static [u16] {
        match self {
            Self::ByCode | Self::ById => {
                &[200, 304, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504]
            }
            Self::Docs | Self::OpenApi | Self::OpenApi30 => &[200, 304],
            Self::DocsFile => &[200, 304, 404],
            Self::None => &[400, 404, 414, 431, 503],
        }
    }
}

words! {
    /// Why a request was turned away.
    Shed {
        /// No place for another connection.
        Connections = "connections",
        /// Too many questions wait for their turn to be asked.
        Queue = "queue",
        /// Too many callers wait, or too many questions are under way.
        Waiters = "waiters",
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Request {
    pub(super) route: Route,
    pub(super) method: Method,
    pub(super) status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByRoute {
    pub(super) route: Route,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByResult {
    pub(super) result: Lookup,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByCause {
    pub(super) cause: Eviction,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Call {
    pub(super) api: Api,
    pub(super) app: String,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByApi {
    pub(super) api: Api,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByApp {
    pub(super) app: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Renewal {
    pub(super) app: String,
    pub(super) outcome: Outcome,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ByReason {
    pub(super) reason: Shed,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct Version {
    pub(super) version: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_route_whose_shape_it_has() {
        for (path, route) in [
            ("/meetings/m1", Route::ById),
            ("/meetings/%2F", Route::ById),
            ("/meetings/by-code", Route::ById),
            ("/meetings/by-code/", Route::None),
            ("/meetings/by-code/446-153-273", Route::ByCode),
            ("/meetings/by-code/1/2", Route::None),
            ("/meetings/", Route::None),
            ("/meetings/m1/", Route::None),
            ("/docs", Route::Docs),
            ("/docs/", Route::None),
            ("/docs/page.js", Route::DocsFile),
            ("/docs/a/b", Route::None),
            ("/openapi.json", Route::OpenApi),
            ("/openapi-3.0.json", Route::OpenApi30),
            ("/openapi.json/", Route::None),
            ("/", Route::None),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
