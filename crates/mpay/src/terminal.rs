//! The output of the commands: aligned by what a terminal shows, in colour where a person looks at it,
//! and without a control character that came from elsewhere.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mpay::say::{self, forgive_readers};
use mpay_domain::steers_display;
use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text with everything made visible that would move the cursor, change colours or turn the
/// direction of what follows: control characters, and those of bidirectional formatting.
///
/// Received text could otherwise write what it likes on the terminal, a verdict for example.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers_display) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if steers_display(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

/// The same for a text of several lines, such as an error.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// The number of columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut or filled up to this many columns.
pub fn fit(text: &str, columns: usize) -> String {
    let clean = clean(text);
    let whole = width(&clean);
    if whole <= columns {
        return format!("{clean}{}", " ".repeat(columns - whole));
    }
    let mut fitted = String::new();
    let mut used = 0;
    for c in clean.chars() {
        let next = c.width().unwrap_or_default();
        if used + next + 1 > columns {
            break;
        }
        fitted.push(c);
        used += next;
    }
    fitted.push('…');
    fitted + &" ".repeat(columns.saturating_sub(used + 1))
}

/// The weight of a finding, from right to wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// As it should be.
    Ok,
    /// Neither right nor wrong: to be known.
    Note,
    /// Not wrong yet.
    Warning,
    /// Wrong.
    Wrong,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Mark::Ok => "ok",
            Mark::Note => "note",
            Mark::Warning => "warning",
            Mark::Wrong => "WRONG",
        }
    }

    fn style(self) -> Style {
        match self {
            Mark::Ok => AnsiColor::Green.on_default(),
            Mark::Note => AnsiColor::Cyan.on_default(),
            Mark::Warning => AnsiColor::Yellow.on_default(),
            Mark::Wrong => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// Text on its way to the terminal. Whatever is put into it is [`clean`]ed.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// An empty page.
    pub fn new() -> Page {
        Page::default()
    }

    /// A line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(&clean(text.as_ref()));
        self.0.push('\n');
    }

    /// An empty line, unless the page is empty or has one already.
    pub fn gap(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }

    /// A line that stands out.
    pub fn heading(&mut self, text: impl AsRef<str>) {
        let style = Style::new().bold();
        let text = clean(text.as_ref());
        self.0.push_str(&format!("{style}{text}{style:#}\n"));
    }

    /// A name and what is to be said of it, in columns.
    pub fn field(&mut self, name: &str, value: impl AsRef<str>) {
        const COLUMNS: usize = 16;
        let name = fit(name, COLUMNS);
        let mut lines = value.as_ref().lines();
        let first = clean(lines.next().unwrap_or_default());
        self.0.push_str(&format!("  {name} {first}\n"));
        for line in lines {
            let indent = " ".repeat(COLUMNS + 3);
            self.0.push_str(&format!("{indent}{}\n", clean(line)));
        }
    }

    /// A finding, and below it what to do about it.
    pub fn finding(&mut self, mark: Mark, text: impl AsRef<str>, advice: Option<&str>) {
        let (style, word) = (mark.style(), format!("{:<8}", mark.word()));
        let text = clean(text.as_ref());
        self.0.push_str(&format!("{style}{word}{style:#}{text}\n"));
        for line in advice.unwrap_or_default().lines() {
            self.0.push_str(&format!("        → {}\n", clean(line)));
        }
    }

    /// Writes the page to standard output: without colours where that is no terminal, or where
    /// NO_COLOR is set.
    ///
    /// # Errors
    /// If it cannot be written. A reader that has seen enough, such as `head`, is no error.
    pub fn print(&self) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        forgive_readers(out.write_all(self.0.as_bytes()).and_then(|()| out.flush()))
    }
}

/// The gap between two columns.
const GAP: &str = "  ";

/// A table of texts, aligned by what a terminal shows.
#[derive(Debug)]
pub struct Grid {
    columns: Vec<GridColumn>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug)]
struct GridColumn {
    name: &'static str,
    is_number: bool,
    /// True if its texts may be cut where a terminal is too narrow.
    is_long: bool,
}

