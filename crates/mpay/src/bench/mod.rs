//! `mpay bench`: load with signed calls, and how fast it is answered.
//!
//! Only the provider is measured: every message is signed before the run, and answers are verified after
//! it.

mod load;
mod report;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use jiff::Timestamp;
use mpay::{
    component,
    development::{Credentials, SERVICE_ID, read},
    roles::{Cast, Roles},
    tell,
};
use mpay_client::{Answer, Client, Confirmation, encode_query, proxy_to};
use rand::RngExt;
use serde_json::json;
use wsse::{Algorithms, Content, Signer};

use crate::terminal::print_json;
use load::{Load, Prepared};

/// Confirmations that are signed at most: each takes some kilobytes of memory.
const MOST_CONFIRMATIONS: usize = 50_000;
/// Orders that are asked for, over and over.
const DETAILS: usize = 64;
/// The length of the run that tells how many confirmations to sign.
const TRIAL: Duration = Duration::from_millis(1500);
/// Messages must outlive the run.
const LIFETIME: Duration = Duration::from_secs(1500);
/// The longest run, so that they do.
const LONGEST: u64 = 900;

/// The arguments of `mpay bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mpay bench                                         the development provider of `mpay up`
  mpay bench --connections 64 --duration 30 --json
  mpay bench http://127.0.0.1:3000/ --mix 100:0:0    GetOrderDetails only
  mpay bench https://test.exemplu.md/mpay --service TAX --key mpay.key.pem --certificate mpay.pem \\
      --provider-certificate service.pem --token-file api-token

It registers an order for each confirmation, and records the payments: never run it on data that
matters. It refuses a provider whose environment is production.
Exit status: 0; 1 if an answer was wrong or missing; 2 if there was no run.")]
pub struct Arguments {
    /// The provider.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:3000/")]
    url: String,
    /// Connections at once, kept alive, with TCP_NODELAY.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Seconds that are measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=LONGEST))]
    duration: u64,
    /// Shares of GetOrderDetails, of ConfirmOrderPayment, and of its repetition.
    #[arg(long, value_name = "D:C:R", default_value = "60:30:10", value_parser = mix)]
    mix: Mix,
    /// Verify one answer in so many; every answer's status is looked at.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    verify_every: u64,
    /// ServiceID.
    #[arg(long, default_value = SERVICE_ID)]
    service: String,
    /// An order to ask for and to pay in parts, instead of new ones [default: new ones].
    #[arg(long, value_name = "KEY")]
    order: Option<String>,
    /// File with a token of the order API [default: the development token].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    roles: Roles,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Shares of the kinds of calls.
#[derive(Clone, Copy, Debug)]
struct Mix {
    details: u32,
    confirmations: u32,
    repeats: u32,
}

impl Mix {
    fn sum(self) -> u32 {
        self.details + self.confirmations + self.repeats
    }
}

fn mix(text: &str) -> Result<Mix, String> {
    let parts: Vec<u32> = text
        .split(':')
        .map(|part| part.parse().ok().filter(|part| *part <= 1000))
        .collect::<Option<_>>()
        .ok_or("expected three numbers up to 1000, such as 60:30:10")?;
    match parts.as_slice() {
        &[details, confirmations, repeats] if details + confirmations > 0 => {
            if repeats > 0 && confirmations == 0 {
                return Err("there is nothing to repeat without confirmations".to_owned());
            }
            Ok(Mix {
                details,
                confirmations,
                repeats,
            })
        }
        [0, 0, _] => Err("at least one call must be made".to_owned()),
        _ => Err("expected three numbers up to 1000, such as 60:30:10".to_owned()),
    }
}

/// Makes the load.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    refuse_production(&arguments.url)?;
    let cast = arguments.roles.cast()?;
    let bench = Bench {
        arguments,
        algorithms: arguments.roles.algorithms(),
        signer: cast.signer()?,
        run: format!("{:08X}", rand::rng().random::<u32>()),
    };
    let orders = match &arguments.order {
        Some(key) => Orders::One(bench.known_order(key, &cast)?),
        None => Orders::New(read_token(arguments)?),
    };

