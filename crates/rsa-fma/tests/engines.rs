//! Every engine against the crate `rsa` and OpenSSL.

use std::io::Write;
use std::process::{Command, Stdio};

use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Pkcs1v15Sign, PrivateKey as RsaPrivateKey};
use rsa_fma::{Engine, PrivateKey, PublicKey};
use sha2::{Digest, Sha256};

const KEYS: [&str; 3] = [
    include_str!("data/2048.pem"),
    include_str!("data/3072.pem"),
    include_str!("data/4096.pem"),
];

fn key(pem: &str) -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_pem(pem).unwrap()
}

#[test]
fn every_engine_makes_the_signature_of_openssl() {
    if Command::new("openssl").arg("version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "no openssl");
        return eprintln!("left out: no openssl");
    }
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    for (bits, pem) in ["2048", "3072", "4096"].into_iter().zip(KEYS) {
        let keys = Engine::ALL
            .iter()
            .map(|&engine| PrivateKey::with_engine(key(pem), engine));
        let keys: Vec<_> = keys.collect();
        for message in 0..20 {
            let message = format!("message {message}");
            let expected = openssl(bits, &message);
            let digest = Sha256::digest(&message);
            for key in &keys {
                assert_eq!(
                    key.sign(&scheme, &digest).unwrap().bytes,
                    expected,
                    "{key:?}"
                );
                assert!(
                    key.public_key().verify(&scheme, &digest, &expected),
                    "{key:?}"
                );
            }
        }
    }
}

fn openssl(bits: &str, message: &str) -> Vec<u8> {
    let pem = format!("{}/tests/data/{bits}.pem", env!("CARGO_MANIFEST_DIR"));
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", &pem])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = openssl.stdin.take().unwrap();
    stdin.write_all(message.as_bytes()).unwrap();
    drop(stdin);
    openssl.wait_with_output().unwrap().stdout
}

#[test]
fn keys_that_no_engine_is_made_for_sign_and_verify_all_the_same() {
    let usual = key(KEYS[0]);
    let other_exponent = {
        let primes = usual.primes().iter().map(|prime| prime.as_ref().clone());
        RsaPrivateKey::from_primes(primes.collect(), BoxedUint::from(257u32))
    };
    // 257 need not be prime to p − 1, but is for this key.
    let other_exponent = other_exponent.unwrap();
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    let digest = Sha256::digest(b"message");
    for &engine in Engine::ALL {
        let private = PrivateKey::with_engine(other_exponent.clone(), engine);
        let signature = private.sign(&scheme, &digest).unwrap();
        let expected = other_exponent.sign(scheme.clone(), &digest).unwrap();
        assert_eq!((signature.bytes, signature.miscomputed), (expected, vec![]));
    }
}

#[test]
fn a_digest_of_another_length_than_the_scheme_names_is_not_signed() {
    let private = PrivateKey::new(key(KEYS[0]));
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    assert!(private.sign(&scheme, &[0; 31]).is_err());
    let long = Pkcs1v15Sign::new_unprefixed();
    assert!(private.sign(&long, &[1; 245]).is_ok());
    assert!(private.sign(&long, &[1; 246]).is_err());
}

#[test]
fn signatures_of_another_length_are_not_verified() {
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    let digest = Sha256::digest(b"message");
    for &engine in Engine::ALL {
        let private = PrivateKey::with_engine(key(KEYS[0]), engine);
        let signature = private.sign(&scheme, &digest).unwrap().bytes;
        let mut longer = vec![0];
        longer.extend(&signature);
        for wrong in [&longer[..], &signature[1..], &[]] {
            assert!(!private.public_key().verify(&scheme, &digest, wrong));
        }
        assert!(!private.public_key().verify(&scheme, &digest, &[0; 256]));
        assert!(!private.public_key().verify(&scheme, &digest, &[0xff; 256]));
    }
}

#[test]
fn the_private_key_is_not_shown() {
    let shown = format!("{:?}", PrivateKey::new(key(KEYS[0])));
    assert!(
        !shown.contains("power") && !shown.contains("primes"),
        "{shown}"
    );
}

#[test]
fn a_signature_with_the_modulus_added_is_not_verified() {
    let scheme = Pkcs1v15Sign::new::<Sha256>();
    let signer = key(KEYS[0]);
    let n = signer.n_bytes();
    // RFC 8017 section 5.2.2. One signature in five has room for the sum.
    let (digest, sum) = (0u32..)
        .find_map(|message| {
            let digest = Sha256::digest(message.to_be_bytes());
            let mut sum = signer.sign(scheme.clone(), &digest).unwrap();
            let mut carry = 0;
            for (byte, n) in sum.iter_mut().zip(&n).rev() {
                let total = u16::from(*byte) + u16::from(*n) + carry;
                (*byte, carry) = (total as u8, total >> 8);
            }
            (carry == 0).then_some((digest, sum))
        })
        .unwrap();
    for &engine in Engine::ALL {
        let public = PublicKey::with_engine(signer.to_public_key(), engine);
        assert!(!public.verify(&scheme, &digest, &sum), "{engine}");
    }
}
