//! The side door for measurements: parts of the way of a request, each by itself.
//!
//! Built with the feature `measuring`, for `benches/micro` and `benches/instructions` alone; nothing in
//! the service knows whether this is here. A room whose parts are private keeps a file `measuring` of its
//! own, which gets one ready to be measured, and this one lists them all.

mod names;

use crate::http;
use crate::service;
use crate::wecom;

/// Something that can be done again and again.
pub type Deed = Box<dyn FnMut()>;

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// A caller is told from its key, where there is one caller.
    Authenticate1,
    /// The same, where there are 1,000.
    Authenticate1000,
    /// A meeting's number is read, as people write it.
    Code,
    /// The head of a request is vetted.
    Head,
    /// A meeting's id is read.
    Id,
    /// A meeting is looked up in memory, where there are 10,000.
    Lookup,
    /// WeCom's answer, the sample in its documents, is read and becomes a meeting.
    Normalise,
    /// A view is cut that shows everything.
    View,
    /// A meeting becomes what everybody may see, finished.
    Views,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Authenticate1,
        Self::Authenticate1000,
        Self::Code,
        Self::Head,
        Self::Id,
        Self::Lookup,
        Self::Normalise,
        Self::View,
        Self::Views,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authenticate1 => "authenticate_1",
            Self::Authenticate1000 => "authenticate_1000",
            Self::Code => "code",
            Self::Head => "head",
            Self::Id => "id",
            Self::Lookup => "lookup",
            Self::Normalise => "normalise",
            Self::View => "view",
            Self::Views => "views",
        }
    }

    /// Gets it ready.
    ///
    /// # Panics
    ///
    /// If there is nothing to be measured: what is done does not come to what it must.
    pub fn prepare(self) -> Deed {
        match self {
            Self::Authenticate1 => http::measuring::authenticate(1),
            Self::Authenticate1000 => http::measuring::authenticate(1_000),
            Self::Code => names::code(),
            Self::Head => http::measuring::head(),
            Self::Id => names::id(),
            Self::Lookup => service::measuring::lookup(10_000),
            Self::Normalise => wecom::measuring::normalise(),
            Self::View => wecom::measuring::view(),
            Self::Views => wecom::measuring::views(),
        }
    }
}
