//! `mpay up`: a provider on this machine, ready for a first payment.

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use mpay_host::{Environment, Manifest, Options, RuntimeConfig, Server, Store, backup, misnamed};
use mpay_office::access::ACCESS;
use mpay_offline::Mischief;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    component,
    development::{self, Credentials, SERVICE_ID, read},
    gateway::{PASSWORD, TERMINAL},
    offline::{PAUSE, beside},
    refusals, say, schedule,
    state::State,
    tell,
};

/// The options of `mpay up`.
#[derive(Debug, Clone)]
pub struct Up {
    /// The manifest; by default the `spin.toml` of this folder or one above, or that of the release that
    /// this program is of.
    pub from: Option<PathBuf>,
    /// The address to listen at.
    pub listen: SocketAddr,
    /// Folder of the data; by default `.spin` beside the manifest.
    pub state_dir: Option<PathBuf>,
    /// Spin's runtime configuration.
    pub runtime_config: Option<PathBuf>,
    /// Values of variables.
    pub variables: Vec<(String, String)>,
    /// True to start it for development though it has keys or tokens of its own.
    pub development: bool,
    /// True to begin with an empty store.
    pub fresh: bool,
    /// True to do so though the store holds more than orders of development.
    pub yes: bool,
    /// True if other hosts may serve the same store.
    pub shared: bool,
    /// True to make the calls that cron makes elsewhere.
    pub schedule: bool,
    /// Requests that an instance of the component is at, at once.
    pub requests_at_once_per_instance: usize,
    /// The address of MPay offline, in development; by default one port above, on loopback.
    pub offline_listen: Option<SocketAddr>,
    /// The address of the card gateway, in development; by default two ports above, on loopback.
    pub gateway_listen: Option<SocketAddr>,
    /// The way in which MPay offline sends confirmations, unless the payer chooses another.
    pub mischief: Option<Mischief>,
}

