//! The store of the books: in a file, in Redis or in PostgreSQL.

use std::{os::unix::fs::PermissionsExt, path::Path};

use mpay::state::is_being_replaced;
use mpay_host::{Database, KEY_VALUE_FILE, Manifest, Options, Store, backup::Server};
use tokio::runtime::Runtime;

use super::Findings;

/// Looks at the store that a manifest and a runtime configuration lead to. Nothing is written there.
pub fn examine(
    manifest: &Manifest,
    options: &Options,
    database_url: &str,
    database_ca: &str,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let ca = (!database_ca.is_empty()).then(|| database_ca.to_owned());
    let server = match &options.store {
        // An address that is none is a finding of the variables.
        _ if !database_url.is_empty() => Server::at(database_url, ca),
        Store::Redis(url) => Server::at(url, None),
        _ => None,
    };
    if let Some(server) = server {
        return examine_server(&server, findings);
    }
    let file = match (&options.store, &options.state_dir) {
        (Store::File(file), _) => file.clone(),
        (_, Some(folder)) => folder.join(KEY_VALUE_FILE),
        (_, None) => manifest.default_state_dir().join(KEY_VALUE_FILE),
    };
    if let Some(folder) = file.parent()
        && is_being_replaced(folder)
    {
        findings.wrong(
            "store-being-replaced",
            format!(
                "the store in {} is being replaced, or that was broken off",
                folder.display()
            ),
            "`mpay up` or `mpay restore` puts it right. Do not start Spin before.",
        );
        return Ok(());
    }
    if can_others_read(&file) {
        findings.warning(
            "store-readable",
            format!(
                "every user of this machine can read {}: orders, payers' names, evidence",
                file.display()
            ),
            "Take the right away: `chmod 700` for its folder. `mpay up` makes both for their owner alone, Spin does not.",
        );
    }
    // Before the first start there is none.
    match Database::has_log(&file) {
        Ok(true) => findings.ok("store", format!("{} has a write-ahead log", file.display())),
        Ok(false) => findings.note(
            "write-ahead-log",
            format!(
                "{} has no write-ahead log: Spin confirms a third of the payments that it could",
                file.display()
            ),
            "`mpay state --wal` gives it one for good; `mpay up` does so by itself.",
        ),
        Err(_) => {}
    }
    Ok(())
}

/// True if users who are neither the owner nor of the group can read a file, by its own rights and by those of every
/// folder on the way.
fn can_others_read(file: &Path) -> bool {
    let may = |path: &Path, right: u32| {
        let mode = path.metadata().map(|data| data.permissions().mode());
        mode.is_ok_and(|mode| mode & right != 0)
    };
    let whole = file.canonicalize();
    whole.is_ok_and(|file| {
        may(&file, 0o004) && file.ancestors().skip(1).all(|folder| may(folder, 0o001))
    })
}

fn examine_server(server: &Server, findings: &mut Findings) -> anyhow::Result<()> {
    if let Some(weakness) = server.weakness_of_address() {
        findings.warning(
            "store-tls",
            weakness,
            "Whoever is on the way reads the password and the books, and can answer in the server's place.",
        );
    }
    let runtime = Runtime::new()?;
    if let Ok(true) = runtime.block_on(server.is_half(mpay_ledger::GATE)) {
        findings.wrong(
            "store-half",
            format!("{server} holds a part of the books, and nothing can be recorded there"),
            "`mpay restore` is at work there, or was broken off: run it again, and it goes on where it was.",
        );
    }
    match runtime.block_on(server.weaknesses()) {
        Err(error) => findings.wrong(
            "store",
            error.to_string(),
            "Without its store the provider answers no call: look whether it runs, and lets this machine in.",
        ),
        Ok(found) if found.is_empty() => {
            findings.ok("store", format!("{server} keeps what it acknowledges"));
        }
        Ok(found) => {
            for weakness in found {
                findings.warning("store", weakness, "docs/operate.md, Engines, says why.");
            }
        }
    }
    Ok(())
}
