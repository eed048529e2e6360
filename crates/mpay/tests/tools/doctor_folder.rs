//! Each fault of a configuration, found by its name.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{provider::read, support::*};

const COMPONENT: &str = "target/wasm32-wasip2/component/mpay_provider.wasm";
const OFFICE: &str = "target/wasm32-wasip2/component/mpay_office.wasm";

/// A component in which nothing is.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// A component whose one module uses an instruction of relaxed SIMD:
/// `(func (param v128 v128 v128) (result v128) local.get 0 local.get 1 local.get 2 f32x4.relaxed_madd)`.
fn relaxed() -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    module.extend([1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b]);
    module.extend([3, 2, 1, 0]);
    module.extend([
        10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 0x02, 0x0b,
    ]);
    let mut component = EMPTY.to_vec();
    component.extend([1, u8::try_from(module.len()).unwrap()]);
    component.extend(module);
    component
}

/// A deployment that is right, until a variable is changed.
struct Deployment {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Deployment {
    fn new() -> Deployment {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(
            workspace().join("spin.toml"),
            folder.path().join("spin.toml"),
        )
        .unwrap();
        let component = folder.path().join(COMPONENT);
        fs::create_dir_all(component.parent().unwrap()).unwrap();
        fs::write(component, EMPTY).unwrap();
        fs::write(folder.path().join(OFFICE), EMPTY).unwrap();
        let variables = [
            ("service_ids", "TAX".to_owned()),
            ("service_key", read("service.key.pem")),
            ("service_certificate", read("service.pem")),
            ("mpay_certificates", read("mpay.pem")),
            ("public_url", "https://plati.exemplu.md/mpay".to_owned()),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        Deployment {
            folder,
            variables: variables.into(),
        }
    }

    fn with(name: &str, value: &str) -> Deployment {
        Deployment::new().and(name, value)
    }

    fn and(mut self, name: &str, value: &str) -> Deployment {
        self.variables.retain(|(given, _)| given != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn doctor(&self, more: &[&str]) -> Outcome {
        let mut command = mpay(self.path());
        command.args(["doctor", "."]).args(more);
        for (name, value) in &self.variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        Outcome::of(command.output().unwrap())
    }

    /// Checks that this is found, with these words, and that nothing else is wrong.
    #[track_caller]
    fn finds(&self, mark: &str, id: &str, words: &[&str]) {
        let code = i32::from(mark == "wrong");
        let outcome = self.doctor(&["--json"]).expect(code, words);
        let json = outcome.json();
        let findings = json[0]["findings"].as_array().unwrap();
        let worse =
            |finding: &&Value| matches!(finding["mark"].as_str(), Some("wrong" | "warning"));
        let found: Vec<_> = findings.iter().filter(worse).collect();
        assert_eq!(found.len(), 1, "{outcome:#?}");
        assert_eq!(
            (found[0]["id"].as_str(), found[0]["mark"].as_str()),
            (Some(id), Some(mark))
        );
        assert!(found[0]["advice"].is_string(), "{outcome:#?}");
    }
}

#[test]
fn a_store_that_others_on_the_machine_can_read_is_found() {
    let deployment = Deployment::new();
    let state = deployment.path().join(".spin");
    fs::create_dir(&state).unwrap();
    let store = state.join("sqlite_key_value.db");
    let mut header = *b"SQLite format 3\0\x10\0\x01\x01";
    header[18..].fill(2);
    fs::write(&store, header).unwrap();
    let give = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let give_all = |modes: [u32; 3]| {
        let paths = [deployment.path(), &state, &store];
        std::iter::zip(paths, modes).for_each(|(path, mode)| give(path, mode));
    };
    give_all([0o755, 0o755, 0o644]);
    deployment.finds(
        "warning",
        "store-readable",
        &["every user of this machine", "chmod 700"],
    );
    // Each is enough; those of a group are somebody's choice.
    for modes in [
        [0o700, 0o755, 0o644],
        [0o755, 0o750, 0o644],
        [0o755, 0o755, 0o640],
    ] {
        give_all(modes);
        let outcome = deployment.doctor(&[]);
        assert!(!outcome.stdout.contains("every user"), "{outcome:#?}");
    }
}

#[test]
fn the_store_is_looked_at_where_it_is() {
    let deployment = Deployment::new();
    let state = deployment.path().join(".spin");
    fs::create_dir(&state).unwrap();
    // The header of a file that Spin has made; the next one has a log.
    let mut header = *b"SQLite format 3\0\x10\0\x01\x01";
    fs::write(state.join("sqlite_key_value.db"), header).unwrap();
    deployment
        .doctor(&[])
        .expect(0, &["no write-ahead log", "mpay state --wal"]);
    header[18..].fill(2);
    fs::write(state.join("sqlite_key_value.db"), header).unwrap();
    deployment.doctor(&[]).expect(0, &["has a write-ahead log"]);

    fs::write(
        state.join("sqlite_key_value.moving"),
        "sqlite_key_value.1.db",
    )
    .unwrap();
    deployment.finds(
        "wrong",
        "store-being-replaced",
        &["Do not start Spin before"],
    );
    fs::remove_file(state.join("sqlite_key_value.moving")).unwrap();

    let config =
        "[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://u:hush@127.0.0.1:1\"\n";
    fs::write(deployment.path().join("redis.toml"), config).unwrap();
    let silent = deployment.doctor(&["--runtime-config-file", "redis.toml"]);
    let silent = silent.expect(1, &["redis://127.0.0.1:1", "Without its store"]);
    assert!(!silent.stdout.contains("hush"), "{silent:#?}");
}

#[test]
fn a_database_beyond_this_machine_must_be_reached_by_tls() {
    let deployment = Deployment::new();
    let postgres = workspace().join("spin.postgres.toml");
    fs::rename(
        deployment.path().join("spin.toml"),
        deployment.path().join("old.toml"),
    )
    .unwrap();
    fs::copy(postgres, deployment.path().join("spin.postgres.toml")).unwrap();
    let at = |url: &str| {
        let url = format!("database_url={url}");
        deployment.doctor(&["--variable", &url])
    };
    at("postgres://u:hush@192.0.2.1:1/d?connect_timeout=1&sslmode=prefer").expect(
        1,
        &["the way to postgres://192.0.2.1:1/d", "sslmode=require"],
    );
    let near = at("postgres://u:hush@127.0.0.1:1/d").expect(1, &["postgres://127.0.0.1:1/d"]);
    assert!(!near.stdout.contains("sslmode"), "{near:#?}");
    assert!(!near.stdout.contains("hush"), "{near:#?}");
}

/// A certificate of a key of the tests.
fn certificate(key: &str, change: impl FnOnce(&mut CertificateParams)) -> String {
    let pair = KeyPair::from_pkcs8_pem_and_sign_algo(&read(key), &PKCS_RSA_SHA256).unwrap();
    let mut parameters = CertificateParams::default();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "exemplu");
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2120, 1, 1);
    change(&mut parameters);
    parameters.self_signed(&pair).unwrap().pem()
}

fn web_server(key: &str) -> String {
    certificate(key, |parameters| {
        parameters.subject_alt_names = vec![rcgen::SanType::DnsName(
            "plati.exemplu.md".try_into().unwrap(),
        )];
        parameters.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    })
}

#[test]
fn a_right_deployment_is_right() {
    let deployment = Deployment::new();
    let outcome = deployment.doctor(&[]).expect(
        0,
        &[
            "can be served",
            "service_key belongs to service_certificate",
            "for environment production",
            "Nothing is wrong.",
        ],
    );
    assert!(!outcome.stdout.contains("WRONG") && !outcome.stdout.contains("warning"));
    assert!(!outcome.stdout.contains("PRIVATE KEY"));
}

#[test]
fn a_key_of_another_certificate_is_found() {
    Deployment::with("service_key", &read("stranger.key.pem")).finds(
        "wrong",
        "key-and-certificate",
        &["does not belong", "its request was made with"],
    );
}

#[test]
fn two_certificates_in_each_others_place_are_found() {
    Deployment::with("service_certificate", &read("mpay.pem"))
        .and("mpay_certificates", &read("service.pem"))
        .finds("wrong", "certificates-mixed-up", &["swap them"]);
}

#[test]
fn the_own_certificate_in_mpays_place_is_found() {
    Deployment::with(
        "mpay_certificates",
        &(read("mpay.pem") + &read("service.pem")),
    )
    .finds(
        "wrong",
        "certificates-mixed-up",
        &["whoever has your key could confirm payments"],
    );
}

#[test]
fn a_web_servers_certificate_in_the_own_place_is_found() {
    Deployment::with("service_certificate", &web_server("service.key.pem")).finds(
        "wrong",
        "certificates-mixed-up",
        &["for TLS", "plati.exemplu.md", "system certificate of STISC"],
    );
}

#[test]
fn the_certificate_of_mpays_web_site_is_found() {
    Deployment::with("mpay_certificates", &web_server("mpay.key.pem")).finds(
        "wrong",
        "certificates-mixed-up",
        &["web site", "suport.mpay@gov.md"],
    );
}

#[test]
fn a_system_certificate_that_names_a_host_is_no_web_servers() {
    let system = certificate("service.key.pem", |parameters| {
        parameters.subject_alt_names = vec![rcgen::SanType::DnsName(
            "plati.exemplu.md".try_into().unwrap(),
        )];
        parameters.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
        ];
        parameters.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
    });
    Deployment::with("service_certificate", &system)
        .doctor(&[])
        .expect(0, &["Nothing is wrong."]);
}

#[test]
fn an_authority_in_the_place_of_a_signer_is_found() {
    Deployment::with("mpay_certificates", &read("chain/root.pem")).finds(
        "wrong",
        "certificates-mixed-up",
        &["mpay_authorities", "mpay_signer_names"],
    );
}

#[test]
fn of_a_chain_in_the_own_place_the_certificate_of_the_key_is_taken() {
    let chain = read("chain/root.pem") + &read("service.pem");
    Deployment::with("service_certificate", &chain)
        .doctor(&[])
        .expect(
            0,
            &[
                "service_key belongs to service_certificate",
                "Nothing is wrong.",
            ],
        );
    Deployment::with("service_certificate", &chain)
        .and("service_key", &read("stranger.key.pem"))
        .doctor(&[])
        .expect(
            1,
            &["holds 2 certificates, and none of them belongs to service_key"],
        );
}

#[test]
fn keys_and_certificates_are_read_as_people_have_them() {
    let field = |name: &str| fs::read_to_string(data("field").join(name)).unwrap();
    for name in ["bag.pem", "bom.pem", "backslash-n.pem", "bare-base64.cer"] {
        let deployment = Deployment::with("service_key", &field("both.pem"))
            .and("service_certificate", &field(name));
        let outcome = deployment.doctor(&[]);
        outcome.expect(
            0,
            &[
                "service_key belongs to service_certificate",
                "Nothing is wrong.",
            ],
        );
    }
    Deployment::with("service_key", &field("both.pem"))
        .and("service_certificate", &field("both.pem"))
        .finds(
            "warning",
            "service-certificate",
            &["holds a private key too"],
        );

    // Files that Spin reads no text of.
    let mut deployment = Deployment::new();
    deployment
        .variables
        .retain(|(name, _)| name != "service_certificate");
    let file = deployment.path().join("service.cer");
    let argument = format!("service_certificate=@{}", file.display());
    let pem = read("service.pem");
    let utf16: Vec<u8> = format!("\u{feff}{pem}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let der = wsse::Certificate::from_pem(&pem).unwrap().der().to_vec();
    for bytes in [utf16, der] {
        fs::write(&file, bytes).unwrap();
        deployment.doctor(&["--variable", &argument]).expect(
            0,
            &[
                "service_key belongs to service_certificate",
                "Nothing is wrong.",
            ],
        );
    }
}

#[test]
fn expired_certificates_are_found() {
    Deployment::with("mpay_certificates", &read("expired.pem")).finds(
        "wrong",
        "expired",
        &["mpay_certificates", "expired at 2021"],
    );
    let own = certificate("service.key.pem", |parameters| {
        parameters.not_after = rcgen::date_time_ymd(2024, 1, 1)
    });
    Deployment::with("service_certificate", &own).finds(
        "wrong",
        "expired",
        &["service_certificate", "mpay keys new"],
    );
    Deployment::with("mpay_certificates", &read("future.pem")).finds(
        "wrong",
        "not-yet-valid",
        &["valid only from 2100"],
    );
}

#[test]
fn a_certificate_that_will_expire_soon_is_a_warning() {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9 * 24);
    let soon = jiff::tz::Offset::UTC.to_datetime(soon);
    let (year, month, day) = (soon.year().into(), soon.month() as u8, soon.day() as u8);
    let own = certificate("service.key.pem", |parameters| {
        parameters.not_after = rcgen::date_time_ymd(year, month, day);
    });
    Deployment::with("service_certificate", &own).finds("warning", "expires-soon", &["expires at"]);
}

#[test]
fn a_key_that_is_encrypted_or_none_is_found() {
    Deployment::with("service_key", &read("service.encrypted.pem")).finds(
        "wrong",
        "service-key",
        &["nobody to ask", "mpay keys variables"],
    );
    Deployment::with("service_key", &read("service.pem")).finds(
        "wrong",
        "service-key",
        &["holds a certificate, not a private key"],
    );
}

#[test]
fn sha1_switched_off_too_early_is_a_warning() {
    Deployment::with("accept_sha1", "false").finds(
        "warning",
        "sha1",
        &["MPay signs with SHA-1 today"],
    );
}

#[test]
fn wrong_variables_are_found() {
    Deployment::with("service_ids", "").finds(
        "wrong",
        "variables",
        &["service_ids", "SPIN_VARIABLE_SERVICE_IDS"],
    );
    Deployment::with("clock_skew", "soon").finds("wrong", "variables", &["clock_skew"]);
    Deployment::with("servic_ids", "TAX").finds(
        "wrong",
        "variable-name",
        &["--variable servic_ids", "did you mean service_ids?"],
    );
    Deployment::with("public_url", "http://plati.exemplu.md/").finds(
        "warning",
        "public-url",
        &["without TLS"],
    );
    Deployment::with("clock_skew", "5").finds("warning", "clock-skew", &["MPay's clock"]);
}

#[test]
fn a_folder_without_a_manifest_or_a_component_is_found() {
    let deployment = Deployment::new();
    fs::remove_file(deployment.path().join(COMPONENT)).unwrap();
    deployment.finds("wrong", "component", &["there is no component"]);
    fs::write(deployment.path().join(COMPONENT), EMPTY).unwrap();
    fs::remove_file(deployment.path().join(OFFICE)).unwrap();
    deployment.finds("wrong", "component", &["mpay_office.wasm"]);
    fs::write(deployment.path().join(OFFICE), EMPTY).unwrap();
    fs::write(deployment.path().join(COMPONENT), "<html>").unwrap();
    deployment.finds("wrong", "component", &["no WebAssembly component"]);
    fs::write(deployment.path().join(COMPONENT), EMPTY).unwrap();
    fs::write(
        deployment.path().join("spin.toml"),
        "spin_manifest_version = 1",
    )
    .unwrap();
    deployment.finds("wrong", "manifest", &["copy it anew"]);
    fs::remove_file(deployment.path().join("spin.toml")).unwrap();
    deployment.finds("wrong", "manifest", &["spin.toml"]);
    run(deployment.path(), &["doctor", "nowhere"]).expect(2, &["neither a folder nor an address"]);
}

#[test]
fn what_a_component_needs_of_a_host_is_named_with_its_setting() {
    let deployment = Deployment::new();
    fs::write(deployment.path().join(COMPONENT), relaxed()).unwrap();
    deployment.doctor(&[]).expect(
        0,
        &[
            "relaxed SIMD",
            "-W relaxed-simd=y",
            "wasm_relaxed_simd(true)",
            "--no-default-features",
        ],
    );
    fs::write(deployment.path().join(COMPONENT), EMPTY).unwrap();
    deployment.doctor(&[]).expect(0, &["runs on any host"]);
}

#[test]
fn variables_of_an_env_file_are_read_and_never_shown() {
    let mut deployment = Deployment::new();
    let of = |name: &str| {
        deployment
            .variables
            .iter()
            .find(|(given, _)| given == name)
            .unwrap()
            .1
            .clone()
    };
    let (key, certificate) = (of("service_key"), of("service_certificate"));
    deployment
        .variables
        .retain(|(name, _)| !name.starts_with("service_k") && !name.starts_with("service_c"));
    let env = deployment.path().join(".env");
    let write = |text: &str, mode| {
        fs::write(&env, text).unwrap();
        fs::set_permissions(&env, fs::Permissions::from_mode(mode)).unwrap();
    };
    let right = format!(
        "SPIN_VARIABLE_SERVICE_KEY=\"{key}\"\nSPIN_VARIABLE_SERVICE_CERTIFICATE=\"{certificate}\"\n"
    );
    write(&right, 0o600);
    deployment.doctor(&[]).expect(
        0,
        &[
            ".env sets service_certificate, service_key",
            "service_key belongs to",
        ],
    );
    write(&right, 0o644);
    deployment.finds(
        "warning",
        "readable",
        &[".env can be read by others", "chmod 600 .env"],
    );
    write("SPIN_VARIABLE_API_TOKEN='top secret\n", 0o600);
    let outcome = deployment
        .doctor(&[])
        .expect(1, &[".env, line 1, cannot be read", "NAME=VALUE"]);
    assert!(!outcome.stdout.contains("top secret") && !outcome.stderr.contains("top secret"));
}

#[test]
fn names_that_are_of_no_variable_are_found_in_an_env_file_and_the_environment() {
    let deployment = Deployment::new();
    let env = deployment.path().join(".env");
    let write = |text: &str| {
        fs::write(&env, text).unwrap();
        fs::set_permissions(&env, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("SPIN_VARIABLE_SERVICE_ID=TAX\n");
    let meant = "did you mean SPIN_VARIABLE_SERVICE_IDS?";
    deployment.finds(
        "wrong",
        "variable-name",
        &["SPIN_VARIABLE_SERVICE_ID in .env", meant],
    );
    write("SERVICE_IDS=TAX\n");
    deployment.finds(
        "warning",
        "variable-name",
        &["SERVICE_IDS in .env is not read", meant],
    );
    write("");
    let mut command = mpay(deployment.path());
    command
        .args(["doctor", "."])
        .env("SPIN_VARIABLE_ACESS", "x");
    Outcome::of(command.output().unwrap()).expect(
        1,
        &[
            "SPIN_VARIABLE_ACESS in the environment",
            "did you mean SPIN_VARIABLE_ACCESS?",
        ],
    );
}
