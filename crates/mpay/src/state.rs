//! The folder with a provider's data: who is at work in it, and how to begin anew.
//!
//! Two locks say who is there, and both end with the process:
//!
//! * that of the folder is exclusive, unless its holder came to share: there is one who is not shared;
//! * that of [`IN_USE`] is held by everybody, shared. Who replaces the store or puts it right holds it
//!   exclusively meanwhile. So whoever came to share, and was let in beside one who is not shared, keeps others
//!   from replacing the store when that one has ended.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use mpay_host::{Database, KEY_VALUE_FILE};

use crate::{development::SERVICE_ID, tell};

/// The store that the components use.
const STORE: &str = "default";

/// Beside a store that is being moved aside: the name of the file that it becomes. It is there until
/// another store is in the place.
const MOVING: &str = "sqlite_key_value.moving";

/// The same while it is being written.
const NOTED: &str = "sqlite_key_value.moving.part";

/// Beside a store that is to be replaced, from the first moment on: who serves it meanwhile would be left
/// with a file that is moved aside.
const TO_BE_REPLACED: &str = "sqlite_key_value.to-be-replaced";

/// Everybody who is at work in a folder holds a lock on this file. The last one removes it.
const IN_USE: &str = "mpay.lock";

/// Whoever comes or goes may hold that lock exclusively for a moment: so many times another one tries.
const TRIES: u32 = 20;
/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(50);

/// True if the store of a folder is just being replaced, or if that was broken off.
pub fn is_being_replaced(folder: &Path) -> bool {
    folder.join(MOVING).exists()
}

/// A state folder in which this process is at work, as long as it is not dropped.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    /// True if [`TO_BE_REPLACED`] is of this process.
    replaces: bool,
    /// Nothing where the file system has no locks.
    in_use: Option<InUse>,
    /// The folder itself, locked, or nothing if another holds that lock. It is let go last.
    _lock: Option<File>,
}

/// A lock on [`IN_USE`].
#[derive(Debug)]
struct InUse {
    file: File,
    path: PathBuf,
}

impl InUse {
    /// Takes the lock, exclusively or shared.
    fn take(folder: &Path, exclusively: bool) -> Result<Self, TryLockError> {
        let path = folder.join(IN_USE);
        let mut tried = 0;
        loop {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            let file = options.open(&path).map_err(TryLockError::Error)?;
            let taken = match exclusively {
                true => file.try_lock(),
                false => file.try_lock_shared(),
            };
            match taken {
                // The last one may have removed it meanwhile.
                Ok(()) if is_at(&file, &path) => return Ok(Self { file, path }),
                Ok(()) => continue,
                Err(TryLockError::WouldBlock) if tried < TRIES => {}
                Err(error) => return Err(error),
            }
            tried += 1;
            std::thread::sleep(PAUSE);
        }
    }

