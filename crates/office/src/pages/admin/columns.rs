//! The meaning of each column of a table: guessed from its name in three languages, chosen by hand, and
//! remembered in the browser.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use tables::{Options, Table, TableError};

use super::{
    super::settings::Pages,
    session::{cookies, set_cookie},
};
use crate::digest::sha256;

/// Columns of an order: the member's name, its text, and other names of such columns. Names are in small
/// letters, without the marks of Romanian letters and without points.
pub const MEMBERS: [(&str, &str, &[&str]); 16] = [
    (
        "order_key",
        "order-number",
        &[
            "nr",
            "numar",
            "numarul",
            "nr comenzii",
            "numar comanda",
            "numarul comenzii",
            "comanda",
            "nr facturii",
            "nr factura",
            "numar factura",
            "numarul facturii",
            "factura",
            "nr contului de plata",
            "cont de plata",
            "номер",
            "номер заказа",
            "заказ",
            "номер счета",
            "счет на оплату",
            "номер счета на оплату",
            "номер квитанции",
            "number",
            "order number",
            "order",
            "invoice",
            "invoice no",
            "invoice number",
            "key",
        ],
    ),
    (
        "amount_due",
        "amount",
        &[
            "suma",
            "suma de plata",
            "de plata",
            "suma spre plata",
            "сумма",
            "к оплате",
            "сумма к оплате",
            "amount",
            "amount due",
            "to pay",
            "sum",
        ],
    ),
    (
        "reason",
        "for-what",
        &[
            "pentru ce",
            "scopul platii",
            "destinatia platii",
            "descriere",
            "descrierea",
            "motiv",
            "за что",
            "назначение",
            "назначение платежа",
            "описание",
            "what for",
            "description",
            "purpose",
        ],
    ),
    (
        "due_date",
        "due-date",
        &[
            "termen",
            "termenul",
            "termen de plata",
            "scadenta",
            "achitati pana la",
            "срок",
            "срок оплаты",
            "оплатить до",
            "due",
            "due date",
            "pay by",
        ],
    ),
    (
        "customer_name",
        "payer",
        &[
            "platitor",
            "platitorul",
            "nume",
            "numele",
            "nume si prenume",
            "nume prenume",
            "nume platitor",
            "плательщик",
            "имя",
            "фио",
            "ф и о",
            "payer",
            "name",
            "customer",
        ],
    ),
    (
        "customer_id",
        "payer-code",
        &[
            "idnp",
            "idno",
            "idnp/idno",
            "cod personal",
            "cod fiscal",
            "персональный код",
            "фискальный код",
            "personal code",
        ],
    ),
    (
        "service_id",
        "service",
        &["serviciu", "serviciul", "услуга", "service"],
    ),
    (
        "issued_at",
        "issued",
        &[
            "data",
            "data emiterii",
            "emisa la",
            "дата",
            "дата выставления",
            "date",
            "issued",
        ],
    ),
    (
        "currency",
        "column-currency",
        &["valuta", "moneda", "валюта", "currency"],
    ),
    ("line_id", "column-line", &["rand", "строка", "line"]),
    (
        "line_reason",
        "column-line-reason",
        &["denumirea randului", "описание строки", "line description"],
    ),
    (
        "bank_account",
        "account",
        &[
            "iban",
            "cont",
            "contul",
            "cont bancar",
            "счет",
            "расчетный счет",
            "account",
        ],
    ),
    (
        "bank_code",
        "column-bank-code",
        &["bic", "codul bancii", "cod banca", "бик", "код банка"],
    ),
    (
        "bank_fiscal_code",
        "column-fiscal-code",
        &[
            "cod fiscal beneficiar",
            "idno beneficiar",
            "фискальный код получателя",
        ],
    ),
    (
        "beneficiary_name",
        "column-beneficiary",
        &["beneficiar", "beneficiarul", "получатель", "beneficiary"],
    ),
    (
        "aliases",
        "column-aliases",
        &["alte numere", "другие номера", "aliases"],
    ),
];

/// The member that a column of this name probably holds; `None` if no name fits.
pub fn guess(name: &str) -> Option<&'static str> {
    let name = plain(name);
    let mut known = crate::api::order_columns();
    known.find(|known| *known == name).or_else(|| {
        let mut members = MEMBERS.into_iter();
        members.find_map(|(member, _, names)| names.contains(&name.as_str()).then_some(member))
    })
}

