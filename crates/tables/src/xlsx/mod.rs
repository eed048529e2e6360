//! Workbooks (ISO/IEC 29500, SpreadsheetML): the parts of one that hold a table.
//!
//! `calamine` reads more kinds of files, but it switches on `quick-xml`'s feature `encoding`, which the
//! two doors would then share with the reader of signed messages; it unpacks a file to any size; and it
//! is 519 KB of a component.

mod parts;
mod styles;

use std::collections::HashMap;

use quick_xml::events::BytesStart;

use self::{
    parts::{Part, Parts, attribute, damaged, local_name},
    styles::{Style, styles},
};

use crate::{
    Cell, Limits, MAX_COLUMNS, Moment, Number, TableError,
    calendar::Civil,
    columns::column,
    limits::Size,
    sheet::is_escape,
    zip::{self, Archive},
};

/// A workbook that somebody sent.
pub(crate) struct Workbook<'a> {
    archive: Archive<'a>,
    limits: Limits,
    /// Bytes that may still be unpacked.
    budget: usize,
    sheets: Vec<Sheet>,
    texts: Vec<String>,
    styles: Vec<Style>,
    /// True if days are counted from 1904, as old Macintoshes did.
    is_1904: bool,
}

struct Sheet {
    name: String,
    part: String,
}

impl<'a> Workbook<'a> {
    /// Reads the common parts of the sheets.
    pub fn open(bytes: &'a [u8], limits: Limits) -> Result<Self, TableError> {
        let archive = Archive::open(bytes).map_err(damaged)?;
        let mut workbook = Self {
            archive,
            limits,
            budget: limits.unpacked,
            sheets: Vec::new(),
            texts: Vec::new(),
            styles: Vec::new(),
            is_1904: false,
        };
        let Some(book) = workbook.part("xl/workbook.xml")? else {
            return Err(damaged("its list of sheets is missing"));
        };
        let relations = workbook.part("xl/_rels/workbook.xml.rels")?;
        let targets = targets(relations.as_deref().unwrap_or_default())?;
        workbook.read_book(&book, &targets)?;
        if let Some(text) = workbook.part("xl/sharedStrings.xml")? {
            workbook.texts = texts(&text)?;
        }
        if let Some(text) = workbook.part("xl/styles.xml")? {
            workbook.styles = styles(&text)?;
        }
        Ok(workbook)
    }

    fn part(&mut self, name: &str) -> Result<Option<String>, TableError> {
        let part = self.archive.read(name, &mut self.budget);
        let part = part.map_err(|reason| match reason {
            zip::TOO_LARGE => TableError::TooLarge {
                most: self.limits.unpacked,
                what: "bytes unpacked",
            },
            reason => damaged(reason),
        })?;
        let text = part.map(String::from_utf8).transpose();
        text.map_err(|_| damaged("a part of it is not UTF-8"))
    }

    fn read_book(
        &mut self,
        text: &str,
        targets: &HashMap<String, String>,
    ) -> Result<(), TableError> {
        let mut parts = Parts::new(text);
        while let Some(part) = parts.next()? {
            let Part::Start(tag) = part else { continue };
            match local_name(&tag) {
                "workbookPr" => {
                    let set = attribute(&tag, "date1904");
                    self.is_1904 = matches!(set.as_deref(), Some("1" | "true" | "on"));
                }
                "sheet" => {
                    let state = attribute(&tag, "state");
                    let is_hidden = state.is_some_and(|state| state != "visible");
                    let target = attribute(&tag, "id").and_then(|id| targets.get(&id).cloned());
                    if let (false, Some(part)) = (is_hidden, target) {
                        let name = attribute(&tag, "name").unwrap_or_default();
                        self.sheets.push(Sheet { name, part });
                    }
                }
                _ => {}
            }
        }
        if self.sheets.is_empty() {
            return Err(damaged("it has no sheet that can be seen"));
        }
        Ok(())
    }

    /// The names of the sheets that can be seen.
    pub fn sheets(&self) -> Vec<String> {
        self.sheets.iter().map(|sheet| sheet.name.clone()).collect()
    }

