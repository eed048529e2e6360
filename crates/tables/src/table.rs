use std::fmt;

use crate::{
    Amount, Cell, Encoding, FileKind, Limits, MAX_HEADER_ROW, Separator, TableError,
    columns::column_letters, csv, encoding, limits::Size, xlsx,
};

/// The name of the column that this name means; `None` if it means itself.
pub type Meaning<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// The options of reading a table.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// The columns that the header row must have, in any case. The rows above it are left out, since
    /// banks write some. Without any, the first row that is not empty is the header.
    pub columns: &'a [&'a str],
    /// Maps the name of a column to the name that it means: an empty one for a column that is left out,
    /// so that no name finds it; `None` if it means itself. The column keeps its written name.
    pub meaning: Option<&'a Meaning<'a>>,
    /// The encoding of the text, for a CSV without a mark of its own.
    pub encoding: Option<Encoding>,
    /// The limits of the table.
    pub limits: Limits,
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("columns", &self.columns)
            .field("encoding", &self.encoding)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<'a> Options<'a> {
    /// To read a table that has these columns.
    pub fn with_columns(columns: &'a [&'a str]) -> Self {
        Self {
            columns,
            ..Self::default()
        }
    }
}

/// The source of a table, for the answer to its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// CSV.
    Csv {
        /// The separator of its cells.
        separator: Separator,
        /// The encoding of its text.
        encoding: Encoding,
        /// True if the encoding was guessed from the letters.
        is_guess: bool,
    },
    /// XLSX.
    Xlsx {
        /// The name of the sheet.
        sheet: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xlsx { sheet } => write!(f, "XLSX, sheet {sheet}"),
            Self::Csv {
                separator,
                encoding,
                is_guess,
            } => {
                let separator = match separator {
                    Separator::Comma => "commas",
                    Separator::Semicolon => "semicolons",
                    Separator::Tab => "tabs",
                };
                let found = if *is_guess {
                    ", found out from its letters"
                } else {
                    ""
                };
                write!(f, "CSV with {separator}, in {encoding}{found}")
            }
        }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    written: String,
    folded: String,
    position: usize,
}

