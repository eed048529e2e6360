//! The command's arguments, and what it prints.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use clap::Args;
use mpay_conform::{
    AREAS, Identity, Options, OrdersGiven, Outcome, Report, TEMPLATE, Tested, origin, run,
};

use crate::{
    development::{SERVICE_ID, read},
    roles::{Parties, Tls},
};

/// The arguments of `mpay conform`. The token is not shown by `Debug`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The address that MPay calls.
    #[arg(required_unless_present_any = ["list", "print_template"])]
    url: Option<String>,
    /// ServiceID; the one in the file of --orders comes first.
    #[arg(long, default_value = SERVICE_ID)]
    service: String,
    /// Orders to test with; --print-template prints a file to fill in.
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// Without --orders: register them through mpay-provider's own order API [default with the
    /// development key: the development token].
    #[arg(
        long,
        value_name = "TOKEN|@FILE",
        env = "MPAY_API_TOKEN",
        hide_env_values = true
    )]
    api_token: Option<String>,
    /// The order API [default: /api at the address's host].
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    #[command(flatten)]
    parties: Parties,
    #[command(flatten)]
    tls: Tls,
    /// Test only these checks or areas.
    #[arg(long, value_name = "ID|AREA", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these checks or areas out.
    #[arg(long, value_name = "ID|AREA", value_delimiter = ',')]
    skip: Vec<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    /// Write a report for CI.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a page with every message, to be handed over.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Fail if a check was skipped.
    #[arg(long)]
    no_skips: bool,
    /// List the checks.
    #[arg(long)]
    list: bool,
    /// Print a file for --orders to fill in.
    #[arg(long)]
    print_template: bool,
}

const EXAMPLES: &str = "\
Exit status: 0 if nothing that must pass failed, 1 if something did, 2 if nothing could be tested.

Examples:
  mpay conform http://127.0.0.1:3000/ --html report.html
  mpay conform https://pay.example.md/mpay --orders orders.toml \\
      --key mpay.key.pem --certificate mpay.pem --provider-certificate ours.pem
  mpay conform https://pay.example.md/mpay --orders orders.toml --only signature,refusal";

impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arguments")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Arguments {
    /// Does what was asked.
    ///
    /// # Errors
    /// If nothing could be tested, or a report not be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        if self.print_template {
            print(TEMPLATE);
            return Ok(ExitCode::SUCCESS);
        }
        let Some(url) = self.url.clone().filter(|_| !self.list) else {
            print(&list());
            return Ok(ExitCode::SUCCESS);
        };
        let report = run(self.options(&url)?, &mut progress())?;
        if let Some(file) = &self.junit {
            write(file, &report.junit())?;
        }
        if let Some(file) = &self.html {
            write(file, &report.html())?;
        }
        if self.json {
            print(&format!("{:#}\n", report.json()));
        } else {
            print(&report.text(in_colour()));
        }
        Ok(self.status(&report))
    }

    fn status(&self, report: &Report) -> ExitCode {
        let skipped = self.no_skips && report.count(Outcome::Skipped) > 0;
        match report.passed() && !skipped {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }

    fn options(&self, url: &str) -> anyhow::Result<Options> {
        let cast = self.parties.cast()?;
        let mpay = Identity::from_pem(&cast.key, &cast.certificate)
            .context("MPay's key and certificate")?;
        let provider = cast.provider()?;
        let token = match &self.api_token {
            Some(token) => Some(match token.strip_prefix('@') {
                Some(file) => read(Path::new(file))?,
                None => token.clone(),
            }),
            None => cast.api_token,
        };
        let orders = match (&self.orders, token) {
            (Some(file), _) => OrdersGiven::File(read(file)?),
            (None, Some(token)) => OrdersGiven::Api {
                url: match &self.api {
                    Some(api) => api.clone(),
                    None => format!("{}/api", origin(url)),
                },
                token,
            },
            (None, None) if self.only.is_empty() => {
                bail!(
                    "there are no orders to test with: give --orders FILE (--print-template prints one), or --api-token"
                )
            }
            (None, None) => OrdersGiven::None,
        };
        Ok(Options {
            url: url.to_owned(),
            service: self.service.clone(),
            mpay,
            provider,
            tls: self.tls.config(false)?,
            orders,
            only: self.only.clone(),
            skip: self.skip.clone(),
        })
    }
}

/// Tells on standard error how far it is: in a terminal on one line that is written over, else a
/// line for each area.
fn progress() -> impl FnMut(&Tested, usize) {
    let terminal = std::io::stderr().is_terminal();
    let mut last = "";
    move |tested, left| {
        let area = tested.check.area();
        let mut stderr = std::io::stderr();
        // Who does not read the progress does not want it.
        let _ = match (terminal, left) {
            (true, 0) => write!(stderr, "\r\x1b[K"),
            (true, left) => write!(stderr, "\r\x1b[K{left:>4} left: {}", tested.check.id),
            (false, _) if area != last => writeln!(stderr, "Testing {area} …"),
            (false, _) => Ok(()),
        };
        last = area;
    }
}

fn list() -> String {
    let mut out = String::new();
    for (area, name, checks) in AREAS {
        out.push_str(&format!("{name} ({area})\n"));
        for check in checks {
            out.push_str(&format!(
                "  {:<36} {:<6} {}\n",
                check.id, check.severity, check.title
            ));
        }
    }
    out
}

fn in_colour() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    std::io::stdout().is_terminal() && !plain
}

/// Prints to a reader who may have gone, as `head` does.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
