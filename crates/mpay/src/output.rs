//! In which format a file is written.

use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;

/// The formats of tables, and of what is one a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// CSV in UTF-8.
    Csv,
    /// A workbook.
    Xlsx,
    /// JSON, a document a line.
    Ndjson,
}

impl FileFormat {
    /// The format that a file's name tells.
    ///
    /// # Errors
    /// If it tells none.
    pub fn of(file: &Path) -> anyhow::Result<FileFormat> {
        let extension = file.extension().and_then(|extension| extension.to_str());
        Ok(match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => FileFormat::Csv,
            Some("xlsx") => FileFormat::Xlsx,
            Some("ndjson" | "jsonl") => FileFormat::Ndjson,
            _ => bail!("{} must end with .csv, .xlsx or .ndjson", file.display()),
        })
    }

    /// The word that the API has for it.
    pub fn word(self) -> &'static str {
        match self {
            FileFormat::Csv => "csv",
            FileFormat::Xlsx => "xlsx",
            FileFormat::Ndjson => "ndjson",
        }
    }
}
