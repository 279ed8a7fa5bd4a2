//! A finished body: its bytes, their digest, and their compressed forms once somebody asked.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::Digest as _;
use sha2::Sha256;

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
    /// `None` inside: compressed, it would not be smaller.
    gzip: OnceLock<Option<Bytes>>,
    zstd: OnceLock<Option<Bytes>>,
}

impl Text {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let mut digest = [0; 16];
        digest
            .iter_mut()
            .zip(sha256)
            .for_each(|(ours, theirs)| *ours = theirs);
        // Exactly as long as it is: what a buffer has in reserve would be kept for nothing.
        let identity = Bytes::from(bytes.into_boxed_slice());
        Self {
            identity,
            digest,
            gzip: OnceLock::new(),
            zstd: OnceLock::new(),
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
        let compressed = match encoding {
            _ if self.identity.len() <= WORTH_COMPRESSING => None,
            Encoding::Identity => None,
            Encoding::Gzip => self.gzip.get_or_init(|| self.compressed(gzip)).as_ref(),
            Encoding::Zstd => self.zstd.get_or_init(|| self.compressed(zstd)).as_ref(),
        };
        compressed.map_or((Encoding::Identity, &self.identity), |bytes| {
            (encoding, bytes)
        })
    }

    /// Bytes in memory, compressed forms included.
    pub(super) fn size(&self) -> usize {
        let compressed = [&self.gzip, &self.zstd]
            .into_iter()
            .filter_map(|form| form.get()?.as_ref());
        size_of::<Self>() + self.identity.len() + compressed.map(Bytes::len).sum::<usize>()
    }

    fn compressed(&self, compress: fn(&[u8]) -> std::io::Result<Vec<u8>>) -> Option<Bytes> {
        // Into memory, it cannot fail; if it did, the bytes would go out as they are.
        let bytes = compress(&self.identity).ok()?;
        (bytes.len() < self.identity.len()).then(|| Bytes::from(bytes.into_boxed_slice()))
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn zstd(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(bytes, ZSTD_LEVEL)
}