    tell!("Preparing …");
    let details = bench.details(&orders)?;
    let mut prepared = Prepared {
        details,
        confirmations: Vec::new(),
    };
    let load = Load {
        url: &arguments.url,
        connections: usize::from(arguments.connections),
        verify_every: arguments.verify_every,
    };
    let only_details = Mix {
        details: 1,
        confirmations: 0,
        repeats: 0,
    };
    let trial = load.run(&prepared, only_details, TRIAL)?;
    ensure!(
        trial.failures == 0,
        "the provider does not answer as it should ({}): `mpay call details KEY --url {}` says why",
        trial.first_failure.as_deref().unwrap_or("?"),
        arguments.url
    );
    let share = f64::from(arguments.mix.confirmations) / f64::from(arguments.mix.sum());
    let expected = trial.rate() * arguments.duration as f64 * share * 1.5;
    let count = (expected as usize + load.connections).min(MOST_CONFIRMATIONS);
    let begun = Instant::now();
    if arguments.mix.confirmations > 0 {
        tell!("Signing {count} confirmations …");
        prepared.confirmations = bench.confirmations(&orders, count)?;
    }
    let signing = begun.elapsed();

    tell!("Measuring for {} s …", arguments.duration);
    let duration = Duration::from_secs(arguments.duration);
    let measured = load.run(&prepared, arguments.mix, duration)?;
    let report = report::Report::of(arguments, &prepared, signing, measured, cast.provider()?);
    match arguments.json {
        true => print_json(&report)?,
        false => report.page().print()?,
    }
    Ok(match report.is_clean() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Payments of a load test must not get into real books.
fn refuse_production(url: &str) -> anyhow::Result<()> {
    let health = format!("{}/health", url.trim_end_matches('/'));
    let reply = agent(&health).get(&health).call();
    let mut reply =
        reply.with_context(|| format!("cannot reach {url}: is the provider running?"))?;
    let health: serde_json::Value = reply.body_mut().read_json().unwrap_or_default();
    if health["environment"] == "production" {
        bail!(
            "{url} is a production provider, and a load test records payments: take a test environment"
        );
    }
    Ok(())
}

fn agent(url: &str) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .no_delay(true)
        .proxy(proxy_to(url))
        .build()
        .new_agent()
}

fn read_token(arguments: &Arguments) -> anyhow::Result<String> {
    let file = match &arguments.token_file {
        Some(file) => file.clone(),
        None => {
            let workspace = component::workspace_root();
            let workspace = workspace.context("give --token-file with a token of the order API, or --order with an order to pay in parts")?;
            Credentials::of_workspace(&workspace).api_token()
        }
    };
    Ok(read(&file)?.trim().to_owned())
}

/// The orders that are paid.
enum Orders {
    /// A new order for each confirmation; the token that registers them.
    New(String),
    /// One that is there: its key, currency and first line.
    One(Known),
}

struct Known {
    key: String,
    currency: String,
    line_id: String,
}

struct Bench<'a> {
    arguments: &'a Arguments,
    algorithms: Algorithms,
    signer: Signer,
    /// In the keys of this run, so that none meets those of another.
    run: String,
}

