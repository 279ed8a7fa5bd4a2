//! Whether the head of an HTTP/1.1 request may be let in.
//!
//! Pure: bytes in, a verdict out. Stricter than the parser behind it, so that no gateway in front of
//! us can read a request differently than we do (RFC 9112, section 11.2). As no request here has a
//! body, a connection is nothing but one head after another.

use std::mem::MaybeUninit;

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Uri;
use http::Version;
use memchr::memchr;
use memchr::memmem;
use memchr::memrchr;

use super::problem::Problem;
use super::reply;
use super::request_id::X_REQUEST_ID;

/// Bytes of a target at most.
pub(super) const TARGET_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a head at most, its final empty line included.
pub(super) const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Fields of a head at most.
pub(super) const FIELDS_MAX: usize = 100;

/// Bytes of a request line at most: besides its target, no more than a method and a version.
const LINE_BYTES_MAX: usize = TARGET_BYTES_MAX + 64;

/// Why a request is not answered as it asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It could be read in more than one way, or in none.
    Bad(&'static str),
    /// It is good, and there is no place for its caller.
    Crowded,
    /// It is too large, or has too many fields.
    HeadTooLarge,
    /// Its target is too long.
    TargetTooLong,
}

impl From<Verdict> for Problem {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Bad(why) => Self::bad_request(why),
            Verdict::Crowded => Self::crowded(),
            Verdict::HeadTooLarge => Self::headers_too_large(),
            Verdict::TargetTooLong => Self::uri_too_long(),
        }
    }
}

/// A head that may be let in, as it came.
#[derive(Debug)]
pub(super) struct Head<'a> {
    method: &'a str,
    pub(super) target: &'a str,
    version: Version,
    pub(super) fields: &'a [httparse::Header<'a>],
    /// The same as text, the empty line at the end included.
    pub(super) lines: &'a [u8],
}

/// Reads one head as it comes, looking at each byte once.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// How much has been looked at.
    seen: usize,
    /// Where the line begins that is being looked at.
    line_start: usize,
    /// Whether its first line has too many bytes. What comes behind it is read all the same, as far as
    /// there is room: the answer depends on it.
    has_long_line: bool,
}

