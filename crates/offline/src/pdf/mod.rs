//! The invoice of an order as a PDF.

mod document;

pub use document::Format;
use document::{Document, Weight};

use super::{
    Language,
    checkout::is_true,
    pages::{day_and_time, money},
    text,
};
use mpay_client::{OrderDetails, OrderLine};
use stage::Text;

/// The invoice of an order, under its number.
pub fn invoice(order: &OrderDetails, number: &str, language: Language, format: Format) -> Vec<u8> {
    let t = |text: Text| text.of(language);
    let currency = order.get("Currency").unwrap_or("MDL");
    let title = format!("{} {number}", t(text::INVOICE));
    let mut page = Document::new(format, &title, language.code());

    page.note(t(text::PDF_NOTE));
    page.paragraph(&title, Weight::Bold, 1.7);
    page.paragraph(order.get("Reason").unwrap_or("—"), Weight::Bold, 1.2);
    page.gap(0.6);

    let mut fact = |label: Text, value: Option<&str>| {
        if let Some(value) = value {
            page.fact(t(label), value);
        }
    };
    fact(text::ORDER_NUMBER, order.get("OrderKey"));
    fact(text::SERVICE, order.get("ServiceID"));
    let payer: Vec<_> = ["CustomerName", "CustomerID"]
        .into_iter()
        .filter_map(|member| order.get(member))
        .collect();
    fact(
        text::PAYER,
        Some(payer.join(", "))
            .filter(|payer| !payer.is_empty())
            .as_deref(),
    );
    fact(text::STATUS, order.get("Status"));
    fact(
        text::ISSUED,
        order.get("IssuedAt").map(day_and_time).as_deref(),
    );
    fact(text::DUE, order.get("DueDate").map(day_and_time).as_deref());
    let shown = order.properties.iter().filter(|property| {
        property
            .get("IsVisible")
            .is_none_or(|visible| is_true(Some(visible)))
    });
    for property in shown {
        let name = property.get("DisplayName").or(property.get("Name"));
        let value = property.get("Value").unwrap_or_default();
        if let Some(name) = name.filter(|_| !value.is_empty()) {
            page.fact(name, value);
        }
    }
    page.gap(1.0);

    page.rule();
    for line in &order.lines {
        let amount = match line.get("AmountDue") {
            Some(amount) => format!("{} {currency}", money(amount)),
            None => t(text::NOT_KNOWN).to_owned(),
        };
        page.sum(
            line.get("Reason").unwrap_or("—"),
            &amount,
            Weight::Regular,
            1.0,
        );
        page.paragraph(&beneficiary(line, language), Weight::Regular, 0.8);
        page.gap(0.3);
        page.rule();
    }
    let total = match order.get("TotalAmountDue") {
        Some(due) => format!("{} {currency}", money(due)),
        None => t(text::NOT_KNOWN).to_owned(),
    };
    page.sum(t(text::TOTAL), &total, Weight::Bold, 1.3);
    page.finish(t(text::PAGE))
}

fn beneficiary(line: &OrderLine, language: Language) -> String {
    let labels = [
        (text::BENEFICIARY, "BeneficiaryName"),
        (text::FISCAL_CODE, "BankFiscalCode"),
        (text::ACCOUNT, "BankAccount"),
        (text::BANK_CODE, "BankCode"),
    ];
    let parts: Vec<_> = labels
        .into_iter()
        .filter_map(|(label, member)| {
            let (_, value) = line.account.iter().find(|(name, _)| name == member)?;
            (!value.is_empty()).then(|| format!("{}: {value}", label.of(language)))
        })
        .collect();
    parts.join(" · ")
}
