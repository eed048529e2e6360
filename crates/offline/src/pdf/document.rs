//! Text from top to bottom over as many pages as it takes, in an embedded font.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use pdf_writer::{
    Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr,
    types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};
use skrifa::{
    FontRef, MetadataProvider,
    instance::{LocationRef, Size},
};

const IDENTITY: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};

/// Size of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 210 × 297 mm.
    A4,
    /// 148 × 210 mm.
    A5,
}

impl Format {
    /// Width and height in points.
    fn size(self) -> (f32, f32) {
        match self {
            Format::A4 => (595.0, 842.0),
            Format::A5 => (420.0, 595.0),
        }
    }
}

/// A cut of the font.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// For text.
    Regular,
    /// For titles.
    Bold,
}

impl Weight {
    fn face(self) -> &'static Face {
        static REGULAR: LazyLock<Face> = LazyLock::new(|| Face::read(stage::REGULAR));
        static BOLD: LazyLock<Face> = LazyLock::new(|| Face::read(stage::BOLD));
        match self {
            Weight::Regular => &REGULAR,
            Weight::Bold => &BOLD,
        }
    }

    fn name(self) -> Name<'static> {
        match self {
            Weight::Regular => Name(b"R"),
            Weight::Bold => Name(b"B"),
        }
    }
}

/// The parts of a font file that set text in it; lengths in thousandths of the size.
struct Face {
    data: &'static [u8],
    glyphs: HashMap<char, u16>,
    advances: Vec<f32>,
    ascent: f32,
    descent: f32,
    cap_height: f32,
    bounds: [f32; 4],
}

impl Face {
    #[allow(
        clippy::expect_used,
        reason = "the fonts are embedded, and no input decides which"
    )]
    fn read(data: &'static [u8]) -> Self {
        let font = FontRef::new(data).expect("the embedded font can be read");
        let size = Size::new(1000.0);
        let metrics = font.metrics(size, LocationRef::default());
        let widths = font.glyph_metrics(size, LocationRef::default());
        let bounds = metrics.bounds.unwrap_or_default();
        Self {
            data,
            glyphs: font
                .charmap()
                .mappings()
                .filter_map(|(c, glyph)| {
                    Some((char::from_u32(c)?, u16::try_from(glyph.to_u32()).ok()?))
                })
                .collect(),
            advances: (0..widths.glyph_count())
                .map(|glyph| widths.advance_width(glyph.into()).unwrap_or_default())
                .collect(),
            ascent: metrics.ascent,
            descent: metrics.descent,
            cap_height: metrics.cap_height.unwrap_or(metrics.ascent),
            bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max],
        }
    }

    /// The glyph of a character, or that of the replacement character.
    fn glyph(&self, c: char) -> u16 {
        let found = self.glyphs.get(&c).or(self.glyphs.get(&'\u{fffd}'));
        found.copied().unwrap_or_default()
    }

    fn advance(&self, glyph: u16) -> f32 {
        self.advances
            .get(usize::from(glyph))
            .copied()
            .unwrap_or_default()
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        let units: f32 = text.chars().map(|c| self.advance(self.glyph(c))).sum();
        units * size / 1000.0
    }
}

/// A PDF that is being written.
pub struct Document {
    width: f32,
    height: f32,
    margin: f32,
    /// The size of plain text, in points.
    size: f32,
    title: String,
    language: &'static str,
    done: Vec<Content>,
    page: Content,
    /// The height of the next line above the bottom.
    y: f32,
}

/// Height of a line, in sizes of its text.
const LINE: f32 = 1.4;
/// Share of the width that the labels of facts take.
const LABELS: f32 = 0.3;

impl Document {
    /// An empty document of a title, in a language.
    pub fn new(format: Format, title: &str, language: &'static str) -> Self {
        let (width, height) = format.size();
        let margin = width * 0.085;
        Self {
            width,
            height,
            margin,
            size: if format == Format::A4 { 10.0 } else { 8.0 },
            title: title.to_owned(),
            language,
            done: Vec::new(),
            page: Content::new(),
            y: height - margin,
        }
    }

    /// Leaves space of so many sizes of plain text.
    pub fn gap(&mut self, sizes: f32) {
        self.y -= sizes * self.size;
    }

    /// A note on a ground of its own.
    pub fn note(&mut self, text: &str) {
        let size = self.size * 0.85;
        let lines = wrap(text, Weight::Bold, size, self.inner() - 2.0 * size);
        let height = size * (LINE * count(&lines) + 0.8);
        let width = self.inner();
        self.page
            .set_fill_rgb(1.0, 0.9, 0.6)
            .rect(self.margin, self.y - height, width, height)
            .fill_nonzero()
            .set_fill_gray(0.0);
        self.y -= size * 0.3;
        for line in lines {
            self.y -= size * LINE;
            self.set(&line, Weight::Bold, size, self.margin + size);
        }
        self.y -= size * 2.0;
    }

