//! A disk that fills up under load: MPay is told to come again, what was acknowledged is there, and once
//! there is room everything goes on.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use mpay_client::Answer;

use crate::deployment::{Deployed, Place, TOKEN, confirm_until_recorded, payment};

const PATIENCE: Duration = Duration::from_secs(60);

/// A small disk in memory, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Self {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]);
        assert!(mount.arg(at).status().unwrap().success(), "mount");
        Self(at.to_owned())
    }

    /// Takes all the room that is left.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let written = std::fs::write(&filler, vec![0; 32 << 20]);
        assert!(written.is_err(), "the disk is larger than that");
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "umount");
    }
}

/// The answer to an address, whatever its status.
fn told(up: &Deployed, path: &str) -> (u16, String) {
    let mut answer = ureq::get(format!("{}{path}", up.url()))
        .config()
        .http_status_as_error(false)
        .build()
        .header("Authorization", format!("Bearer {TOKEN}"))
        .call()
        .unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), text)
}

#[test]
#[ignore = "mounts a disk in memory, so it needs root"]
fn a_full_disk_loses_nothing_and_doubles_nothing() {
    const PAYMENTS: u32 = 60;
    let place = Place::new();
    let disk = Disk::mount(&place.folder().join(".spin"));
    let up = place.up();
    up.register("1");
    let mpay = up.client();
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    let mut filler = None;
    for n in 0..PAYMENTS {
        if n == PAYMENTS / 3 {
            filler = Some(disk.fill());
        }
        if n == 2 * PAYMENTS / 3
            && let Some(filler) = &filler
        {
            // Whoever watches is told: a load balancer, a person, Prometheus.
            // It tries to write once in ten seconds.
            let begun = Instant::now();
            let health = loop {
                match told(&up, "health") {
                    (503, health) => break health,
                    (_, health) => assert!(begun.elapsed() < PATIENCE, "{health}"),
                }
                std::thread::sleep(Duration::from_millis(500));
            };
            assert!(health.contains("is full"), "{health}");
            let (status, metrics) = told(&up, "metrics");
            let name = "mpay_provider_status{status=\"unavailable\"} 1";
            assert!(status == 200 && metrics.contains(name), "{metrics}");
            std::fs::remove_file(filler).unwrap();
        }
        let id = format!("P-{n}");
        match mpay.confirm(&payment("1", &id)).unwrap() {
            Answer::Result(()) => acknowledged.push(id),
            Answer::Fault(fault) if fault.code == "InternalError" => refused += 1,
            Answer::Fault(fault) => panic!("{fault}"),
        }
    }
    assert!(refused > 0, "the disk was never full");
    let (payments, _) = up.order("1");
    assert!(acknowledged.iter().all(|id| payments.contains_key(id)));
    for n in 0..PAYMENTS {
        confirm_until_recorded(&mpay, &payment("1", &format!("P-{n}")));
    }
    let (payments, paid) = up.order("1");
    assert_eq!(payments.len(), PAYMENTS as usize);
    assert!(payments.values().all(|times| *times == 1));
    assert_eq!(paid, format!("{PAYMENTS}.00"));
    assert_eq!(up.ledger(), payments);
    println!("{PAYMENTS} payments, {refused} told to come again while the disk was full");
    drop(up);
}
