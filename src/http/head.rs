//! Whether the head of an HTTP/1.1 request may be let in.
//!
//! Pure: bytes in, a verdict out. Stricter than the parser behind it, so that no gateway in front of
//! us can read a request differently than we do (RFC 9112, section 11.2). As no request here has a
//! body, a connection is nothing but one head after another.

use http::Uri;

use super::problem::Problem;

/// Bytes of a target at most.
pub(super) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a head at most, its final empty line included.
pub(super) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Fields of a head at most.
pub(super) const FIELDS_MAX: usize = 100;

/// Bytes of a request line besides its target, at most: no method is longer than this.
const LINE_BYTES_BESIDES_TARGET: usize = 64;

/// Why a head is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It could be read in more than one way, or in none.
    Bad(&'static str),
    /// It is too large, or has too many fields.
    HeadTooLarge,
    /// Its target is too long.
    TargetTooLong,
}

impl From<Verdict> for Problem {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Bad(why) => Self::bad_request(why),
            Verdict::HeadTooLarge => Self::headers_too_large(),
            Verdict::TargetTooLong => Self::uri_too_long(),
        }
    }
}

/// Looks for a head at the beginning of what has been received so far. `Ok(None)` means that more
/// is to come; `Ok(Some(length))` that the first `length` bytes are a head that may be let in.
pub(super) fn inspect(received: &[u8]) -> Result<Option<usize>, Verdict> {
    let Some(length) = end_of_head(received)? else {
        return more_may_come(received).map(|()| None);
    };
    if length > HEAD_BYTES_MAX {
        return Err(Verdict::HeadTooLarge);
    }
    let head = received.get(..length).unwrap_or_default();
    vet(head)?;
    Ok(Some(length))
}

/// Where the empty line ends, if it is there. Every line must end in CR LF: a bare LF ends a line
/// for some and not for others.
fn end_of_head(received: &[u8]) -> Result<Option<usize>, Verdict> {
    let mut line_start = 0;
    for (at, _) in received
        .iter()
        .enumerate()
        .filter(|&(_, &byte)| byte == b'\n')
    {
        let line = received.get(line_start..at).unwrap_or_default();
        let Some((b'\r', line)) = line.split_last() else {
            return Err(Verdict::Bad("a line must end in CR LF"));
        };
        if line.is_empty() {
            return Ok(Some(at + 1));
        }
        line_start = at + 1;
    }
    Ok(None)
}

/// Whether an unfinished head can still become one that may be let in.
fn more_may_come(received: &[u8]) -> Result<(), Verdict> {
    let line_is_complete = received.contains(&b'\n');
    if !line_is_complete && received.len() > TARGET_BYTES_MAX + LINE_BYTES_BESIDES_TARGET {
        return Err(Verdict::TargetTooLong);
    }
    if received.len() > HEAD_BYTES_MAX {
        return Err(Verdict::HeadTooLarge);
    }
    Ok(())
}

fn vet(head: &[u8]) -> Result<(), Verdict> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Verdict::Bad("the head is cut short")),
        Err(httparse::Error::TooManyHeaders) => return Err(Verdict::HeadTooLarge),
        Err(_) => return Err(Verdict::Bad("the head is not HTTP/1.1")),
    }
    let target = request.path.unwrap_or_default();
    if target.len() > TARGET_BYTES_MAX {
        return Err(Verdict::TargetTooLong);
    }
    if Uri::try_from(target).is_err() {
        return Err(Verdict::Bad("the target is no URI"));
    }
    vet_fields(request.headers)
}

fn vet_fields(fields: &[httparse::Header<'_>]) -> Result<(), Verdict> {
    let (mut hosts, mut lengths) = (0, 0);
    for field in fields {
        if field.name.eq_ignore_ascii_case("host") {
            hosts += 1;
            if !field.value.iter().all(|&byte| is_host_byte(byte)) {
                return Err(Verdict::Bad("the Host is none"));
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Verdict::Bad(
                "no request here has a body: no Transfer-Encoding is taken",
            ));
        } else if field.name.eq_ignore_ascii_case("content-length") {
            lengths += 1;
            if field.value != b"0" {
                return Err(Verdict::Bad(
                    "no request here has a body: no Content-Length but 0 is taken",
                ));
            }
        }
    }
    match (hosts, lengths) {
        (1, 0 | 1) => Ok(()),
        (1, _) => Err(Verdict::Bad("there must be one Content-Length at most")),
        _ => Err(Verdict::Bad("there must be exactly one Host")),
    }
}

/// What may stand in a `Host` (RFC 3986, section 3.2.2, and the port): a list, a path or a user
/// would mean something else to somebody else.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_~:[]%!$&'()*+;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_let_in_once_it_is_complete() {
        let head = b"GET /meetings/m1 HTTP/1.1\r\nHost: proxy:8080\r\nContent-Length: 0\r\n\r\n";

        for length in 0..head.len() {
            assert_eq!(inspect(&head[..length]), Ok(None), "after {length} bytes");
        }
        assert_eq!(inspect(head), Ok(Some(head.len())));
        assert_eq!(
            inspect(&[&head[..], b"GET /next"].concat()),
            Ok(Some(head.len()))
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_let_in() {
        for head in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: identity\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(
                matches!(inspect(head.as_bytes()), Err(Verdict::Bad(_))),
                "{head:?}"
            );
        }
    }

    #[test]
    fn a_head_that_grows_too_large_is_refused_before_it_is_complete() {
        let long_target = format!("GET /{}", "x".repeat(9_000));
        let long_target_complete = format!("{long_target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let long_field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(33_000));
        let many_fields = format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: 1\r\n".repeat(100)
        );

        assert_eq!(inspect(long_target.as_bytes()), Err(Verdict::TargetTooLong));
        assert_eq!(
            inspect(long_target_complete.as_bytes()),
            Err(Verdict::TargetTooLong)
        );
        assert_eq!(inspect(long_field.as_bytes()), Err(Verdict::HeadTooLarge));
        assert_eq!(inspect(many_fields.as_bytes()), Err(Verdict::HeadTooLarge));
    }

    #[test]
    fn a_head_as_large_as_allowed_is_let_in() {
        let target = format!("/{}", "x".repeat(TARGET_BYTES_MAX - 1));
        let fields = format!("Host: a\r\n{}", "X: 1\r\n".repeat(FIELDS_MAX - 1));
        let head = format!("GET {target} HTTP/1.1\r\n{fields}\r\n");

        assert_eq!(inspect(head.as_bytes()), Ok(Some(head.len())));
    }
}
