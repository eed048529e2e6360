use std::fmt;

use crate::zip;

/// The kind of a file by its first bytes, not by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Text, perhaps with a table.
    Text,
    /// Office Open XML (ISO/IEC 29500), a workbook.
    Xlsx,
    /// Excel 97 to 2003, or older.
    Xls,
    /// A workbook with a password.
    Encrypted,
    /// Excel's binary workbook.
    Xlsb,
    /// OpenDocument, a spreadsheet.
    Ods,
    /// Another document of an office program.
    Document,
    /// XML of Excel 2003.
    SpreadsheetXml,
    /// A web page, which some systems call `.xls`.
    Html,
    /// Other XML.
    Xml,
    /// JSON.
    Json,
    /// PDF.
    Pdf,
    /// An archive in ZIP.
    Zip,
    /// Another archive.
    Archive,
    /// A picture.
    Picture,
    /// The exchange of 1C with banks.
    ClientBank,
    /// A SWIFT message such as MT940.
    Swift,
    /// Bytes that are no text.
    Binary,
}

impl fmt::Display for FileKind {
    /// As it follows "The file is".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Xlsx => "an XLSX",
            Self::Xls => "an XLS of Excel 97 to 2003",
            Self::Encrypted => "a workbook with a password",
            Self::Xlsb => "an XLSB, Excel's binary workbook",
            Self::Ods => "an ODS, a spreadsheet of LibreOffice",
            Self::Document => "a document, no spreadsheet",
            Self::SpreadsheetXml => "an XML spreadsheet of Excel 2003",
            Self::Html => "a web page (HTML), whatever its name is",
            Self::Xml => "XML",
            Self::Json => "JSON",
            Self::Pdf => "a PDF",
            Self::Zip => "a ZIP archive",
            Self::Archive => "an archive",
            Self::Picture => "a picture",
            Self::ClientBank => "an exchange file of 1C (1CClientBankExchange)",
            Self::Swift => "a SWIFT message",
            Self::Binary => "binary, and no kind of table that is known",
        })
    }
}

impl FileKind {
    /// Looks at the bytes of a file.
    pub fn of(bytes: &[u8]) -> Self {
        const MAGIC: [(&[u8], FileKind); 12] = [
            (b"%PDF", FileKind::Pdf),
            (b"\x1F\x8B", FileKind::Archive),
            (b"Rar!", FileKind::Archive),
            (b"7z\xBC\xAF\x27\x1C", FileKind::Archive),
            (b"BZh", FileKind::Archive),
            (b"\xFD7zXZ", FileKind::Archive),
            (b"\x89PNG", FileKind::Picture),
            (b"\xFF\xD8\xFF", FileKind::Picture),
            (b"GIF8", FileKind::Picture),
            (b"{1:F", FileKind::Swift),
            (b"\x09\x08", FileKind::Xls),
            (b"\x09\x04", FileKind::Xls),
        ];
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return of_zip(bytes);
        }
        if bytes.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
            // The name of a stream in the compound file, in UTF-16.
            let name: Vec<_> = "EncryptedPackage".bytes().flat_map(|b| [b, 0]).collect();
            let encrypted = bytes.windows(name.len()).any(|part| part == name);
            return if encrypted {
                Self::Encrypted
            } else {
                Self::Xls
            };
        }
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return *kind;
        }
        let is_utf_16 = bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF");
        if !is_utf_16 && bytes.contains(&0) {
            return Self::Binary;
        }
        of_text(bytes)
    }
}

fn of_text(bytes: &[u8]) -> FileKind {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let start = bytes.trim_ascii_start();
    let head = start.get(..start.len().min(1024)).unwrap_or_default();
    let head = head.to_ascii_lowercase();
    let has = |word: &[u8]| head.windows(word.len()).any(|part| part == word);
    if head.starts_with(b"<") {
        return match () {
            () if has(b"<html") || has(b"<!doctype html") || has(b"<table") => FileKind::Html,
            () if has(b"excel.sheet") || has(b"office:spreadsheet") => FileKind::SpreadsheetXml,
            () => FileKind::Xml,
        };
    }
    match head.first() {
        Some(b'{') => FileKind::Json,
        Some(b'[') if has(b"{\"") || has(b"[\"") => FileKind::Json,
        _ if head.starts_with(b"1cclientbankexchange") => FileKind::ClientBank,
        _ if head.starts_with(b":20:") => FileKind::Swift,
        _ => FileKind::Text,
    }
}

