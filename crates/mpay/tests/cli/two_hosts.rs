//! Two processes over one file: what they share is the store alone.

use crate::deployment::{Place, confirm_until_recorded, payment};

/// Calls from 64 clients at once, half of them to each of two processes. Gives what one of them
/// then says of the order: its payments, and the amount paid.
fn sixty_four(id: impl Fn(u32) -> String + Sync) -> (Vec<(String, u32)>, String) {
    let place = Place::new();
    let hosts = [place.up(), place.up()];
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