    /// Lets others share it.
    fn share(&self) -> io::Result<()> {
        // No other can take it exclusively in between: for that, one must have the folder.
        Ok(self.file.try_lock_shared()?)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        // Whoever has it exclusively is the last, and whoever opens it meanwhile looks whether it is still there.
        if self.file.try_lock().is_ok() && is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// True if a file is the one at a path.
fn is_at(file: &File, path: &Path) -> bool {
    let there = file.metadata().ok().zip(fs::metadata(path).ok());
    there.is_some_and(|(own, there)| (own.dev(), own.ino()) == (there.dev(), there.ino()))
}

impl Drop for State {
    fn drop(&mut self) {
        if self.replaces {
            // Should it stay, it says nothing without the lock.
            let _ = fs::remove_file(self.folder.join(TO_BE_REPLACED));
        }
    }
}

impl State {
    /// Takes a folder, and makes it if it is not there. Who is `shared` shares it with others. Where a
    /// store was being replaced when that process or the machine was ended, it is as it was before, or
    /// replaced.
    ///
    /// # Errors
    /// If another process is at work there, and this one is not shared; if it cannot be made.
    pub fn take(folder: &Path, shared: bool) -> anyhow::Result<Self> {
        Self::enter(folder, shared, false)
    }

    /// Takes a folder whose store is to be replaced: nobody comes to share it until [`Self::serves`].
    ///
    /// # Errors
    /// As [`Self::take`]; if that cannot be noted.
    pub fn take_to_replace(folder: &Path) -> anyhow::Result<Self> {
        Self::enter(folder, false, true)
    }

    fn enter(folder: &Path, shared: bool, replaces: bool) -> anyhow::Result<Self> {
        let failed = || format!("cannot use the folder of the data, {}", folder.display());
        // Others on the machine have no business with payers' names.
        let mut made = DirBuilder::new();
        made.recursive(true).mode(0o700);
        made.create(folder).with_context(failed)?;
        let lock = File::open(folder).with_context(failed)?;
        let taken = match shared {
            true => lock.try_lock_shared(),
            false => lock.try_lock(),
        };
        let in_use = match &taken {
            // Nobody is let in, or there are no locks.
            Err(TryLockError::WouldBlock) if !shared => Ok(None),
            Err(TryLockError::Error(_)) => Ok(None),
            _ => InUse::take(folder, !shared).map(Some),
        };
        Self::locked(folder, shared, replaces, lock, taken, in_use)
    }

    fn locked(
        folder: &Path,
        shared: bool,
        replaces: bool,
        lock: File,
        taken: Result<(), TryLockError>,
        in_use: Result<Option<InUse>, TryLockError>,
    ) -> anyhow::Result<Self> {
        let note = folder.join(TO_BE_REPLACED);
        let another = || {
            format!(
                "another `mpay up` is at work in {}: stop it, or choose another folder with --state-dir; --shared serves one store by both",
                folder.display()
            )
        };
        let in_use = match in_use {
            Ok(in_use) => in_use,
            Err(TryLockError::WouldBlock) if shared => bail!(
                "`mpay restore` or `mpay up --fresh` is at work in {}: let it end, and start again",
                folder.display()
            ),
            Err(TryLockError::WouldBlock) => bail!(another()),
            Err(TryLockError::Error(error)) => {
                return Err(error)
                    .with_context(|| format!("cannot lock {}", folder.join(IN_USE).display()));
            }
        };
        let lock = match taken {
            Ok(()) => Some(lock),
            Err(TryLockError::WouldBlock) if shared => None,
            Err(TryLockError::WouldBlock) => bail!(another()),
            // Not every file system has locks. Then the note alone tells.
            Err(TryLockError::Error(_)) => {
                ensure!(
                    !note.exists(),
                    "`mpay restore` or `mpay up --fresh` is at work in {}, or was broken off: this file system has no locks by which that could be told. If none is at work, delete {}",
                    folder.display(),
                    note.display()
                );
                None
            }
        };
        let mut state = Self {
            folder: folder.to_owned(),
            replaces: false,
            in_use,
            _lock: lock,
        };
        if replaces {
            // Where there are no locks, who comes to share looks for it.
            File::create(&note).with_context(|| format!("cannot make {}", note.display()))?;
            state.replaces = true;
        }
        if !shared {
            state.recover()?;
            if !replaces {
                state.share()?;
            }
        } else if is_being_replaced(folder) {
            bail!(
                "the store in {} is being replaced, or that was broken off: start once without --shared, which puts it right",
                folder.display()
            );
        }
        Ok(state)
    }

    /// Nothing is replaced any more: others may share the store.
    ///
    /// # Errors
    /// If that cannot be noted.
    pub fn serves(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.replaces) {
            let note = self.folder.join(TO_BE_REPLACED);
            fs::remove_file(&note).with_context(|| format!("cannot remove {}", note.display()))?;
        }
        self.share()
    }

    fn share(&self) -> anyhow::Result<()> {
        match &self.in_use {
            Some(in_use) => in_use
                .share()
                .with_context(|| format!("cannot lock {}", in_use.path.display())),
            None => Ok(()),
        }
    }

    /// Puts right what somebody has left who was replacing the store, and ended in the middle. Nobody else
    /// is at work here.
    fn recover(&self) -> anyhow::Result<()> {
        // What was being copied holds personal data. Should it not go, whoever needs its place says so.
        for end in [".part", ".part-journal"] {
            let _ = fs::remove_file(beside(&self.store(), end));
        }
        // The note before it had its name: nothing was moved yet.
        let _ = fs::remove_file(self.folder.join(NOTED));
        // Of who was to replace it nobody is left, unless it is this process.
        if !self.replaces {
            let _ = fs::remove_file(self.folder.join(TO_BE_REPLACED));
        }
        let name = match fs::read_to_string(self.folder.join(MOVING)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            name => name.context("cannot read what was being replaced")?,
        };
        let aside = self.folder.join(&name);
        ensure!(
            aside.parent() == Some(&self.folder) && name.starts_with("sqlite_key_value."),
            "{} does not name the file that the store was being moved to: look which of the two is yours, and \
             delete it",
            self.folder.join(MOVING).display()
        );
        // The store itself is moved last, and a new one comes after that.
        if self.put_back(&aside)? {
            tell!(
                "The store in {} was being replaced when that was broken off: it is as it was before.",
                self.folder.display()
            );
        } else {
            // By the copy that was meant for it; or a host has made one there, before this was put right.
            tell!(
                "The store in {} was being replaced when that was broken off. Another is in its place, and that of \
                 before is {} now: look whether the right one is in use.",
                self.folder.display(),
                aside.display()
            );
        }
        self.replaced()
    }

    /// True if there is a store that [`Self::begin_anew`] would move aside.
    ///
    /// # Errors
    /// Without `yes`, if it holds more than orders of development, or cannot be read.
    pub async fn may_begin_anew(&self, yes: bool) -> anyhow::Result<bool> {
        let store = self.store();
        if !store.exists() {
            return Ok(false);
        }
        // Opened and closed, so that nothing is left in the log beside it.
        let keys = match Database::open(&store) {
            Ok(database) => database.keys(STORE).await,
            Err(error) => Err(error),
        };
        if !yes {
            let keys = keys.with_context(|| {
                format!(
                    "cannot see what {} holds; --yes moves it aside all the same",
                    store.display()
                )
            })?;
            if let Some(service) = keys.iter().find_map(|key| foreign_service(key)) {
                bail!(
                    "{} holds orders of the service {service}, which is not for development; --yes moves it aside all the same",
                    store.display()
                );
            }
        }
        Ok(true)
    }

    /// Moves the store aside, so that the next start finds none, and gives where it is. Without
    /// `yes` that is done only where it holds nothing but orders of development. Until [`Self::replaced`]
    /// it is not for good: who takes the folder next moves the store back.
    ///
    /// # Errors
    /// If it holds more, cannot be read, or cannot be moved.
    pub async fn begin_anew(&self, yes: bool, now: Timestamp) -> anyhow::Result<Option<PathBuf>> {
        if !self.may_begin_anew(yes).await? {
            return Ok(None);
        }
        let time = now.strftime("%Y%m%dT%H%M%SZ");
        let aside = self.folder.join(format!("sqlite_key_value.{time}.db"));
        if aside.exists() {
            bail!(
                "{} is there already: try again in a second",
                aside.display()
            );
        }
        let name = aside.file_name().unwrap_or_default().as_encoded_bytes();
        let noted = self.note(name);
        noted.with_context(|| format!("cannot write into {}", self.folder.display()))?;
        move_store(&self.store(), &aside)?;
        Ok(Some(aside))
    }

    /// Notes where the store goes, for good, before it goes there.
    fn note(&self, name: &[u8]) -> io::Result<()> {
        let (note, part) = (self.folder.join(MOVING), self.folder.join(NOTED));
        let mut file = File::create(&part)?;
        file.write_all(name)?;
        file.sync_all()?;
        fs::rename(part, note)?;
        self.sync()
    }

    /// Says that what was moved aside stays there, for good.
    ///
    /// # Errors
    /// If it cannot be noted.
    pub fn replaced(&self) -> anyhow::Result<()> {
        let noted = || {
            self.sync()?;
            match fs::remove_file(self.folder.join(MOVING)) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => self.sync(),
            }
        };
        noted().with_context(|| format!("cannot write into {}", self.folder.display()))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// Moves a store back that was moved aside, whole or in part, unless another has taken its place. Gives
    /// whether it is back.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn put_back(&self, aside: &Path) -> anyhow::Result<bool> {
        let store = self.store();
        if store.exists() && aside.exists() {
            return Ok(false);
        }
        // The other way round than it went, so that a half of it can be told by the store itself.
        for end in ["", "-shm", "-wal", "-journal"] {
            let (from, to) = (beside(aside, end), beside(&store, end));
            if from.exists() {
                ensure!(
                    !to.exists(),
                    "{} is in the way of {}, which belongs to the store of before: it is of no store that is here. \
                     Stop every host that has the folder open, move it to another folder, and run this again",
                    to.display(),
                    from.display()
                );
                move_file(&from, &to)?;
            }
        }
        Ok(true)
    }

