//! A copy of the books, put back; and what is done about what MPay has confirmed since, as
//! `docs/operate.md` says.

use std::{collections::BTreeMap, path::Path, process::Output};

use mpay_client::Answer;
use serde_json::json;

use crate::{
    deployment::{ACCOUNTANT, Place, confirm_until_recorded, payment},
    mpay,
};

fn run(arguments: &[&str], folder: &Path) -> Output {
    mpay().current_dir(folder).args(arguments).output().unwrap()
}

fn recorded(ids: &[&str]) -> BTreeMap<String, u32> {
    ids.iter().map(|id| ((*id).to_owned(), 1)).collect()
}

#[test]
fn an_address_is_read_from_a_file_and_its_password_is_shown_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("address");
    let weak = "Warning: the way to redis://0.0.0.0:1 need not be encrypted";
    for (address_is, words) in [
        ("redis://u:hush@0.0.0.0:1", weak),
        ("redis://u:hush@127.0.0.1:1\n", "redis://127.0.0.1:1: "),
        (
            "postgres://u:hush@127.0.0.1:1/d",
            "postgres://127.0.0.1:1/d: ",
        ),
        ("mysql://u:hush@127.0.0.1:1/d", "an address is redis://"),
    ] {
        std::fs::write(&address, address_is).unwrap();
        let refused = run(&["backup", "x.db", "--from", "@address"], folder.path());
        assert_eq!(refused.status.code(), Some(2));
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(error.contains(words) && !error.contains("hush"), "{error}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn who_cannot_put_back_a_copy_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = folder.join(mpay_host::KEY_VALUE_FILE);
    drop(mpay_host::Database::open(&store).unwrap());
    let copied = run(&["backup", "copy.db", "--state-dir", "."], folder);
    assert!(copied.status.success(), "{copied:?}");
    // As if the disk were full.
    let part = folder.join(format!("{}.part", mpay_host::KEY_VALUE_FILE));
    std::fs::create_dir(&part).unwrap();
    let restore = || run(&["restore", "copy.db", "--state-dir", ".", "--yes"], folder);
    assert_eq!(restore().status.code(), Some(2));
    assert!(store.exists());
    std::fs::remove_dir(part).unwrap();
    let restored = restore();
    assert!(restored.status.success(), "{restored:?}");
}

#[test]
fn what_mpay_has_confirmed_since_the_copy_is_found_by_its_statement_and_entered() {
    let place = Place::new();
    let mut up = place.up();
    up.register("1");
    confirm_until_recorded(&up.client(), &payment("1", "P-1"));
    // While it runs.
    let copied = run(&["backup", "copy.db"], place.folder());
    assert!(copied.status.success(), "{copied:?}");
    let again = run(&["backup", "copy.db"], place.folder());
    assert_eq!(again.status.code(), Some(2));
    let error = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(error.contains("copy.db is there already"), "{error}");
    confirm_until_recorded(&up.client(), &payment("1", "P-2"));

    let busy = run(&["restore", "copy.db", "--yes"], place.folder());
    let error = String::from_utf8_lossy(&busy.stderr).into_owned();
    assert!(error.contains("another `mpay up` is at work"), "{error}");
    up.kill();
    // The disk is lost; or somebody means it.
    let meant = run(&["restore", "copy.db"], place.folder());
    let error = String::from_utf8_lossy(&meant.stderr).into_owned();
    assert!(error.contains("--yes moves it aside"), "{error}");
    let restored = run(&["restore", "copy.db", "--yes"], place.folder());
    assert!(restored.status.success(), "{restored:?}");

    let up = place.up();
    let repaired = up.post("api/repair", None, "application/json", "");
    assert_eq!(
        (&repaired["lost"], &repaired["damaged"]),
        (&json!([]), &json!([])),
        "{repaired}"
    );
    assert_eq!(up.ledger(), recorded(&["P-1"]));
    // MPay does not come again. Its statement tells.
    let statement = "payment_id,amount\nP-1,1.00\nP-2,1.00\n";
    let settlement =
        "api/settlement?from=2026-01-01&to=2099-12-31&payment_id=payment_id&amount=amount";
    let compared = up.post(settlement, Some(ACCOUNTANT), "text/csv", statement);
    assert_eq!(compared["matched"][0]["payment_id"], "P-1", "{compared}");
    assert_eq!(
        compared["not_recorded"][0]["payment_id"], "P-2",
        "{compared}"
    );
    let proposal = json!({
        "payment_id": "P-2", "service_id": "S", "order_key": "1", "amount": "1.00",
        "paid_at": "2026-06-01T12:00:00", "note": "MPay's statement; the books were put back"
    });
    let proposed = up.post(
        "api/payments/manual",
        Some(ACCOUNTANT),
        "application/json",
        &proposal.to_string(),
    );
    let id = &proposed["id"];
    up.post(
        &format!("api/payments/manual/{id}/approve"),
        None,
        "application/json",
        "",
    );
    assert_eq!(up.ledger(), recorded(&["P-1", "P-2"]));
    assert_eq!(up.order("1"), (recorded(&["P-1", "P-2"]), "2.00".into()));
    let compared = up.post(settlement, Some(ACCOUNTANT), "text/csv", statement);
    assert_eq!(compared["not_recorded"], json!([]), "{compared}");
    // Should MPay come again all the same, nothing is paid twice.
    let again = up.client().confirm(&payment("1", "P-2")).unwrap();
    assert!(matches!(again, Answer::Result(())), "{again:?}");
    assert_eq!(up.order("1").1, "2.00");
}
