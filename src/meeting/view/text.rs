//! A finished body: its bytes, their digest, and their compressed forms once somebody asked.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::digest::sha256;

/// A body that is not larger than this is not worth compressing.
const WORTH_COMPRESSING: usize = 1024;

/// zstd's own default: a good ratio, and fast.
const ZSTD_LEVEL: i32 = 3;

/// How the bytes of a body are written (RFC 9110, section 8.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// With gzip.
    Gzip,
    /// As they are.
    Identity,
    /// With Zstandard.
    Zstd,
}

/// A finished body.
#[derive(Debug)]
pub struct Text {
    identity: Bytes,
    digest: [u8; 16],
    /// There once somebody asked for one of them: most are never asked for, and take no room.
    compressed: OnceLock<Box<Compressed>>,
}

/// The compressed forms of a body. `None` inside: compressed, it would not be smaller.
#[derive(Debug, Default)]
struct Compressed {
    gzip: OnceLock<Option<Bytes>>,
    zstd: OnceLock<Option<Bytes>>,
}

impl Text {
    /// The body that is these bytes, of which it keeps a copy.
    pub fn new(bytes: &[u8]) -> Self {
        let mut digest = [0; 16];
        digest
            .iter_mut()
            .zip(sha256(bytes))
            .for_each(|(ours, theirs)| *ours = theirs);
        Self {
            identity: exactly(bytes),
            digest,
            compressed: OnceLock::new(),
        }
    }

    /// What tells these bytes from any others: the first half of their SHA-256.
    pub fn digest(&self) -> [u8; 16] {
        self.digest
    }

    /// The bytes as they are.
    pub fn bytes(&self) -> &Bytes {
        &self.identity
    }

    /// The bytes in this encoding, or as they are where it gains nothing; and which it is.
    pub fn encoded(&self, encoding: Encoding) -> (Encoding, &Bytes) {
        let worth_it = self.is_worth_compressing();
        let compressed = match encoding {
            Encoding::Gzip if worth_it => self
                .compressed()
                .gzip
                .get_or_init(|| self.compress(gzip))
                .as_ref(),
            Encoding::Zstd if worth_it => self
                .compressed()
                .zstd
                .get_or_init(|| self.compress(zstd))
                .as_ref(),
            Encoding::Gzip | Encoding::Identity | Encoding::Zstd => None,
        };
        compressed.map_or((Encoding::Identity, &self.identity), |bytes| {
            (encoding, bytes)
        })
    }

    /// Whether the bytes are there in this encoding, or it is known to gain nothing.
    pub(super) fn has(&self, encoding: Encoding) -> bool {
        let compressed = self.compressed.get();
        let form = |form: fn(&Compressed) -> &OnceLock<Option<Bytes>>| {
            let is_made = compressed.is_some_and(|compressed| form(compressed).get().is_some());
            is_made || !self.is_worth_compressing()
        };
        match encoding {
            Encoding::Gzip => form(|compressed| &compressed.gzip),
            Encoding::Identity => true,
            Encoding::Zstd => form(|compressed| &compressed.zstd),
        }
    }

    fn is_worth_compressing(&self) -> bool {
        self.identity.len() > WORTH_COMPRESSING
    }

    /// Bytes of the form in this encoding, if it was made.
    pub(super) fn compressed_bytes(&self, encoding: Encoding) -> Option<usize> {
        let compressed = self.compressed.get()?;
        let form = match encoding {
            Encoding::Gzip => compressed.gzip.get(),
            Encoding::Identity => None,
            Encoding::Zstd => compressed.zstd.get(),
        };
        Some(form?.as_ref()?.len())
    }

    /// Bytes in memory besides its own size, compressed forms included.
    pub(super) fn heap_bytes(&self) -> usize {
        let compressed = self.compressed.get().map_or(0, |compressed| {
            let forms = [&compressed.gzip, &compressed.zstd].into_iter();
            let forms = forms.filter_map(|form| form.get()?.as_ref());
            size_of::<Compressed>() + forms.map(Bytes::len).sum::<usize>()
        });
        self.identity.len() + compressed
    }

    fn compressed(&self) -> &Compressed {
        self.compressed.get_or_init(Box::default)
    }

    fn compress(&self, compress: fn(&[u8]) -> std::io::Result<Vec<u8>>) -> Option<Bytes> {
        // Into memory, it cannot fail; if it did, the bytes would go out as they are.
        let bytes = compress(&self.identity).ok()?;
        (bytes.len() < self.identity.len()).then(|| exactly(&bytes))
    }
}

/// A copy that takes exactly its length. Shrinking the buffer in its place would leave a hole behind
/// it, or keep its whole size class: measured, a kept body then takes twice its bytes.
fn exactly(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn zstd(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(bytes, ZSTD_LEVEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_compressed_if_it_is_over_a_kibibyte() {
        for (length, expected) in [(1_024, Encoding::Identity), (1_025, Encoding::Gzip)] {
            let text = Text::new(&vec![b'x'; length]);

            let (encoding, _) = text.encoded(Encoding::Gzip);

            assert_eq!(encoding, expected, "{length} bytes");
            assert!(text.has(Encoding::Gzip), "{length} bytes");
        }
    }
}
