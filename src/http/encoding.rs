//! How a caller wants its bytes: `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::HeaderValue;
use http::header::ACCEPT_ENCODING;

use super::fields::Fields;
use super::preference;
use crate::meeting::view::Encoding;

/// The encodings there are, the best first.
const OFFERED: [(Encoding, &[&str]); 3] = [
    (Encoding::Zstd, &["zstd"]),
    (Encoding::Gzip, &["gzip", "x-gzip"]),
    (Encoding::Identity, &["identity"]),
];

/// The encoding that a caller with these header fields likes best; of those it likes as well, the
/// best one. Where it takes none of them, the bytes go out as they are.
pub(super) fn preferred(fields: &(impl Fields + ?Sized)) -> Encoding {
    let accepted: Vec<_> = preference::weighted(fields, ACCEPT_ENCODING).collect();
    let weight = |names: &[&str]| {
        let of = |name: &str| {
            accepted
                .iter()
                .find(|(listed, _)| listed.eq_ignore_ascii_case(name))
        };
        names
            .iter()
            .find_map(|&name| of(name))
            .or_else(|| of("*"))
            .map(|&(_, weight)| weight)
    };
    let mut best = (Encoding::Identity, 0);
    for (encoding, names) in OFFERED {
        // As they are, bytes are taken unless that is excluded, but liked least.
        let unnamed = u16::from(encoding == Encoding::Identity);
        let weight = weight(names).unwrap_or(unnamed);
        if weight > best.1 {
            best = (encoding, weight);
        }
    }
    best.0
}

/// The `Content-Encoding` of bytes in this encoding, if they have one.
pub(super) fn coding(encoding: Encoding) -> Option<HeaderValue> {
    match encoding {
        Encoding::Gzip => Some(HeaderValue::from_static("gzip")),
        Encoding::Identity => None,
        Encoding::Zstd => Some(HeaderValue::from_static("zstd")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn preferred_in(line: &str) -> Encoding {
        preferred(
            &[(ACCEPT_ENCODING, line.parse().expect("a value"))]
                .into_iter()
                .collect::<http::HeaderMap>(),
        )
    }

    #[test]
    fn the_encoding_that_is_liked_best_is_chosen_and_of_equals_the_best_one() {
        for (line, expected) in [
            ("", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("x-gzip", Encoding::Gzip),
            ("GZIP, ZSTD", Encoding::Zstd),
            ("gzip, deflate, br, zstd", Encoding::Zstd),
            ("gzip;q=1.0, zstd;q=0.5", Encoding::Gzip),
            ("zstd; q=0, gzip", Encoding::Gzip),
            ("*", Encoding::Zstd),
            ("*, zstd;q=0", Encoding::Gzip),
            ("gzip;q=0.5, identity", Encoding::Identity),
            ("gzip;q=0.001", Encoding::Gzip),
            ("gzip;q=0", Encoding::Identity),
            ("identity;q=0, *;q=0", Encoding::Identity),
            ("br, deflate", Encoding::Identity),
            ("gzip;q=0.5;x=y", Encoding::Gzip),
            ("gzip;x=y;q=0, zstd;Q=0.2", Encoding::Zstd),
            ("gzip;q=1.", Encoding::Gzip),
            ("gzip;q=1.001, zstd;q=+1", Encoding::Identity),
            ("gzip;q=0.1234, zstd;q=.5", Encoding::Identity),
            ("gzip;q=2, zstd;q=x, ;, ;q=1", Encoding::Identity),
        ] {
            assert_eq!(preferred_in(line), expected, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_preference(line in "[ -~]{0,60}") {
            preferred_in(&line);
        }
    }
}