    fn store(&self) -> PathBuf {
        self.folder.join(KEY_VALUE_FILE)
    }
}

/// The log first: a store without its log is older, a log without its store is nothing.
fn move_store(from: &Path, to: &Path) -> anyhow::Result<()> {
    for end in ["-journal", "-wal", "-shm", ""] {
        move_file(&beside(from, end), &beside(to, end))?;
    }
    Ok(())
}

/// Moves a file, if it is there.
fn move_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot move {}", from.display()))
        }
        _ => Ok(()),
    }
}

/// The service of an order's key, if it is not that of development.
fn foreign_service(key: &str) -> Option<&str> {
    let service = key.strip_prefix("order/")?.split('/').next()?;
    (service != SERVICE_ID).then_some(service)
}

fn beside(file: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_is_at_work_unless_it_shares() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("state");
        let first = State::take(&folder, false).unwrap();
        let error = State::take(&folder, false).unwrap_err().to_string();
        assert!(
            error.contains("another `mpay up`") && error.contains("--shared"),
            "{error}"
        );
        State::take(&folder, true).unwrap();
        drop(first);
        let first = State::take(&folder, true).unwrap();
        let second = State::take(&folder, true).unwrap();
        drop(first);
        State::take(&folder, false).unwrap_err();
        State::take_to_replace(&folder).unwrap_err();
        drop(second);
        State::take(&folder, false).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn who_came_to_share_beside_one_who_does_not_keeps_others_out_when_that_one_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let first = State::take(folder, false).unwrap();
        let shared = State::take(folder, true).unwrap();
        drop(first);
        // What is half written may be what the one who shares is at.
        fs::write(folder.join(NOTED), "").unwrap();
        for error in [
            State::take_to_replace(folder).unwrap_err(),
            State::take(folder, false).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains("another `mpay up`"), "{error}");
        }
        assert!(folder.join(NOTED).exists(), "nothing was put right");
        let other = State::take(folder, true).unwrap();
        drop(shared);
        State::take_to_replace(folder).unwrap_err();
        drop(other);
        State::take_to_replace(folder).unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_folder_is_made_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        let _state = State::take(&made, false).unwrap();
        for (path, mode) in [(made.clone(), 0o700), (made.join(IN_USE), 0o600)] {
            let found = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
    }

    #[test]
    fn nobody_comes_to_share_a_store_that_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let restore = State::take_to_replace(folder).unwrap();
        let error = State::take(folder, true).unwrap_err().to_string();
        assert!(
            error.contains("`mpay restore` or `mpay up --fresh` is at work"),
            "{error}"
        );
        drop(restore);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing is left");
        State::take(folder, true).unwrap();
        // One that was killed keeps nobody out, and what it has left is removed.
        fs::write(folder.join(TO_BE_REPLACED), "").unwrap();
        State::take(folder, true).unwrap();
        let first = State::take(folder, false).unwrap();
        State::take(folder, true).unwrap();
        drop(first);
    }

    #[test]
    fn where_there_are_no_locks_the_note_keeps_others_out() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let enter = |shared, replaces| {
            let taken = Err(TryLockError::Error(ErrorKind::Unsupported.into()));
            let lock = File::open(folder).unwrap();
            State::locked(folder, shared, replaces, lock, taken, Ok(None))
        };
        let mut fresh = enter(false, true).unwrap();
        for shared in [true, false] {
            let error = enter(shared, false).unwrap_err().to_string();
            assert!(
                error.contains("delete") && error.contains(TO_BE_REPLACED),
                "{error}"
            );
        }
        assert!(folder.join(TO_BE_REPLACED).exists());
        fresh.serves().unwrap();
        enter(true, false).unwrap();
        drop(fresh);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing is left");
    }

    /// Also what a process that was killed has left does not end the note of the next.
    #[test]
    fn who_begins_anew_is_noted_until_the_store_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join(TO_BE_REPLACED), "").unwrap();
        let mut fresh = State::take_to_replace(folder).unwrap();
        assert!(State::take(folder, true).is_err());
        fresh.serves().unwrap();
        State::take(folder, true).unwrap();
    }

    #[test]
    fn what_is_in_the_way_of_the_store_of_before_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let state = State::take(folder.path(), false).unwrap();
        let aside = path("sqlite_key_value.20261128T080509Z.db");
        for file in [
            &aside,
            &beside(&aside, "-wal"),
            &path("sqlite_key_value.db-wal"),
        ] {
            fs::write(file, "x").unwrap();
        }
        fs::remove_file(&aside).unwrap();
        let error = state.put_back(&aside).unwrap_err().to_string();
        for word in [
            "sqlite_key_value.db-wal is in the way",
            "Stop every host",
            "move it",
        ] {
            assert!(error.contains(word), "{error}");
        }
        assert!(path("sqlite_key_value.db-wal").exists());
    }

    #[test]
    fn a_replacing_that_is_broken_off_is_undone_or_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let aside = "sqlite_key_value.20261128T080509Z.db";
        let moved = |end: &str| format!("{aside}{end}");
        let stays = |end: &str| format!("{KEY_VALUE_FILE}{end}");
        let write = |name: String| fs::write(path(&name), &name).unwrap();
        let names = || {
            let files = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
            let mut names: Vec<_> = files
                .map(|file| file.file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        // As many of its files as were moved before the end: what may be beside the store, then the store.
        let ends = ["-journal", "-wal", "-shm", ""];
        for done in 0..=ends.len() {
            names()
                .iter()
                .for_each(|name| fs::remove_file(path(name)).unwrap());
            for (place, end) in ends.into_iter().enumerate() {
                write(if place < done { moved(end) } else { stays(end) });
            }
            write(stays(".part"));
            fs::write(path(MOVING), aside).unwrap();
            assert!(is_being_replaced(folder.path()));
            let shared = State::take(folder.path(), true).unwrap_err().to_string();
            assert!(shared.contains("without --shared"), "{shared}");
            State::take(folder.path(), false).unwrap();
            let mut whole = ends.map(stays);
            whole.sort();
            assert_eq!(names(), whole, "{done}");
            for (place, end) in ends.into_iter().enumerate() {
                let was = if place < done { moved(end) } else { stays(end) };
                assert_eq!(fs::read_to_string(path(&stays(end))).unwrap(), was);
            }
        }
        // Another is in the place: it was the last step.
        fs::write(path(aside), "before").unwrap();
        fs::write(path(MOVING), aside).unwrap();
        State::take(folder.path(), false).unwrap();
        assert!(path(aside).exists() && !is_being_replaced(folder.path()));
        // Nothing else is touched.
        for name in ["", "x", "../sqlite_key_value.db", "sqlite_key_value./../x"] {
            fs::write(path(MOVING), name).unwrap();
            State::take(folder.path(), false).unwrap_err();
        }
        // Somebody has made a log meanwhile, which is not written over.
        fs::remove_file(path(aside)).unwrap();
        fs::write(path(MOVING), aside).unwrap();
        write(moved("-wal"));
        State::take(folder.path(), false).unwrap_err();
        assert!(path(&moved("-wal")).exists() && path(&stays("-wal")).exists());
    }

    #[tokio::test]
    async fn what_is_begun_anew_is_moved_aside_whole() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::take(folder.path(), false).unwrap();
        let now: Timestamp = "2026-11-28T08:05:09.5Z".parse().unwrap();
        assert_eq!(state.begin_anew(false, now).await.unwrap(), None);
        let path = folder.path().join(KEY_VALUE_FILE);
        let fill = async |key: &str| {
            let database = Database::open(&path).unwrap();
            database
                .set(STORE, vec![(key.to_owned(), b"1".to_vec())])
                .await
                .unwrap();
        };
        fill("order/DEMO/DEMO-1/1").await;
        let aside = state.begin_anew(false, now).await.unwrap().unwrap();
        assert_eq!(
            aside,
            folder.path().join("sqlite_key_value.20261128T080509Z.db")
        );
        assert!(!path.exists());
        let kept = Database::open(&aside).unwrap().keys(STORE).await.unwrap();
        assert_eq!(kept, ["order/DEMO/DEMO-1/1"]);
        // Nothing came in its place.
        assert!(is_being_replaced(folder.path()));
        assert!(state.put_back(&aside).unwrap());
        state.replaced().unwrap();
        assert!(!is_being_replaced(folder.path()));
        assert!(path.exists() && !aside.exists());
        let aside = state.begin_anew(false, now).await.unwrap().unwrap();

        fill("order/TAX/1").await;
        let error = state.begin_anew(false, now).await.unwrap_err().to_string();
        assert!(
            error.contains("service TAX") && error.contains("--yes"),
            "{error}"
        );
        assert!(path.exists());
        // Nothing is written over.
        state.begin_anew(true, now).await.unwrap_err();
        state.put_back(&aside).unwrap();
        assert!(aside.exists());
        let later = now.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
        assert!(
            state
                .begin_anew(true, later)
                .await
                .unwrap()
                .unwrap()
                .exists()
        );
        fs::write(&path, "no database, but of enough bytes to be looked at").unwrap();
        let error = state.begin_anew(false, now).await.unwrap_err().to_string();
        assert!(error.contains("cannot see what"), "{error}");
    }
}
