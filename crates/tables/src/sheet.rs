use std::fmt::Write as _;

use crate::{
    Cell, Moment, Number, Row, Separator, Source, Table, columns::column_letters, guard::guarded,
    zip,
};

/// The format in which a [`Sheet`] is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// CSV (RFC 4180) in UTF-8, with a byte order mark, by which Excel knows it.
    Csv(Separator),
    /// A workbook of one sheet (ISO/IEC 29500).
    Xlsx,
}

/// A value of a column of a [`Sheet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// Text, which no spreadsheet may take for anything else.
    Text,
    /// Amounts such as `-1250.50`.
    Amount,
    /// Whole numbers.
    Number,
    /// Times with their offset, such as `2026-12-31T23:59:59+02:00`, which no spreadsheet takes for
    /// anything but text.
    Time,
}

/// A table that is being written.
///
/// [`Table`](crate::Table) reads the written values unchanged, also if a spreadsheet in Romanian, Russian
/// or English has opened and saved them.
#[derive(Debug)]
pub struct Sheet {
    format: Format,
    kinds: Vec<Value>,
    /// The text, or the rows in XML.
    written: String,
    rows: usize,
    /// The numbers of digits of the formats of zeros that copied numbers have.
    zeros: Vec<usize>,
}

impl Sheet {
    /// A table with these columns.
    pub fn new(format: Format, columns: &[(&str, Value)]) -> Self {
        let mut sheet = Self::empty(format, columns.len());
        let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
        sheet.row(&names);
        sheet.kinds = columns.iter().map(|(_, kind)| *kind).collect();
        sheet
    }

    /// True if a table has the columns of which this is a [part](Sheet::part_of).
    pub fn has_columns_of(&self, table: &Table) -> bool {
        let names = Self::part_of(table).written;
        self.written.starts_with(&names)
    }

    /// Without a row of names yet.
    fn empty(format: Format, columns: usize) -> Self {
        Self {
            format,
            kinds: vec![Value::Text; columns],
            written: match format {
                Format::Csv(_) => "\u{FEFF}".to_owned(),
                Format::Xlsx => String::new(),
            },
            rows: 0,
            zeros: Vec::new(),
        }
    }

    /// A table with the columns of another, for rows that are [copied](Sheet::copy) from there: a CSV
    /// if that is one, otherwise a workbook.
    pub fn part_of(table: &Table) -> Self {
        let columns = table.columns().iter();
        let count = columns.clone().map(|column| column.position() + 1).max();
        let mut names = vec![Cell::Empty; count.unwrap_or_default()];
        for column in columns {
            if let Some(name) = names.get_mut(column.position()) {
                *name = Cell::Text(column.name().to_owned());
            }
        }
        let format = match table.source() {
            Source::Csv { .. } => Format::Csv(Separator::Comma),
            Source::Xlsx { .. } => Format::Xlsx,
        };
        let mut sheet = Self::empty(format, names.len());
        sheet.cells(&names);
        sheet
    }

    /// Adds a row of a table unchanged: its cells read the same, and the same cells are refused. Rows are
    /// numbered anew, from 2.
    pub fn copy(&mut self, row: &Row<'_>) {
        self.cells(row.all());
    }

    /// The number of bytes that it has so far, before anything is compressed.
    pub fn size(&self) -> usize {
        self.written.len()
    }

    fn cells(&mut self, cells: &[Cell]) {
        self.rows += 1;
        match self.format {
            Format::Csv(separator) => {
                for (position, cell) in cells.iter().enumerate() {
                    if position > 0 {
                        self.written.push(separator.byte().into());
                    }
                    // Every cell is quoted: no apostrophe is put before it, which would tell the reader
                    // that a program wrote it.
                    let text = match cell {
                        Cell::Written(text) | Cell::Text(text) => text.as_str().into(),
                        cell => cell.shown(),
                    };
                    if !cell.is_empty() {
                        let _ = write!(self.written, "\"{}\"", text.replace('"', "\"\""));
                    }
                }
                self.written.push_str("\r\n");
            }
            Format::Xlsx => {
                let _ = write!(self.written, "<row r=\"{}\">", self.rows);
                for (position, cell) in cells.iter().enumerate() {
                    self.typed_cell(position, cell);
                }
                self.written.push_str("</row>");
            }
        }
    }

