//! What is told by the frames of HTTP/2, which the server reads by itself: where a head begins and
//! ends; and whether the head of a request that came in frames may be let in.
//!
//! Pure: bytes in, a place out; and a request in, a verdict out. What the frames hold, and whether
//! they are well-formed, is the server's business: a head is seen only when the server has read it,
//! and what is left to be judged are the bounds that HTTP/1.1 has, and that it is clear who is asked.
//! (A fragment in the target is gone by then.)

use http::HeaderMap;
use http::Request;
use http::Version;
use http::header;
use http::uri::Authority;

use super::head;
use super::head::FIELDS_MAX;
use super::head::HEAD_BYTES_MAX;
use super::head::TARGET_BYTES_MAX;
use super::head::Verdict;
use super::patience::Midst;

/// Bytes of what each frame begins with (RFC 9113, section 4.1).
const FRAME_HEAD_BYTES: usize = 9;

/// Kinds of frame that bodies and heads come in, and the flag of the last one of a head.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Follows where frames and heads begin and end, as they come.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    /// What has come of what the frame begins with, and how much that is.
    frame_head: u128,
    frame_head_bytes: usize,
    /// How much of the frame is to come after that.
    bytes_left: usize,
    stage: Stage,
}

/// What the frames before have come to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Stage {
    /// Nothing: the first frame belongs to how a connection begins.
    #[default]
    Beginning,
    /// No head is under way.
    Between,
    /// A head is continued in the next frame.
    WithinHead,
}

/// What became complete.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Complete {
    Nothing,
    Frame,
    /// A frame with some of a body.
    Data,
    Head,
}

impl FrameReader {
    /// Follows on through what has just been received. The most that became complete.
    pub(super) fn follow(&mut self, mut received: &[u8]) -> Complete {
        let mut complete = Complete::Nothing;
        while let Some((&byte, rest)) = received.split_first() {
            if self.frame_head_bytes < FRAME_HEAD_BYTES {
                self.frame_head = self.frame_head << 8 | u128::from(byte);
                self.frame_head_bytes += 1;
                received = rest;
                if self.frame_head_bytes == FRAME_HEAD_BYTES {
                    self.bytes_left = self.length();
                }
            } else {
                let length = self.bytes_left.min(received.len());
                received = received.get(length..).unwrap_or_default();
                self.bytes_left -= length;
            }
            if self.frame_head_bytes == FRAME_HEAD_BYTES && self.bytes_left == 0 {
                complete = complete.max(self.end_frame());
            }
        }
        complete
    }

    /// What the last of the bytes was in the middle of.
    pub(super) fn midst(&self) -> Midst {
        let knows_kind = self.frame_head_bytes == FRAME_HEAD_BYTES;
        match self.stage {
            Stage::Beginning | Stage::WithinHead => Midst::Head,
            Stage::Between if knows_kind && self.kind() == HEADERS => Midst::Head,
            Stage::Between if self.frame_head_bytes > 0 => Midst::Frame,
            Stage::Between => Midst::Nothing,
        }
    }

    fn end_frame(&mut self) -> Complete {
        let continues = self.stage == Stage::WithinHead;
        let is_of_head = match self.kind() {
            HEADERS => true,
            CONTINUATION => continues,
            _ => false,
        };
        self.frame_head_bytes = 0;
        if is_of_head && self.flags() & END_HEADERS != 0 {
            self.stage = Stage::Between;
            return Complete::Head;
        }
        // No other frame may come in between: the server sees to that.
        self.stage = if is_of_head || continues {
            Stage::WithinHead
        } else {
            Stage::Between
        };
        if self.kind() == DATA {
            Complete::Data
        } else {
            Complete::Frame
        }
    }

    fn length(&self) -> usize {
        let [.., high, middle, low, _, _, _, _, _, _] = self.frame_head.to_be_bytes();
        let length = u32::from_be_bytes([0, high, middle, low]);
        usize::try_from(length).unwrap_or(usize::MAX)
    }

    fn kind(&self) -> u8 {
        let [.., kind, _, _, _, _, _] = self.frame_head.to_be_bytes();
        kind
    }

    fn flags(&self) -> u8 {
        let [.., flags, _, _, _, _] = self.frame_head.to_be_bytes();
        flags
    }
}

