//! A time as WeCom counts it and as we write it.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::Serialize;
use serde::Serializer;
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::KnownFormat;
use utoipa::openapi::ObjectBuilder;
use utoipa::openapi::RefOr;
use utoipa::openapi::SchemaFormat;
use utoipa::openapi::Type;
use utoipa::openapi::schema::Schema;

/// A time of the years 0 to 9999, to the second, in UTC: what RFC 3339 can write.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(i64);

impl Moment {
    /// `0000-01-01T00:00:00Z`.
    const FIRST: i64 = -62_167_219_200;
    /// `9999-12-31T23:59:59Z`.
    const LAST: i64 = 253_402_300_799;

    /// So many seconds after 1970 began; `None` beyond the years that can be written.
    pub fn of_unix(seconds: i64) -> Option<Self> {
        (Self::FIRST..=Self::LAST)
            .contains(&seconds)
            .then_some(Self(seconds))
    }

    /// Seconds since 1970 began.
    pub fn as_unix(self) -> i64 {
        self.0
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
        let time = epoch.saturating_add(SignedDuration::from_secs(self.0));
        serializer.collect_str(&format_args!("{time}Z"))
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_rfc_3339_has_it_from_the_first_second_to_the_last() {
        for (seconds, written) in [
            (Moment::FIRST, "0000-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (1_600_000_007, "2020-09-13T12:26:47Z"),
            (Moment::LAST, "9999-12-31T23:59:59Z"),
        ] {
            let moment = Moment::of_unix(seconds).expect("a moment");
            assert_eq!(serde_json::to_value(moment).expect("JSON"), written);
        }
        for beyond in [Moment::FIRST - 1, Moment::LAST + 1, i64::MIN, i64::MAX] {
            assert_eq!(Moment::of_unix(beyond), None, "{beyond}");
        }
    }
}
