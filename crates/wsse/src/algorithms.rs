//! The algorithms that are allowed, by their identifiers. All others are refused.

use std::fmt;

use rsa::{Pkcs1v15Sign, Pss};
use rsa_fma::PublicKey;
#[cfg(feature = "sign")]
use rsa_fma::{PrivateKey, Signature};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::c14n::Sink;

/// A hash function, of a digest or of an RSA PKCS#1 v1.5 signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hash {
    /// SHA-1, for peers that sign with nothing else.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    const ALL: [Hash; 4] = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];

    /// The `DigestMethod` (XML Signature 1.1 section 6.2; RFC 6931 section 2.1).
    pub(crate) fn digest_uri(self) -> &'static str {
        match self {
            Hash::Sha1 => "http://www.w3.org/2000/09/xmldsig#sha1",
            Hash::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Hash::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
            Hash::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        }
    }

    pub(crate) fn from_digest_uri(uri: &str) -> Option<Hash> {
        Hash::ALL.into_iter().find(|hash| hash.digest_uri() == uri)
    }

    pub(crate) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut hasher = self.hasher();
        hasher.write(bytes);
        hasher.finish()
    }

    pub(crate) fn hasher(self) -> Hasher {
        match self {
            Hash::Sha1 => Hasher::Sha1(Sha1::new()),
            Hash::Sha256 => Hasher::Sha256(Sha256::new()),
            Hash::Sha384 => Hasher::Sha384(Sha384::new()),
            Hash::Sha512 => Hasher::Sha512(Sha512::new()),
        }
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.1) over a digest that this hash made.
    #[cfg(feature = "sign")]
    pub(crate) fn sign(self, key: &PrivateKey, digest: &[u8]) -> rsa::Result<Signature> {
        #[cfg(feature = "simulation")]
        if let Some(bytes) = crate::simulation::signature(key.public_key(), digest) {
            return Ok(Signature {
                bytes,
                miscomputed: Vec::new(),
            });
        }
        key.sign(&self.scheme(), digest)
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2.2) over a digest that this hash made.
    pub(crate) fn verify(self, key: &PublicKey, digest: &[u8], signature: &[u8]) -> bool {
        #[cfg(feature = "simulation")]
        if let Some(bytes) = crate::simulation::signature(key, digest) {
            return bytes == signature;
        }
        key.verify(&self.scheme(), digest, signature)
    }

    fn scheme(self) -> Pkcs1v15Sign {
        match self {
            Hash::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
            Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
            Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        }
    }
}

/// The method by which a signature value is made of a digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SignatureMethod {
    /// RSASSA-PKCS1-v1_5.
    Pkcs1(Hash),
    /// RSASSA-PSS with MGF1 of the same hash and a salt of its length; not with SHA-1.
    Pss(Hash),
}

impl SignatureMethod {
    const ALL: [SignatureMethod; 7] = [
        SignatureMethod::Pkcs1(Hash::Sha1),
        SignatureMethod::Pkcs1(Hash::Sha256),
        SignatureMethod::Pkcs1(Hash::Sha384),
        SignatureMethod::Pkcs1(Hash::Sha512),
        SignatureMethod::Pss(Hash::Sha256),
        SignatureMethod::Pss(Hash::Sha384),
        SignatureMethod::Pss(Hash::Sha512),
    ];

    pub(crate) fn from_uri(uri: &str) -> Option<SignatureMethod> {
        let mut all = SignatureMethod::ALL.into_iter();
        all.find(|method| method.uri() == uri)
    }