impl Grid {
    /// A table with these columns.
    pub fn new(names: &[&'static str]) -> Grid {
        let columns = names.iter().map(|name| GridColumn {
            name,
            is_number: false,
            is_long: false,
        });
        Grid {
            columns: columns.collect(),
            rows: Vec::new(),
        }
    }

    /// The same, with numbers in these columns.
    pub fn numbers(mut self, names: &[&str]) -> Grid {
        for column in &mut self.columns {
            column.is_number |= names.contains(&column.name);
        }
        self
    }

    /// The same, with texts in these columns of which the beginning tells enough.
    pub fn long(mut self, names: &[&str]) -> Grid {
        for column in &mut self.columns {
            column.is_long |= names.contains(&column.name);
        }
        self
    }

    /// Adds a row, with a cell for each column.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        let cells = cells.iter().map(|cell| clean(cell).into_owned());
        self.rows.push(cells.collect());
    }

    /// Writes it; where a terminal shows it, long texts are cut to its width.
    pub fn print(&self, page: &mut Page) {
        self.write(page, self.lines(terminal_columns()));
    }

    /// Writes it whole; where a terminal shows it, the texts of the last column go on in lines of their
    /// own below.
    pub fn print_whole(&self, page: &mut Page) {
        let Some(most) = terminal_columns() else {
            return self.write(page, self.lines(None));
        };
        let lines = self.lines(None).into_iter();
        let shown = self.shown();
        let before = shown.iter().rev().skip(1);
        let indent = before.map(|(.., width)| width + GAP.len()).sum();
        self.write(page, lines.flat_map(|line| wrapped(&line, indent, most)));
    }

    fn write(&self, page: &mut Page, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter();
        page.heading(lines.next().unwrap_or_default());
        lines.for_each(|line| page.line(line));
    }

    /// The columns in which something is, with their places and widths.
    fn shown(&self) -> Vec<(usize, &GridColumn, usize)> {
        let columns = self.columns.iter().enumerate();
        let columns = columns.filter_map(|(place, head)| {
            let cells = self.rows.iter().filter_map(|row| row.get(place));
            let widest = cells.map(|cell| width(cell)).max()?;
            (widest > 0).then(|| (place, head, widest.max(width(head.name))))
        });
        columns.collect()
    }

    /// The names of the columns, and the rows; without columns in which nothing is.
    fn lines(&self, most: Option<usize>) -> Vec<String> {
        let mut shown = self.shown();
        if let Some(most) = most {
            narrow(&mut shown, most, GAP.len());
        }
        let line = |cell: &dyn Fn(usize, &GridColumn) -> String| {
            let cells = shown.iter().map(|(place, head, columns)| {
                let cell = cell(*place, head);
                match head.is_number {
                    true => format!("{}{cell}", " ".repeat(columns.saturating_sub(width(&cell)))),
                    false => fit(&cell, *columns),
                }
            });
            cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        };
        let head = line(&|_, head| head.name.to_owned());
        let rows = self
            .rows
            .iter()
            .map(|row| line(&|place, _| row.get(place).cloned().unwrap_or_default()));
        [head].into_iter().chain(rows).collect()
    }
}

