use crate::{Encoding, FileKind};

/// The reason why a file is not read as a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// No row has anything in it.
    #[error("The table is empty: its first row names the columns.")]
    Empty,
    /// A file of another kind.
    #[error("The file is {0}. Save it as CSV UTF-8 or as XLSX.")]
    NotATable(FileKind),
    /// Another encoding was asked for than there are.
    #[error("encoding must be {}", Encoding::NAMES)]
    NoSuchEncoding,
    /// Bytes that the encoding does not have.
    #[error("The table is not {encoding} at byte {position}; save it as \"CSV UTF-8\".")]
    NotInEncoding {
        /// The encoding that was given, or that the file's own mark names.
        encoding: Encoding,
        /// The position of the first of these bytes, from 0.
        position: usize,
    },
    /// Not UTF-8, and its letters do not tell the encoding.
    #[error(
        "The table is not UTF-8 at byte {position}, and its letters do not tell what it is; save it as \"CSV UTF-8\", or give encoding: {}.",
        Encoding::NAMES
    )]
    UnknownEncoding {
        /// The position of the first byte that UTF-8 does not have, from 0.
        position: usize,
    },
    /// A quotation mark that nothing closes, so that cells cannot be told apart.
    #[error(
        "Row {row} of the table has a cell that begins with a quotation mark and does not end with one."
    )]
    OpenQuotation {
        /// The row, as spreadsheets count them.
        row: usize,
    },
    /// More cells in a row than [`MAX_COLUMNS`](crate::MAX_COLUMNS).
    #[error("Row {row} of the table has more than {} cells.", crate::MAX_COLUMNS)]
    RowTooLong {
        /// The row, as spreadsheets count them.
        row: usize,
    },
    /// Beyond one of the limits of this crate.
    #[error("The table has more than {most} {what}; send it in parts.")]
    TooLarge {
        /// The limit.
        most: usize,
        /// The thing that is limited.
        what: &'static str,
    },
    /// A workbook that cannot be unpacked or is not as the format has it.
    #[error("The workbook is damaged: {0}. Open it in a spreadsheet and save it again.")]
    Workbook(&'static str),
    /// No row has all the columns that are needed.
    #[error("No row of the table names the column{} {}. {}", if missing.len() > 1 { "s" } else { "" }, missing.join(", "), found_columns(found))]
    NoHeader {
        /// The columns that the row lacks which has most of them.
        missing: Vec<String>,
        /// The columns of that row, as they are written.
        found: Vec<String>,
    },
    /// Two columns of one name.
    #[error("The table has the column {name} twice, in the columns {first} and {second}.")]
    ColumnTwice {
        /// As it is written.
        name: String,
        /// The letters by which spreadsheets call the first of them.
        first: String,
        /// And the other.
        second: String,
    },
}

fn found_columns(found: &[String]) -> String {
    if found.is_empty() {
        return "No row looks like names of columns.".to_owned();
    }
    format!("The columns found are: {}.", found.join(", "))
}

/// The reason why a cell does not fit its column. As text it follows the column's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// A spreadsheet's error value.
    #[error("has {0}, an error of the spreadsheet, instead of a value")]
    SpreadsheetError(String),
    /// Number signs, which a spreadsheet shows where a column is too narrow.
    #[error("has only ###: the column was too narrow when it was saved")]
    TooNarrow,
    /// A number in scientific notation, where each digit counts.
    #[error(
        "is {0}: a spreadsheet has made a number of it and dropped digits; format the column as text and enter it again"
    )]
    Scientific(String),
    /// A number of more digits than a number cell keeps.
    #[error(
        "is a number of more than 15 digits, of which a spreadsheet has dropped the last; format the column as text and enter it again"
    )]
    DigitsLost,
    /// A number with a fraction, where there can be none.
    #[error("is the number {0}, with a fraction; format the column as text and enter it again")]
    Fraction(String),
    /// A number of which the length is known and the beginning is missing.
    #[error(
        "has {length} digits instead of 13: a spreadsheet has dropped zeros at its beginning; format the column as text and enter it again"
    )]
    LeadingZeros {
        /// The number of digits that are left.
        length: usize,
    },
    /// A date, where there can be none.
    #[error(
        "is the date {0}: a spreadsheet has made a date of it; format the column as text and enter it again"
    )]
    Date(String),
    /// TRUE or FALSE, where there can be none.
    #[error(
        "is a logical value: a spreadsheet has made one of it; format the column as text and enter it again"
    )]
    Flag,
    /// No amount.
    #[error("must be an amount such as 1250.50 or 1 250,50")]
    NotAnAmount,
    /// Three digits behind the only point or comma.
    #[error("could mean {thousands} or {thousandths}; write two digits behind the point")]
    Thousandths {
        /// The amount if the point sets thousands apart.
        thousands: String,
        /// The amount if it is the decimal point.
        thousandths: String,
    },
    /// Groups of digits that are none of three.
    #[error("has its thousands set apart in other places than those of thousands")]
    Thousands,
    /// More than two fraction digits that are not zero.
    #[error("has more than two fraction digits")]
    TooPrecise,
    /// Larger than any payment.
    #[error("is too large")]
    TooLarge,
    /// A currency beside the amount.
    #[error(
        "has the currency {0} beside the amount; currencies have a column of their own, or are lei"
    )]
    Currency(String),
    /// A date with slashes, which people read in two ways.
    #[error(
        "has slashes, which do not tell day from month; write a date as 31.12.2026 or 2026-12-31"
    )]
    Slashes,
    /// A year of two digits.
    #[error("has a year of two digits; write a date as 31.12.2026 or 2026-12-31")]
    ShortYear,
    /// No date.
    #[error("must be a date such as 31.12.2026, 31.12.2026 23:59 or 2026-12-31")]
    NotADate,
    /// A number in a column of dates, which some calendars count by.
    #[error("is the number {0}, not a date; format the column as a date")]
    NumberForDate(String),
    /// A day or time that the calendar does not have.
    #[error("is no date and time of the calendar")]
    NoSuchDate,
    /// Neither yes nor no.
    #[error("must be true or false, da or nu, да or нет, 1 or 0")]
    NotAFlag,
}