impl Bench<'_> {
    fn known_order(&self, key: &str, cast: &Cast) -> anyhow::Result<Known> {
        let client = Client::new(&self.arguments.url, cast.signer()?, cast.provider()?);
        let client = client.with_algorithms(self.algorithms);
        let order = match client.details(&self.arguments.service, key, "ro")? {
            Answer::Result(orders) => orders.into_iter().next(),
            Answer::Fault(fault) => bail!("--order {key}: {fault}"),
        };
        let order = order.with_context(|| format!("--order {key}: there is no such order"))?;
        let line = order.lines.first().and_then(|line| line.get("LineID"));
        Ok(Known {
            key: key.to_owned(),
            currency: order.get("Currency").unwrap_or("MDL").to_owned(),
            line_id: line.context("the order has no line")?.to_owned(),
        })
    }

    fn sign(&self, content: &Content) -> anyhow::Result<String> {
        let now = Timestamp::now();
        Ok(self.signer.sign(content, self.algorithms, now, LIFETIME)?)
    }

    fn details(&self, orders: &Orders) -> anyhow::Result<Vec<String>> {
        let service = &self.arguments.service;
        match orders {
            Orders::One(known) => Ok(vec![self.sign(&encode_query(service, &known.key, "ro"))?]),
            Orders::New(token) => self.in_parallel(DETAILS, |agent, n| {
                let key = format!("BENCH-{}-D{n}", self.run);
                self.register(agent, token, &key)?;
                self.sign(&encode_query(service, &key, "ro"))
            }),
        }
    }

    fn confirmations(&self, orders: &Orders, count: usize) -> anyhow::Result<Vec<String>> {
        self.in_parallel(count, |agent, n| {
            let mut confirmation = Confirmation {
                service_id: self.arguments.service.clone(),
                order_key: format!("BENCH-{}-{n}", self.run),
                payment_id: format!("bench-{}-{n}", self.run),
                currency: "MDL".to_owned(),
                total: "1.00".to_owned(),
                paid_at: Confirmation::paid_now(),
                lines: vec![("1".to_owned(), "1.00".to_owned())],
                ..Confirmation::default()
            };
            match orders {
                Orders::New(token) => self.register(agent, token, &confirmation.order_key)?,
                Orders::One(known) => {
                    confirmation.order_key.clone_from(&known.key);
                    confirmation.currency.clone_from(&known.currency);
                    confirmation.total = "0.01".to_owned();
                    confirmation.lines = vec![(known.line_id.clone(), "0.01".to_owned())];
                }
            }
            self.sign(&confirmation.encode())
        })
    }

    fn register(&self, agent: &ureq::Agent, token: &str, key: &str) -> anyhow::Result<()> {
        let base = self.arguments.url.trim_end_matches('/');
        let service = &self.arguments.service;
        let mut reply = agent
            .put(format!("{base}/api/orders/{service}/{key}"))
            .header("Authorization", format!("Bearer {token}"))
            .send_json(json!({
                "reason": "Probă de încărcare",
                "lines": [{"line_id": "1", "reason": "Probă de încărcare", "amount_due": "1.00"}]
            }))
            .context("the order API does not answer")?;
        ensure!(
            reply.status() == 201,
            "the order API refuses an order (HTTP {}): {}",
            reply.status().as_u16(),
            reply.body_mut().read_to_string().unwrap_or_default()
        );
        Ok(())
    }

    /// Makes so many things with all processors, in their order.
    fn in_parallel(
        &self,
        count: usize,
        make: impl Fn(&ureq::Agent, usize) -> anyhow::Result<String> + Sync,
    ) -> anyhow::Result<Vec<String>> {
        let threads = std::thread::available_parallelism()
            .map_or(2, usize::from)
            .max(2);
        let next = AtomicUsize::new(0);
        let mut made = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let agent = agent(&self.arguments.url);
                        let mut made = Vec::new();
                        loop {
                            let n = next.fetch_add(1, Ordering::Relaxed);
                            if n >= count {
                                return Ok(made);
                            }
                            made.push((n, make(&agent, n)?));
                        }
                    })
                })
                .collect();
            let mut all = Vec::with_capacity(count);
            for worker in workers {
                let made: anyhow::Result<Vec<_>> = worker
                    .join()
                    .map_err(|_| anyhow::anyhow!("a thread of the preparation failed"))?;
                all.extend(made?);
            }
            Ok::<_, anyhow::Error>(all)
        })?;
        made.sort_unstable_by_key(|(n, _)| *n);
        Ok(made.into_iter().map(|(_, message)| message).collect())
    }
}
