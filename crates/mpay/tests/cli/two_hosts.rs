//! Two processes over one file: what they share is the store alone.

use crate::deployment::{Deployed, Place, confirm_until_recorded, payment};

/// Calls from 64 clients at once, half of them to each of two processes. Gives what one of them
/// then says of the order: its payments, and the amount paid.
fn sixty_four(id: impl Fn(u32) -> String + Sync) -> (Vec<(String, u32)>, String) {
    let place = Place::new();
    let hosts = [place.up_shared(), place.up_shared()];
    hosts[0].register("1");
    std::thread::scope(|scope| {
        for n in 0..64 {
            let (host, id) = (&hosts[n as usize % 2], &id);
            scope.spawn(move || confirm_until_recorded(&host.client(), &payment("1", &id(n))));
        }
    });
    let (payments, paid) = hosts[0].order("1");
    assert_eq!(hosts[1].order("1"), (payments.clone(), paid.clone()));
    assert_eq!(hosts[1].ledger(), payments);
    (payments.into_iter().collect(), paid)
}

#[test]
fn different_payments_through_two_processes_are_all_recorded() {
    let (payments, paid) = sixty_four(|n| format!("P-{n}"));
    assert_eq!(payments.len(), 64);
    assert!(payments.iter().all(|(_, times)| *times == 1));
    assert_eq!(paid, "64.00");
}

#[test]
fn the_same_payment_through_two_processes_is_one_payment() {
    let (payments, paid) = sixty_four(|_| "P".to_owned());
    assert_eq!(payments, [("P".to_owned(), 1)]);
    assert_eq!(paid, "1.00");
}

#[test]
fn a_second_process_in_one_folder_says_so() {
    let place = Place::new();
    let mut first = place.up();
    let second = place.command().output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.contains("another `mpay up` is at work in") && said.contains("--shared"),
        "{said}"
    );
    drop(place.up_shared());
    // The lock ends with the process, however it ends.
    first.kill();
    place.up();
}

#[test]
fn a_fresh_start_leaves_what_there_was_beside_it() {
    let place = Place::new();
    place.up().register("1");
    let state = place.folder().join(".spin");
    let refused = place
        .command()
        .arg("--fresh")
        .env("SPIN_VARIABLE_ACCESS", "x")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("--fresh is for development") && said.contains("--yes"),
        "{said}"
    );
    let refused = place.command().arg("--fresh").output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("orders of the service S"), "{said}");

    let mut command = place.command();
    command.args(["--fresh", "--yes"]);
    for (name, value) in Place::variables() {
        command.env(format!("SPIN_VARIABLE_{}", name.to_uppercase()), value);
    }
    let up = Deployed::start(&mut command);
    assert_eq!(up.get("api/orders")["orders"], serde_json::json!([]));
    drop(up);
    let stores = std::fs::read_dir(state).unwrap();
    let names = stores.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.ends_with("Z.db")).count(), 1);
}