    /// A cell with its type, and with a format by which the type is known.
    fn typed_cell(&mut self, position: usize, cell: &Cell) {
        let place = format!("{}{}", column_letters(position), self.rows);
        let _ = match cell {
            Cell::Empty => Ok(()),
            Cell::Written(text) | Cell::Text(text) => {
                let style = if self.rows == 1 { 3 } else { 1 };
                let text = escaped(text);
                write!(
                    self.written,
                    "<c r=\"{place}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>"
                )
            }
            Cell::Number(number) => {
                if let (0, Some(kind)) = (number.shown_digits, self.kinds.get_mut(position)) {
                    *kind = Value::Amount;
                }
                let (style, number) = (self.style(*number), in_full(*number));
                write!(
                    self.written,
                    "<c r=\"{place}\" s=\"{style}\"><v>{number}</v></c>"
                )
            }
            Cell::Date(moment) => {
                let style = if moment.is_day { 4 } else { 5 };
                let days = in_days(*moment);
                write!(
                    self.written,
                    "<c r=\"{place}\" s=\"{style}\"><v>{days}</v></c>"
                )
            }
            Cell::Flag(flag) => {
                let flag = u8::from(*flag);
                write!(self.written, "<c r=\"{place}\" t=\"b\"><v>{flag}</v></c>")
            }
            Cell::Error(error) => {
                let error = escaped(error);
                write!(self.written, "<c r=\"{place}\" t=\"e\"><v>{error}</v></c>")
            }
        };
    }

    /// The style of a number: that of amounts, or one that shows so many digits at least.
    fn style(&mut self, number: Number) -> usize {
        if number.shown_digits == 0 {
            return 2;
        }
        let known = self.zeros.iter().position(|d| *d == number.shown_digits);
        let place = known.unwrap_or_else(|| {
            self.zeros.push(number.shown_digits);
            self.zeros.len() - 1
        });
        FIXED_STYLES + place
    }

    /// Adds a row, with a cell for each column.
    pub fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        self.rows += 1;
        let kinds = std::mem::take(&mut self.kinds);
        let cells = cells.iter().zip(&kinds);
        match self.format {
            Format::Csv(separator) => {
                for (position, (cell, kind)) in cells.enumerate() {
                    if position > 0 {
                        self.written.push(separator.byte().into());
                    }
                    self.csv_cell(separator, cell.as_ref(), *kind);
                }
                self.written.push_str("\r\n");
            }
            Format::Xlsx => {
                let _ = write!(self.written, "<row r=\"{}\">", self.rows);
                for (position, (cell, kind)) in cells.enumerate() {
                    self.xlsx_cell(position, cell.as_ref(), *kind);
                }
                self.written.push_str("</row>");
            }
        }
        self.kinds = kinds;
    }

    fn csv_cell(&mut self, separator: Separator, cell: &str, kind: Value) {
        let cell = match kind {
            Value::Text => guarded(cell),
            Value::Amount if separator == Separator::Semicolon => cell.replace('.', ","),
            Value::Amount => no_date(cell),
            Value::Number | Value::Time => cell.to_owned(),
        };
        // Quoted for every separator that a spreadsheet may take.
        let is_quoted = kind == Value::Text && cell.contains(['"', '\r', '\n', ',', ';', '\t']);
        if is_quoted {
            self.written.push('"');
            self.written.push_str(&cell.replace('"', "\"\""));
            self.written.push('"');
        } else {
            self.written.push_str(&cell);
        }
    }

    fn xlsx_cell(&mut self, position: usize, cell: &str, kind: Value) {
        if cell.is_empty() {
            return;
        }
        let place = format!("{}{}", column_letters(position), self.rows);
        let may_be_number = matches!(kind, Value::Amount | Value::Number);
        // A number cell keeps 15 digits, of which some programs drop the last.
        let digits = cell.bytes().filter(u8::is_ascii_digit).count();
        let is_number =
            may_be_number && digits < 15 && cell.parse::<f64>().is_ok_and(f64::is_finite);
        let _ = if is_number {
            let style = if kind == Value::Amount { 2 } else { 0 };
            write!(
                self.written,
                "<c r=\"{place}\" s=\"{style}\"><v>{cell}</v></c>"
            )
        } else {
            let style = if self.rows == 1 { 3 } else { 1 };
            // Only an apostrophe would be taken away again.
            let cell = if cell.starts_with('\'') {
                guarded(cell)
            } else {
                cell.to_owned()
            };
            let cell = escaped(&cell);
            write!(
                self.written,
                "<c r=\"{place}\" s=\"{style}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{cell}</t></is></c>"
            )
        };
    }

    /// The file; `None` if it is larger than a workbook may be.
    pub fn finish(self) -> Option<Vec<u8>> {
        match self.format {
            Format::Csv(_) => Some(self.written.into_bytes()),
            Format::Xlsx => self.workbook(),
        }
    }

    fn workbook(self) -> Option<Vec<u8>> {
        let mut columns = String::new();
        for (position, kind) in self.kinds.iter().enumerate() {
            // Values typed into the rows below have the column's kind too.
            let style = match kind {
                Value::Text | Value::Time => 1,
                Value::Amount => 2,
                Value::Number => 0,
            };
            let number = position + 1;
            let _ = write!(
                columns,
                "<col min=\"{number}\" max=\"{number}\" width=\"18\" style=\"{style}\" customWidth=\"1\"/>"
            );
        }
        let sheet = format!(
            "{HEAD}<worksheet xmlns=\"{MAIN}\"><sheetViews><sheetView workbookViewId=\"0\">\
             <pane ySplit=\"1\" topLeftCell=\"A2\" activePane=\"bottomLeft\" state=\"frozen\"/>\
             </sheetView></sheetViews><cols>{columns}</cols><sheetData>{}</sheetData></worksheet>",
            self.written
        );
        drop(self.written);
        zip::compressed_archive(&[
            ("[Content_Types].xml", CONTENT_TYPES.as_bytes()),
            ("_rels/.rels", RELATIONS.as_bytes()),
            ("xl/workbook.xml", WORKBOOK.as_bytes()),
            ("xl/_rels/workbook.xml.rels", WORKBOOK_RELATIONS.as_bytes()),
            ("xl/styles.xml", styles(&self.zeros).as_bytes()),
            ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
        ])
    }
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;
const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const WORKBOOK: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Table" sheetId="1" r:id="rId1"/></sheets></workbook>"#;
const WORKBOOK_RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;
/// As it comes; text; amounts, `0.00`; names of columns; days; times of days.
const FIXED_STYLES: usize = 6;

