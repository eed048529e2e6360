//! `mpay connect`: what MPay's connection form asks, in one folder; or, with `--cards`, the letters to the
//! bank that has the card gateway.

mod cards;

use std::{fs, net::IpAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Args;
use jiff::Timestamp;
use mpay_door::config::DEVELOPMENT_CERTIFICATE;

use crate::{
    files::{make_folder, refuse_existing, write_public},
    keys::{
        check_system_certificate,
        material::{self, Certificate, fingerprints},
    },
    passphrase::Passphrase,
    terminal::Page,
};

const ADDRESSEE: &str = "suport.mpay@gov.md";

/// The answers to the form's questions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay connect --out mpay-form --provider-name 'Primăria Exemplu' --website https://exemplu.md \\
      --service-name 'Impozitul funciar' --url https://plati.exemplu.md/mpay --address 203.0.113.7 \\
      --certificate service.pem --logo logo.png
  mpay connect --cards --out letters --provider-name 'Primăria Exemplu' \\
      --website https://exemplu.md --url https://plati.exemplu.md

Run it once for the test environment, and again for production. The folder holds no secret.")]
pub struct Arguments {
    /// Write the letters to the bank that has the card gateway instead of MPay's form.
    #[arg(long, conflicts_with_all = ["service_name", "address", "certificate", "logo"])]
    cards: bool,
    /// With --cards: whether money is taken at once, or held first.
    #[arg(long, value_enum, value_name = "STAGES", requires = "cards", default_value_t = cards::Stages::One)]
    stages: cards::Stages,
    /// With --cards: whether customers save their cards.
    #[arg(long, value_enum, value_name = "INTERFACE", requires = "cards", default_value_t = cards::Interface::Appay)]
    interface: cards::Interface,
    /// The folder to make.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Name of the service provider: the institution.
    #[arg(long, value_name = "NAME")]
    provider_name: String,
    /// Its website.
    #[arg(long, value_name = "URL")]
    website: String,
    /// Name of the service that is paid, as payers read it; several for several services.
    #[arg(long, value_name = "NAME", required_unless_present = "cards")]
    service_name: Vec<String>,
    /// Address of the web service that MPay calls; with --cards, that of the variable public_url.
    #[arg(long, value_name = "URL")]
    url: String,
    /// IP address of the test endpoint.
    #[arg(long, value_name = "IP", required_unless_present = "cards")]
    address: Option<IpAddr>,
    /// The system certificate: PEM, DER or PKCS#12.
    #[arg(long, value_name = "FILE", required_unless_present = "cards")]
    certificate: Option<PathBuf>,
    /// The logo that payers see, PNG.
    #[arg(long, value_name = "FILE", required_unless_present = "cards")]
    logo: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Makes the folder.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.cards {
        return cards::run(arguments);
    }
    let (Some(address), Some(certificate_file), Some(logo_file)) =
        (arguments.address, &arguments.certificate, &arguments.logo)
    else {
        bail!("--address, --certificate and --logo are required");
    };
    let mut doubts = Vec::new();
    let provider_name = one_line("--provider-name", &arguments.provider_name)?;
    let services = arguments.service_name.iter();
    let services: Vec<_> = services
        .map(|name| one_line("--service-name", name))
        .collect::<Result<_, _>>()?;
    let website = url("--website", &arguments.website, &mut doubts)?;
    let service_url = url("--url", &arguments.url, &mut doubts)?;
    doubt_address(address, &mut doubts);
    let material = material::read(certificate_file, &arguments.passphrase)?;
    let certificate = material
        .certificate()
        .with_context(|| certificate_file.display().to_string())?;
    check_certificate(certificate, &mut doubts)?;
    let logo =
        fs::read(logo_file).with_context(|| format!("cannot read {}", logo_file.display()))?;
    let size = check_logo(&logo, &mut doubts).with_context(|| logo_file.display().to_string())?;

    let name = file_name(&provider_name);
    let files = [
        "formular.txt".to_owned(),
        format!("{name}.cer"),
        format!("{name}.png"),
    ];
    let paths: Vec<_> = files.iter().map(|file| arguments.out.join(file)).collect();
    refuse_existing(paths.iter().map(PathBuf::as_path))?;
    make_folder(&arguments.out)?;
    let [form, cer, png] = paths.as_slice() else {
        bail!("three files");
    };
    let (sha1, sha256) = fingerprints(&certificate.der);
    let text = Form {
        provider_name: &provider_name,
        website: &website,
        services: &services,
        url: &service_url,
        address,
        certificate: &files[1],
        subject: certificate.subject(),
        not_after: certificate.validity().1.to_string(),
        sha1,
        sha256,
        logo: &files[2],
        size,
    };
    write_public(form, text.write().as_bytes())?;
    write_public(cer, &certificate.der)?;
    write_public(png, &logo)?;

    let mut page = Page::new();
    for path in &paths {
        page.field("Written", path.display().to_string());
    }
    for doubt in &doubts {
        page.finding(crate::terminal::Mark::Warning, doubt, None);
    }
    page.gap();
    page.line(format!("Next: read formular.txt, fill MPay's form with it, and send the .cer and the logo to {ADDRESSEE}."));
    page.line("`mpay doctor URL` says whether the service can be called before MPay tries.");
    page.print()?;
    Ok(ExitCode::SUCCESS)
}

struct Form<'a> {
    provider_name: &'a str,
    website: &'a str,
    services: &'a [String],
    url: &'a str,
    address: IpAddr,
    certificate: &'a str,
    subject: String,
    not_after: String,
    sha1: String,
    sha256: String,
    logo: &'a str,
    size: (u32, u32),
}

