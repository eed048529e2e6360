use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rsa::pkcs8::DecodePrivateKey;
use rsa::{Pkcs1v15Sign, PrivateKey as RsaPrivateKey};
use rsa_fma::{Engine, PrivateKey, PublicKey, contract};
use sha1::{Digest, Sha1};
use wsse::{
    Algorithms, Certificate, Content, Document, Envelope, Policy, Signer, Trust, exclusive_c14n,
};

use crate::messages::{MPAY, Messages, now};
use crate::provider::{CERTIFICATE, KEY, Provider};

const KEYS: [(u32, &str); 3] = [
    (
        2048,
        include_str!("../../crates/rsa-fma/tests/data/2048.pem"),
    ),
    (
        3072,
        include_str!("../../crates/rsa-fma/tests/data/3072.pem"),
    ),
    (
        4096,
        include_str!("../../crates/rsa-fma/tests/data/4096.pem"),
    ),
];

/// A piece of work.
pub struct Step {
    /// Its name.
    pub name: String,
    work: Box<dyn FnMut()>,
}

impl Step {
    fn new<T>(name: impl Into<String>, mut work: impl FnMut() -> T + 'static) -> Step {
        Step {
            name: name.into(),
            work: Box::new(move || drop(black_box(work()))),
        }
    }

    /// Does the work once.
    ///
    /// # Panics
    /// If it comes to another end than it should.
    pub fn run(&mut self) {
        (self.work)();
    }
}

/// The steps, small ones first, with RSA computed by `engine`.
///
/// # Panics
/// If one of them cannot be prepared.
pub fn steps(engine: Engine) -> Vec<Step> {
    contract::prefer(engine);
    let Messages {
        details,
        confirmation,
    } = Messages::new();
    let provider = Rc::new(Provider::new());
    let paid = Rc::new(Provider::new());
    paid.call_for_good(&confirmation);

    let mut steps = steps_of_a_request(&confirmation);
    steps.push(signing(&provider.call(&details)));
    for (name, provider, message) in [
        ("GetOrderDetails, whole", &provider, &details),
        ("ConfirmOrderPayment again, whole", &paid, &confirmation),
        (
            "ConfirmOrderPayment recorded, whole",
            &provider,
            &confirmation,
        ),
    ] {
        let (provider, message) = (Rc::clone(provider), message.clone());
        steps.push(Step::new(name, move || provider.call(&message)));
    }
    steps.extend(
        KEYS.into_iter()
            .flat_map(|(bits, pem)| rsa(engine, bits, pem)),
    );
    steps
}

fn steps_of_a_request(request: &Bytes) -> Vec<Step> {
    let (parsed, verified) = (request.clone(), request.clone());
    let document = Document::parse(request).expect("a document");
    let canonical = canonical_parts(&document);
    let policy = Policy {
        trust: Trust::pinned(Certificate::bundle_from_pem(MPAY).expect("MPay's certificate")),
        accept_sha1: true,
        clock_skew: Duration::from_secs(120),
        max_age: Duration::from_secs(1800),
    };
    vec![
        Step::new("parse", move || {
            Envelope::parse(&parsed).expect("an envelope")
        }),
        Step::new("exclusive C14N of the signed parts", move || {
            canonical_parts(&document)
        }),
        Step::new("digests of the signed parts", move || {
            canonical.each_ref().map(Sha1::digest)
        }),
        Step::new("parse and verify", move || {
            let envelope = Envelope::parse(&verified).expect("an envelope");
            envelope.verify(&policy, now()).expect("MPay's message")
        }),
    ]
}

/// Of the Body, the Timestamp and `SignedInfo`.
fn canonical_parts(message: &Document) -> [Vec<u8>; 3] {
    let at = |path: &[&str]| {
        let element = path.iter().try_fold(message.root(), |parent, name| {
            let mut children = parent.children();
            children.find(|child| child.local_name() == *name)
        });
        exclusive_c14n(element.expect("a part"), false, &[])
    };
    [
        at(&["Body"]),
        at(&["Header", "Security", "Timestamp"]),
        at(&["Header", "Security", "Signature", "SignedInfo"]),
    ]
}

fn signing(answer: &[u8]) -> Step {
    let answer = Document::parse(answer).expect("an answer");
    let body = answer.root().children().last().expect("a Body");
    let operation = body.children().next().expect("a content");
    let content = Content::of_element(operation).expect("a content");
    let signer = Signer::from_pem(KEY, CERTIFICATE).expect("a key");
    Step::new("sign an answer", move || {
        let lifetime = Duration::from_secs(300);
        let signed = signer.sign(&content, Algorithms::SHA1, now(), lifetime);
        signed.expect("a message")
    })
}

fn rsa(engine: Engine, bits: u32, pem: &str) -> [Step; 2] {
    let scheme = Pkcs1v15Sign::new::<Sha1>;
    let digest = Sha1::digest(b"message");
    let key = RsaPrivateKey::from_pkcs8_pem(pem).expect("a key");
    let [sign, verify] = ["sign", "verify"].map(|what| format!("RSA-{bits} {what}"));
    let signature = key.sign(scheme(), &digest).expect("a signature");
    let public = PublicKey::new(key.to_public_key());
    let verify = Step::new(verify, move || {
        assert!(public.verify(&scheme(), &digest, &signature));
    });
    let sign = match engine {
        // The crate checks its signatures itself.
        Engine::Rsa => Step::new(sign, move || {
            key.sign(scheme(), &digest).expect("a signature")
        }),
        _ => {
            let key = PrivateKey::new(key);
            Step::new(sign, move || {
                key.sign(&scheme(), &digest).expect("a signature")
            })
        }
    };
    [sign, verify]
}
