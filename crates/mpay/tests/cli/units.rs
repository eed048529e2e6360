//! The units of `deploy/server`: systemd understands them, they are sandboxes, and what the timers start does its
//! work.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{
    deployment::{Place, TOKEN},
    is_there, mpay, workspace,
};

/// The program that the units start.
const MPAY: &str = "/usr/local/bin/mpay";

fn units() -> Vec<(String, String)> {
    let files = fs::read_dir(workspace().join("deploy/server")).unwrap();
    let mut units: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| {
            let end = path.extension().unwrap_or_default();
            end == "service" || end == "timer"
        })
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    units.sort();
    units
}

/// The values that a unit gives a name.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    let named = lines.filter(|(found, _)| *found == name);
    named.map(|(_, value)| value).collect()
}

fn systemd_analyze(arguments: &[&str], files: &[PathBuf]) -> Output {
    Command::new("systemd-analyze")
        .args(arguments)
        .args(files)
        .output()
        .unwrap()
}

/// A template is looked at by its instances.
fn installed(folder: &Path) -> Vec<PathBuf> {
    let all = units().into_iter().flat_map(|(name, text)| {
        let names = match name.split_once("@.") {
            None => vec![name],
            Some((stem, end)) => ["minute", "night"]
                .map(|instance| format!("{stem}@{instance}.{end}"))
                .to_vec(),
        };
        names.into_iter().map(move |name| (name, text.clone()))
    });
    let files = all.map(|(name, text)| {
        let file = folder.join(name);
        // It is installed there, and not here.
        fs::write(&file, text.replace(MPAY, env!("CARGO_BIN_EXE_mpay"))).unwrap();
        file
    });
    files.collect()
}

#[test]
fn systemd_understands_every_unit_and_calls_each_service_a_sandbox() {
    if !is_there("systemd-analyze") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = installed(folder.path());
    let verified = systemd_analyze(&["verify", "--man=no"], &files);
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && said.is_empty(), "{said}");
    let mut services = 0;
    for file in files {
        if file.extension().is_some_and(|end| end == "service") {
            services += 1;
            // Of 100: below 20 is what it calls fine.
            let arguments = ["security", "--offline=true", "--no-pager", "--threshold=20"];
            let judged = systemd_analyze(&arguments, std::slice::from_ref(&file));
            let said = String::from_utf8_lossy(&judged.stdout).into_owned();
            assert!(judged.status.success(), "{}: {said}", file.display());
        }
    }
    assert_eq!(services, 4);
}

/// The checks that need no systemd, which this machine may not have.
#[test]
fn every_timer_starts_a_service_that_is_there_and_no_unit_has_a_token() {
    let units = units();
    let services: Vec<_> = units.iter().map(|(name, _)| name.as_str()).collect();
    let timers: Vec<_> = units
        .iter()
        .filter_map(|(name, text)| Some((name.strip_suffix(".timer")?, text)))
        .collect();
    assert_eq!(timers.len(), 3);
    for (name, timer) in timers {
        assert_eq!(values(timer, "OnCalendar").len(), 1, "{name}");
        let meant = match values(timer, "Unit").as_slice() {
            [] => format!("{name}.service"),
            [unit] => {
                let (stem, instance) = unit.split_once('@').unwrap();
                assert!(
                    name.ends_with(instance.trim_end_matches(".service")),
                    "{unit}"
                );
                format!("{stem}@.service")
            }
            more => panic!("{name}: {more:?}"),
        };
        assert!(services.contains(&meant.as_str()), "{meant}");
        assert!(
            values(timer, "WantedBy") == ["timers.target"],
            "{name} is not started with the machine"
        );
    }
    let schedule = &units.iter().find(|(name, _)| name.contains('@')).unwrap().1;
    assert_eq!(values(schedule, "LoadCredential").len(), 1);
    assert!(values(schedule, "Environment").is_empty());
}

#[test]
fn what_the_timers_start_makes_the_calls_that_the_provider_has_a_use_for() {
    let place = Place::new();
    let up = place.up_untimed(&[
        ("personal_data_retention", "30".into()),
        ("webhook_origin", "http://127.0.0.1:9".into()),
        (
            "webhooks",
            "erp http://127.0.0.1:9/ whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(),
        ),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let keep = |token: &str| {
        fs::write(&file, token).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let (_, service) = units()
        .into_iter()
        .find(|(name, _)| name.contains('@'))
        .unwrap();
    let [started] = values(&service, "ExecStart").try_into().unwrap();
    let start = |instance: &str| {
        let credentials = folder.path().to_str().unwrap();
        let started = started
            .replace("%i", instance)
            .replace("${CREDENTIALS_DIRECTORY}", credentials)
            .replace("http://127.0.0.1:3000/", up.url());
        let arguments = started.strip_prefix(MPAY).unwrap().split_whitespace();
        mpay().args(arguments).output().unwrap()
    };
    let ran = |path: &str| {
        let mut metrics = ureq::get(format!("{}metrics", up.url()))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .call()
            .unwrap();
        let metrics = metrics.body_mut().read_to_string().unwrap();
        let name = format!("schedule_last_run_timestamp_seconds{{schedule=\"{path}\"");
        let line = metrics.lines().find(|line| line.contains(&name)).unwrap();
        line.rsplit_once(' ').unwrap().1 != "0"
    };
    keep(TOKEN);
    for (instance, done, not_yet) in [
        ("minute", "outbox/deliver", Some("erasures")),
        ("night", "erasures", None),
    ] {
        assert!(!ran(done), "{done}");
        let ended = start(instance);
        assert!(ended.status.success(), "{ended:?}");
        // Nothing fills the journal of the machine each minute.
        assert!(
            ended.stdout.is_empty() && ended.stderr.is_empty(),
            "{ended:?}"
        );
        assert!(ran(done), "{done}");
        assert!(not_yet.is_none_or(|path| !ran(path)), "{not_yet:?}");
    }
    // One that is not let in is told, and systemd sees a failure.
    keep("another-token-0123456789-0123456789-0123456789");
    let refused = start("minute");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("POST /api/outbox/deliver failed: HTTP 401"),
        "{said}"
    );
    assert!(!said.contains("another-token"), "{said}");
    fs::remove_file(&file).unwrap();
    assert_eq!(start("minute").status.code(), Some(2));
}
