//! Kept evidence as a file: the ZIP of the API, or the bytes of a message.

use std::io::Read;

use anyhow::{Context, bail, ensure};
use rawzip::{CompressionMethod, ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};
use serde::Deserialize;

/// The most that one file of an archive may unpack to: more than any message has.
const MAX_UNPACKED: u64 = 4 << 20;
/// The most files that are looked at.
const MAX_FILES: usize = 64;

/// A file of a ZIP, whole and as its checksum says.
///
/// # Errors
/// If it is not, if it is compressed in a way that is not read, or unpacks to more than any message has.
pub fn unpacked(
    archive: &ZipSliceArchive<&[u8]>,
    entry: &ZipFileHeaderRecord<'_>,
    path: &str,
) -> anyhow::Result<Vec<u8>> {
    let local = archive.get_entry(entry.wayfinder())?;
    let data = local.data();
    let mut content = Vec::new();
    let reader: Box<dyn Read> = match entry.compression_method() {
        CompressionMethod::STORE => Box::new(data),
        CompressionMethod::DEFLATE => Box::new(flate2::read::DeflateDecoder::new(data)),
        other => bail!("{path} is compressed by {other:?}, which is not read"),
    };
    let read = local
        .verifying_reader(reader)
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut content)
        .with_context(|| path.to_owned())?;
    ensure!(read as u64 <= MAX_UNPACKED, "{path} is too large");
    Ok(content)
}

/// The evidence of a payment, or of a refused confirmation.
#[derive(Debug, Default)]
pub struct Evidence {
    /// MPay's signed message.
    pub request: Vec<u8>,
    /// The provider's signed answer.
    pub answer: Option<Vec<u8>>,
    /// The provider's own notes beside them.
    pub meta: Option<Meta>,
    /// Other files in the archive, which nothing is said of.
    pub ignored: Vec<String>,
}

/// `meta.json` of the API's archive. It is not signed: nothing is believed of it that the signed
/// messages say too, and what only it says is named as such.
#[derive(Debug, Deserialize)]
pub struct Meta {
    #[serde(flatten)]
    pub verdict: Verdict,
    /// PEM; absent in archives of earlier versions.
    pub signer_certificate: Option<String>,
    pub request_sha256: Option<String>,
    pub answer_sha256: Option<String>,
}

/// The provider's judgement of the message, with its notes of the content.
#[derive(Debug, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A payment.
    Accepted {
        #[serde(flatten)]
        receipt: Receipt,
        #[serde(flatten)]
        payment: MetaPayment,
    },
    /// A payment that was entered by hand, and that the message confirms.
    Manual {
        manual: MetaManual,
        #[serde(flatten)]
        payment: MetaPayment,
    },
    /// A payment by card, of which the gateway's answer is kept: no message of MPay's.
    Card {
        #[serde(flatten)]
        payment: MetaPayment,
    },
    /// No payment: the provider answered with a fault.
    Refused {
        #[serde(flatten)]
        receipt: Receipt,
        #[serde(flatten)]
        refusal: MetaRefusal,
    },
}

/// The receipt of a message: its time, and the signer.
#[derive(Debug, Deserialize)]
pub struct Receipt {
    pub received_at: String,
    pub signer: MetaSigner,
}

#[derive(Debug, Deserialize)]
pub struct MetaPayment {
    pub payment_id: String,
    pub service_id: String,
    pub order_key: String,
    pub amount: String,
    pub currency: String,
    pub paid_at: String,
    pub lines: Vec<MetaLine>,
}

#[derive(Debug, Deserialize)]
pub struct MetaManual {
    pub confirmed: Option<Receipt>,
}

/// The subject of a refused message, as far as the provider could read it.
#[derive(Debug, Deserialize)]
pub struct MetaRefusal {
    pub payment_id: Option<String>,
    pub service_id: Option<String>,
    pub order_key: Option<String>,
    /// Code of the fault.
    pub code: String,
    /// Its text.
    pub reason: String,
}

impl Meta {
    /// The time when the message came in, and the signer. `None` of a payment by card, and of one that
    /// was entered by hand and which MPay has not confirmed.
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.verdict {
            Verdict::Accepted { receipt, .. } | Verdict::Refused { receipt, .. } => Some(receipt),
            Verdict::Manual { manual, .. } => manual.confirmed.as_ref(),
            Verdict::Card { .. } => None,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct MetaLine {
    pub line_id: String,
    pub amount: String,
}

#[derive(Debug, Deserialize)]
pub struct MetaSigner {
    pub subject: String,
    pub fingerprint: String,
    pub algorithm: String,
}

impl Evidence {
    /// Reads an archive, or takes the bytes for a message.
    pub fn read(bytes: Vec<u8>) -> anyhow::Result<Evidence> {
        if bytes.starts_with(b"PK") {
            return Evidence::unpack(&bytes).context("not a readable archive of evidence");
        }
        Ok(Evidence {
            request: bytes,
            ..Evidence::default()
        })
    }

    fn unpack(bytes: &[u8]) -> anyhow::Result<Evidence> {
        let archive = ZipArchive::from_slice(bytes)?;
        let mut entries = archive.entries();
        let (mut request, mut answer, mut meta) = (None, None, None);
        let mut ignored = Vec::new();
        let mut count = 0;
        while let Some(entry) = entries.next_entry()? {
            count += 1;
            ensure!(count <= MAX_FILES, "more than {MAX_FILES} files");
            let path = entry.file_path();
            let path = String::from_utf8_lossy(path.as_ref()).into_owned();
            // Whoever unpacked and packed it again may have put a folder around it.
            let slot = match path.rsplit('/').next() {
                Some("request.xml") => &mut request,
                Some("answer.xml") => &mut answer,
                Some("meta.json") => &mut meta,
                Some("") => continue,
                _ => {
                    ignored.push(path);
                    continue;
                }
            };
            let content = unpacked(&archive, &entry, &path)?;
            ensure!(slot.replace(content).is_none(), "{path} is there twice");
        }
        let meta = meta.context("no meta.json")?;
        let meta: Meta = serde_json::from_slice(&meta).context("meta.json")?;
        ensure!(
            !matches!(meta.verdict, Verdict::Card { .. }),
            "the payment was made by card: card.json has the gateway's answer, which is not signed"
        );
        ensure!(
            meta.receipt().is_some(),
            "the payment was entered by hand, and MPay has not confirmed it: nothing of it is signed"
        );
        Ok(Evidence {
            request: request.context("no request.xml")?,
            answer,
            meta: Some(meta),
            ignored,
        })
    }
}
