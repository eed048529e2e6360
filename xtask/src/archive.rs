//! A folder as one file: the same bytes for the same contents, whoever packs it, and when.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// The name of the file of checksums.
pub const SUMS: &str = "SHA256SUMS";

/// Packs a folder, as `tar -cz` does: names begin with that of the folder and come in the order of
/// their bytes, everything belongs to nobody, and has this time, in seconds since 1970. What may be
/// executed stays so.
///
/// # Errors
/// If something cannot be read or written, or is neither file nor folder.
pub fn pack(folder: &Path, into: &Path, time: u64) -> anyhow::Result<()> {
    let name = folder.file_name().context("the folder has no name")?;
    let file = File::create(into).with_context(|| format!("cannot write {}", into.display()))?;
    // It writes neither a name nor a time into the file's head.
    let packed = GzEncoder::new(BufWriter::new(file), Compression::best());
    let mut archive = tar::Builder::new(packed);
    let mut entries = vec![PathBuf::new()];
    entries.extend(paths(folder, true)?);
    for path in entries {
        let (source, path) = (folder.join(&path), Path::new(name).join(&path));
        let mut header = Header::new_ustar();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        if source.is_dir() {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            archive.append_data(&mut header, path.join(""), std::io::empty())?;
        } else {
            let file = File::open(&source)?;
            header.set_entry_type(EntryType::Regular);
            header.set_mode(if may_execute(&source)? { 0o755 } else { 0o644 });
            header.set_size(file.metadata()?.len());
            archive.append_data(&mut header, path, BufReader::new(file))?;
        }
    }
    archive.into_inner()?.finish()?.into_inner()?.sync_all()?;
    Ok(())
}

/// Writes the checksums of these files beside them, as `sha256sum` writes and checks them.
///
/// # Errors
/// If a file cannot be read, or the checksums not be written.
pub fn write_sums(folder: &Path, files: &[PathBuf]) -> anyhow::Result<()> {
    let mut lines = String::new();
    for file in files {
        lines.push_str(&format!(
            "{}  {}\n",
            sha256(&folder.join(file))?,
            file.display()
        ));
    }
    fs::write(folder.join(SUMS), lines).context("cannot write the checksums")
}

/// All files of a folder, relative to it, in the order of their bytes.
///
/// # Errors
/// As [`pack`].
pub fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    paths(folder, false)
}

fn paths(folder: &Path, with_folders: bool) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut left = vec![PathBuf::new()];
    while let Some(within) = left.pop() {
        let inside = folder.join(&within);
        let entries = fs::read_dir(&inside);
        for entry in entries.with_context(|| format!("cannot read {}", inside.display()))? {
            let entry = entry?;
            let path = within.join(entry.file_name());
            let kind = entry.file_type()?;
            ensure!(
                kind.is_dir() || kind.is_file(),
                "{} is neither file nor folder",
                path.display()
            );
            if kind.is_dir() {
                left.push(path.clone());
            }
            if kind.is_file() || with_folders {
                paths.push(path);
            }
        }
    }
    paths.sort();
    Ok(paths)
}

fn may_execute(file: &Path) -> anyhow::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(file)?.permissions().mode() & 0o100 != 0)
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(file: &Path) -> anyhow::Result<String> {
    let mut reader = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut hash = Sha256::new();
    let mut part = vec![0; 1 << 16];
    loop {
        let length = reader.read(&mut part)?;
        let Some(read) = part.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(base16ct::lower::encode_string(&hash.finalize()));
        };
        hash.update(read);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("thing-1.0");
        fs::create_dir_all(folder.join("docs/deep")).unwrap();
        for (name, text) in [("run", "#!"), ("docs/b", "b"), ("docs/deep/a", "a")] {
            fs::write(folder.join(name), text).unwrap();
        }
        fs::set_permissions(folder.join("run"), fs::Permissions::from_mode(0o700)).unwrap();
        (place, folder)
    }

    fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
        let mut command = Command::new(program);
        let output = command
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn the_same_contents_are_the_same_bytes_whoever_packs_them_and_when() {
        let packed = [folder(), folder()].map(|(place, folder)| {
            // The order in which the file system gives names, modes and times are others.
            fs::set_permissions(folder.join("docs/b"), fs::Permissions::from_mode(0o600)).unwrap();
            let file = place.path().join("archive");
            pack(&folder, &file, 1_700_000_000).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
            fs::read(file).unwrap()
        });
        assert_eq!(packed[0], packed[1]);
    }

    #[test]
    fn tar_unpacks_it_and_sha256sum_finds_it_whole() {
        let (place, folder) = folder();
        let files = files(&folder).unwrap();
        assert_eq!(files, ["docs/b", "docs/deep/a", "run"].map(PathBuf::from));
        write_sums(&folder, &files).unwrap();
        pack(&folder, &place.path().join("archive.tar.gz"), 1_700_000_000).unwrap();
        let listed = run(
            "tar",
            &["-tvzf", "archive.tar.gz", "--numeric-owner"],
            place.path(),
        );
        let of = |name: &str| listed.lines().find(|line| line.ends_with(name)).unwrap();
        assert!(
            of("thing-1.0/run").starts_with("-rwxr-xr-x 0/0"),
            "{listed}"
        );
        assert!(
            of("thing-1.0/docs/b").starts_with("-rw-r--r-- 0/0"),
            "{listed}"
        );
        assert!(
            of("thing-1.0/docs/deep/").starts_with("drwxr-xr-x 0/0"),
            "{listed}"
        );
        assert_eq!(listed.lines().count(), 7, "{listed}");

        fs::remove_dir_all(&folder).unwrap();
        run("tar", &["-xzf", "archive.tar.gz"], place.path());
        run("sha256sum", &["--check", "--strict", SUMS], &folder);
        fs::write(folder.join("docs/b"), "c").unwrap();
        let mut check = Command::new("sha256sum");
        let check = check
            .args(["--check", "--status", SUMS])
            .current_dir(&folder);
        assert!(!check.status().unwrap().success());
    }

    #[test]
    fn a_link_is_not_packed_as_something_else() {
        let (place, folder) = folder();
        std::os::unix::fs::symlink("/etc/hostname", folder.join("link")).unwrap();
        let error = pack(&folder, &place.path().join("archive"), 0).unwrap_err();
        assert!(error.to_string().contains("link is neither"), "{error}");
    }
}