    /// Text over the whole width, in so many sizes of plain text.
    pub fn paragraph(&mut self, text: &str, weight: Weight, scale: f32) {
        let size = self.size * scale;
        for line in wrap(text, weight, size, self.inner()) {
            self.next_line(size);
            self.set(&line, weight, size, self.margin);
        }
    }

    /// A label, with its value beside it.
    pub fn fact(&mut self, label: &str, value: &str) {
        let size = self.size;
        let split = self.inner() * LABELS;
        let mut labels = wrap(label, Weight::Regular, size, split - size).into_iter();
        let mut values = wrap(value, Weight::Bold, size, self.inner() - split).into_iter();
        loop {
            let (label, value) = (labels.next(), values.next());
            if label.is_none() && value.is_none() {
                break;
            }
            self.next_line(size);
            if let Some(label) = label {
                self.set(&label, Weight::Regular, size, self.margin);
            }
            if let Some(value) = value {
                self.set(&value, Weight::Bold, size, self.margin + split);
            }
        }
    }

    /// Text on the left, and an amount on the right of its first line.
    pub fn sum(&mut self, text: &str, amount: &str, weight: Weight, scale: f32) {
        let size = self.size * scale;
        let taken = Weight::Bold.face().width(amount, size);
        self.gap(0.3);
        let lines = wrap(text, weight, size, self.inner() - taken - 2.0 * size);
        for (at, line) in lines.iter().enumerate() {
            self.next_line(size);
            self.set(line, weight, size, self.margin);
            if at == 0 {
                let right = self.width - self.margin - taken;
                self.set(amount, Weight::Bold, size, right);
            }
        }
    }

    /// A line across the page.
    pub fn rule(&mut self) {
        self.page
            .set_stroke_gray(0.75)
            .set_line_width(0.6)
            .move_to(self.margin, self.y)
            .line_to(self.width - self.margin, self.y)
            .stroke();
    }

    fn inner(&self) -> f32 {
        self.width - 2.0 * self.margin
    }

    /// Goes one line down, or to the next page.
    fn next_line(&mut self, size: f32) {
        if self.y - size * LINE < self.margin + self.size {
            self.done
                .push(std::mem::replace(&mut self.page, Content::new()));
            self.y = self.height - self.margin;
        }
        self.y -= size * LINE;
    }

    fn set(&mut self, text: &str, weight: Weight, size: f32, x: f32) {
        let (face, y) = (weight.face(), self.y + size * 0.35);
        set(&mut self.page, face, weight, text, size, x, y);
    }

    /// Numbers the pages, and writes the file.
    pub fn finish(mut self, page_label: &str) -> Vec<u8> {
        self.done
            .push(std::mem::replace(&mut self.page, Content::new()));
        let count = self.done.len();
        let face = Weight::Regular.face();
        let size = self.size * 0.8;
        for (at, page) in self.done.iter_mut().enumerate() {
            let footer = format!("{} · {page_label} {}/{count}", self.title, at + 1);
            set(
                page,
                face,
                Weight::Regular,
                &footer,
                size,
                self.margin,
                self.margin * 0.6,
            );
        }
        self.write()
    }

    fn write(self) -> Vec<u8> {
        let mut next = 0;
        let mut id = || {
            next += 1;
            Ref::new(next)
        };
        let (catalog, tree, info) = (id(), id(), id());
        let fonts = [(Weight::Regular, id()), (Weight::Bold, id())];
        let mut pdf = Pdf::new();
        pdf.catalog(catalog)
            .pages(tree)
            .lang(TextStr(self.language));
        pdf.document_info(info)
            .title(TextStr(&self.title))
            .creator(TextStr("MPay offline"));
        for (weight, font) in fonts {
            write_font(&mut pdf, weight, font, &mut id);
        }
        let pages: Vec<_> = self
            .done
            .into_iter()
            .map(|page| (id(), id(), page))
            .collect();
        pdf.pages(tree)
            .kids(pages.iter().map(|(page, ..)| *page))
            .count(i32::try_from(pages.len()).unwrap_or(i32::MAX));
        for (page, content, text) in pages {
            let mut writer = pdf.page(page);
            writer
                .parent(tree)
                .media_box(Rect::new(0.0, 0.0, self.width, self.height))
                .contents(content);
            let mut resources = writer.resources();
            let mut dictionary = resources.fonts();
            for (weight, font) in fonts {
                dictionary.pair(weight.name(), font);
            }
            dictionary.finish();
            resources.finish();
            writer.finish();
            pdf.stream(content, &text.finish());
        }
        pdf.finish()
    }
}

