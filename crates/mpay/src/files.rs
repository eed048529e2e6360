//! Files that the commands write.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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

/// A file that comes to be whole, or not at all: until then it has another name beside its own.
#[derive(Debug)]
pub struct Whole {
    target: PathBuf,
    unfinished: PathBuf,
    file: File,
}

impl Whole {
    /// Begins a file.
    pub fn begin(target: &Path) -> anyhow::Result<Whole> {
        let name = target.file_name();
        let name = name.with_context(|| format!("{} is no name of a file", target.display()))?;
        let mut own = OsString::from(".");
        own.push(name);
        own.push(format!(".{}", std::process::id()));
        let unfinished = target.with_file_name(own);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&unfinished)
            .with_context(|| format!("cannot make {}", unfinished.display()))?;
        Ok(Whole {
            target: target.to_owned(),
            unfinished,
            file,
        })
    }

    /// Writes more of it.
    pub fn write(&mut self, content: &[u8]) -> anyhow::Result<()> {
        let written = self.file.write_all(content);
        written.with_context(|| format!("cannot write {}", self.unfinished.display()))
    }

    /// Gives it its name, in the place of a file that had the name before.
    pub fn finish(self) -> anyhow::Result<()> {
        let written = self.file.sync_all();
        let named = written.and_then(|()| fs::rename(&self.unfinished, &self.target));
        named.with_context(|| format!("cannot write {}", self.target.display()))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        // Where it has its name, there is nothing any more.
        let _ = fs::remove_file(&self.unfinished);
    }
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
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new: Vec<_> = folder.ancestors().take_while(is_new).collect();
    let made = || {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder)?;
        for folder in &new {
            // What is put on the disk in a folder is there if the folder is.
            let parent = folder
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok::<_, std::io::Error>(())
    };
    made().with_context(|| format!("cannot make the folder {}", folder.display()))
}