/// Names of an order's number that a column which counts the rows has as well.
const VAGUE: [&str; 6] = ["nr", "numar", "numarul", "номер", "number", "key"];

/// The same, but for what another column is more certainly.
fn guess_surely(name: &str) -> Option<&'static str> {
    guess(name).filter(|_| !VAGUE.contains(&plain(name).as_str()))
}

/// The probable meaning of a column of a table, given its other columns.
pub fn guess_among(table: &Table, name: &str) -> Option<&'static str> {
    let member = guess(name)?;
    let names = table.columns().iter().map(tables::Column::name);
    let mut others = names.filter(|other| *other != name);
    let is_surely = others.any(|other| guess_surely(other) == Some(member));
    match is_surely {
        true => guess_surely(name),
        false => Some(member),
    }
}

/// A name in the form of those in [`MEMBERS`].
fn plain(name: &str) -> String {
    let name = name.to_lowercase();
    let letters = name.chars().map(|letter| match letter {
        'ă' | 'â' => 'a',
        'î' => 'i',
        'ș' | 'ş' => 's',
        'ț' | 'ţ' => 't',
        'ё' => 'е',
        '.' | ',' | ':' | '№' | '\u{FEFF}' => ' ',
        other => other,
    });
    let letters: String = letters.collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The chosen meaning of each column: from the column's name to the member's name. An empty member leaves the
/// column out.
pub type Chosen = BTreeMap<String, String>;

/// Reads a table of orders. Columns have the meaning that was chosen; if nothing was chosen, their meaning is
/// guessed.
///
/// # Errors
/// A [`TableError`] if it is not a table, or if no row names a column with the number of orders.
pub fn read(
    content: &[u8],
    options: &Options<'_>,
    chosen: Option<&Chosen>,
) -> Result<Table, TableError> {
    let read = |meaning: &dyn Fn(&str) -> Option<String>| {
        let options = Options {
            columns: &["order_key"],
            meaning: Some(meaning),
            ..*options
        };
        Table::read(content, &options)
    };
    if let Some(chosen) = chosen {
        return read(&|name| Some(chosen.get(name.trim()).cloned().unwrap_or_default()));
    }
    match read(&|name| guess(name).map(str::to_owned)) {
        Err(TableError::ColumnTwice { .. }) => {}
        other => return other,
    }
    match read(&|name| guess_surely(name).map(str::to_owned)) {
        Err(TableError::ColumnTwice { .. }) => read(&|_| None),
        other => other,
    }
}

/// Reads a table with any columns. The header is the row that names the number of orders; if there is none, it
/// is the row with the most names.
///
/// # Errors
/// A [`TableError`] if it is not a table.
pub fn any(content: &[u8], options: &Options<'_>) -> Result<Table, TableError> {
    match read(content, options, None) {
        Err(TableError::NoHeader { found, .. }) => {
            let columns: Vec<_> = found.iter().map(String::as_str).collect();
            let options = Options {
                columns: &columns,
                ..*options
            };
            Table::read(content, &options)
        }
        other => other,
    }
}

/// The guessed meaning of each column; `None` if a column's meaning is not known.
pub fn guessed(table: &Table) -> Option<Chosen> {
    let names = table.columns().iter().map(tables::Column::name);
    names
        .map(|name| Some((name.trim().to_owned(), guess_among(table, name)?.to_owned())))
        .collect()
}

/// The choices that the browser remembers: for each kind of table, the column chosen for each purpose. The
/// cookie holds names of members and places of columns, and nothing of a table's content.
#[derive(Default)]
pub struct Memory(Vec<(String, Vec<(String, usize)>)>);

/// The most kinds of tables that are remembered, since a cookie has at most 4096 bytes.
const MOST: usize = 8;
const LONGEST: usize = 3_500;
const COOKIE: &str = "mpay-columns";
const SECONDS: i64 = 400 * 24 * 60 * 60;

impl Memory {
    /// The choices in a request's cookie. A part that cannot be read is left out.
    pub fn of_request(pages: &Pages, headers: &HeaderMap) -> Self {
        let text = cookies(pages, headers, COOKIE).next().unwrap_or_default();
        let kinds = text.split('~').take(MOST).filter_map(|kind| {
            let (signature, places) = kind.split_once('!')?;
            let places = places.split('.').filter_map(|place| {
                let (name, place) = place.split_once(':')?;
                Some((name.to_owned(), place.parse().ok()?))
            });
            Some((signature.to_owned(), places.collect()))
        });
        Self(kinds.collect())
    }

    /// The remembered choice for a table with these columns: pairs of purpose and column name. `what` is the
    /// kind of table. `None` if nothing is remembered.
    pub fn get<'t>(&self, what: &str, table: &'t Table) -> Option<Vec<(&str, &'t str)>> {
        let signature = signature(what, table);
        let (_, places) = self.0.iter().find(|(known, _)| *known == signature)?;
        let columns = places
            .iter()
            .filter_map(|(name, place)| Some((name.as_str(), table.columns().get(*place)?.name())));
        Some(columns.collect())
    }

    /// The header that makes the browser remember this choice as well. `chosen` has pairs of purpose and column
    /// name.
    pub fn with<'c>(
        mut self,
        pages: &Pages,
        what: &str,
        table: &Table,
        chosen: impl Iterator<Item = (&'c str, &'c str)>,
    ) -> Option<HeaderValue> {
        let place = |name: &str| {
            let mut columns = table.columns().iter();
            columns.position(|column| column.name().trim() == name.trim())
        };
        let places = chosen.filter_map(|(what, name)| Some((what.to_owned(), place(name)?)));
        let kind = (signature(what, table), places.collect());
        self.0.retain(|(known, _)| *known != kind.0);
        self.0.insert(0, kind);
        self.0.truncate(MOST);
        let mut written = String::new();
        for (signature, places) in &self.0 {
            let places: Vec<_> = places
                .iter()
                .map(|(name, place)| format!("{name}:{place}"))
                .collect();
            let kind = format!("{signature}!{}", places.join("."));
            if written.len() + kind.len() >= LONGEST {
                break;
            }
            if !written.is_empty() {
                written.push('~');
            }
            written.push_str(&kind);
        }
        set_cookie(pages, COOKIE, &written, SECONDS)
    }
}

