//! Certificates, keys and a token for a developer's machine. They carry a mark, and a provider
//! refuses them anywhere else.

use std::{
    ffi::OsString,
    fs,
    io::ErrorKind,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use mpay_client::new_key;
use mpay_door::config::DEVELOPMENT_CERTIFICATE;
use mpay_host::Environment;
use mpay_office::access::{DEVELOPMENT_TOKEN, Principal, Role};
use rand::RngExt;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyUsagePurpose};

pub use crate::text::read;

/// The service that the development provider serves.
pub const SERVICE_ID: &str = "DEMO";

/// The variables that only a deployment is given: keys, certificates and tokens.
const OF_A_DEPLOYMENT: [&str; 5] = [
    "service_key",
    "service_certificate",
    "mpay_certificates",
    "mpay_authorities",
    "access",
];

/// True if a provider is started for development: by its `environment`, or, where that is not said, if
/// it has no key, certificate or token of its own. One that is set and empty is one of its own: where a
/// secret could not be filled in, nothing else must take its place.
pub fn is_meant(given: &[(String, String)], environment: &Environment) -> bool {
    match value(given, environment, "environment") {
        Some(said) => said
            .to_str()
            .is_some_and(|said| said.trim() == "development"),
        None => OF_A_DEPLOYMENT
            .iter()
            .all(|name| value(given, environment, name).is_none()),
    }
}

/// The value that somebody has set for a variable.
pub fn value(
    given: &[(String, String)],
    environment: &Environment,
    name: &str,
) -> Option<OsString> {
    let mut given = given.iter().rev();
    let given = given.find(|(given, _)| given == name);
    let given = given.map(|(_, value)| OsString::from(value));
    given.or_else(|| environment.variable(name))
}

/// The key of pay links, which is accepted in development alone.
pub const PAGE_KEY: &str = "development-only-key-of-pay-links";

/// Of which customers of the card gateway have their passwords, likewise.
pub const WALLET_SECRET: &str = "development-only-secret-of-customers";

/// A folder with development credentials.
#[derive(Debug, Clone)]
pub struct Credentials {
    folder: PathBuf,
}

impl Credentials {
    /// The credentials in the folder where a workspace keeps them.
    pub fn of_workspace(workspace: &Path) -> Self {
        Self {
            folder: workspace.join("certs/dev"),
        }
    }

    /// The folder that holds them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The key that plays MPay's.
    pub fn mpay_key(&self) -> PathBuf {
        self.folder.join("mpay.key.pem")
    }

    /// The certificate that plays MPay's.
    pub fn mpay_certificate(&self) -> PathBuf {
        self.folder.join("mpay.pem")
    }

    /// The institution's key.
    pub fn service_key(&self) -> PathBuf {
        self.folder.join("service.key.pem")
    }

    /// The institution's certificate.
    pub fn service_certificate(&self) -> PathBuf {
        self.folder.join("service.pem")
    }

    /// The token of the order API.
    pub fn api_token(&self) -> PathBuf {
        self.folder.join("api-token")
    }

    /// Makes the credentials where there are none. Gives whether it made them.
    ///
    /// # Errors
    /// If they are there in part, or cannot be written.
    pub fn ensure(&self) -> anyhow::Result<bool> {
        let files = [
            self.mpay_key(),
            self.mpay_certificate(),
            self.service_key(),
            self.service_certificate(),
            self.api_token(),
        ];
        let mut there = 0;
        for file in &files {
            match fs::File::open(file) {
                Ok(_) => there += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.unreadable(file, error)),
            }
        }
        if there == files.len() {
            return Ok(false);
        }
        if self.folder.exists() {
            bail!(
                "{} has some development credentials, but not all: delete the folder to have new ones made",
                self.folder.display()
            );
        }
        // Made aside and then moved, so that there are all or none of them.
        let parent = self.folder.parent().context("certs/dev has a parent")?;
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let aside = parent.join(format!("dev.{}.new", std::process::id()));
        fs::create_dir_all(&aside).with_context(|| format!("cannot make {}", aside.display()))?;
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o700))?;
        make(&aside)?;
        match fs::rename(&aside, &self.folder) {
            Ok(()) => Ok(true),
            Err(error) => {
                fs::remove_dir_all(&aside).ok();
                if self.folder.exists() {
                    // Another process was faster.
                    return Ok(false);
                }
                Err(error).with_context(|| format!("cannot make {}", self.folder.display()))
            }
        }
    }

    fn unreadable(&self, file: &Path, error: std::io::Error) -> anyhow::Error {
        let name = format!("cannot read {}", file.display());
        match error.kind() {
            ErrorKind::PermissionDenied => anyhow::Error::new(error).context(name).context(format!(
                "{} is another user's, and its keys are for them alone: start this as that user, or delete the folder to have new ones made",
                self.folder.display()
            )),
            _ => anyhow::Error::new(error).context(name),
        }
    }

    /// Adds to what is `given` what else a provider needs for development.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn complete(
        &self,
        given: &mut Vec<(String, String)>,
        environment: &Environment,
    ) -> anyhow::Result<()> {
        for (name, own) in self.variables()? {
            if value(given, environment, name).is_none() {
                given.push((name.to_owned(), own));
            }
        }
        Ok(())
    }

    /// The values of a provider's variables that go with these credentials.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn variables(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let developer = Principal {
            name: "Developer".to_owned(),
            role: Role::Manager,
        };
        Ok(vec![
            ("environment", "development".to_owned()),
            ("service_ids", SERVICE_ID.to_owned()),
            ("service_key", read(&self.service_key())?),
            ("service_certificate", read(&self.service_certificate())?),
            ("mpay_certificates", read(&self.mpay_certificate())?),
            ("access", developer.entry(read(&self.api_token())?.trim())),
            ("bank_account", "MD24AG000225100013104168".to_owned()),
            ("bank_code", "AGRNMD2X".to_owned()),
            ("bank_fiscal_code", "1000000000007".to_owned()),
            ("beneficiary_name", "Development only".to_owned()),
        ])
    }
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let write = |name: &str, text: String| {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    };
    let (authority_pem, authority_key) = new_key()?;
    let mut parameters = parameters("authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority = CertifiedIssuer::self_signed(parameters, authority_key)?;
    write("authority.key.pem", authority_pem)?;
    write("authority.pem", authority.pem())?;
    for (name, who) in [("mpay", "MPay"), ("service", "service provider")] {
        let (pem, key) = new_key()?;
        let mut parameters = self::parameters(who);
        parameters.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
        ];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(&key, &authority)?;
        write(&format!("{name}.key.pem"), pem)?;
        write(&format!("{name}.pem"), certificate.pem())?;
    }
    let token: String = rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(32)
        .map(char::from)
        .collect();
    write("api-token", format!("{DEVELOPMENT_TOKEN}{token}\n"))
}