/// The styles that cells name by their numbers: the fixed ones, and behind them a format of zeros for
/// each of these numbers of digits.
fn styles(zeros: &[usize]) -> String {
    /// The first number of a format that is not built in.
    const FIRST: usize = 164;
    let (mut formats, mut xfs) = (String::new(), String::new());
    for (place, digits) in zeros.iter().enumerate() {
        let (id, code) = (FIRST + place, "0".repeat(*digits));
        let _ = write!(formats, "<numFmt numFmtId=\"{id}\" formatCode=\"{code}\"/>");
        let _ = write!(
            xfs,
            "<xf numFmtId=\"{id}\" fontId=\"0\" fillId=\"0\" borderId=\"0\" xfId=\"0\" applyNumberFormat=\"1\"/>"
        );
    }
    if !zeros.is_empty() {
        formats = format!("<numFmts count=\"{}\">{formats}</numFmts>", zeros.len());
    }
    let count = FIXED_STYLES + zeros.len();
    format!(
        r#"{HEAD}<styleSheet xmlns="{MAIN}">{formats}<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="{count}"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="2" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/><xf numFmtId="14" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="22" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>{xfs}</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"#
    )
}

/// A number with all of its digits, in the notation that the workbook had it in.
fn in_full(number: Number) -> String {
    if number.is_scientific {
        format!("{:e}", number.value)
    } else {
        number.value.to_string()
    }
}

/// A time as spreadsheets count it.
fn in_days(moment: Moment) -> f64 {
    let (days, second) = moment.at.serial();
    // Excel has a 29 February 1900, as Lotus 1-2-3 had.
    let days = if days <= 60 {
        days.saturating_sub(1)
    } else {
        days
    };
    f64::from(days) + f64::from(second) / 86_400.0
}

/// An amount that no spreadsheet takes for a date: to a Romanian or Russian one `10.05` is the tenth of
/// May, and `010.05` is not.
fn no_date(amount: &str) -> String {
    let (sign, digits) = match amount.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", amount),
    };
    let is_date = digits.split_once('.').is_some_and(|(day, month)| {
        let within = |text: &str, most: u8| text.parse().is_ok_and(|n: u8| (1..=most).contains(&n));
        within(day, 31) && within(month, 12)
    });
    if is_date {
        format!("{sign}{digits:0>6}")
    } else {
        amount.to_owned()
    }
}

