//! How WeCom says no. Knows no reason for it.

use serde_json::Value;

use super::Api;

/// The caller's address, as WeCom puts it into every message. No client may pass it on.
pub const EGRESS_ADDRESS: &str = "203.0.113.7";

/// The number of the request, as WeCom puts it into every message. No client may pass it on.
pub const HINT: &str = "1686402237354962763423746";

/// One of WeCom's numbers for what is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Errcode(pub(crate) i32);

impl Errcode {
    pub(crate) const ANOTHER_APPS_MEETING: Self = Self(730_005);
    pub(crate) const BAD_PARAMETER: Self = Self(40058);
    pub(crate) const ESCAPED_UNICODE: Self = Self(40033);
    pub(crate) const INVALID_CORP_ID: Self = Self(40013);
    pub(crate) const INVALID_CREDENTIAL: Self = Self(40001);
    pub(crate) const INVALID_TOKEN: Self = Self(40014);
    pub(crate) const NO_CORP_ID: Self = Self(41002);
    pub(crate) const NO_SECRET: Self = Self(41004);
    pub(crate) const NO_SUCH_CODE: Self = Self(730_004);
    pub(crate) const NO_SUCH_MEETING: Self = Self(90602);
    pub(crate) const NO_SUCH_OCCURRENCE: Self = Self(730_003);
    pub(crate) const NO_TOKEN: Self = Self(41001);
    pub(crate) const TOKEN_EXPIRED: Self = Self(42001);

    /// The message: words that change without notice, and two things that are nobody's business.
    pub(crate) fn message(self) -> String {
        let stem = self.stem();
        format!(
            "{stem}, hint: [{HINT}], from ip: {EGRESS_ADDRESS}, more info at \
             https://open.work.weixin.qq.com/devtool/query?e={}",
            self.0
        )
    }

    /// The body: empty defaults come first, so that a client which stops reading before the
    /// `errcode`, or never looks at it, takes a refusal for a meeting or a token.
    pub(crate) fn body(self, api: Api) -> String {
        let defaults = match api {
            Api::GetInfo => r#""guests":[],"sub_meetings":[]"#,
            Api::GetToken => r#""access_token":"","expires_in":0"#,
        };
        let message = Value::from(self.message());
        format!(r#"{{{defaults},"errcode":{},"errmsg":{message}}}"#, self.0)
    }

    fn stem(self) -> &'static str {
        match self.0 {
            -1 => "system busy",
            40001 => "invalid credential",
            40013 => "invalid corpid",
            40014 => "invalid access_token",
            40033 => "invalid request charset",
            40058 => "invalid Request Parameter",
            41001 => "access_token missing",
            41002 => "corpid missing",
            41004 => "corpsecret missing",
            42001 => "access_token expired",
            45009 => "api freq out of limit",
            45033 => "api concurrent out of limit",
            48002 => "api forbidden",
            60020 => "not allow to access from your ip",
            90602 => "meeting not exist",
            730_003 => "sub meeting not exist",
            730_004 => "meeting code not exist",
            730_005 => "no permission to access the meeting",
            730_008 => "meeting deleted",
            _ => "request failed",
        }
    }
}