fn parameters(who: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let name = format!("{DEVELOPMENT_CERTIFICATE} {who}");
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2046, 1, 1);
    parameters
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header::AUTHORIZATION};
    use mpay_door::{Configuration as _, config::Variables};
    use mpay_office::admission::authenticate;

    use super::*;

    #[test]
    fn development_is_meant_where_nothing_of_a_deployment_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let meant = |given: &[(&str, &str)], file: &str| {
            fs::write(folder.path().join(".env"), file).unwrap();
            let environment = Environment::read(folder.path()).unwrap();
            let given = given
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            is_meant(&given.collect::<Vec<_>>(), &environment)
        };
        assert!(meant(&[], ""));
        assert!(meant(
            &[("service_ids", "TAX")],
            "SPIN_VARIABLE_CLOCK_SKEW=60\n"
        ));
        for name in OF_A_DEPLOYMENT {
            assert!(!meant(&[(name, "x")], ""), "{name}");
            // A secret that was not filled in.
            assert!(!meant(&[(name, "")], ""), "{name}");
            let line = format!("SPIN_VARIABLE_{}=x\n", name.to_ascii_uppercase());
            assert!(!meant(&[], &line), "{name}");
            assert!(meant(&[(name, "x"), ("environment", " development ")], ""));
        }
        assert!(!meant(&[("environment", "test")], ""));
        assert!(!meant(&[("environment", "")], ""));
        assert!(!meant(&[], "SPIN_VARIABLE_ENVIRONMENT=production\n"));
    }

    #[test]
    fn credentials_of_another_user_are_told_as_theirs() {
        let credentials = Credentials::of_workspace(Path::new("there"));
        let file = credentials.api_token();
        let denied = credentials.unreadable(&file, ErrorKind::PermissionDenied.into());
        let denied = format!("{denied:#}");
        for words in [
            "there/certs/dev is another user's",
            "api-token",
            "as that user",
        ] {
            assert!(denied.contains(words), "{denied}");
        }
        let other = credentials.unreadable(&file, ErrorKind::InvalidData.into());
        assert!(!other.to_string().contains("user"), "{other}");
    }

    #[test]
    fn credentials_are_made_once_marked_and_fit_each_other() {
        let workspace = tempfile::tempdir().unwrap();
        let credentials = Credentials::of_workspace(workspace.path());
        assert!(credentials.ensure().unwrap());
        assert!(!credentials.ensure().unwrap());

        let mut variables = Variables::default();
        for (name, value) in credentials.variables().unwrap() {
            variables.set(name, value);
        }
        mpay_provider::config::Config::read(&variables).unwrap();
        let config = mpay_office::config::Config::read(&variables).unwrap();
        let token = read(&credentials.api_token()).unwrap();
        let developer = config.principals.with_token(token.trim()).unwrap();
        assert_eq!(developer.role, Role::Manager);

        // Anywhere else they are refused: both certificates, and the token once it is used.
        variables.set("environment", "production".into());
        let wrong = mpay_provider::config::Config::read(&variables).unwrap_err();
        assert_eq!(wrong.errors.len(), 2, "{:?}", wrong.errors);
        let office = mpay_office::config::Config::read(&variables).unwrap();
        assert_eq!(office.off().len(), 2, "{:?}", office.off());
        let headers = [(AUTHORIZATION, format!("Bearer {}", token.trim()))];
        let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
        let refused = authenticate(&office, &HeaderMap::from_iter(headers)).unwrap_err();
        assert_eq!(refused.into_response().status(), 401);

        fs::remove_file(credentials.api_token()).unwrap();
        let error = credentials.ensure().unwrap_err().to_string();
        assert!(error.contains("delete the folder"), "{error}");
    }
}