/// Text at a place of a page, from the left and the bottom.
fn set(page: &mut Content, face: &Face, weight: Weight, text: &str, size: f32, x: f32, y: f32) {
    let glyphs: Vec<u8> = text
        .chars()
        .flat_map(|c| face.glyph(c).to_be_bytes())
        .collect();
    page.begin_text()
        .set_font(weight.name(), size)
        .next_line(x, y)
        .show(Str(&glyphs))
        .end_text();
}

/// A font with its metrics, its file, and the way back from glyphs to characters.
fn write_font(pdf: &mut Pdf, weight: Weight, font: Ref, id: &mut impl FnMut() -> Ref) {
    let face = weight.face();
    let name = match weight {
        Weight::Regular => Name(b"NotoSans-Regular"),
        Weight::Bold => Name(b"NotoSans-Bold"),
    };
    let (descendant, descriptor, file, unicode) = (id(), id(), id(), id());
    pdf.type0_font(font)
        .base_font(name)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(descendant)
        .to_unicode(unicode);
    let mut cid = pdf.cid_font(descendant);
    cid.subtype(CidFontType::Type2)
        .base_font(name)
        .system_info(IDENTITY)
        .font_descriptor(descriptor)
        .default_width(0.0)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    cid.widths().consecutive(0, face.advances.iter().copied());
    cid.finish();
    let [x_min, y_min, x_max, y_max] = face.bounds;
    pdf.font_descriptor(descriptor)
        .name(name)
        .flags(FontFlags::NON_SYMBOLIC)
        .bbox(Rect::new(x_min, y_min, x_max, y_max))
        .italic_angle(0.0)
        .ascent(face.ascent)
        .descent(face.descent)
        .cap_height(face.cap_height)
        .stem_v(if weight == Weight::Bold { 140.0 } else { 80.0 })
        .font_file2(file);
    pdf.stream(file, face.data).pair(
        Name(b"Length1"),
        i32::try_from(face.data.len()).unwrap_or(i32::MAX),
    );
    // Several characters may share a glyph: the lowest stands for it.
    let mut characters = BTreeMap::new();
    for (c, glyph) in &face.glyphs {
        let known = characters.entry(*glyph).or_insert(*c);
        *known = (*known).min(*c);
    }
    let mut cmap = UnicodeCmap::new(Name(b"Custom"), IDENTITY);
    for (glyph, c) in characters {
        cmap.pair(glyph, c);
    }
    pdf.cmap(unicode, &cmap.finish());
}

fn count(lines: &[String]) -> f32 {
    lines.iter().map(|_| 1.0).sum()
}

/// Breaks text into lines of a width: between words, or within one that is longer than a line.
fn wrap(text: &str, weight: Weight, size: f32, width: f32) -> Vec<String> {
    let face = weight.face();
    let mut lines = Vec::new();
    let mut line = String::new();
    let breaks = |c: char| c.is_whitespace() && c != '\u{a0}';
    for word in text.split(breaks).filter(|word| !word.is_empty()) {
        let joined = match line.as_str() {
            "" => word.to_owned(),
            line => format!("{line} {word}"),
        };
        if face.width(&joined, size) <= width {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            line.push(c);
            if face.width(&line, size) > width && line.chars().count() > 1 {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_the_letters_of_the_three_languages() {
        for weight in [Weight::Regular, Weight::Bold] {
            let face = weight.face();
            let letters = "aZ09ăâîșțĂÂÎȘȚабвгджзийклмнопрстуфхцчшщъыьэюяЁё№€–—…„”«»·\u{a0}";
            for c in letters.chars() {
                assert!(face.glyphs.contains_key(&c), "{weight:?} lacks {c}");
                assert!(face.advance(face.glyph(c)) > 0.0, "{c}");
            }
        }
    }

    #[test]
    fn lines_break_between_words_and_within_long_ones() {
        let width = Weight::Regular.face().width("aaaaaaaaaa", 10.0);
        let wrap = |text| wrap(text, Weight::Regular, 10.0, width);
        assert_eq!(wrap("aaaa aaaa aaaa"), ["aaaa aaaa", "aaaa"]);
        assert_eq!(wrap("aaaaaaaaaaaaaa"), ["aaaaaaaaaa", "aaaa"]);
        assert_eq!(wrap("aaaa aaa\u{a0}aaaa"), ["aaaa", "aaa\u{a0}aaaa"]);
        assert_eq!(wrap(""), [""]);
    }
}