/// A short digest that differs between kinds of tables, and between tables with other columns.
fn signature(what: &str, table: &Table) -> String {
    let names: Vec<_> = table.columns().iter().map(tables::Column::name).collect();
    let digest = sha256(format!("{what}\n{}", names.join("\n")).as_bytes());
    digest.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_by_their_names_in_three_languages() {
        for (name, member) in [
            ("Order_Key", Some("order_key")),
            ("Nr. comenzii", Some("order_key")),
            ("Sumă", Some("amount_due")),
            ("СУММА  к оплате", Some("amount_due")),
            ("Ф.И.О.", Some("customer_name")),
            ("Расчётный счёт", Some("bank_account")),
            ("Plătitor", Some("customer_name")),
            ("Nr. facturii", Some("order_key")),
            ("Счёт на оплату", Some("order_key")),
            ("Sumele", None),
            ("", None),
        ] {
            assert_eq!(guess(name), member, "{name}");
        }
        // One that may count the rows gives way, and does not stop the table.
        for (names, first) in [
            ("Nr.;Nr. facturii;Suma", None),
            ("Nr.;Suma", Some("order_key")),
        ] {
            let table = any(format!("{names}\n1;2;3\n").as_bytes(), &Options::default()).unwrap();
            assert_eq!(guess_among(&table, "Nr."), first, "{names}");
            assert!(table.column("order_key").is_some(), "{names}");
        }
        // Two that say the same are for somebody to choose between.
        let twice = any(b"Comanda;Nr. facturii;Suma\nA;B;1\n", &Options::default()).unwrap();
        assert_eq!(twice.columns().len(), 3);
        let mut names: Vec<_> = MEMBERS
            .iter()
            .flat_map(|(.., names)| names.iter())
            .collect();
        assert!(names.iter().all(|name| plain(name) == **name));
        names.sort_unstable();
        assert!(
            names.is_sorted_by(|a, b| a < b),
            "one name is of two columns"
        );
    }
}