/// A line in lines of so many columns, broken between words; all but the first begin below the column
/// `indent`. Where next to nothing would stand beside that, or a word is wider, the terminal breaks it.
fn wrapped(line: &str, indent: usize, most: usize) -> Vec<String> {
    const LEAST: usize = 20;
    if width(line) <= most || most < indent + LEAST {
        return vec![line.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let last = lines.last().map_or(0, |last| width(last));
        if last + width(word.trim_end()) > most && last > indent {
            lines.push(" ".repeat(indent));
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(word);
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Takes from the widest of the long columns what a terminal has not.
fn narrow(shown: &mut [(usize, &GridColumn, usize)], most: usize, gap: usize) {
    /// Of less, nothing is to be read.
    const LEAST: usize = 10;
    let gaps = gap * shown.len().saturating_sub(1);
    while shown.iter().map(|(.., width)| width).sum::<usize>() + gaps > most {
        let long = shown
            .iter_mut()
            .filter(|(_, head, width)| head.is_long && *width > LEAST);
        match long.max_by_key(|(.., width)| *width) {
            Some((.., width)) => *width -= 1,
            None => break,
        }
    }
}

/// The columns of the terminal that standard output goes to; `None` if it goes elsewhere.
fn terminal_columns() -> Option<usize> {
    let terminal = console::Term::stdout();
    let size = terminal.size_checked().filter(|_| terminal.is_term());
    size.map(|(_, columns)| columns.into())
}

/// A number of things, as people write it: `1,203`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Prints a value as JSON, for programs. Control characters are escaped in it too, those that JSON
/// itself lets through among them.
///
/// # Errors
/// As [`Page::print`].
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print_raw(json(value)?.as_bytes())?;
    Ok(())
}

/// Writes this program's own bytes, such as a script.
///
/// # Errors
/// As [`Page::print`].
pub fn print_raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = say::output();
    out.write_all(bytes).and_then(|()| out.flush())
}

fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    let mut clean = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c != '\n' && steers_display(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            clean.push(c);
        }
    }
    clean.push('\n');
    Ok(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_act_on_the_terminal_is_shown_instead() {
        let hostile = "a\u{1b}[2Jb\u{9b}31m\r\n\u{202e}c\u{7}";
        let cleaned = clean(hostile);
        assert_eq!(
            cleaned,
            "a\\u{1b}[2Jb\\u{9b}31m\\u{d}\\u{a}\\u{202e}c\\u{7}"
        );
        let mut page = Page::new();
        page.line(hostile);
        page.field(hostile, hostile);
        page.finding(Mark::Wrong, hostile, Some(hostile));
        let colours_off = anstream::adapter::strip_str(&page.0).to_string();
        assert!(
            !colours_off.chars().any(|c| c != '\n' && steers_display(c)),
            "{colours_off:?}"
        );
    }

    #[test]
    fn json_carries_the_same_text_without_control_characters() {
        let hostile = "a\u{1b}\u{9b}\u{e0001}é\n";
        let text = json(&[hostile]).unwrap();
        assert!(
            !text.chars().any(|c| c != '\n' && steers_display(c)),
            "{text:?}"
        );
        let read: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, [hostile]);
    }

    #[test]
    fn columns_are_those_of_the_terminal() {
        assert_eq!(fit("Taxă", 6), "Taxă  ");
        // The same letter as a base and a combining breve.
        assert_eq!(fit("Taxa\u{306}", 6), "Taxa\u{306}  ");
        assert_eq!(fit("Плата за обучение", 8), "Плата з…");
        assert_eq!(fit("漢字漢字", 6), "漢字… ");
        assert_eq!(width(&fit("漢字漢字", 6)), 6);
        assert_eq!(fit("", 2), "  ");
    }

    #[test]
    fn a_table_is_aligned_and_cut_to_a_terminal_in_its_long_columns_alone() {
        let mut grid = Grid::new(&["key", "due", "empty", "reason"])
            .numbers(&["due"])
            .long(&["reason"]);
        let row = |key: &str, due: &str, reason: &str| [key, due, "", reason].map(str::to_owned);
        grid.row(row("АС-77", "5.00", "Плата за обучение"));
        grid.row(row("B", "1250.50", "Taxa\u{306}\u{1b}"));
        assert_eq!(
            grid.lines(None),
            [
                "key        due  reason",
                "АС-77     5.00  Плата за обучение",
                "B      1250.50  Taxa\u{306}\\u{1b}",
            ]
        );
        assert_eq!(grid.lines(Some(29))[1], "АС-77     5.00  Плата за обу…");
        // Numbers and keys are never cut.
        assert_eq!(grid.lines(Some(5))[1], "АС-77     5.00  Плата за …");
    }

    #[test]
    fn what_is_shown_whole_goes_on_below_its_column() {
        let line = "3    T-2    plata nu poate fi citită";
        let lines = wrapped(line, 12, 34);
        assert_eq!(
            lines,
            ["3    T-2    plata nu poate fi", "            citită"]
        );
        for (most, indent) in [(36, 12), (30, 12)] {
            assert_eq!(wrapped(line, indent, most), [line]);
        }
        let long = "ș".repeat(50);
        assert_eq!(
            wrapped(&format!("3    {long} b"), 5, 30),
            [format!("3    {long}"), "     b".into()]
        );
    }

    #[test]
    fn numbers_of_things_are_grouped() {
        let counts = [0, 999, 1000, 1_203, 12_345_678].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,203", "12,345,678"]);
    }
}
