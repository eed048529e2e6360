//! `mpay doctor`: what is wrong with a configuration or a running provider, and how to mend it.

mod cards;
mod certificates;
mod component;
mod folder;
pub mod http;
mod probe;
mod provider;
mod store;
mod tls;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Args;
use mpay::{roles::Tls, text::parse_argument};
use mpay_provider::config::Config;
use serde::Serialize;

use crate::{
    passphrase::Passphrase,
    terminal::{Mark, Page, print_json},
};

/// The arguments of `mpay doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay doctor                                    the folder that you are in
  mpay doctor . http://127.0.0.1:3000/           and the provider that runs from it
  mpay doctor https://plati.exemplu.md/mpay --provider-certificate service.pem
  mpay doctor https://test.exemplu.md/mpay --key mpay.key.pem --certificate mpay.pem --service TAX

A folder's spin.toml, .env and variables are read; nothing is changed. A running provider is asked
for /health and its WSDL, gets one call without a signature, and signed ones where a key is given
that it may believe. They ask for an order that does not exist: nothing is recorded. A card gateway
that the folder names is asked for a payment that does not exist, and a Redis or PostgreSQL for its settings.
Exit status: 0 if nothing is wrong, 1 if something is, 2 if it could not be examined.")]
pub struct Arguments {
    /// A folder with a spin.toml, or the address of a running provider, or both.
    #[arg(value_name = "DIR|URL", default_value = ".")]
    targets: Vec<String>,
    /// A variable's value, or a file that holds it, as for `mpay up` and `spin up`.
    #[arg(long = "variable", value_name = "NAME=VALUE|NAME=@FILE", value_parser = parse_argument)]
    variables: Vec<(String, String)>,
    /// Spin's runtime configuration, as for `mpay up` and `spin up`.
    #[arg(long = "runtime-config-file", value_name = "FILE")]
    runtime_config: Option<PathBuf>,
    /// A private key that plays MPay's, for signed calls [default: the folder's development key].
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Its certificate, PEM or DER; not needed if it is in the same file.
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    #[command(flatten)]
    passphrase: Passphrase,
    /// The certificate that the provider should sign with [default: the folder's].
    #[arg(long, value_name = "FILE")]
    provider_certificate: Option<PathBuf>,
    #[command(flatten)]
    tls: Tls,
    /// ServiceID for the signed calls [default: the folder's first].
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    /// Seconds to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    timeout: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    /// Its name, for programs.
    id: &'static str,
    mark: Mark,
    /// The finding itself, for people.
    text: String,
    /// The way to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// All that was found at one target.
#[derive(Debug, Default, Serialize)]
struct Findings {
    target: String,
    findings: Vec<Finding>,
}

impl Findings {
    fn of(target: impl Into<String>) -> Findings {
        Findings {
            target: target.into(),
            findings: Vec::new(),
        }
    }

    /// True if something of this text was found already.
    fn has(&self, text: &str) -> bool {
        self.findings.iter().any(|finding| finding.text == text)
    }

    fn ok(&mut self, id: &'static str, text: impl Into<String>) {
        self.add(id, Mark::Ok, text, None);
    }

    fn note(&mut self, id: &'static str, text: impl Into<String>, advice: &str) {
        self.add(id, Mark::Note, text, Some(advice.to_owned()));
    }

    fn warning(&mut self, id: &'static str, text: impl Into<String>, advice: impl Into<String>) {
        self.add(id, Mark::Warning, text, Some(advice.into()));
    }

    fn wrong(&mut self, id: &'static str, text: impl Into<String>, advice: impl Into<String>) {
        self.add(id, Mark::Wrong, text, Some(advice.into()));
    }

    fn add(
        &mut self,
        id: &'static str,
        mark: Mark,
        text: impl Into<String>,
        advice: Option<String>,
    ) {
        self.findings.push(Finding {
            id,
            mark,
            text: text.into(),
            advice: advice.filter(|advice| !advice.is_empty()),
        });
    }
}

/// Examines all targets.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (urls, folders): (Vec<_>, Vec<_>) = arguments
        .targets
        .iter()
        .partition(|target| target.contains("://"));
    if folders.len() > 1 {
        bail!("give one folder at most");
    }
    let mut all = Vec::new();
    let mut setup = folder::Setup::default();
    if let Some(target) = folders.first() {
        let mut findings = Findings::of(*target);
        setup = folder::examine(target.as_ref(), arguments, &mut findings)?;
        if let Some(office) = &setup.office
            && let Some(cards) = &office.cards
        {
            let services = setup.config.iter().flat_map(Config::service_ids);
            let mut terminals: Vec<_> = services
                .filter_map(|service| cards.of(service))
                .map(|terminal| (terminal.name.as_str(), &terminal.terminal))
                .collect();
            terminals.sort_by_key(|(name, _)| *name);
            terminals.dedup_by_key(|(name, _)| *name);
            let tls = arguments.tls.config(false)?;
            cards::examine(
                &cards.gateway,
                terminals.into_iter(),
                arguments,
                tls,
                &mut findings,
            )?;
        }
        all.push(findings);
    }
    if !urls.is_empty() {
        let caller = probe::Caller::of(arguments, &setup)?;
        let timeout = Duration::from_secs(arguments.timeout);
        for url in urls {
            let mut findings = Findings::of(url);
            provider::examine(url, &caller, &arguments.tls, timeout, &mut findings)?;
            all.push(findings);
        }
    }
    let worst = all.iter().flat_map(|target| &target.findings);
    let worst = worst.map(|finding| finding.mark).max();
    match arguments.json {
        true => print_json(&all)?,
        false => page(&all, worst).print()?,
    }
    Ok(match worst {
        Some(Mark::Wrong) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn page(all: &[Findings], worst: Option<Mark>) -> Page {
    let mut page = Page::new();
    for target in all {
        page.gap();
        page.heading(&target.target);
        for finding in &target.findings {
            page.finding(finding.mark, &finding.text, finding.advice.as_deref());
        }
    }
    page.gap();
    page.line(match worst {
        Some(Mark::Wrong) => "Something is wrong: see above for how to mend it.",
        Some(Mark::Warning) => "Nothing is wrong yet.",
        _ => "Nothing is wrong.",
    });
    page
}
