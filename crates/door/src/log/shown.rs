//! The parts of personal data that are shown.

use mpay_ledger::StoreError;

/// The part of an order's key that is logged: enough to find the right one of several, and too little to learn
/// a personal code from.
pub fn end_of_key(key: &str) -> String {
    let count = key.chars().count();
    let shown = if count < 8 { 0 } else { 4 };
    std::iter::once('…')
        .chain(key.chars().skip(count - shown))
        .collect()
}

/// The text that is logged about a failure of the store. Records of an order are named by the order's
/// key, of which only the end is logged; quotations from a record are left out.
pub fn of_store(error: &StoreError) -> String {
    const ORDERS: &str = "order/";
    let text = match error {
        StoreError::Corrupt { key, reason } => {
            let reason = reason.split(['"', '`']).next().unwrap_or_default();
            format!("the value of {key} cannot be read: {reason}")
        }
        error => error.to_string(),
    };
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, named)) = rest.split_once(ORDERS) {
        let (service, named) = named.split_once('/').unwrap_or(("", named));
        let end = named.find(['/', ';', ' ']).unwrap_or(named.len());
        let (key, behind) = named.split_at(end);
        shown.push_str(before);
        shown.push_str(&format!("{ORDERS}{service}/{}", end_of_key(key)));
        rest = behind;
    }
    shown + rest
}