/// Serves until it is told to stop.
///
/// # Errors
/// If there is no workspace, the component cannot be built, or the host does not start.
pub async fn run(up: Up) -> anyhow::Result<()> {
    let (workspace, file) = match (&up.from, component::workspace_root()) {
        (Some(manifest), _) => {
            let manifest = std::path::absolute(manifest)?;
            let folder = manifest.parent().map(Path::to_owned);
            (folder.unwrap_or_default(), manifest)
        }
        (None, Some(workspace)) => (workspace.clone(), workspace.join("spin.toml")),
        (None, None) => {
            bail!(
                "there is no spin.toml here, above or beside mpay: run this in the project's folder or in that of a release"
            )
        }
    };
    let mut options = Options::new(file.clone());
    refusals::as_component(&mut options);
    options.listen = up.listen;
    options.state_dir = up.state_dir;
    options.variables = up.variables;
    options.limits.requests_at_once_per_instance = up.requests_at_once_per_instance;
    options.environment = Environment::read(Path::new(""))?;
    let read = options.environment.set_by_file();
    if !read.is_empty() {
        tell!("Read .env: {}.", read.join(", "));
    }

    if let Some(file) = &up.runtime_config {
        RuntimeConfig::load(file, options.environment.clone())?.apply(&mut options);
    }
    let manifest = check_names(&options)?;
    tell_of_address(&options);
    let development =
        up.development || development::is_meant(&options.variables, &options.environment);
    let folder = options.state_dir.clone();
    let folder = folder.unwrap_or_else(|| manifest.default_state_dir());
    let mut state = match up.fresh && !up.shared {
        true => State::take_to_replace(&folder)?,
        false => State::take(&folder, up.shared)?,
    };
    if up.fresh {
        ensure!(
            options.store == Store::StateDir
                && manifest
                    .components
                    .values()
                    .any(|component| !component.key_value_stores.is_empty()),
            "--fresh moves the store's file aside, and this store is elsewhere: empty it there"
        );
        ensure!(
            development || up.yes,
            "--fresh is for development, and this is none; --yes moves the store aside all the same"
        );
        if let Some(aside) = state.begin_anew(up.yes, Timestamp::now()).await? {
            state.replaced()?;
            tell!("The store of before is {} now.", aside.display());
        }
        state.serves()?;
    }
    if let Store::Redis(url) = &options.store
        && let Some(server) = backup::Server::at(url, None)
        // One that is not there is told by the host, which waits for it.
        && let Ok(true) = server.is_half(mpay_ledger::GATE).await
    {
        bail!(
            "{server} holds a part of the books: `mpay restore` is at work there, or was broken off. Run it again, and it goes on where it was"
        );
    }
    let mut gateway = None;
    let credentials =
        if up.development || development::is_meant(&options.variables, &options.environment) {
            if up.development {
                develop(&mut options)?;
            }
            let credentials = Credentials::of_workspace(&workspace);
            if !credentials.service_key().exists() {
                tell!("Making development certificates …");
            }
            if credentials.ensure()? {
                tell!("Made them in {}.", credentials.folder().display());
            }
            let offline = up
                .offline_listen
                .unwrap_or_else(|| free_address(beside(up.listen)));
            // A port that is not known yet is in no address: then there are no pages, and no cards.
            if up.listen.port() != 0 {
                let url = |address| format!("http://{}", reached(address));
                // Another gateway stays the one that it is.
                if set(&options, "card_gateway").is_none() {
                    let usual = beside(beside(up.listen));
                    let listen = match up.gateway_listen {
                        Some(listen) if listen.port() != 0 => listen,
                        asked => free_address(asked.unwrap_or(usual)),
                    };
                    gateway = Some(mpay_gateway::Options {
                        listen,
                        terminal: TERMINAL.to_owned(),
                        password: PASSWORD.to_owned(),
                        notify: Some(format!("{}/cards/notifications", url(up.listen))),
                        ..mpay_gateway::Options::default()
                    });
                    for (name, value) in [
                        ("card_gateway", url(listen)),
                        ("card_terminal", TERMINAL.to_owned()),
                        ("card_password", PASSWORD.to_owned()),
                        ("card_languages", "ro,ru,en".to_owned()),
                        ("card_refunds", "programs".to_owned()),
                        ("card_wallet_secret", development::WALLET_SECRET.to_owned()),
                    ] {
                        if set(&options, name).is_none() {
                            options.variables.push((name.to_owned(), value));
                        }
                    }
                }
                for (name, value) in [
                    ("public_url", url(up.listen)),
                    ("mpay_url", url(offline)),
                    ("page_key", development::PAGE_KEY.to_owned()),
                ] {
                    if set(&options, name).is_none() {
                        options.variables.push((name.to_owned(), value));
                    }
                }
            }
            credentials.complete(&mut options.variables, &options.environment)?;
            Some((credentials, offline))
        } else {
            None
        };
    let caller = match set(&options, ACCESS).and_then(|access| access.into_string().ok()) {
        // Without it the order API is off, and stays so.
        Some(access) if up.schedule && !access.trim().is_empty() => {
            let caller = schedule::Caller::new();
            let admitted = caller.admitted(&access)?;
            options.variables.push((ACCESS.to_owned(), admitted));
            Some(caller)
        }
        _ => None,
    };
    // Without the sources this is a deployment: spin.toml and the component, built elsewhere.
    let has_sources = workspace.join("Cargo.toml").is_file();
    if has_sources {
        let root = workspace.clone();
        let build = move || component::build_for(&root, &file, false);
        tokio::task::spawn_blocking(build).await??;
    }

    // Before the first request can come, or a signal in between would end the process at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let services = services(&options);
    let server = Server::start(options).await?;
    if let Err(replaced) = state.still_serves() {
        server.stop().await?;
        return Err(replaced);
    }
    let offline = match &credentials {
        Some((credentials, listen)) => {
            let mut options = offline_options(server.address(), credentials, services)?;
            options.mischief = up.mischief;
            options.listen = *listen;
            Some(mpay_offline::start(options).await?)
        }
        None => None,
    };
    let gateway = match gateway {
        Some(options) => Some(mpay_gateway::start(options).await?),
        None => None,
    };
    let url = server.url();
    let serves_at = url.clone();
    let schedule = caller.map(|caller| caller.start(&url));
    let offline_url = offline.as_ref().map(mpay_offline::Server::url);
    let gateway_url = gateway.as_ref().map(mpay_gateway::Running::url);
    let greeting = tokio::task::spawn_blocking(move || {
        greet(
            &url,
            offline_url,
            gateway_url,
            credentials.as_ref().map(|(credentials, _)| credentials),
            &invoked(has_sources),
        )
    });
    let told_to_stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let serving = async {
        // What is told of a provider does not decide whether it serves.
        if let Err(error) = greeting.await.map_err(anyhow::Error::from).flatten() {
            tell!("The provider serves at {serves_at}. What it is like cannot be said: {error:#}");
        }
        std::future::pending().await
    };
    let outcome = tokio::select! {
        failed = serving => failed,
        () = told_to_stop => Ok(()),
        // Whoever watches over the process must see that it did not end as it should.
        error = server.failed() => Err(error.into()),
    };
    tell!("Stopping …");
    if let Some(schedule) = schedule {
        schedule.abort();
    }
    if let Some(offline) = offline {
        offline.stop().await?;
    }
    if let Some(gateway) = gateway {
        gateway.stop().await?;
    }
    server.stop().await?;
    drop(state);
    outcome
}