impl HeadReader {
    /// Looks for a head at the beginning of what has been received so far. `Ok(None)` means that
    /// more is to come; else what is made of a head that may be let in, and how many bytes it took:
    /// the next is to be looked for after them.
    pub(super) fn inspect<T>(
        &mut self,
        received: &[u8],
        make: impl FnOnce(&Head<'_>) -> Result<T, Verdict>,
    ) -> Result<Option<(T, usize)>, Verdict> {
        let end = self.end_of_head(received)?;
        let is_too_large = end.unwrap_or(received.len()) > HEAD_BYTES_MAX;
        if self.has_long_line && (is_too_large || end.is_some()) {
            return Err(Verdict::TargetTooLong);
        }
        if is_too_large {
            return Err(Verdict::HeadTooLarge);
        }
        let Some(length) = end else {
            return Ok(None);
        };
        let head = received.get(..length).unwrap_or_default();
        let outcome = read(head, make)?;
        *self = Self::default();
        Ok(Some((outcome, length)))
    }

    /// Where the empty line ends, if it is there. Every line must end in CR LF: a bare LF ends a
    /// line for some and not for others.
    fn end_of_head(&mut self, received: &[u8]) -> Result<Option<usize>, Verdict> {
        let unseen = |from: usize| received.get(from..).unwrap_or_default();
        while !unseen(self.seen).is_empty() {
            let unseen = unseen(self.seen);
            let line_end = memchr(b'\n', unseen);
            self.seen += line_end.map_or(unseen.len(), |place| place + 1);
            let line = received.get(self.line_start..self.seen).unwrap_or_default();
            // Noted here, however much of it came at a time; judged when all there is to read is there.
            self.has_long_line |= self.line_start == 0 && line.len() > LINE_BYTES_MAX;
            let Some((b'\n', line)) = line.split_last() else {
                return Ok(None);
            };
            if line.last() != Some(&b'\r') {
                return Err(Verdict::Bad("a line must end in CR LF"));
            }
            if line.len() == 1 {
                return Ok(Some(self.seen));
            }
            self.line_start = self.seen;
        }
        Ok(None)
    }
}

/// A plain request in place of one that is refused, of which it keeps what the answer depends on:
/// whether only its head is wanted, and the request's id.
pub(super) fn stand_in(refused: &[u8]) -> Request<()> {
    let mut request = Request::new(());
    if refused.starts_with(b"HEAD ") {
        *request.method_mut() = Method::HEAD;
    }
    // What stands behind it is another's.
    let end = memmem::find(refused, b"\r\n\r\n").unwrap_or(refused.len());
    let head = refused.get(..end).unwrap_or_default();
    let lines = head.split(|&byte| byte == b'\n').skip(1);
    let named = lines.filter_map(|line| line.split_at_checked("x-request-id:".len()));
    let named = named.filter(|(name, _)| name.eq_ignore_ascii_case(b"x-request-id:"));
    for (_, value) in named {
        if let Ok(id) = HeaderValue::from_bytes(value.trim_ascii()) {
            request.headers_mut().append(X_REQUEST_ID, id);
        }
    }
    request
}

const NO_HEAD: Verdict = Verdict::Bad("the head is not HTTP/1.1");

/// What is made of a head, if it may be let in.
fn read<T>(head: &[u8], make: impl FnOnce(&Head<'_>) -> Result<T, Verdict>) -> Result<T, Verdict> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut read = httparse::Request::new(&mut []);
    match read.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Verdict::Bad("the head is cut short")),
        Err(httparse::Error::TooManyHeaders) => return Err(Verdict::HeadTooLarge),
        Err(_) => return Err(NO_HEAD),
    }
    let head = Head {
        method: read.method.unwrap_or_default(),
        target: read.path.unwrap_or_default(),
        version: match read.version {
            Some(0) => Version::HTTP_10,
            _ => Version::HTTP_11,
        },
        fields: read.headers,
        lines: memchr(b'\n', head)
            .and_then(|end| head.get(end + 1..))
            .unwrap_or_default(),
    };
    vet_target(head.target)?;
    vet_fields(head.fields)?;
    make(&head)
}

impl Head<'_> {
    /// Whether it is a GET after which the connection goes on, as nearly all are.
    pub(super) fn is_plain_get(&self) -> bool {
        let goes_on = self.version == Version::HTTP_11 && !reply::names(self.fields, "close");
        self.method == "GET" && goes_on
    }

    /// The same as a request.
    pub(super) fn to_request(&self) -> Result<Request<()>, Verdict> {
        let mut request = Request::new(());
        *request.method_mut() = self.method.parse().map_err(|_| NO_HEAD)?;
        *request.uri_mut() = uri(self.target)?;
        *request.version_mut() = self.version;
        let headers = request.headers_mut();
        headers.reserve(self.fields.len());
        for field in self.fields {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| NO_HEAD)?;
            let value = HeaderValue::from_bytes(field.value).map_err(|_| NO_HEAD)?;
            headers.append(name, value);
        }
        Ok(request)
    }
}

fn vet_target(target: &str) -> Result<(), Verdict> {
    if target.len() > TARGET_BYTES_MAX {
        return Err(Verdict::TargetTooLong);
    }
    if is_plain_path(target) {
        return Ok(());
    }
    if target.contains('#') {
        // A parser would cut it off. Whether a gateway did too, or takes it for a part of the path,
        // is not known.
        return Err(Verdict::Bad("a target has no fragment"));
    }
    vet_uri(&uri(target)?)
}

fn uri(target: &str) -> Result<Uri, Verdict> {
    Uri::try_from(target).map_err(|_| Verdict::Bad("the target is no URI"))
}