impl Form<'_> {
    fn write(&self) -> String {
        let wsdl = format!("{}/?wsdl", self.url.trim_end_matches('/'));
        let (width, height) = self.size;
        let services = self.services.join("\n                                  ");
        format!(
            "\
Conectarea la MPay                Connecting to MPay
=====================================================

1. Formularul de conectare        The connection form
-----------------------------------------------------
Prestatorul de servicii           Service provider
                                  {provider}
Pagina web                        Website
                                  {website}
Denumirea serviciului             Service name
                                  {services}
Adresa serviciului web            URL of the web service
                                  {url}
                                  (WSDL: {wsdl})
Adresa IP a mediului de test      IP address of the test endpoint
                                  {address}

2. De trimis la {ADDRESSEE}
   To be sent to {ADDRESSEE}
-----------------------------------------------------
{certificate}
    certificatul public al sistemului (STISC)     the public system certificate
    {subject}
    valabil până la / valid until {not_after}
    SHA-1   {sha1}
    SHA-256 {sha256}
{logo}
    logoul, PNG, {width} × {height}               the logo

Cheia privată nu se trimite nimănui.              The private key is sent to nobody.

3. De cerut de la MPay            To be asked of MPay
-----------------------------------------------------
- ServiceID al fiecărui serviciu                  ServiceID of each service    (service_ids)
- certificatul cu care semnează MPay              MPay's signing certificate   (mpay_certificates)
- adresa IP de la care apelează MPay,             MPay's outgoing address,
  dacă filtrați după adresă                       if you filter by address
- testele funcționale pe mediul de test           functional tests on the test environment
",
            provider = self.provider_name,
            website = self.website,
            url = self.url,
            address = self.address,
            certificate = self.certificate,
            subject = self.subject,
            not_after = self.not_after,
            sha1 = self.sha1,
            sha256 = self.sha256,
            logo = self.logo,
        )
    }
}

fn one_line(flag: &str, text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    ensure!(
        !text.is_empty() && !text.chars().any(char::is_control),
        "{flag} must be a text of one line"
    );
    Ok(text.to_owned())
}

fn url(flag: &str, text: &str, doubts: &mut Vec<String>) -> anyhow::Result<String> {
    let uri: ureq::http::Uri = text
        .trim()
        .parse()
        .with_context(|| format!("{flag} {text:?} is no address"))?;
    let host = uri.host().unwrap_or_default();
    let scheme = uri.scheme_str().unwrap_or_default();
    ensure!(
        matches!(scheme, "http" | "https") && !host.is_empty(),
        "{flag} {text:?} must begin with https:// and a host"
    );
    if flag == "--url" && scheme == "http" {
        doubts.push("--url is without TLS: it must be https:// in the end".to_owned());
    }
    if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        doubts.push(format!(
            "{flag} names this machine itself, which MPay cannot reach"
        ));
    }
    Ok(text.trim().to_owned())
}

fn doubt_address(address: IpAddr, doubts: &mut Vec<String>) {
    let inner = match address {
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local(),
    };
    if inner {
        doubts.push(format!("--address {address} is an inner one: MPay reaches it only through the government's network"));
    }
}

fn check_certificate(certificate: &Certificate, doubts: &mut Vec<String>) -> anyhow::Result<()> {
    check_system_certificate(certificate)?;
    let subject = certificate.subject();
    ensure!(
        !subject.contains(DEVELOPMENT_CERTIFICATE),
        "the certificate of {subject} is a development one, whose key protects nothing: give the one of STISC"
    );
    let (_, not_after) = certificate.validity();
    ensure!(
        not_after > Timestamp::now(),
        "the certificate of {subject} expired at {not_after}: have a new one made (`mpay keys new`)"
    );
    if certificate.purpose() == material::Purpose::Server {
        doubts.push(format!(
            "the certificate of {subject} is a web server's, for TLS; MPay wants the system certificate of STISC"
        ));
    }
    Ok(())
}

/// Width and height of a PNG (W3C Portable Network Graphics, sections 5.2 and 11.2.2).
fn check_logo(png: &[u8], doubts: &mut Vec<String>) -> anyhow::Result<(u32, u32)> {
    let header = png
        .strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        .context("not a PNG picture: save or export it as PNG")?;
    let number = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let (Some(width @ 1..), Some(height @ 1..)) = (number(0), number(4)) else {
        bail!("a broken PNG picture: export it anew");
    };
    ensure!(
        png.ends_with(b"IEND\xaeB`\x82"),
        "a PNG picture that is cut off: copy or export it anew"
    );
    if width < 64 || height < 64 {
        doubts.push(format!("the logo has only {width} × {height} pixels"));
    }
    if png.len() > 1 << 20 {
        doubts.push(format!(
            "the logo has {} KB: payers load it on a phone",
            png.len() >> 10
        ));
    }
    Ok((width, height))
}

/// A name for files: letters without marks, digits and hyphens.
fn file_name(name: &str) -> String {
    let mut plain = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'ă' | 'â' => plain.push('a'),
            'î' => plain.push('i'),
            'ș' | 'ş' => plain.push('s'),
            'ț' | 'ţ' => plain.push('t'),
            c if c.is_ascii_alphanumeric() => plain.push(c),
            _ if plain.ends_with('-') || plain.is_empty() => {}
            _ => plain.push('-'),
        }
    }
    let plain = plain.trim_end_matches('-');
    match plain {
        "" => "institution".to_owned(),
        plain => plain.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_plain() {
        assert_eq!(
            file_name("Primăria „Exemplu” Ștefan Vodă"),
            "primaria-exemplu-stefan-voda"
        );
        assert_eq!(file_name("../../etc"), "etc");
        assert_eq!(file_name("Мэрия"), "institution");
    }
}
