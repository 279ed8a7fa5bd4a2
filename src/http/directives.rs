//! What a caller wishes of an answer's age: `Cache-Control` of a request (RFC 9111, section 5.2.1).

use std::time::Duration;

use http::header::CACHE_CONTROL;

use super::fields::Fields;
use crate::service::Wish;

/// The wish in these header fields. What is not understood is passed over, as the RFC has it.
pub(super) fn wish(fields: &(impl Fields + ?Sized)) -> Wish {
    let lines = fields.texts(CACHE_CONTROL);
    lines
        .flat_map(directives)
        .fold(Wish::default(), with_directive)
}

/// The directives in a line. A comma in a quoted string parts nothing.
fn directives(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |letter| {
        let is_escape = quoted && !escaped && letter == '\\';
        let was_escaped = std::mem::replace(&mut escaped, is_escape);
        quoted ^= letter == '"' && !was_escaped;
        letter == ',' && !quoted
    })
}

/// Of two that contradict each other, the one that asks for more holds.
fn with_directive(wish: Wish, directive: &str) -> Wish {
    let (name, argument) = match directive.split_once('=') {
        Some((name, argument)) => (name.trim(), Some(argument.trim().trim_matches('"'))),
        None => (directive.trim(), None),
    };
    let seconds = argument.and_then(seconds);
    match (name.to_ascii_lowercase().as_str(), argument, seconds) {
        ("no-cache", ..) => Wish {
            max_age: Some(Duration::ZERO),
            ..wish
        },
        ("max-age", _, Some(seconds)) => Wish {
            max_age: Some(wish.max_age.map_or(seconds, |known| known.min(seconds))),
            ..wish
        },
        ("max-stale", None, _) => Wish {
            max_stale: wish.max_stale.or(Some(Duration::MAX)),
            ..wish
        },
        ("max-stale", _, Some(seconds)) => {
            let known = wish.max_stale.unwrap_or(Duration::MAX);
            Wish {
                max_stale: Some(known.min(seconds)),
                ..wish
            }
        }
        ("min-fresh", _, Some(seconds)) => Wish {
            min_fresh: Some(wish.min_fresh.unwrap_or_default().max(seconds)),
            ..wish
        },
        ("only-if-cached", ..) => Wish {
            only_if_cached: true,
            ..wish
        },
        _ => wish,
    }
}

/// Whole seconds. As many as no number holds are taken for a great many (RFC 9111, section 1.2.2).
fn seconds(argument: &str) -> Option<Duration> {
    let is_number = !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = argument.parse().unwrap_or(u64::from(u32::MAX));
    is_number.then(|| Duration::from_secs(seconds.min(u64::from(u32::MAX))))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn wish_in(lines: &[&str]) -> Wish {
        let value = |line: &&str| line.parse::<HeaderValue>().expect("a value");
        let line = |line: &&str| (CACHE_CONTROL, value(line));
        wish(&lines.iter().map(line).collect::<HeaderMap>())
    }

    #[test]
    fn directives_are_read_whatever_their_case_their_spacing_and_their_lines() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let none = Wish::default();
        for (lines, expected) in [
            (
                &["no-cache"][..],
                Wish {
                    max_age: seconds(0),
                    ..none
                },
            ),
            (
                &["MAX-AGE = 5"],
                Wish {
                    max_age: seconds(5),
                    ..none
                },
            ),
            (
                &["max-age=\"5\""],
                Wish {
                    max_age: seconds(5),
                    ..none
                },
            ),
            (
                &["max-age=9, max-age=5", "max-age=7"],
                Wish {
                    max_age: seconds(5),
                    ..none
                },
            ),
            (
                &["max-age=5, no-cache"],
                Wish {
                    max_age: seconds(0),
                    ..none
                },
            ),
            (
                &["max-stale"],
                Wish {
                    max_stale: Some(Duration::MAX),
                    ..none
                },
            ),
            (
                &["max-stale=60,max-stale"],
                Wish {
                    max_stale: seconds(60),
                    ..none
                },
            ),
            (
                &["min-fresh=30"],
                Wish {
                    min_fresh: seconds(30),
                    ..none
                },
            ),
            (
                &["only-if-cached"],
                Wish {
                    only_if_cached: true,
                    ..none
                },
            ),
            (
                &["max-age=99999999999999999999999999"],
                Wish {
                    max_age: seconds(u64::from(u32::MAX)),
                    ..none
                },
            ),
            (
                &[
                    r#"foo="a, no-cache, b", max-age=5"#,
                    r#"foo="a \", no-cache""#,
                ],
                Wish {
                    max_age: seconds(5),
                    ..none
                },
            ),
            (
                &[
                    "max-age=-1, max-age=, max-age=x, min-fresh, no-store, , =",
                    "",
                ],
                none,
            ),
        ] {
            assert_eq!(wish_in(lines), expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_wish(line in "[ -~]{0,60}") {
            wish_in(&[&line]);
        }
    }
}
