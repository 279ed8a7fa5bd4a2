//! Answers too big to take, made as they are sent. Knows no meeting.

use std::io;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;

use super::flow::Piece;

const OPENING: &[u8] = br#"{"errcode":0,"errmsg":"ok","title":""#;
const CLOSING: &[u8] = br#""}"#;
const BLOCK_BYTES: u64 = 64 * 1024;
const FILLING: u8 = b'x';

/// A gzip member's head: deflate, no flags, no time, no particular system (RFC 1952, 2.3).
const GZIP_HEAD: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty last block, which ends a deflate stream (RFC 1951, 3.2.6).
const DEFLATE_END: &[u8] = &[3, 0];

/// A meeting with so long a title that it takes `bytes`: an answer that is only too big, so that
/// a client without a limit takes it all in.
pub(super) fn huge(bytes: u64) -> Vec<Piece> {
    let frame_bytes = u64::try_from(OPENING.len() + CLOSING.len()).unwrap_or_default();
    let filling_bytes = bytes.saturating_sub(frame_bytes);
    vec![
        Piece::once(OPENING),
        Piece {
            bytes: filling(BLOCK_BYTES),
            times: filling_bytes / BLOCK_BYTES,
        },
        Piece::once(filling(filling_bytes % BLOCK_BYTES)),
        Piece::once(CLOSING),
    ]
}

/// The same, gzipped.
///
/// Each piece is compressed alone and ends on a byte's edge, looking back at nothing: so it can
/// be sent as often as the piece it came from, and nothing big is ever compressed or held.
pub(super) fn gzip_bomb(bytes: u64) -> io::Result<Vec<Piece>> {
    let mut sum = Crc::new();
    let mut compressed = vec![Piece::once(GZIP_HEAD)];
    for Piece { bytes, times } in huge(bytes) {
        let mut sum_of_piece = Crc::new();
        sum_of_piece.update(&bytes);
        for _ in 0..times {
            sum.combine(&sum_of_piece);
        }
        let bytes = deflated(&bytes)?;
        compressed.push(Piece { bytes, times });
    }
    let tail = [
        DEFLATE_END,
        &sum.sum().to_le_bytes(),
        &sum.amount().to_le_bytes(),
    ];
    compressed.push(Piece::once(tail.concat()));
    Ok(compressed)
}

fn filling(bytes: u64) -> Bytes {
    let bytes = usize::try_from(bytes).unwrap_or_default();
    vec![FILLING; bytes].into()
}

/// Not ended, but flushed to a byte's edge.
fn deflated(bytes: &[u8]) -> io::Result<Bytes> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.flush()?;
    Ok(Bytes::copy_from_slice(encoder.get_ref()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn sent(pieces: &[Piece]) -> Vec<u8> {
        let times = |piece: &Piece| usize::try_from(piece.times).unwrap();
        let pieces = pieces.iter().map(|piece| piece.bytes.repeat(times(piece)));
        pieces.collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_huge_answer_is_a_json_object_of_the_size_asked_for() {
        for bytes in [38, 1000, 65_536, 65_574, 1_000_000] {
            let answer = sent(&huge(bytes));

            assert_eq!(answer.len() as u64, bytes, "of {bytes} bytes");
            let meeting: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            assert_eq!(meeting["errcode"], 0, "of {bytes} bytes");
        }
    }

    #[test]
    fn a_gzip_bomb_unpacks_to_the_huge_answer() {
        let bomb = sent(&gzip_bomb(5_000_000).unwrap());

        assert!(bomb.len() < 10_000, "{} bytes", bomb.len());
        let mut unpacked = Vec::new();
        let mut decoder = GzDecoder::new(bomb.as_slice());
        decoder.read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == sent(&huge(5_000_000)));
    }
}
