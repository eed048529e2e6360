//! A folder with a `spin.toml`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::bail;
use jiff::Timestamp;
use mpay::{
    component::FOR_POSTGRES,
    development::{Credentials, is_meant},
};
use mpay_door::{
    Configuration,
    config::{ConfigError, Environment, Misconfigured, Unread, Variables},
};
use mpay_host::{
    Environment as DotEnv, Manifest, Options, RuntimeConfig, Variables as Resolved, misnamed,
};
use mpay_office::config::Config as OfficeConfig;
use mpay_provider::config::Config;

use super::{
    Arguments, Findings,
    certificates::{self, Certificates, Texts},
    component, store,
};

/// The names of the doors in the manifest.
const PROVIDER: &str = "mpay-provider";
const OFFICE: &str = "mpay-office";

/// The configuration of a folder, for the questions to a running provider.
#[derive(Default)]
pub struct Setup {
    /// Its key, certificate and so on, if they are right.
    pub config: Option<Config>,
    /// The configuration of its office, if it is right.
    pub office: Option<OfficeConfig>,
    /// The certificates in its variables, right or wrong.
    pub certificates: Certificates,
    /// Development credentials, if it has some.
    pub credentials: Option<Credentials>,
}

/// Reads a folder.
pub fn examine(
    folder: &Path,
    arguments: &Arguments,
    findings: &mut Findings,
) -> anyhow::Result<Setup> {
    if !folder.is_dir() {
        bail!(
            "{} is neither a folder nor an address such as https://plati.exemplu.md/",
            folder.display()
        );
    }
    let mut setup = Setup::default();
    let credentials = Credentials::of_workspace(folder);
    if credentials.mpay_key().is_file() {
        setup.credentials = Some(credentials);
    }
    let usual = folder.join("spin.toml");
    let for_postgres = folder.join(FOR_POSTGRES);
    let manifest = match !usual.is_file() && for_postgres.is_file() {
        true => for_postgres,
        false => usual,
    };
    let manifest = match Manifest::load(manifest) {
        Ok(manifest) => manifest,
        Err(error) => {
            findings.wrong(
                "manifest",
                error.to_string(),
                "A deployment needs the spin.toml of this version of the provider: copy it anew.",
            );
            return Ok(setup);
        }
    };
    findings.ok(
        "manifest",
        format!("{} can be served", manifest.path.display()),
    );
    for (id, component) in &manifest.components {
        component::examine(id, component, &manifest.component_path(component), findings);
    }
    examine_files(folder, findings);

    let mut options = Options::new(manifest.path.clone());
    options.environment = read_environment(folder, findings);
    if let Some(file) = &arguments.runtime_config {
        RuntimeConfig::load(file, options.environment.clone())?.apply(&mut options);
    }
    let environment = &options.environment;
    examine_names(&manifest, &arguments.variables, environment, findings);
    let mut given = arguments.variables.clone();
    // What is of no variable was told of.
    given.retain(|(name, _)| {
        manifest
            .variables
            .keys()
            .any(|known| known.as_str() == name)
    });
    add_development(
        &mut given,
        environment,
        setup.credentials.as_ref(),
        findings,
    )?;
    let resolved = match Resolved::resolve(&manifest, &given, |name| environment.get(name)) {
        Ok(resolved) => resolved,
        Err(error) => {
            findings.wrong(
                "variables",
                error.to_string(),
                "Take the name from the table in docs/configuration.md.",
            );
            return Ok(setup);
        }
    };
    let provider = resolved.get(PROVIDER);
    let text = |name| {
        provider
            .and_then(|door| door.get(name).ok())
            .unwrap_or_default()
    };
    let texts = Texts {
        service_key: text("service_key"),
        service_certificate: text("service_certificate"),
        mpay_certificates: text("mpay_certificates"),
        mpay_authorities: text("mpay_authorities"),
    };
    store::examine(
        &manifest,
        &options,
        text("database_url"),
        text("database_ca"),
        findings,
    )?;
    let explained = findings.findings.len();
    setup.certificates = certificates::examine(&texts, Timestamp::now(), findings);
    if let Some(config) = examine_door::<Config>(provider, explained, findings) {
        examine_config(&config, findings);
        setup.config = Some(config);
    }
    setup.office = examine_door::<OfficeConfig>(resolved.get(OFFICE), explained, findings);
    Ok(setup)
}

/// Reads the variables of a door, if the manifest has it.
fn examine_door<C: Configuration>(
    resolved: Option<&Resolved>,
    explained: usize,
    findings: &mut Findings,
) -> Option<C> {
    let resolved = resolved?;
    let mut variables = Variables::default();
    for &name in C::VARIABLES {
        match resolved.get(name) {
            Ok(value) => variables.set(name, value.to_owned()),
            Err(_) => variables.set_unread(name, Unread::Undefined),
        }
    }
    match C::read(&variables) {
        Ok(config) => {
            examine_mistakes(config.off(), explained, findings);
            Some(config)
        }
        Err(Misconfigured { errors, .. }) => {
            examine_mistakes(&errors, explained, findings);
            None
        }
    }
}