impl Column {
    /// The name as it is written.
    pub fn name(&self) -> &str {
        &self.written
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// True if it has this name, in any case and with any spaces.
    pub fn is(&self, name: &str) -> bool {
        self.folded == folded(name)
    }
}

/// A table.
#[derive(Debug)]
pub struct Table {
    source: Source,
    columns: Vec<Column>,
    rows: Vec<(usize, Vec<Cell>)>,
}

/// The kind of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Data.
    Data,
    /// A sum of rows above it.
    Total,
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TableError`]: the file is of another kind, or has a mistake as a table.
    pub fn read(bytes: &[u8], options: &Options<'_>) -> Result<Self, TableError> {
        match FileKind::of(bytes) {
            FileKind::Text => Self::read_text(bytes, options),
            FileKind::Xlsx => Self::read_workbook(bytes, options),
            kind => Err(TableError::NotATable(kind)),
        }
    }

    fn read_text(bytes: &[u8], options: &Options<'_>) -> Result<Self, TableError> {
        let decoded = encoding::decode(bytes, options.encoding)?;
        let text = trimmed_mark(&decoded.text);
        let (separator, text) = match csv::separator_line(text) {
            Some(told) => told,
            None => (separator(text, options), text),
        };
        let source = Source::Csv {
            separator,
            encoding: decoded.encoding,
            is_guess: decoded.is_guess,
        };
        let mut size = Size::within(options.limits);
        let mut rows = Vec::new();
        for row in csv::Rows::new(text, separator) {
            let (number, cells) = row?;
            let mut cells: Vec<_> = cells.into_iter().map(Cell::written).collect();
            // Columns that spreadsheets leave behind the last one would be most of the memory.
            let length = cells.iter().rposition(|cell| !cell.is_empty());
            cells.truncate(length.map_or(0, |last| last + 1));
            size.add(&cells)?;
            rows.push((number, cells));
        }
        Self::of_rows(source, rows, options)
    }

    fn read_workbook(bytes: &[u8], options: &Options<'_>) -> Result<Self, TableError> {
        let mut workbook = xlsx::Workbook::open(bytes, options.limits)?;
        let sheets = workbook.sheets();
        let mut first = None;
        for (position, sheet) in sheets.iter().enumerate() {
            let rows = workbook.rows(position)?;
            let source = Source::Xlsx {
                sheet: sheet.clone(),
            };
            match Self::of_rows(source, rows, options) {
                // The table may be on another sheet than the first.
                Err(error @ (TableError::NoHeader { .. } | TableError::Empty)) => {
                    let said_more = matches!(first, Some(TableError::NoHeader { .. }));
                    if !said_more {
                        first = Some(error);
                    }
                }
                other => return other,
            }
        }
        Err(first.unwrap_or(TableError::Empty))
    }

    fn of_rows(
        source: Source,
        mut rows: Vec<(usize, Vec<Cell>)>,
        options: &Options<'_>,
    ) -> Result<Self, TableError> {
        rows.retain(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()));
        if rows.is_empty() {
            return Err(TableError::Empty);
        }
        let header = header(&rows, options)?;
        let rows = rows.split_off(header);
        let mut rows = rows.into_iter();
        let (_, names) = rows.next().unwrap_or_default();
        let columns = columns(&names, options);
        for (count, column) in columns.iter().enumerate() {
            let mut before = columns.iter().take(count);
            let is_same = |other: &&Column| other.folded == column.folded;
            if let Some(other) = before.find(is_same).filter(|_| !column.is("")) {
                return Err(TableError::ColumnTwice {
                    name: column.written.clone(),
                    first: column_letters(other.position),
                    second: column_letters(column.position),
                });
            }
        }
        Ok(Self {
            source,
            columns,
            rows: rows.collect(),
        })
    }

    /// The source that it was read from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The columns that have names.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of a name, in any case and with any spaces.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let folded = folded(name);
        self.columns.iter().find(|column| column.folded == folded)
    }

    /// The rows below that of the columns that are not empty.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(number, cells)| Row {
            table: self,
            number: *number,
            cells,
        })
    }

    /// The row of a place among [`Table::rows`], from 0.
    pub fn row(&self, place: usize) -> Option<Row<'_>> {
        let (number, cells) = self.rows.get(place)?;
        Some(Row {
            table: self,
            number: *number,
            cells,
        })
    }

    /// The kind of each row, if data has a value in one of the columns `keys` at least.
    ///
    /// A total has a word for it (`Total`, `Итого`) and otherwise only amounts; or only amounts, none
    /// of which is in `keys`, and each is the sum of those above it.
    pub fn kinds(&self, keys: &[&str]) -> Vec<RowKind> {
        let keys: Vec<_> = keys.iter().filter_map(|name| self.column(name)).collect();
        let mut sums: Vec<Option<i128>> = Vec::new();
        let rows = self.rows.iter();
        rows.map(|(_, cells)| {
            if is_total(cells, &keys, &sums) {
                return RowKind::Total;
            }
            if sums.len() < cells.len() {
                sums.resize(cells.len(), Some(0));
            }
            for (sum, cell) in sums.iter_mut().zip(cells) {
                *sum = match cell.amount() {
                    Ok(amount) => {
                        let more = amount.unwrap_or_default().hundredths();
                        sum.and_then(|sum| sum.checked_add(more))
                    }
                    // No column of amounts.
                    Err(_) => None,
                };
            }
            RowKind::Data
        })
        .collect()
    }
}

/// A row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    table: &'a Table,
    number: usize,
    cells: &'a [Cell],
}

impl<'a> Row<'a> {
    /// Its number as spreadsheets show it: from 1, empty rows too.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The cell of a column; empty if there is no such column.
    pub fn cell(&self, column: &str) -> &'a Cell {
        let position = self.table.column(column).map(|column| column.position);
        let cell = position.and_then(|position| self.cells.get(position));
        cell.unwrap_or(&Cell::Empty)
    }

    /// True if its table has a column of this name.
    pub fn has_column(&self, column: &str) -> bool {
        self.table.column(column).is_some()
    }

    /// The cells that are not empty, with their columns.
    pub fn cells(&self) -> impl Iterator<Item = (&'a Column, &'a Cell)> {
        let columns = self.table.columns.iter();
        let cells = columns.filter_map(|column| Some((column, self.cells.get(column.position)?)));
        cells.filter(|(_, cell)| !cell.is_empty())
    }

    /// All of its cells, those without a column's name too, up to the last that is not empty.
    pub(crate) fn all(&self) -> &'a [Cell] {
        self.cells
    }

    /// The letters of the first column without a name in which the row has something.
    pub fn beyond_columns(&self) -> Option<String> {
        let mut cells = self.cells.iter().enumerate();
        let beyond = cells.find(|(position, cell)| {
            let mut columns = self.table.columns.iter();
            !cell.is_empty() && columns.all(|column| column.position != *position)
        });
        beyond.map(|(position, _)| column_letters(position))
    }
}

/// A name without differences that people do not see: case, spaces, and the two encodings of Romanian ș
/// and ț.
fn folded(name: &str) -> String {
    let words = name
        .split(|c: char| c.is_whitespace() || c == '\u{FEFF}' || c == '\u{200B}')
        .filter(|word| !word.is_empty());
    let name = words.collect::<Vec<_>>().join(" ").to_lowercase();
    name.replace('ş', "ș").replace('ţ', "ț")
}

fn columns(names: &[Cell], options: &Options<'_>) -> Vec<Column> {
    let columns = names.iter().enumerate().map(|(position, cell)| {
        let written = cell.shown().into_owned();
        let meaning = options.meaning.and_then(|meaning| meaning(&written));
        Column {
            folded: folded(meaning.as_ref().unwrap_or(&written)),
            written,
            position,
        }
    });
    let has_name = |column: &Column| !folded(&column.written).is_empty();
    columns.filter(has_name).collect()
}

/// The place of the row that names the columns.
fn header(rows: &[(usize, Vec<Cell>)], options: &Options<'_>) -> Result<usize, TableError> {
    let wanted = options.columns;
    let (place, found) = best_row(rows, options);
    if found == wanted.len() {
        return Ok(place);
    }
    let columns = rows.get(place).map(|(_, cells)| columns(cells, options));
    let columns = columns.unwrap_or_default();
    let missing = wanted
        .iter()
        .filter(|name| !columns.iter().any(|column| column.is(name)));
    Err(TableError::NoHeader {
        missing: missing.map(|name| (*name).to_owned()).collect(),
        found: columns.into_iter().map(|column| column.written).collect(),
    })
}

/// The place of the first row that has the most of the columns, and their number. If no row has any, the
/// row with the most names, which tells the most.
fn best_row(rows: &[(usize, Vec<Cell>)], options: &Options<'_>) -> (usize, usize) {
    let wanted: Vec<_> = options.columns.iter().map(|name| folded(name)).collect();
    let (mut best, mut most) = (0, (0, 0));
    for (place, (_, cells)) in rows.iter().take(MAX_HEADER_ROW).enumerate() {
        let columns = columns(cells, options);
        let has = |name: &&String| columns.iter().any(|column| column.folded == **name);
        let found = wanted.iter().filter(has).count();
        if found == wanted.len() {
            return (place, found);
        }
        let is_name = |cell: &&Cell| !cell.is_empty() && cell.amount().is_err();
        let names = cells.iter().filter(is_name).count();
        if (found, names) > most {
            (best, most) = (place, (found, names));
        }
    }
    (best, most.0)
}

/// The character that separates the cells of a text: the one by which a row has the most of the columns;
/// otherwise the one that this row has most often.
fn separator(text: &str, options: &Options<'_>) -> Separator {
    const SEPARATORS: [Separator; 3] = [Separator::Comma, Separator::Semicolon, Separator::Tab];
    let score = |separator: Separator| {
        let rows = csv::Rows::new(text, separator).map_while(Result::ok);
        // A row of separators alone is empty, but has separators.
        let rows = rows.filter(|(_, cells)| cells.len() > 1 || cells.iter().any(|c| !c.is_empty()));
        let rows = rows.map(|(number, cells)| {
            let cells = cells.into_iter().map(Cell::written);
            (number, cells.collect::<Vec<_>>())
        });
        let rows: Vec<_> = rows.take(MAX_HEADER_ROW).collect();
        let (place, found) = best_row(&rows, options);
        (found, rows.get(place).map_or(0, |(_, cells)| cells.len()))
    };
    let scores = SEPARATORS.map(|separator| (score(separator), separator));
    // The first of equals.
    let best = scores.into_iter().rev().max_by_key(|(score, _)| *score);
    best.map_or(Separator::Comma, |(_, separator)| separator)
}

/// True if a row is a total of those above it.
fn is_total(cells: &[Cell], keys: &[&Column], sums: &[Option<i128>]) -> bool {
    let mut has_word = false;
    let mut amounts = 0;
    let mut are_sums = true;
    for (position, cell) in cells.iter().enumerate() {
        if cell.is_empty() {
            continue;
        }
        match cell.amount() {
            Ok(Some(amount)) => {
                amounts += 1;
                let is_key = keys.iter().any(|column| column.position == position);
                let sum = sums.get(position).copied().flatten();
                let sum = sum.map(Amount::of_hundredths);
                are_sums &= !is_key && sum.is_some_and(|s| s.hundredths() == amount.hundredths());
            }
            _ if is_word_for_total(&cell.shown()) => has_word = true,
            _ => return false,
        }
    }
    has_word || (amounts > 0 && are_sums)
}

fn is_word_for_total(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "total",
        "totals",
        "totale",
        "subtotal",
        "итого",
        "итог",
        "всего",
        "sum",
        "suma totală",
        "suma totala",
        "general total",
        "grand total",
    ];
    let text = folded(text);
    let text = text.trim_end_matches([':', '.', '=', ' ']);
    let is_first = |word: &str| {
        let rest = text.strip_prefix(word);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ':']))
    };
    // A sentence that begins so is something else.
    text.chars().count() <= 40 && WORDS.iter().any(|word| is_first(word))
}

fn trimmed_mark(text: &str) -> &str {
    text.strip_prefix('\u{FEFF}').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Sheet;

    fn read(text: &str, columns: &[&str]) -> Result<Table, TableError> {
        Table::read(text.as_bytes(), &Options::with_columns(columns))
    }

    fn names(table: &Table) -> Vec<&str> {
        table.columns().iter().map(Column::name).collect()
    }

    #[test]
    fn a_column_that_is_called_otherwise_is_found_and_keeps_its_name() {
        let meaning = |name: &str| match name {
            "Suma" => Some("amount".to_owned()),
            "Obs" | "Obs 2" => Some(String::new()),
            _ => None,
        };
        let options = Options {
            columns: &["amount", "key"],
            meaning: Some(&meaning),
            ..Options::default()
        };
        let table = Table::read(b"x\nKey;Obs;Suma;Obs 2\nA;note;5;n\n", &options).unwrap();
        assert_eq!(table.column("amount").unwrap().name(), "Suma");
        assert!(table.column("Suma").is_none() && table.column("Obs").is_none());
        let row = table.rows().next().unwrap();
        assert_eq!(row.cell("amount").shown(), "5");
        assert_eq!(row.beyond_columns(), None);
        let twice = Table::read(b"Key;Suma;Amount\nA;5;6\n", &options);
        assert!(
            matches!(twice, Err(TableError::ColumnTwice { .. })),
            "{twice:?}"
        );
    }

    #[test]
    fn columns_are_known_in_any_case_and_with_any_spaces() {
        let table = read(
            " Order_Key ;\u{A0}SUMA  (lei);Dată plată;Observaţii;;\r\nA;1;;;;\r\n",
            &[],
        )
        .unwrap();
        assert_eq!(
            names(&table),
            ["Order_Key", "SUMA  (lei)", "Dată plată", "Observaţii"]
        );
        for name in [
            "order_key",
            " ORDER_KEY",
            "suma (LEI)",
            "DATĂ  plată",
            "observații",
        ] {
            assert!(table.column(name).is_some(), "{name}");
        }
        assert!(table.column("").is_none() && table.column("order").is_none());
        let row = table.rows().next().unwrap();
        assert_eq!(row.cell("order_key").text().unwrap().as_deref(), Some("A"));
        assert_eq!(
            (row.cell("nothing"), row.beyond_columns()),
            (&Cell::Empty, None)
        );
        // A value in a column without a name is a value, not an empty cell.
        let table = read("a;;b\n1;;2;;3\n1;2;3\n", &[]).unwrap();
        let beyond: Vec<_> = table.rows().map(|row| row.beyond_columns()).collect();
        assert_eq!(beyond, [Some("E".into()), Some("B".into())]);
    }

    #[test]
    fn what_is_above_the_columns_is_left_out() {
        let preamble = "Extras de cont\r\nPerioada: 01.11.2026 - 30.11.2026, cont 1\r\n\r\n";
        for separator in [";", ",", "\t"] {
            let rows = "Data|Document|Suma\r\n27.11.2026|FS-1|5\r\n".replace('|', separator);
            let table = read(&format!("{preamble}{rows}"), &["suma", "document"]).unwrap();
            assert_eq!(names(&table), ["Data", "Document", "Suma"]);
            assert_eq!(
                table.rows().map(|row| row.number()).collect::<Vec<_>>(),
                [5]
            );
        }
        // Without the requested columns, the error names the row that has most of them, or most names.
        let missing =
            |columns: &[&str]| match read(&format!("{preamble}a;Data;Suma\n1;2;3\n"), columns) {
                Err(TableError::NoHeader { missing, found }) => (missing, found),
                other => panic!("{other:?}"),
            };
        let found = ["a", "Data", "Suma"].map(str::to_owned).to_vec();
        assert_eq!(
            missing(&["suma", "document"]),
            (vec!["document".to_owned()], found.clone())
        );
        assert_eq!(missing(&["x"]).1, found);
        let error = read("a;b\n1;2\n", &["x", "y"]).unwrap_err().to_string();
        assert_eq!(
            error,
            "No row of the table names the columns x, y. The columns found are: a, b."
        );
    }

    #[test]
    fn a_table_that_is_none_is_refused() {
        for text in ["", "\r\n\n", ";;\n;", "\u{FEFF}", "sep=;\r\n"] {
            assert_eq!(read(text, &[]).unwrap_err(), TableError::Empty, "{text:?}");
        }
        let twice = read("a;b;\u{A0}A\n", &[]).unwrap_err().to_string();
        assert_eq!(
            twice,
            "The table has the column A twice, in the columns A and C."
        );
        let pdf = Table::read(b"%PDF-1.7", &Options::default())
            .unwrap_err()
            .to_string();
        assert_eq!(pdf, "The file is a PDF. Save it as CSV UTF-8 or as XLSX.");
        let many = "a\n".repeat(crate::MAX_CELLS + 1);
        assert!(matches!(read(&many, &[]), Err(TableError::TooLarge { .. })));
    }

    #[test]
    fn totals_are_told_from_data() {
        use RowKind::{Data, Total};
        for (text, kinds) in [
            ("k;s\nA;5\nB;7,50\n;12,50\n", &[Data, Data, Total][..]),
            ("k;s\nA;5\n;6\n", &[Data, Data]),
            ("k;s\nA;5\nTotal:;5\n", &[Data, Total]),
            ("k;s\nA;5\nИТОГО;6\n", &[Data, Total]),
            ("k;s\nTOTAL GENERAL;\n", &[Total]),
            // A key may be any word, and then there is more than an amount.
            ("k;s;t\nTotal;5;Taxă\nTotalizator;5;\n", &[Data, Data]),
            // A key of digits is no sum.
            ("k;s\n5;5\n5;\n", &[Data, Data]),
            // A balance and a sum; two sums.
            ("k;s;b\nA;5;100\n;5;7\n", &[Data, Data]),
            ("k;s;b\nA;5;100\nB;6;1\n;11;101\n", &[Data, Data, Total]),
            // Totals between the rows are not added.
            ("k;s\nA;5\nTotal;5\nB;1\n;6\n", &[Data, Total, Data, Total]),
        ] {
            assert_eq!(read(text, &[]).unwrap().kinds(&["k"]), kinds, "{text}");
        }
    }

    #[test]
    fn the_source_says_what_was_found_out() {
        for (bytes, said) in [
            (&b"a,b\n"[..], "CSV with commas, in UTF-8"),
            (b"\xFF\xFEa\0\t\0b\0", "CSV with tabs, in UTF-16LE"),
            (
                b"a;\xCF\xEB\xE0\xF2\xE0",
                "CSV with semicolons, in windows-1251, found out from its letters",
            ),
        ] {
            let table = Table::read(bytes, &Options::default()).unwrap();
            assert_eq!(table.source().to_string(), said);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text in "[a-bșж;,\t\r\n\"=1 .TtotalЖ]{0,60}") {
            for columns in [&[][..], &["a"]] {
                for bytes in [&bytes[..], text.as_bytes()] {
                    if let Ok(table) = Table::read(bytes, &Options::with_columns(columns)) {
                        prop_assert_eq!(table.kinds(&["a"]).len(), table.rows().count());
                        for row in table.rows() {
                            for (_, cell) in row.cells() {
                                let _ = (cell.text(), cell.identifier(), cell.amount(), cell.date());
                            }
                        }
                    }
                }
            }
        }

        #[test]
        fn a_part_of_a_csv_is_read_as_it_is_in_the_whole(
            text in "(k[ab \"]{0,2}[;,\t]k?\r?\n)?([a-bș;, '\"=1.\t]|\r\n){0,60}", rows in 1_usize..4)
        {
            if let Ok(whole) = Table::read(text.as_bytes(), &Options::default()) {
                assert_same_in_parts(&whole, rows);
            }
        }

        #[test]
        fn a_part_of_a_workbook_is_read_as_it_is_in_the_whole(
            rows in prop::collection::vec(prop::collection::vec(cell(), 0..6), 1..9), most in 1_usize..4)
        {
            let whole = Table {
                source: Source::Xlsx { sheet: "Table".into() },
                columns: columns(
                    &["k", "", " Two "].map(|name| Cell::Text(name.into())),
                    &Options::default(),
                ),
                rows: rows.into_iter().enumerate().filter_map(|(number, mut cells)| {
                    let last = cells.iter().rposition(|cell| !cell.is_empty())?;
                    cells.truncate(last + 1);
                    Some((number + 7, cells))
                }).collect(),
            };
            assert_same_in_parts(&whole, most);
        }
    }

    fn cell() -> impl Strategy<Value = Cell> {
        let number = (any::<f64>(), any::<bool>(), 0_usize..20);
        let number = number.prop_filter("what a workbook has", |(value, ..)| value.is_finite());
        let moment = (2_u32..2_958_465, 0_u32..86_400, any::<bool>());
        prop_oneof![
            Just(Cell::Empty),
            ".{0,9}".prop_map(Cell::of_text),
            "['=_x000Da<&\r\n\t\u{1} ]{0,9}".prop_map(Cell::of_text),
            number.prop_map(
                |(value, is_scientific, shown_digits)| Cell::Number(crate::Number {
                    value,
                    is_scientific,
                    shown_digits
                })
            ),
            moment.prop_map(|(days, second, shows_time)| {
                let at = crate::calendar::Civil::of_serial(days, second).unwrap();
                Cell::Date(crate::Moment::new(at, shows_time))
            }),
            any::<bool>().prop_map(Cell::Flag),
            Just(Cell::Error("#REF!".into())),
        ]
    }

    #[track_caller]
    fn assert_same_in_parts(whole: &Table, most: usize) {
        let rows: Vec<_> = whole.rows().collect();
        for rows in rows.chunks(most) {
            let mut part = Sheet::part_of(whole);
            rows.iter().for_each(|row| part.copy(row));
            // A caller that takes parts knows the columns, like the import of orders.
            let names: Vec<_> = whole.columns.iter().map(Column::name).collect();
            let part = part.finish().unwrap();
            let part = Table::read(&part, &Options::with_columns(&names)).unwrap();
            assert_eq!(part.columns, whole.columns);
            let cells: Vec<_> = part.rows().map(|row| row.all().to_vec()).collect();
            let of_whole: Vec<_> = rows.iter().map(|row| row.all().to_vec()).collect();
            assert_eq!(cells, of_whole);
        }
    }
}
