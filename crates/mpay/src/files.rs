//! Files that the commands write.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, bail};

/// Writes a new file that only its owner may read; a file that is there stays as it is.
pub fn write_secret(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    write(file, content, 0o600)
}

/// Writes a new file that anybody may read; a file that is there stays as it is.
pub fn write_public(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    write(file, content, 0o644)
}

fn write(file: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(file);
    let mut opened = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "{} is there already, and is not overwritten: move it away or choose another place with --out",
            file.display()
        ),
        opened => opened.with_context(|| format!("cannot make {}", file.display()))?,
    };
    opened
        .write_all(content)
        .and_then(|()| opened.sync_all())
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Refuses to go on if one of these is there, before anything is written.
pub fn refuse_existing<'a>(files: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
    for file in files {
        if fs::symlink_metadata(file).is_ok() {
            bail!(
                "{} is there already, and is not overwritten: move it away or choose another place with --out",
                file.display()
            );
        }
    }
    Ok(())
}

/// Makes a folder that only its owner may enter, if it is not there.
pub fn make_folder(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))
}