/// Tells of mistakes in variables, unless one of the findings after the first `explained` did so in
/// more words.
fn examine_mistakes(errors: &[ConfigError], explained: usize, findings: &mut Findings) {
    for error in errors {
        let explained = findings.findings.iter().skip(explained);
        let mut wrong = explained.filter(|f| f.mark == crate::terminal::Mark::Wrong);
        if !wrong.any(|finding| finding.text.contains(error.variable)) {
            findings.wrong(
                "variables",
                error.to_string(),
                format!(
                    "Set it by `--variable {0}=…`, `--variable {0}=@FILE`, or SPIN_VARIABLE_{1}.",
                    error.variable,
                    error.variable.to_ascii_uppercase()
                ),
            );
        }
    }
}

/// The environment with the `.env` that whoever starts the provider in the folder has.
fn read_environment(folder: &Path, findings: &mut Findings) -> DotEnv {
    let environment = DotEnv::read(folder).unwrap_or_else(|error| {
        findings.wrong(
            "dotenv",
            error.to_string(),
            "Each line is NAME=VALUE; a value of several lines stands in double quotes. `mpay keys variables --env` writes one.",
        );
        DotEnv::default()
    });
    let read = environment.set_by_file();
    if !read.is_empty() {
        findings.ok("dotenv", format!(".env sets {}", read.join(", ")));
    }
    environment
}

/// Names that are of no variable, which Spin reads past without a word.
fn examine_names(
    manifest: &Manifest,
    given: &[(String, String)],
    environment: &DotEnv,
    findings: &mut Findings,
) {
    for name in misnamed(manifest, given, environment) {
        let text = name.to_string();
        match name.is_certain {
            true => findings.wrong(
                "variable-name",
                text,
                "Spin reads past a name that it does not know, and `mpay up` does not start with one: take the name from spin.toml, in capitals and with SPIN_VARIABLE_ in front where it stands in the environment or in .env.",
            ),
            false => findings.warning(
                "variable-name",
                text,
                "In .env a variable's name is in capitals and begins with SPIN_VARIABLE_; leave it if it belongs to another program.",
            ),
        }
    }
}

/// In a folder with development credentials `mpay up` takes these where nothing else is said.
fn add_development(
    given: &mut Vec<(String, String)>,
    environment: &DotEnv,
    credentials: Option<&Credentials>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let Some(credentials) = credentials else {
        return Ok(());
    };
    if !is_meant(given, environment) {
        return Ok(());
    }
    credentials.complete(given, environment)?;
    findings.note(
        "development",
        format!("development credentials of {} are used, as by `mpay up`", credentials.folder().display()),
        "Give `--variable environment=production` and the variables of the deployment to look at that instead.",
    );
    Ok(())
}

/// Keys in the folder that others may read.
fn examine_files(folder: &Path, findings: &mut Findings) {
    let Ok(files) = fs::read_dir(folder) else {
        return;
    };
    for file in files.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let secret = name == ".env" || name.ends_with(".key.pem") || name.ends_with(".key");
        let mode = file.metadata().map_or(0, |data| data.permissions().mode());
        if secret && mode & 0o077 != 0 {
            findings.warning(
                "readable",
                format!(
                    "{name} can be read by others on this machine (mode {:o})",
                    mode & 0o777
                ),
                format!("chmod 600 {name}"),
            );
        }
    }
}

fn examine_config(config: &Config, findings: &mut Findings) {
    findings.ok(
        "variables",
        format!(
            "the variables are whole, for environment {}",
            config.environment.as_str()
        ),
    );
    if !config.policy.accept_sha1 {
        findings.warning(
            "sha1",
            "accept_sha1 is false, and MPay signs with SHA-1 today",
            "Leave it true until MPay's team says that it signs with SHA-256.",
        );
    }
    if config.policy.clock_skew.as_secs() < 30 {
        findings.warning(
            "clock-skew",
            "clock_skew is below 30 seconds, and MPay's clock has been seen ahead",
            "120, the default, is right for most.",
        );
    }
    if config.environment == Environment::Development {
        return;
    }
    match &config.public_url {
        Some(url) if url.starts_with("https://") => {}
        Some(url) => findings.warning(
            "public-url",
            format!("public_url is {url}, without TLS"),
            "MPay calls https:// only; put the address there that it calls.",
        ),
        None => findings.note(
            "public-url",
            "public_url is not set: the WSDL names whatever host it was asked at",
            "Behind a proxy that is often the inner one: set it to the address that MPay calls.",
        ),
    }
}