/// Whether a request may be let in whose head came in frames. One of HTTP/1.1 was vetted before.
pub(super) fn vet<B>(request: &Request<B>) -> Result<(), Verdict> {
    if request.version() != Version::HTTP_2 {
        return Ok(());
    }
    let (uri, fields) = (request.uri(), request.headers());
    let target_bytes = uri.path_and_query().map_or(0, |it| it.as_str().len());
    if target_bytes > TARGET_BYTES_MAX {
        return Err(Verdict::TargetTooLong);
    }
    if fields.len() > FIELDS_MAX || head_bytes(request) > HEAD_BYTES_MAX {
        return Err(Verdict::HeadTooLarge);
    }
    head::vet_uri(uri)?;
    vet_host(uri.authority(), fields)?;
    if announces_body(fields) {
        return Err(Verdict::Bad(
            "no request here has a body: no Content-Length but 0 is taken",
        ));
    }
    Ok(())
}

/// So many bytes it would have in HTTP/1.1.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |it| it.as_str().len());
    let host = uri
        .authority()
        .map_or(0, |it| field_bytes("host", it.as_str().as_bytes()));
    let fields = request.headers().iter();
    let fields: usize = fields
        .map(|(name, value)| field_bytes(name.as_str(), value.as_bytes()))
        .sum();
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    line + host + fields + "\r\n".len()
}

fn field_bytes(name: &str, value: &[u8]) -> usize {
    name.len() + value.len() + ": \r\n".len()
}

/// Somebody else may look at the authority alone, or at the `Host` (RFC 9113, section 8.3.1).
fn vet_host(authority: Option<&Authority>, fields: &HeaderMap) -> Result<(), Verdict> {
    let mut hosts = fields.get_all(header::HOST).iter();
    match (authority, hosts.next(), hosts.next()) {
        (Some(_), None, _) => Ok(()),
        (Some(authority), Some(host), None)
            if host
                .as_bytes()
                .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Ok(())
        }
        (None, Some(host), None) => head::vet_host(host.as_bytes()),
        _ => Err(Verdict::Bad("there must be exactly one Host")),
    }
}

fn announces_body(fields: &HeaderMap) -> bool {
    let mut lengths = fields.get_all(header::CONTENT_LENGTH).into_iter();
    lengths.any(|length| length != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, length: u8) -> Vec<u8> {
        let head = [0, 0, length, kind, flags, 0, 0, 0, 1];
        [&head[..], &vec![0xff; length.into()]].concat()
    }

    /// One that has seen the first frame.
    fn reader() -> FrameReader {
        let mut reader = FrameReader::default();
        assert_eq!(reader.midst(), Midst::Head);
        assert_eq!(reader.follow(&frame(4, 0, 6)), Complete::Frame);
        assert_eq!(reader.midst(), Midst::Nothing);
        reader
    }

    #[test]
    fn a_head_is_complete_with_the_last_of_its_frames() {
        let mut reader = reader();

        assert_eq!(reader.follow(&frame(HEADERS, 1, 3)), Complete::Frame);
        assert_eq!(reader.midst(), Midst::Head);
        assert_eq!(reader.follow(&frame(CONTINUATION, 0, 0)), Complete::Frame);
        assert_eq!(reader.midst(), Midst::Head);
        let last = frame(CONTINUATION, END_HEADERS, 200);
        assert_eq!(reader.follow(&last), Complete::Head);
        assert_eq!(reader.midst(), Midst::Nothing);
        let both = [frame(HEADERS, END_HEADERS, 9), frame(PING, 0, 8)].concat();
        assert_eq!(reader.follow(&both), Complete::Head);
        assert_eq!(reader.midst(), Midst::Nothing);
    }

    #[test]
    fn it_makes_no_difference_how_much_comes_at_a_time() {
        for (frame, midst, complete) in [
            (frame(HEADERS, END_HEADERS, 7), Midst::Head, Complete::Head),
            (frame(PING, END_HEADERS, 8), Midst::Frame, Complete::Frame),
            (frame(DATA, 1, 255), Midst::Frame, Complete::Data),
        ] {
            for step in [1, 2, 5, 11] {
                let mut reader = reader();
                let mut chunks: Vec<&[u8]> = frame.chunks(step).collect();
                let last = chunks.pop().expect("some");
                for chunk in chunks {
                    assert_eq!(reader.follow(chunk), Complete::Nothing);
                    let knows_kind = reader.frame_head_bytes == FRAME_HEAD_BYTES;
                    let expected = if knows_kind { midst } else { Midst::Frame };
                    assert_eq!(reader.midst(), expected, "{step} at a time");
                }
                assert_eq!(reader.follow(last), complete, "{step} at a time");
                assert_eq!(reader.midst(), Midst::Nothing, "{step} at a time");
            }
        }
    }
}