/// The ServiceIDs that the provider is told to serve.
fn services(options: &Options) -> Vec<String> {
    let given = set(options, "service_ids").and_then(|services| services.into_string().ok());
    given
        .iter()
        .flat_map(|services| services.split(','))
        .map(|service| service.trim().to_owned())
        .filter(|service| !service.is_empty())
        .collect()
}

/// MPay offline for a provider on this machine, with the development key.
fn offline_options(
    provider: SocketAddr,
    credentials: &Credentials,
    services: Vec<String>,
) -> anyhow::Result<mpay_offline::Options> {
    Ok(mpay_offline::Options {
        listen: beside(provider),
        provider: format!("http://{}/", reached(provider)),
        key: read(&credentials.mpay_key())?,
        certificate: read(&credentials.mpay_certificate())?,
        provider_certificate: read(&credentials.service_certificate())?,
        algorithms: wsse::Algorithms::SHA1,
        orders: if services.iter().any(|service| service == SERVICE_ID) {
            let key = |(key, _): (&str, _)| (SERVICE_ID.to_owned(), key.to_owned());
            sample_orders().into_iter().map(key).collect()
        } else {
            Vec::new()
        },
        services,
        mischief: None,
        pause: PAUSE,
    })
}

/// The address where somebody who is played will listen: the usual one, or, if that is taken, another.
/// The provider must know it before it starts.
fn free_address(usual: SocketAddr) -> SocketAddr {
    let free = TcpListener::bind(usual).or_else(|_| TcpListener::bind((usual.ip(), 0)));
    free.and_then(|listener| listener.local_addr())
        .unwrap_or(usual)
}