fn of_zip(bytes: &[u8]) -> FileKind {
    let Ok(archive) = zip::Archive::open(bytes) else {
        return FileKind::Zip;
    };
    let has = |name: &str| {
        archive
            .names()
            .any(|known| known.eq_ignore_ascii_case(name))
    };
    let has_folder = |folder: &str| archive.names().any(|known| known.starts_with(folder));
    match () {
        () if has("xl/workbook.xml") => FileKind::Xlsx,
        () if has("xl/workbook.bin") => FileKind::Xlsb,
        // The workbook has an unusual name.
        () if has_folder("xl/") => FileKind::Xlsx,
        () if has_folder("word/") || has_folder("ppt/") => FileKind::Document,
        () if has("mimetype") && has("content.xml") => {
            let kind = b"application/vnd.oasis.opendocument.spreadsheet";
            let head = bytes.get(..bytes.len().min(200)).unwrap_or_default();
            if head.windows(kind.len()).any(|part| part == kind) {
                FileKind::Ods
            } else {
                FileKind::Document
            }
        }
        () => FileKind::Zip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_for_what_they_are() {
        let encrypted = [
            &b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1--"[..],
            b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0",
        ]
        .concat();
        for (bytes, kind) in [
            (&b"a;b"[..], FileKind::Text),
            (b"", FileKind::Text),
            (b"%PDF-1.7", FileKind::Pdf),
            (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1rest", FileKind::Xls),
            (b"\x09\x08\x10\0", FileKind::Xls),
            (&encrypted, FileKind::Encrypted),
            (b"PK\x03\x04 broken", FileKind::Zip),
            (b"\x1F\x8B\x08", FileKind::Archive),
            (b"\xEF\xBB\xBF <!DOCTYPE HTML><p>", FileKind::Html),
            (b"<?xml?><html>", FileKind::Html),
            (b"<table><tr>", FileKind::Html),
            (
                b"<?xml version=\"1.0\"?><?mso-application progid=\"Excel.Sheet\"?>",
                FileKind::SpreadsheetXml,
            ),
            (b"<Document/>", FileKind::Xml),
            (b" {\"a\": 1}", FileKind::Json),
            (b"[{\"a\": 1}]", FileKind::Json),
            // A column may be called so.
            (b"[key];sum", FileKind::Text),
            (b"1CClientBankExchange\r\n", FileKind::ClientBank),
            (b":20:STARTUMS", FileKind::Swift),
            (b"{1:F01", FileKind::Swift),
            (b"a\0b", FileKind::Binary),
            (b"\xFF\xFEa\0", FileKind::Text),
            (b"\x89PNG\r\n", FileKind::Picture),
        ] {
            assert_eq!(FileKind::of(bytes), kind, "{bytes:?}");
        }
        for (names, kind) in [
            (&["xl/workbook.xml"][..], FileKind::Xlsx),
            (&["xl/workbook.bin"], FileKind::Xlsb),
            (&["word/document.xml"], FileKind::Document),
            (&["orders.csv"], FileKind::Zip),
        ] {
            let files: Vec<_> = names.iter().map(|name| (*name, &b"x"[..])).collect();
            assert_eq!(FileKind::of(&zip::archive(&files).unwrap()), kind);
        }
        let ods: &[u8] = b"application/vnd.oasis.opendocument.spreadsheet";
        let ods = zip::archive(&[("mimetype", ods), ("content.xml", b"")]).unwrap();
        assert_eq!(FileKind::of(&ods), FileKind::Ods);
    }
}
