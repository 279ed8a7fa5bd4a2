//! How settings are written: durations as `"30s"`, sizes as `"256MiB"`, limits that are never 0.
//!
//! Each room declares its own settings, and reads single values with these functions; the room
//! `config` stacks them up. What is wrong *between* values is a [`Flaw`] that the room finds.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error;
use serde::de::Unexpected;
use serde::de::Visitor;

/// The longest duration that can be set. So sums of a few of them cannot overflow.
const DURATION_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Something wrong with a setting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flaw {
    /// The path of the key, as in `wecom.apps[0].name`. Empty for the table at hand.
    pub key: String,
    /// What is wrong. Never quotes a value that may be secret.
    pub why: String,
}

impl Flaw {
    /// A flaw of the setting at `key`.
    pub fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            why: why.into(),
        }
    }

    /// The same flaw, seen from further up.
    #[must_use]
    pub fn below(self, parent: &str) -> Self {
        let Self { key, why } = self;
        let key = if key.is_empty() {
            parent.to_owned()
        } else {
            format!("{parent}.{key}")
        };
        Self { key, why }
    }
}

/// A setting that is written as text, and means what `read` makes of it. Whatever else stands there,
/// `expected` says what belongs there, as in "a colour"; the text itself is not quoted.
pub fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Text { expected, read })
}

struct Text<F> {
    expected: &'static str,
    read: F,
}

impl<T, F: Fn(&str) -> Option<T>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Other("text"), &self))
    }
}

/// Where to listen: an address and a port. No name: which address a name has is not ours to guess.
pub fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    const EXPECTED: &str = "an address and a port, as in \"127.0.0.1:8080\" or \"[::1]:8080\"";
    parsed(deserializer, EXPECTED, |text| text.parse().ok())
}

/// A span of time, written as `"1h 30m"`. It may be 0, and a year at most.
pub fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let expected = "a duration such as \"30s\" or \"1h 30m\"";
    let duration = parsed(deserializer, expected, |text| {
        humantime::parse_duration(text).ok()
    })?;
    if duration > DURATION_MAX {
        return Err(D::Error::custom("must be a year at most"));
    }
    Ok(duration)
}

/// A limit in time: a [`span`] that is not 0.
pub fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let duration = span(deserializer)?;
    if duration.is_zero() {
        return Err(D::Error::custom("must be longer than 0s"));
    }
    Ok(duration)
}

/// A limit in number: a whole number greater than 0.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(D::Error::custom("must be greater than 0")),
        count => Ok(count),
    }
}

/// A limit in number that may be left out.
pub fn count_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    count(deserializer).map(Some)
}

/// A limit in bytes, written as `"256MiB"`: greater than 0.
pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size: ByteSize = parsed(deserializer, "a size such as \"256MiB\"", |text| {
        text.parse().ok()
    })?;
    match size.as_u64() {
        0 => Err(D::Error::custom("must be greater than 0")),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::Error as ValueError;
    use serde::de::value::StrDeserializer;

    use super::*;

    fn text(text: &str) -> StrDeserializer<'_, ValueError> {
        text.into_deserializer()
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (written, seconds) in [("30s", 30), ("1h 30m", 5_400), ("2m30s", 150), ("0s", 0)] {
            assert_eq!(
                span(text(written)),
                Ok(Duration::from_secs(seconds)),
                "{written}"
            );
        }
        for written in [
            "",
            "30",
            "-1s",
            "1 fortnight",
            "2years",
            "99999999999999999999s",
        ] {
            assert!(span(text(written)).is_err(), "{written}");
        }
    }

    #[test]
    fn a_limit_is_never_nothing() {
        assert!(limit(text("0s")).is_err());
        assert!(size(text("0B")).is_err());
        assert!(count(IntoDeserializer::<ValueError>::into_deserializer(0_u32)).is_err());
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (written, bytes) in [
            ("256MiB", 256 << 20),
            ("1GB", 1_000_000_000),
            ("4096", 4_096),
        ] {
            assert_eq!(size(text(written)), Ok(bytes), "{written}");
        }
        for written in ["", "many", "1XB", "-1MiB"] {
            assert!(size(text(written)).is_err(), "{written}");
        }
    }
}
