//! SHA-256, by the stack that TLS is on: it knows what the processor is good at.

use ring::digest::SHA256;
use ring::digest::SHA256_OUTPUT_LEN;

/// The SHA-256 of these bytes.
pub fn sha256(bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut digest = [0; SHA256_OUTPUT_LEN];
    digest.copy_from_slice(ring::digest::digest(&SHA256, bytes).as_ref());
    digest
}
