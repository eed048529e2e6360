//! The checks at registration that an order must pass besides being well formed. They change with time and with
//! the deployment, so stored orders do not depend on them.

use crate::{
    config::Service,
    domain::{Currency, check_state_identifier, invisible, time},
    json::{FieldError, OrderJson},
};

/// The mistakes that prevent the registration of an order here.
pub fn errors(order: &OrderJson, service: &Service) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let retired = |text: &str| Currency::parse(text).is_ok_and(|currency| !currency.is_active());
    if let Some(currency) = order.currency.as_deref()
        && retired(currency)
    {
        errors.push(FieldError::new(
            "currency",
            "is not among the currencies in use of ISO 4217",
        ));
    }
    let aliases = order.aliases.iter().enumerate();
    let aliases = aliases.map(|(i, alias)| (format!("aliases[{i}]"), alias.value()));
    let key = order.order_key.as_deref();
    let keys = key.map(|key| ("order_key".to_owned(), key)).into_iter();
    for (field, text) in keys.chain(aliases) {
        let Some(unseen) = invisible(text) else {
            continue;
        };
        errors.push(FieldError::new(
            field,
            format!(
                "has a character that payers do not see (U+{:04X}); leave it out",
                u32::from(unseen)
            ),
        ));
    }
    // A stored order is read whatever its years are. But MPay could not be told a year before 1.
    let times = [
        ("issued_at", &order.issued_at),
        ("due_date", &order.due_date),
    ];
    for (field, text) in times {
        let time = text.as_deref().map(time::parse);
        if time.is_some_and(|time| time.is_ok_and(|time| !time::is_sendable(time))) {
            errors.push(FieldError::new(field, "must be of the year 1 or later"));
        }
    }
    if service.account.is_none() {
        let missing = order
            .lines
            .iter()
            .enumerate()
            .filter(|(_, line)| line.destination_account.is_none());
        errors.extend(missing.map(|(i, _)| {
            FieldError::new(
                format!("lines[{i}].destination_account"),
                "is missing, and neither the variable bank_account nor services gives a default",
            )
        }));
    }
    errors
}

/// True if a text looks like an IDNP. The IDNP of a person begins with 2, an old one with 0; an IDNO begins
/// with 1.
fn is_idnp(text: &str) -> bool {
    let text = text.trim();
    !text.starts_with('1') && check_state_identifier(text).is_ok()
}

/// Probable mistakes: an IDNP or IDNO whose check digit is wrong, and an IDNP in a place from which no erasure
/// would remove it.
pub fn warnings(order: &OrderJson) -> Vec<FieldError> {
    let mut numbers = Vec::new();
    if let Some(number) = &order.customer_id {
        numbers.push(("customer_id".to_owned(), number));
    }
    for (i, line) in order.lines.iter().enumerate() {
        let account = line.destination_account.as_ref();
        if let Some(number) = account.and_then(|account| account.bank_fiscal_code.as_ref()) {
            numbers.push((
                format!("lines[{i}].destination_account.bank_fiscal_code"),
                number,
            ));
        }
    }
    let doubts = numbers.into_iter().filter_map(|(field, number)| {
        let doubt = check_state_identifier(number.trim()).err()?;
        Some(FieldError::new(field, doubt))
    });
    let aliases = order.aliases.iter().enumerate();
    let unmarked = aliases
        .filter(|(_, alias)| !alias.is_personal() && is_idnp(alias.value()))
        .map(|(i, _)| {
            FieldError::new(
                format!("aliases[{i}]"),
                r#"looks like an IDNP: send {"value": "…", "personal": true}, so that an erasure takes it"#,
            )
        });
    doubts.chain(unmarked).collect()
}
