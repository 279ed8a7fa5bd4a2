//! Requests, to be measured.

#![expect(
    clippy::expect_used,
    reason = "where there is nothing to be measured, the run ends"
)]

use std::hint::black_box;

use super::head::HeadReader;

pub(crate) use super::access::measuring::authenticate;

/// As a gateway sends it.
pub(crate) fn head() -> Box<dyn FnMut()> {
    let head = concat!(
        "GET /meetings/hyXG0RCQAAogMgFb9Tx_b-1-lhJRWvvg HTTP/1.1\r\n",
        "Host: meetings.internal:8080\r\n",
        "Authorization: Bearer kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\r\n",
        "User-Agent: calendar/3.2\r\n",
        "Accept: */*\r\n",
        "Accept-Encoding: gzip, deflate\r\n",
        "X-Request-Id: 01a223cf-b20a-713e-a040-0b577cc6dd30\r\n",
        "\r\n"
    );
    Box::new(move || {
        let mut reader = HeadReader::default();
        let read = reader.inspect(black_box(head.as_bytes()), |head| Ok(head.is_plain_get()));
        assert_eq!(read.expect("good"), Some((true, head.len())));
    })
}