/// Text in XML; characters that XML cannot have are written as workbooks write them (ISO/IEC 29500,
/// 22.9.2.19).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (position, c) in text.char_indices() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' | '\t' => escaped.push(c),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => {
                let _ = write!(escaped, "_x{:04X}_", u32::from(c));
            }
            // An underscore that would be read as the beginning of such a character.
            '_' if is_escape(text.get(position..).unwrap_or_default()) => {
                escaped.push_str("_x005F_");
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// True if a text begins with `_x000D_` or another character that is written so.
pub(crate) fn is_escape(text: &str) -> bool {
    matches!(
        text.as_bytes(),
        [b'_', b'x', a, b, c, d, b'_', ..] if [a, b, c, d].iter().all(|byte| byte.is_ascii_hexdigit())
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Options, Table};

    const COLUMNS: [(&str, Value); 4] = [
        ("key", Value::Text),
        ("sum", Value::Amount),
        ("count", Value::Number),
        ("note", Value::Text),
    ];
    const FORMATS: [Format; 4] = [
        Format::Csv(Separator::Comma),
        Format::Csv(Separator::Semicolon),
        Format::Csv(Separator::Tab),
        Format::Xlsx,
    ];

    #[test]
    fn a_csv_is_written_for_spreadsheets() {
        let written = |separator| {
            let mut sheet = Sheet::new(Format::Csv(separator), &COLUMNS);
            sheet.row(&["00012", "10.05", "7", "a;b \"c\""]);
            sheet.row(&["A-1", "-1250.50", "", "=1+1"]);
            String::from_utf8(sheet.finish().unwrap()).unwrap()
        };
        assert_eq!(
            written(Separator::Comma),
            "\u{FEFF}key,sum,count,note\r\n'00012,010.05,7,\"a;b \"\"c\"\"\"\r\nA-1,-1250.50,,'=1+1\r\n"
        );
        assert_eq!(
            written(Separator::Semicolon),
            "\u{FEFF}key;sum;count;note\r\n'00012;10,05;7;\"a;b \"\"c\"\"\"\r\nA-1;-1250,50;;'=1+1\r\n"
        );
    }

    #[test]
    fn an_amount_is_no_date() {
        for (amount, written) in [
            ("10.05", "010.05"),
            ("1.12", "001.12"),
            ("31.01", "031.01"),
            ("-2.10", "-002.10"),
            ("32.01", "32.01"),
            ("10.00", "10.00"),
            ("10.13", "10.13"),
            ("0.05", "0.05"),
            ("1250.05", "1250.05"),
            ("", ""),
        ] {
            assert_eq!(no_date(amount), written);
        }
    }

    #[test]
    fn columns_have_the_letters_of_spreadsheets() {
        for (position, letters) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")] {
            assert_eq!(column_letters(position), letters);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(
            rows in prop::collection::vec((
                "[ăЖ'=,;\"<&_x0005DA-F>.0-9 -]{0,12}", -99_999_i32..99_999, 0_u32..99, "[\u{1}\n\r\ta-c'_]{0,6}",
            ), 1..6)
        ) {
            for format in FORMATS {
                let mut sheet = Sheet::new(format, &COLUMNS);
                for (key, sum, count, note) in &rows {
                    let sum = crate::Amount::of_hundredths((*sum).into()).to_string();
                    sheet.row(&[format!("k{key}"), sum, count.to_string(), note.clone()]);
                }
                let file = sheet.finish().unwrap();
                let table = Table::read(&file, &Options::with_columns(&["key"])).unwrap();
                let read: Vec<_> = table.rows().collect();
                prop_assert_eq!(read.len(), rows.len());
                for (row, (key, sum, count, note)) in read.iter().zip(&rows) {
                    let key = format!("k{key}");
                    let text = |name| row.cell(name).text().unwrap().unwrap_or_default();
                    prop_assert_eq!(text("key"), key.trim(), "{:?}", format);
                    let amount = row.cell("sum").amount().unwrap().unwrap();
                    prop_assert_eq!(amount.hundredths(), i128::from(*sum), "{:?}", format);
                    prop_assert_eq!(text("count"), count.to_string());
                    let note = crate::cell::one_line(note);
                    if !note.starts_with(['\'', '"']) {
                        prop_assert_eq!(text("note"), note, "{:?}", format);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_text_that_a_spreadsheet_would_change_is_read_as_it_was(text in "['=0-9A-Ea-z./-]{1,9}") {
            for format in FORMATS {
                let mut sheet = Sheet::new(format, &COLUMNS);
                sheet.row(&[text.as_str(), "", "", ""]);
                let file = sheet.finish().unwrap();
                let table = Table::read(&file, &Options::with_columns(&["key"])).unwrap();
                let row = table.rows().next().unwrap();
                prop_assert_eq!(row.cell("key").text().unwrap().unwrap_or_default(), text.as_str());
            }
        }
    }
}