    /// The identifier (XML Signature 1.1 section 6.4.2; RFC 9231 sections 2.3.2 to 2.3.4 and
    /// 2.3.10).
    pub(crate) fn uri(self) -> &'static str {
        match self {
            SignatureMethod::Pkcs1(Hash::Sha1) => "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            SignatureMethod::Pkcs1(Hash::Sha256) => {
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
            }
            SignatureMethod::Pkcs1(Hash::Sha384) => {
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384"
            }
            SignatureMethod::Pkcs1(Hash::Sha512) => {
                "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"
            }
            SignatureMethod::Pss(Hash::Sha1) => {
                "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1"
            }
            SignatureMethod::Pss(Hash::Sha256) => {
                "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"
            }
            SignatureMethod::Pss(Hash::Sha384) => {
                "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1"
            }
            SignatureMethod::Pss(Hash::Sha512) => {
                "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"
            }
        }
    }

    pub(crate) fn hash(self) -> Hash {
        match self {
            SignatureMethod::Pkcs1(hash) | SignatureMethod::Pss(hash) => hash,
        }
    }

    /// RFC 8017 sections 8.2.2 and 8.1.2, over a digest that this method's hash made.
    pub(crate) fn verify(self, key: &PublicKey, digest: &[u8], signature: &[u8]) -> bool {
        let rsa = key.as_rsa();
        match self {
            SignatureMethod::Pkcs1(hash) => return hash.verify(key, digest, signature),
            SignatureMethod::Pss(Hash::Sha1) => return false,
            SignatureMethod::Pss(Hash::Sha256) => {
                rsa.verify(Pss::<Sha256>::new(), digest, signature)
            }
            SignatureMethod::Pss(Hash::Sha384) => {
                rsa.verify(Pss::<Sha384>::new(), digest, signature)
            }
            SignatureMethod::Pss(Hash::Sha512) => {
                rsa.verify(Pss::<Sha512>::new(), digest, signature)
            }
        }
        .is_ok()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hash::Sha1 => "sha1",
            Hash::Sha256 => "sha256",
            Hash::Sha384 => "sha384",
            Hash::Sha512 => "sha512",
        })
    }
}

/// A digest in the making.
pub(crate) enum Hasher {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Hasher::Sha1(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha256(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha384(hasher) => hasher.finalize().to_vec(),
            Hasher::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

impl Sink for Hasher {
    fn write(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha1(hasher) => hasher.update(bytes),
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha384(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }
}

/// The hashes of a signature: the one that RSA signs, and the one of the Body's
/// digest. Displayed as `rsa-sha256`, or `rsa-sha256 with sha1` where they differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Algorithms {
    /// Hash of the `SignatureMethod`.
    pub signature: Hash,
    /// Hash of the `DigestMethod`.
    pub digest: Hash,
}

impl Algorithms {
    /// RSA-SHA1 with SHA-1 digests: the WS-SecurityPolicy suite Basic256.
    pub const SHA1: Algorithms = Algorithms::new(Hash::Sha1);
    /// RSA-SHA256 with SHA-256 digests.
    pub const SHA256: Algorithms = Algorithms::new(Hash::Sha256);

    /// One hash for both.
    pub const fn new(hash: Hash) -> Algorithms {
        Algorithms {
            signature: hash,
            digest: hash,
        }
    }
}

impl fmt::Display for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rsa-{}", self.signature)?;
        if self.digest != self.signature {
            write!(f, " with {}", self.digest)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_read_back() {
        for hash in Hash::ALL {
            assert_eq!(Hash::from_digest_uri(hash.digest_uri()), Some(hash));
        }
        for method in SignatureMethod::ALL {
            assert_eq!(SignatureMethod::from_uri(method.uri()), Some(method));
            assert_eq!(Hash::from_digest_uri(method.uri()), None);
        }
        assert_eq!(SignatureMethod::from_uri(""), None);
        let sha1 = SignatureMethod::Pss(Hash::Sha1);
        assert_eq!(SignatureMethod::from_uri(sha1.uri()), None);
    }

    #[test]
    fn algorithms_are_shown_in_few_words() {
        assert_eq!(Algorithms::SHA1.to_string(), "rsa-sha1");
        let mixed = Algorithms {
            signature: Hash::Sha512,
            digest: Hash::Sha256,
        };
        assert_eq!(mixed.to_string(), "rsa-sha512 with sha256");
    }
}
