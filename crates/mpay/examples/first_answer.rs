//! The cost of making an instance of the component: its first answer, beside a later one.
//!
//! Give it components to compare; by default it builds the usual one. It prints microseconds of
//! processor time of the whole program, hence of host and client too, which the first row shows
//! alone, and in brackets the median of what a client waited.

use std::{
    env,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use mpay::{
    component,
    development::{Credentials, SERVICE_ID, read},
};
use mpay_client::encode_query;
use mpay_host::{Options, Server};
use serde_json::json;
use wsse::{Algorithms, Signer};

const ROUNDS: usize = 8;
const REQUESTS: usize = 50;

fn main() -> anyhow::Result<()> {
    let workspace = component::workspace_root().context("there is no spin.toml here or above")?;
    let given: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let components = match given.is_empty() {
        true => vec![component::build(&workspace, false)?],
        false => given,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    for component in &components {
        runtime.block_on(async {
            // Compiled once, and in wasmtime's cache from then on.
            let begun = Instant::now();
            let (server, _) = start(&workspace, component, 1).await?;
            println!("{}: compiled in {:?}", component.display(), begun.elapsed());
            server.stop().await
        })?;
    }
    let mut rows = Vec::new();
    for _ in 0..ROUNDS {
        // Side by side, since other programs disturb.
        for component in &components {
            for per_instance in [1, 128] {
                let (server, state) =
                    runtime.block_on(start(&workspace, component, per_instance))?;
                let calls = Calls::prepare(&workspace, &server.url())?;
                for call in Call::ALL {
                    rows.push((component, per_instance, call, calls.measure(call)?));
                }
                runtime.block_on(server.stop())?;
                drop(state);
            }
        }
    }
    for component in &components {
        println!("\n{}", component.display());
        println!("                                       first answer        later answer");
        for call in Call::ALL {
            let [first, later] = [1, 128].map(|wanted| {
                let measured = rows
                    .iter()
                    .filter(|(of, per_instance, what, _)| {
                        *of == component && *per_instance == wanted && *what == call
                    })
                    .map(|(.., measured)| measured);
                let (processor, waited): (Vec<_>, Vec<_>) = measured.copied().unzip();
                format!("{:>9} ({:>6})", median(processor), median(waited))
            });
            println!("{:<34} {first}  {later}", call.name());
        }
    }
    Ok(())
}

async fn start(
    workspace: &Path,
    component: &Path,
    per_instance: usize,
) -> anyhow::Result<(Server, tempfile::TempDir)> {
    let credentials = Credentials::of_workspace(workspace);
    credentials.ensure()?;
    let state = tempfile::tempdir()?;
    let mut options = Options::new(workspace.join("spin.toml"));
    mpay::refusals::as_component(&mut options);
    options.listen = ([127, 0, 0, 1], 0).into();
    options.state_dir = Some(state.path().to_owned());
    options.components = Some(component.to_owned());
    options.limits.requests_per_instance = per_instance;
    let variables = credentials.variables()?;
    options.variables = variables
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Ok((Server::start(options).await?, state))
}

#[derive(Clone, Copy, PartialEq)]
enum Call {
    Host,
    Health,
    Details,
}

impl Call {
    const ALL: [Call; 3] = [Call::Host, Call::Health, Call::Details];

    fn name(self) -> &'static str {
        match self {
            Call::Host => "host and client, without component",
            Call::Health => "GET /health",
            Call::Details => "GetOrderDetails",
        }
    }
}

struct Calls {
    agent: ureq::Agent,
    url: String,
    details: String,
}

impl Calls {
    /// Registers an order and signs the question for it.
    fn prepare(workspace: &Path, url: &str) -> anyhow::Result<Calls> {
        let credentials = Credentials::of_workspace(workspace);
        let agent = ureq::Agent::config_builder()
            .no_delay(true)
            .proxy(None)
            .build()
            .new_agent();
        let token = read(&credentials.api_token())?;
        agent
            .put(format!("{url}/api/orders/{SERVICE_ID}/1"))
            .header("Authorization", format!("Bearer {}", token.trim()))
            .send_json(json!({
                "reason": "Taxă de studii",
                "lines": [{"line_id": "1", "reason": "Semestrul I", "amount_due": "1250.00"}]
            }))?;
        let signer = Signer::from_pem(
            &read(&credentials.mpay_key())?,
            &read(&credentials.mpay_certificate())?,
        )?;
        let query = encode_query(SERVICE_ID, "1", "ro");
        let lifetime = Duration::from_secs(1500);
        Ok(Calls {
            details: signer.sign(&query, Algorithms::SHA1, Timestamp::now(), lifetime)?,
            agent,
            url: url.to_owned(),
        })
    }

    /// Microseconds a request: of processor time on average, and of waiting, the median.
    fn measure(&self, call: Call) -> anyhow::Result<(u64, u64)> {
        self.ask(call)?;
        let before = processor_time();
        let mut waited = Vec::new();
        for _ in 0..REQUESTS {
            let begun = Instant::now();
            self.ask(call)?;
            waited.push(u64::try_from(begun.elapsed().as_micros())?);
        }
        let took = processor_time().saturating_sub(before);
        let requests = u128::try_from(REQUESTS)?;
        Ok((u64::try_from(took.as_micros() / requests)?, median(waited)))
    }

    fn ask(&self, call: Call) -> anyhow::Result<()> {
        let url = &self.url;
        let mut response = match call {
            Call::Host => self
                .agent
                .get(format!("{url}/.well-known/spin/health"))
                .call(),
            Call::Health => self.agent.get(format!("{url}/health")).call(),
            Call::Details => self
                .agent
                .post(url)
                .header("Content-Type", "text/xml; charset=utf-8")
                .send(self.details.as_bytes()),
        }?;
        ensure!(response.status() == 200);
        response.body_mut().read_to_vec()?;
        Ok(())
    }
}

/// The processor time of the whole program, threads that have ended among it.
#[cfg(unix)]
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn processor_time() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    START.elapsed()
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