/// The address at which this machine reaches who listens at `listen`.
fn reached(listen: SocketAddr) -> SocketAddr {
    let mut reached = listen;
    if reached.ip().is_unspecified() {
        reached.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    reached
}

/// Refuses names that are of no variable, before anything is made; tells of those that may belong to
/// another program.
fn check_names(options: &Options) -> anyhow::Result<Manifest> {
    let manifest = Manifest::load(&options.manifest)?;
    let misnamed = misnamed(&manifest, &options.variables, &options.environment);
    let (wrong, doubtful): (Vec<_>, Vec<_>) =
        misnamed.into_iter().partition(|name| name.is_certain);
    for name in doubtful {
        tell!("Warning: {name}");
    }
    if wrong.is_empty() {
        return Ok(manifest);
    }
    let mut lines: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    if wrong.iter().any(|name| name.meant.is_none()) {
        let known: Vec<_> = manifest
            .variables
            .keys()
            .map(|name| name.as_str())
            .collect();
        lines.push(format!("The variables are {}.", known.join(", ")));
    }
    bail!(lines.join("\n"))
}

/// Warns where the way to the store need not be encrypted.
fn tell_of_address(options: &Options) {
    let database = set(options, "database_url").and_then(|url| url.into_string().ok());
    let address = match (&options.store, &database) {
        (_, Some(url)) => url,
        (Store::Redis(url), None) => url,
        _ => return,
    };
    let server = backup::Server::at(address.trim(), None);
    if let Some(weakness) = server.and_then(|server| server.weakness_of_address()) {
        tell!("Warning: {weakness}");
    }
}

/// Sets the environment to development, unless it was said to be another.
fn develop(options: &mut Options) -> anyhow::Result<()> {
    let said = set(options, "environment");
    ensure!(
        said.is_none_or(|said| said == "development"),
        "--development contradicts the variable environment: leave one of them out"
    );
    let development = ("environment".to_owned(), "development".to_owned());
    options.variables.push(development);
    Ok(())
}

/// The value that somebody has set for a variable.
fn set(options: &Options, name: &str) -> Option<OsString> {
    development::value(&options.variables, &options.environment, name)
}

/// Says where the provider is, what is wrong with it, and what to try next.
fn greet(
    url: &str,
    offline_url: Option<String>,
    gateway_url: Option<String>,
    credentials: Option<&Credentials>,
    command: &str,
) -> anyhow::Result<()> {
    let url = url.trim_end_matches('/');
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        // It is this machine, and the environment may name a proxy.
        .proxy(None)
        .build()
        .new_agent();
    let mut health = agent
        .get(format!("{url}/health"))
        .call()
        .context("the provider does not answer")?;
    let healthy = health.status().is_success();
    let report: Value = health.body_mut().read_json().unwrap_or_default();
    say!("MPay calls     {url}/")?;
    say!("WSDL           {url}/?wsdl")?;
    say!("Order API      {url}/api/orders/SERVICE/KEY")?;
    say!("Health         {url}/health")?;
    say!("               {url}/health/office")?;
    let member = |name: &str| report.get(name);
    let texts = |name: &str| {
        let texts = member(name).and_then(Value::as_array).into_iter().flatten();
        texts.filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let errors = texts("errors");
    if !healthy {
        say!("\nThe provider is not ready:")?;
        for error in errors {
            say!("  {error}")?;
        }
        return Ok(());
    }
    if member("status").is_some_and(|status| status == "paused") {
        say!("Stopped        the variable paused is set: every call is told to come later")?;
    }
    for error in errors {
        say!("Wrong          {error}")?;
    }
    for warning in texts("warnings") {
        say!("Warning        {warning}")?;
    }
    let Some(credentials) = credentials else {
        let environment = member("environment")
            .and_then(Value::as_str)
            .unwrap_or_default();
        say!("Environment    {environment}")?;
        return Ok(());
    };
    let token = read(&credentials.api_token())?;
    let file = credentials.api_token();
    let here = std::env::current_dir().unwrap_or_default();
    say!(
        "API token      {}",
        file.strip_prefix(&here).unwrap_or(&file).display()
    )?;
    say!("Office         {url}/admin (sign in with this token)")?;
    for (key, order) in sample_orders() {
        let response = agent
            .put(format!("{url}/api/orders/{SERVICE_ID}/{key}"))
            .header("Authorization", format!("Bearer {}", token.trim()))
            .header("If-None-Match", "*")
            .send_json(order)
            .context("the order API does not answer")?;
        match response.status().as_u16() {
            201 => say!("Sample order   {key}")?,
            // There from an earlier start.
            412 => {}
            // The institution's own configuration: it has other services or tokens.
            status => {
                say!("Sample order   {key} was not registered (HTTP {status})")?;
            }
        }
    }
    if let Some(gateway) = gateway_url {
        say!("Card gateway   {gateway}/")?;
    }
    if let Some(offline) = offline_url {
        say!("MPay offline   {offline}/")?;
        say!(
            "\nPay an order in the browser: {offline}/service/pay?ServiceID={SERVICE_ID}&OrderKey=DEMO-1"
        )?;
    }
    say!("Or, in another terminal:\n  {command} call details DEMO-1")?;
    Ok(())
}

/// The words that call this command again.
fn invoked(has_sources: bool) -> String {
    let own = std::env::args().next().filter(|_| !has_sources);
    own.unwrap_or_else(|| "cargo run --".to_owned())
}

fn sample_orders() -> [(&'static str, serde_json::Value); 3] {
    use serde_json::json;
    [
        (
            "DEMO-1",
            json!({
                "reason": {"ro": "Taxă de studii", "ru": "Плата за обучение", "en": "Tuition fee"},
                "customer_type": "Person",
                "customer_name": "Ion Exemplu",
                "lines": [{
                    "line_id": "1",
                    "reason": {"ro": "Semestrul I", "ru": "Первый семестр", "en": "First semester"},
                    "amount_due": "1250.00"
                }]
            }),
        ),
        (
            "DEMO-2",
            json!({
                "reason": {"ro": "Bilete la muzeu", "ru": "Билеты в музей", "en": "Museum tickets"},
                "allow_partial_payments": true,
                "lines": [
                    {
                        "line_id": "adult",
                        "reason": {"ro": "Adulți", "ru": "Взрослые", "en": "Adults"},
                        "amount_due": "100.00"
                    },
                    {
                        "line_id": "child",
                        "reason": {"ro": "Copii", "ru": "Дети", "en": "Children"},
                        "amount_due": "45.50"
                    }
                ],
                "properties": [{
                    "name": "Data vizitei",
                    "display_name": {"ro": "Data vizitei", "ru": "Дата посещения", "en": "Date of visit"},
                    "value": "31.12.2026"
                }]
            }),
        ),
        (
            "DEMO-3",
            json!({
                "reason": {"ro": "Donație", "ru": "Пожертвование", "en": "Donation"},
                "allow_advance_payments": true,
                "lines": [{
                    "line_id": "1",
                    "reason": {"ro": "Donație", "ru": "Пожертвование", "en": "Donation"}
                }]
            }),
        ),
    ]
}
