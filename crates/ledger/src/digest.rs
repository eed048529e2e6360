//! Digests in the form of records and logs.

/// Lower-case hexadecimal.
pub use base16ct::lower::encode_string as hex;
use sha2::{Digest, Sha256};

/// SHA-256 of `bytes`, in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