/// Whether a target is a path and a query without anything odd in them, as nearly all are: a URI, of
/// which nothing else is to be judged.
fn is_plain_path(target: &str) -> bool {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-'..=b'/' | b'_' | b'%' | b'?' | b'=' | b'&')
    };
    // All of it is looked at, which is done many bytes at a time.
    let all_plain = target.bytes().fold(true, |all, byte| all & is_plain(byte));
    target.starts_with('/') && all_plain
}

/// Whether there is nothing about a target for which a request could be refused, as about nearly none.
pub(super) fn is_plain_target(target: &str) -> bool {
    target.len() <= TARGET_BYTES_MAX && is_plain_path(target)
}

/// Whether what is asked for can be meant for us: by a protocol that is ours, and without a user, whom
/// some take for a part of the host.
pub(super) fn vet_uri(uri: &Uri) -> Result<(), Verdict> {
    if ![None, Some("http"), Some("https")].contains(&uri.scheme_str()) {
        return Err(Verdict::Bad("the target is neither http nor https"));
    }
    if uri
        .authority()
        .is_some_and(|host| host.as_str().contains('@'))
    {
        return Err(Verdict::Bad("a target has no user"));
    }
    Ok(())
}

fn vet_fields(fields: &[httparse::Header<'_>]) -> Result<(), Verdict> {
    let (mut hosts, mut lengths) = (0, 0);
    for field in fields {
        if field.name.eq_ignore_ascii_case("host") {
            hosts += 1;
            vet_host(field.value)?;
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

/// Whether a `Host` is one.
pub(super) fn vet_host(host: &[u8]) -> Result<(), Verdict> {
    // RFC 3986, section 3.2.2, and the port: a list, a path or a user would mean something else to
    // somebody else.
    static OF_A_HOST: ByteSet = ByteSet::with(b".-_~:[]%!$&'()*+;=");
    if host.is_empty()
        || !OF_A_HOST.holds_all(host)
        || !port_of(host).iter().all(u8::is_ascii_digit)
    {
        return Err(Verdict::Bad("the Host is none"));
    }
    Ok(())
}

/// What stands behind the colon that is not of an address in brackets; nothing if there is none.
fn port_of(host: &[u8]) -> &[u8] {
    let address = memrchr(b']', host).map_or(0, |bracket| bracket + 1);
    let (_, behind) = host.split_at(address);
    let port = memchr(b':', behind).map(|colon| behind.split_at(colon + 1).1);
    port.unwrap_or_default()
}

/// A set of bytes. By a table: every request has some hundred of which it must be known.
struct ByteSet([bool; 256]);

impl ByteSet {
    /// ASCII letters and digits, with these.
    #[expect(
        clippy::indexing_slicing,
        reason = "it is done by the compiler, which would say so"
    )]
    const fn with(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0_u8;
        while byte.is_ascii() {
            set[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut place = 0;
        while place < others.len() {
            set[others[place] as usize] = true;
            place += 1;
        }
        Self(set)
    }

    /// Whether each byte of a text is in it.
    fn holds_all(&self, text: &[u8]) -> bool {
        let has = |byte: &u8| self.0.get(usize::from(*byte)).copied().unwrap_or_default();
        text.iter().all(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long the head is, if it may be let in.
    fn inspect_by(reader: &mut HeadReader, received: &[u8]) -> Result<Option<usize>, Verdict> {
        let head = reader.inspect(received, |head| head.to_request().map(drop))?;
        Ok(head.map(|((), length)| length))
    }

    fn inspect(received: &[u8]) -> Result<Option<usize>, Verdict> {
        inspect_by(&mut HeadReader::default(), received)
    }

    #[test]
    fn it_makes_no_difference_how_much_comes_at_a_time() {
        let long_line = format!("GET /{} HTTP/1.1\r\n", "x".repeat(9_000));
        let long_field = format!("X: {}\r\n\r\n", "x".repeat(40_000));
        for head in [
            "GET / HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: a\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            format!("{long_line}{long_field}"),
            format!("GET / HTTP/1.1\r\n{long_field}"),
        ] {
            for step in [1, 7, 1_000] {
                let mut reader = HeadReader::default();
                let lengths = (1..head.len()).step_by(step).chain([head.len()]);
                let mut verdicts =
                    lengths.map(|end| inspect_by(&mut reader, &head.as_bytes()[..end]));
                let decided = verdicts.find(|verdict| *verdict != Ok(None));
                assert_eq!(
                    decided,
                    Some(inspect(head.as_bytes())),
                    "{step} bytes at a time"
                );
            }
        }
    }

    #[test]
    fn a_stand_in_keeps_the_method_and_the_request_id() {
        for (refused, method, ids) in [
            (
                "HEAD / HTTP/1.1\r\nX-Request-ID: abc \r\n\r\n",
                Method::HEAD,
                &["abc"][..],
            ),
            (
                "POST / HTTP/1.1\r\nX-Request-Id: a\r\nx-request-id:b",
                Method::GET,
                &["a", "b"],
            ),
            ("X-Request-Id: first line", Method::GET, &[]),
            (
                "GET / HTTP/1.1\r\nX-Request-Id: a\r\n\r\nGET / HTTP/1.1\r\nX-Request-Id: b\r\n\r\n",
                Method::GET,
                &["a"],
            ),
            (
                "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nX-Request-Id: b\r\n\r\n",
                Method::GET,
                &[],
            ),
        ] {
            let request = stand_in(refused.as_bytes());
            let kept: Vec<_> = request.headers().get_all(X_REQUEST_ID).iter().collect();
            assert_eq!(*request.method(), method);
            assert_eq!(kept, ids);
        }
    }

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
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: [::1]:x\r\n\r\n",
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
            "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET ws://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(
                matches!(inspect(head.as_bytes()), Err(Verdict::Bad(_))),
                "{head:?}"
            );
        }
    }

    #[test]
    fn a_host_may_have_a_port_and_be_an_address() {
        for host in [
            "a",
            "a:80",
            "a:",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:80",
            "A-b.c_d:1",
        ] {
            let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(inspect(head.as_bytes()), Ok(Some(head.len())), "{host}");
        }
    }

    #[test]
    fn a_head_that_grows_too_large_is_refused_before_it_is_complete() {
        let long_target = format!("GET /{}", "x".repeat(33_000));
        let long_field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(33_000));
        let many_fields = format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: 1\r\n".repeat(100)
        );

        assert_eq!(inspect(long_target.as_bytes()), Err(Verdict::TargetTooLong));
        assert_eq!(inspect(long_field.as_bytes()), Err(Verdict::HeadTooLarge));
        assert_eq!(inspect(many_fields.as_bytes()), Err(Verdict::HeadTooLarge));
    }

    #[test]
    fn a_head_as_large_as_allowed_is_let_in_and_none_that_is_larger() {
        let of_target = |bytes: usize| {
            let (target, fields) = ("x".repeat(bytes - 1), "X: 1\r\n".repeat(FIELDS_MAX - 1));
            format!("GET /{target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
        };
        let of_bytes = |bytes: usize| {
            let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
            let long = "x".repeat(bytes - frame);
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")
        };
        for (head, verdict) in [
            (of_target(8_192), None),
            (of_target(8_193), Some(Verdict::TargetTooLong)),
            // Told of its target, however long the whole is.
            (of_target(20_000), Some(Verdict::TargetTooLong)),
            (of_bytes(32_768), None),
            (of_bytes(32_769), Some(Verdict::HeadTooLarge)),
        ] {
            let expected = verdict.map_or(Ok(Some(head.len())), Err);
            assert_eq!(inspect(head.as_bytes()), expected, "{} bytes", head.len());
        }
    }
}