    /// The rows of a sheet, each with its number.
    pub fn rows(&mut self, position: usize) -> Result<Vec<(usize, Vec<Cell>)>, TableError> {
        let part = self.sheets.get(position).map(|sheet| sheet.part.clone());
        let Some(text) = self.part(&part.unwrap_or_default())? else {
            return Err(damaged("a sheet of it is missing"));
        };
        let mut parts = Parts::new(&text);
        let mut size = Size::within(self.limits);
        let mut rows: Vec<(usize, Vec<Cell>)> = Vec::new();
        let mut last = 0;
        while let Some(part) = parts.next()? {
            match part {
                Part::Start(tag) if local_name(&tag) == "row" => {
                    let number = attribute(&tag, "r").and_then(|number| number.parse().ok());
                    last = number.unwrap_or(last + 1);
                    let cells = self.cells(&mut parts, last)?;
                    size.add(&cells)?;
                    if !cells.is_empty() {
                        rows.push((last, cells));
                    }
                }
                Part::End(name) if name == "sheetData" => break,
                _ => {}
            }
        }
        // They stand in this order, but nobody makes them.
        rows.sort_by_key(|(number, _)| *number);
        Ok(rows)
    }

    /// The cells of a row, up to its end.
    fn cells(&self, parts: &mut Parts<'_>, row: usize) -> Result<Vec<Cell>, TableError> {
        let mut cells = Vec::new();
        let mut next = 0;
        loop {
            match parts.next()? {
                None => return Ok(cells),
                Some(Part::End(name)) if name == "row" => return Ok(cells),
                Some(Part::Start(tag)) if local_name(&tag) == "c" => {
                    let place = attribute(&tag, "r");
                    let column = place.as_deref().map_or(Some(next), column);
                    let column = column.ok_or(damaged("a cell of it is nowhere"))?;
                    next = column + 1;
                    let cell = self.cell(parts, &tag)?;
                    if cell.is_empty() {
                        continue;
                    }
                    if column >= MAX_COLUMNS {
                        return Err(TableError::RowTooLong { row });
                    }
                    if cells.len() <= column {
                        cells.resize(column + 1, Cell::Empty);
                    }
                    if let Some(known) = cells.get_mut(column) {
                        *known = cell;
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// A cell, up to its end.
    fn cell(&self, parts: &mut Parts<'_>, tag: &BytesStart<'_>) -> Result<Cell, TableError> {
        let kind = attribute(tag, "t");
        let style = attribute(tag, "s").and_then(|style| style.parse::<usize>().ok());
        let style = style.and_then(|style| self.styles.get(style).copied());
        let (mut value, mut inline) = (None, String::new());
        loop {
            match parts.next()? {
                None => break,
                Some(Part::End(name)) if name == "c" => break,
                Some(Part::Start(tag)) if local_name(&tag) == "v" => {
                    value = Some(parts.text("v")?);
                }
                Some(Part::Start(tag)) if local_name(&tag) == "is" => {
                    inline = rich_text(parts, "is")?;
                }
                Some(_) => {}
            }
        }
        let value = value.unwrap_or_default();
        Ok(match kind.as_deref() {
            Some("inlineStr") => Cell::of_text(inline),
            Some("s") => {
                let text = value
                    .trim()
                    .parse()
                    .ok()
                    .and_then(|at: usize| self.texts.get(at));
                let text = text.ok_or(damaged("a text of it is missing"))?;
                Cell::of_text(text.clone())
            }
            Some("str") => Cell::of_text(unescaped(&value)),
            Some("b") => Cell::Flag(value.trim() == "1"),
            Some("e") => Cell::Error(value),
            Some("d") => Cell::of_text(value),
            _ if value.trim().is_empty() => Cell::Empty,
            _ => self.number(value.trim(), style.unwrap_or_default())?,
        })
    }

    fn number(&self, text: &str, style: Style) -> Result<Cell, TableError> {
        const NO_NUMBER: &str = "a number of it is none";
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
        let value: f64 = text.parse().map_err(|_| damaged(NO_NUMBER))?;
        if !is_plain || !value.is_finite() {
            return Err(damaged(NO_NUMBER));
        }
        if style.is_date
            && let Some(at) = self.at(value)
        {
            return Ok(Cell::Date(Moment::new(at, style.shows_time)));
        }
        Ok(Cell::Number(Number {
            value,
            is_scientific: text.contains(['e', 'E']),
            shown_digits: style.digits,
        }))
    }

    /// The time that a number of days stands for; `None` where there is no such day.
    fn at(&self, days: f64) -> Option<Civil> {
        const SECONDS: u32 = 86_400;
        /// From the first day that Excel counts to the first that old Macintoshes did.
        const TO_1904: u32 = 1462;
        if !(1.0..2_958_466.0).contains(&days) {
            return None;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within the bounds above it fits"
        )]
        let seconds = (days * f64::from(SECONDS)).round() as u64;
        let day = u32::try_from(seconds / u64::from(SECONDS)).ok()?;
        let second = u32::try_from(seconds % u64::from(SECONDS)).ok()?;
        let day = match self.is_1904 {
            true => day + TO_1904,
            // Excel has a 29 February 1900, as Lotus 1-2-3 had.
            false if day < 60 => day + 1,
            false => day,
        };
        Civil::of_serial(day, second)
    }
}

/// The paths of the parts of a workbook, by their ids.
fn targets(text: &str) -> Result<HashMap<String, String>, TableError> {
    let mut targets = HashMap::new();
    let mut parts = Parts::new(text);
    while let Some(part) = parts.next()? {
        if let Part::Start(tag) = part
            && local_name(&tag) == "Relationship"
            && let (Some(id), Some(target)) = (attribute(&tag, "Id"), attribute(&tag, "Target"))
        {
            let target = target.replace('\\', "/");
            let target = match target.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => format!("xl/{}", target.trim_start_matches("./")),
            };
            targets.insert(id, target);
        }
    }
    Ok(targets)
}

/// The texts that cells name by their numbers.
fn texts(text: &str) -> Result<Vec<String>, TableError> {
    let mut texts = Vec::new();
    let mut parts = Parts::new(text);
    while let Some(part) = parts.next()? {
        if let Part::Start(tag) = part
            && local_name(&tag) == "si"
        {
            texts.push(rich_text(&mut parts, "si")?);
        }
    }
    Ok(texts)
}

/// A text of several runs, up to the end of its element; without how Japanese is pronounced.
fn rich_text(parts: &mut Parts<'_>, element: &str) -> Result<String, TableError> {
    let mut text = String::new();
    loop {
        match parts.next()? {
            None => break,
            Some(Part::End(name)) if name == element => break,
            Some(Part::Start(tag)) if local_name(&tag) == "t" => text.push_str(&parts.text("t")?),
            Some(Part::Start(tag)) if local_name(&tag) == "rPh" => parts.skip("rPh")?,
            Some(_) => {}
        }
    }
    Ok(unescaped(&text))
}

/// The characters that XML cannot have, such as `_x000D_` (ISO/IEC 29500, 22.9.2.19).
fn unescaped(text: &str) -> String {
    if !text.contains("_x") {
        return text.to_owned();
    }
    let mut read = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = rest.get(2..6).filter(|_| is_escape(rest));
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
        let (c, length) = match code.and_then(char::from_u32) {
            Some(escaped) => (escaped, 7),
            None => (c, c.len_utf8()),
        };
        read.push(c);
        rest = rest.get(length..).unwrap_or_default();
    }
    read
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CellError, Options, Table};

    const BOOK: &str =
        r#"<workbook xmlns:r="r"><sheets><sheet name="Foaie" r:id="rId1"/></sheets></workbook>"#;
    const RELATIONS: &str = r#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>"#;
    const STYLES: &str = r##"<styleSheet><numFmts count="5">
        <numFmt numFmtId="164" formatCode="dd\.mm\.yyyy"/>
        <numFmt numFmtId="165" formatCode="[$-419]d mmm yyyy\ h:mm;@"/>
        <numFmt numFmtId="166" formatCode="#,##0.00\ &quot;lei md&quot;"/>
        <numFmt numFmtId="167" formatCode="000000"/>
        <numFmt numFmtId="168" formatCode="[Red]General"/>
        </numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>
        <xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/>
        <xf numFmtId="167"/><xf numFmtId="168"/><xf numFmtId="11"/></cellXfs></styleSheet>"##;

    fn workbook(parts: &[(&str, &str)]) -> Vec<u8> {
        let mut all = vec![
            ("xl/workbook.xml", BOOK),
            ("xl/_rels/workbook.xml.rels", RELATIONS),
            ("xl/styles.xml", STYLES),
        ];
        for (name, text) in parts {
            all.retain(|(known, _)| known != name);
            all.push((name, text));
        }
        let all: Vec<_> = all
            .iter()
            .map(|(name, text)| (*name, text.as_bytes()))
            .collect();
        zip::compressed_archive(&all).unwrap()
    }

    fn sheet(rows: &str) -> String {
        format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")
    }

    fn cells(row: &str) -> Vec<Cell> {
        cells_with(row, &[])
    }

    fn cells_with(row: &str, parts: &[(&str, &str)]) -> Vec<Cell> {
        let sheet = sheet(&format!("<row>{row}</row>"));
        let parts = [parts, &[("xl/worksheets/sheet1.xml", sheet.as_str())]].concat();
        let bytes = workbook(&parts);
        let mut rows = Workbook::open(&bytes, Limits::default())
            .unwrap()
            .rows(0)
            .unwrap();
        rows.remove(0).1
    }

    #[test]
    fn a_cell_is_what_its_type_says() {
        let texts = r#"<sst><si><t xml:space="preserve"> a </t></si><si><r><t>b&amp;</t></r><rPh><t>x</t></rPh><r><t>c_x000D_&#10;d</t></r></si></sst>"#;
        let read = cells_with(
            r#"<c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="inlineStr"><is><t>i</t></is></c>
            <c t="str"><f>A1</f><v>f</v></c><c t="b"><v>1</v></c><c t="e"><v>#REF!</v></c>
            <c t="n"><v>1250.5</v></c><c><v>7</v></c><c/><c r="L1" s="4"><v>-3.5</v></c><c s="7"><v>5</v></c><c t="d"><v>2026-12-31</v></c>"#,
            &[("xl/sharedStrings.xml", texts)],
        );
        let text = |position: usize| read[position].text().unwrap();
        assert_eq!(text(0).as_deref(), Some("a"));
        assert_eq!(text(1).as_deref(), Some("b&c d"));
        assert_eq!(
            (text(2).as_deref(), text(3).as_deref()),
            (Some("i"), Some("f"))
        );
        assert_eq!(
            (&read[4], &read[5]),
            (&Cell::Flag(true), &Cell::Error("#REF!".into()))
        );
        assert_eq!(text(6).as_deref(), Some("1250.5"));
        assert_eq!(read[7].identifier().unwrap().as_deref(), Some("7"));
        assert!(read[8..11].iter().all(Cell::is_empty));
        assert_eq!(read[11].amount().unwrap().unwrap().to_string(), "-3.50");
        assert_eq!(read[12].identifier().unwrap().as_deref(), Some("5"));
        assert_eq!(read[13].date().unwrap().as_deref(), Some("2026-12-31"));
    }

    #[test]
    fn a_number_with_the_format_of_a_date_is_a_date() {
        for (style, value, iso) in [
            (1, "46387", "2026-12-31"),
            (2, "46387", "2026-12-31"),
            (2, "46387.75", "2026-12-31"),
            (3, "46387.9993055556", "2026-12-31T23:59:00"),
            (3, "46387", "2026-12-31"),
            (1, "1", "1900-01-01"),
            (1, "59", "1900-02-28"),
            (1, "61", "1900-03-01"),
            (1, "2958465", "9999-12-31"),
        ] {
            let read = cells(&format!(r#"<c s="{style}"><v>{value}</v></c>"#));
            assert_eq!(read[0].date().unwrap().as_deref(), Some(iso), "{value}");
            assert!(matches!(read[0].identifier(), Err(CellError::Date(_))));
        }
        let book = BOOK.replace("<sheets>", r#"<workbookPr date1904="1"/><sheets>"#);
        let read = cells_with(
            r#"<c s="1"><v>44925</v></c>"#,
            &[("xl/workbook.xml", &book)],
        );
        assert_eq!(read[0].date().unwrap().as_deref(), Some("2026-12-31"));
        for (style, value) in [
            (0, "46387"),
            (4, "46387"),
            (6, "46387"),
            (1, "2958466"),
            (1, "0.5"),
        ] {
            let read = cells(&format!(r#"<c s="{style}"><v>{value}</v></c>"#));
            assert!(matches!(read[0], Cell::Number(_)), "{style} {value}");
        }
    }

    #[test]
    fn a_key_that_was_a_number_is_what_the_cell_shows_or_refused() {
        for (cell, key) in [
            (r#"<c s="5"><v>42</v></c>"#, Ok("000042")),
            (r#"<c><v>100012000001</v></c>"#, Ok("100012000001")),
            (
                r#"<c><v>1.00012E+11</v></c>"#,
                Err(CellError::Scientific("100012000000".into())),
            ),
            (
                r#"<c><v>1234567890123450</v></c>"#,
                Err(CellError::DigitsLost),
            ),
            (
                r#"<c><v>12.5</v></c>"#,
                Err(CellError::Fraction("12.5".into())),
            ),
        ] {
            let read = cells(cell)[0].identifier();
            assert_eq!(read, key.map(|key| Some(key.to_owned())), "{cell}");
        }
    }

    #[test]
    fn rows_and_cells_stand_where_the_workbook_says() {
        let rows = r#"<row r="3"><c r="B3"><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row><row r="2"/>
            <x:row r="9"><x:c r="A9"><x:v>4</x:v></x:c></x:row>"#;
        let bytes = workbook(&[("xl/worksheets/sheet1.xml", &sheet(rows))]);
        let rows = Workbook::open(&bytes, Limits::default())
            .unwrap()
            .rows(0)
            .unwrap();
        let numbers: Vec<_> = rows
            .iter()
            .map(|(number, cells)| (*number, cells.len()))
            .collect();
        assert_eq!(numbers, [(3, 3), (4, 1), (9, 1)]);
        assert!(rows[0].1[0].is_empty());
    }

    #[test]
    fn the_table_may_be_on_another_sheet_but_on_no_hidden_one() {
        let book = r#"<workbook><sheets><sheet name="Note" r:id="rId1"/><sheet name="Plăți" r:id="rId2"/></sheets></workbook>"#;
        let row = |name: &str| {
            sheet(&format!(
                r#"<row><c t="inlineStr"><is><t>{name}</t></is></c></row>"#
            ))
        };
        let (first, second) = (row("nimic"), row("Cheie"));
        let parts = [
            ("xl/workbook.xml", book),
            ("xl/worksheets/sheet1.xml", &first),
            ("xl/worksheets/sheet2.xml", &second),
        ];
        let options = Options::with_columns(&["cheie"]);
        let table = Table::read(&workbook(&parts), &options).unwrap();
        assert_eq!(table.source().to_string(), "XLSX, sheet Plăți");
        let hidden = book.replace("name=\"Plăți\"", "name=\"x\" state=\"hidden\"");
        let mut parts = parts;
        parts[0].1 = &hidden;
        let error = Table::read(&workbook(&parts), &options).unwrap_err();
        assert!(matches!(error, TableError::NoHeader { found, .. } if found == ["nimic"]));
    }

    #[test]
    fn a_workbook_that_is_made_to_be_too_large_is_refused() {
        let read = |sheet: &str, texts: &str| {
            let bytes = workbook(&[
                ("xl/worksheets/sheet1.xml", sheet),
                ("xl/sharedStrings.xml", texts),
            ]);
            assert!(bytes.len() < 1_000_000, "{}", bytes.len());
            Table::read(&bytes, &Options::default()).unwrap_err()
        };
        // A bomb, in either part.
        let bomb = " ".repeat(crate::MAX_UNPACKED);
        let too_large = TableError::TooLarge {
            most: crate::MAX_UNPACKED,
            what: "bytes unpacked",
        };
        assert_eq!(read(&bomb, ""), too_large);
        assert_eq!(read("", &bomb), too_large);
        // A text that is shown a thousand times.
        let long = format!("<sst><si><t>{}</t></si></sst>", "x".repeat(1_000_000));
        let many = r#"<row><c t="s"><v>0</v></c></row>"#.repeat(1000);
        let error = read(&sheet(&many), &long);
        assert_eq!(
            error,
            TableError::TooLarge {
                most: crate::MAX_TEXT,
                what: "bytes of text"
            }
        );
        // Cells without number, and at the end of the world.
        let many = format!("<row>{}</row>", "<c><v>1</v></c>".repeat(500)).repeat(801);
        let error = read(&sheet(&many), "");
        assert_eq!(
            error,
            TableError::TooLarge {
                most: crate::MAX_CELLS,
                what: "cells"
            }
        );
        for place in ["XFD1048576", "ZZZZZZZZZZZZZZZZZZZZZZZZZZZ1", "ALM7"] {
            let far = format!(r#"<row r="7"><c r="{place}"><v>1</v></c></row>"#);
            assert_eq!(read(&sheet(&far), ""), TableError::RowTooLong { row: 7 });
        }
    }

    #[test]
    fn a_workbook_that_is_not_one_is_refused() {
        let whole = sheet("<row><c t=\"inlineStr\"><is><t>a</t></is></c></row>");
        for (part, text) in [
            ("xl/workbook.xml", "<workbook>"),
            ("xl/workbook.xml", "<workbook></x>"),
            ("xl/_rels/workbook.xml.rels", "<a/>"),
            (
                "xl/worksheets/sheet1.xml",
                "<!DOCTYPE a [<!ENTITY b \"c\">]><worksheet/>",
            ),
            (
                "xl/worksheets/sheet1.xml",
                "<row><c t=\"s\"><v>5</v></c></row>",
            ),
            (
                "xl/worksheets/sheet1.xml",
                "<row><c t=\"inlineStr\"><is><t>&unknown;</t></is></c></row>",
            ),
            (
                "xl/worksheets/sheet1.xml",
                "<row><c t=\"inlineStr\"><is><t>a",
            ),
            ("xl/worksheets/sheet1.xml", "<row><c><v>inf</v></c></row>"),
            ("xl/worksheets/sheet1.xml", "<row><c><v>1x</v></c></row>"),
            (
                "xl/worksheets/sheet1.xml",
                "<row><c r=\"7\"><v>1</v></c></row>",
            ),
        ] {
            let bytes = workbook(&[("xl/worksheets/sheet1.xml", &whole), (part, text)]);
            let error = Table::read(&bytes, &Options::default()).unwrap_err();
            assert!(
                matches!(error, TableError::Workbook(_)),
                "{text}: {error:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_change_of_a_part_is_read_or_refused(
            part in 0..4_usize,
            changes in prop::collection::vec((any::<prop::sample::Index>(), "[<>/&;a-c0-9\"=]"), 1..6)
        ) {
            let sheet = sheet(r#"<row r="1"><c r="A1" t="s"><v>0</v></c><c s="1"><v>46387</v></c><c t="b"><v>1</v></c></row>"#);
            let texts = r#"<sst><si><t>a</t></si></sst>"#;
            let mut parts = [("xl/workbook.xml", BOOK), ("xl/styles.xml", STYLES), ("xl/worksheets/sheet1.xml", &sheet), ("xl/sharedStrings.xml", texts)];
            let mut text = parts[part].1.to_owned();
            for (index, replacement) in changes {
                let at = index.index(text.len());
                text.replace_range(at..=at, &replacement);
            }
            parts[part].1 = &text;
            let _ = Table::read(&workbook(&parts), &Options::default());
        }
    }
}
