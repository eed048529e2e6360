//! The folder with a provider's data: who is at work in it, and how to begin anew.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

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

/// The time that a start waits for another one to share the folder. The other one holds it alone only to
/// mend a replacement that was broken off.
const WAIT: Duration = Duration::from_secs(5);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// True if the store of a folder is just being replaced, or if that was broken off.
pub fn is_being_replaced(folder: &Path) -> bool {
    folder.join(MOVING).exists()
}

/// A state folder in which this process is at work, as long as it is not dropped.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    /// The folder itself, locked: no file is left behind, and the lock ends with the process. Hosts share it; who
    /// replaces the store has it alone. `None` where the file system has no locks.
    lock: Option<File>,
    /// True if [`TO_BE_REPLACED`] is of this process.
    replaces: bool,
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
            true => Self::wait_to_share(folder, &lock)?,
            false => lock.try_lock(),
        };
        Self::locked(folder, shared, replaces, lock, taken)
    }

    /// Waits for who has the folder alone: a host at its start, which then shares it, too. Who replaces the
    /// store says so in a moment, and is not waited for.
    fn wait_to_share(folder: &Path, lock: &File) -> anyhow::Result<Result<(), TryLockError>> {
        let begun = Instant::now();
        loop {
            let taken = lock.try_lock_shared();
            let Err(TryLockError::WouldBlock) = taken else {
                return Ok(taken);
            };
            ensure!(
                !folder.join(TO_BE_REPLACED).exists(),
                "`mpay restore` or `mpay up --fresh` is at work in {}: let it end, and start again",
                folder.display()
            );
            if begun.elapsed() > WAIT {
                return Ok(taken);
            }
            thread::sleep(PAUSE);
        }
    }

    fn locked(
        folder: &Path,
        shared: bool,
        replaces: bool,
        lock: File,
        taken: Result<(), TryLockError>,
    ) -> anyhow::Result<Self> {
        let note = folder.join(TO_BE_REPLACED);
        let lock = match taken {
            Ok(()) => Some(lock),
            Err(TryLockError::WouldBlock) if shared => bail!(
                "another process keeps {} for itself: let it end, and start again",
                folder.display()
            ),
            Err(TryLockError::WouldBlock) if note.exists() => bail!(
                "`mpay restore` or `mpay up --fresh` is at work in {}: let it end, and start again",
                folder.display()
            ),
            Err(TryLockError::WouldBlock) if replaces => bail!(
                "another `mpay up` is at work in {}: stop it first",
                folder.display()
            ),
            Err(TryLockError::WouldBlock) => bail!(
                "another `mpay up` is at work in {}: stop it, or choose another folder with --state-dir; --shared serves one store by both",
                folder.display()
            ),
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
            lock,
            replaces: false,
        };
        if replaces {
            // Before anything else, since who comes to share looks for it.
            File::create(&note).with_context(|| format!("cannot make {}", note.display()))?;
            state.replaces = true;
        }
        if !shared {
            state.recover()?;
        } else if is_being_replaced(folder) {
            bail!(
                "the store in {} is being replaced, or that was broken off: start once without --shared, which puts it right",
                folder.display()
            );
        }
        if !shared && !replaces {
            state.share()?;
        }
        Ok(state)
    }

    /// Lets others share the folder from now on. Nobody replaces the store before the last of them has ended:
    /// whoever serves it has a lock, and not only who came first.
    fn share(&self) -> anyhow::Result<()> {
        let Some(lock) = &self.lock else {
            return Ok(());
        };
        // In between somebody else can come, and this process has opened nothing yet. Should that be another
        // host, and begin just now, the two of them serve one store, as with --shared.
        let shared = lock.unlock().map_err(TryLockError::Error);
        match shared.and_then(|()| lock.try_lock_shared()) {
            Err(TryLockError::WouldBlock) => bail!(
                "another `mpay up` or `mpay restore` has come to {} in this moment: let it end, and start again",
                self.folder.display()
            ),
            shared => shared.with_context(|| format!("cannot lock {}", self.folder.display())),
        }
    }

    /// Looks once more, when the store is open and before anything is served. Where there are locks, nobody can
    /// have come meanwhile who replaces it.
    ///
    /// # Errors
    /// If somebody is at replacing the store: what was opened may be neither that of before nor the new one.
    pub fn still_serves(&self) -> anyhow::Result<()> {
        ensure!(
            !self.folder.join(TO_BE_REPLACED).exists() && !is_being_replaced(&self.folder)
                || self.lock.is_some(),
            "`mpay restore` or `mpay up --fresh` has begun in {} during this start: let it end, and start again",
            self.folder.display()
        );
        Ok(())
    }

    /// Nothing is replaced any more: others may share the store.
    ///
    /// # Errors
    /// If that cannot be noted, or somebody else has come who keeps the folder for themselves.
    pub fn serves(&mut self) -> anyhow::Result<()> {
        if std::mem::take(&mut self.replaces) {
            let note = self.folder.join(TO_BE_REPLACED);
            fs::remove_file(&note).with_context(|| format!("cannot remove {}", note.display()))?;
            self.share()?;
        }
        Ok(())
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
    fn a_folder_is_made_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        let _state = State::take(&made, false).unwrap();
        let mode = fs::metadata(made).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

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
        drop(second);
        State::take(&folder, false).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left");
    }

    /// Also when who came first has ended.
    #[test]
    fn nobody_replaces_a_store_as_long_as_one_host_serves_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let first = State::take(folder, false).unwrap();
        let second = State::take(folder, true).unwrap();
        drop(first);
        let error = State::take_to_replace(folder).unwrap_err().to_string();
        assert!(error.contains("another `mpay up`"), "{error}");
        assert!(!folder.join(TO_BE_REPLACED).exists());
        drop(second);
        let mut fresh = State::take_to_replace(folder).unwrap();
        fresh.serves().unwrap();
        let third = State::take(folder, true).unwrap();
        drop(fresh);
        State::take_to_replace(folder).unwrap_err();
        drop(third);
        State::take_to_replace(folder).unwrap();
    }

    /// `mpay restore` has the folder, and has not come to say so: nobody takes it for a host.
    #[test]
    fn who_comes_to_share_waits_until_it_is_known_who_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for replaces in [true, false] {
            let other = File::open(path).unwrap();
            other.try_lock().unwrap();
            let comes = thread::scope(|scope| {
                let comes = scope.spawn(|| State::take(path, true).map(drop));
                thread::sleep(PAUSE * 3);
                assert!(!comes.is_finished(), "it waits");
                match replaces {
                    true => fs::write(path.join(TO_BE_REPLACED), "").unwrap(),
                    false => other.unlock().unwrap(),
                }
                comes.join().unwrap()
            });
            assert_eq!(comes.is_err(), replaces);
            other.unlock().unwrap();
            let _ = fs::remove_file(path.join(TO_BE_REPLACED));
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
        // One that was killed keeps nobody out.
        fs::write(folder.join(TO_BE_REPLACED), "").unwrap();
        State::take(folder, true).unwrap();
        let first = State::take(folder, false).unwrap();
        assert!(!folder.join(TO_BE_REPLACED).exists());
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
            State::locked(folder, shared, replaces, lock, taken)
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
        let host = enter(true, false).unwrap();
        host.still_serves().unwrap();
        drop(fresh);
        // Somebody has come between the first look and the opening of the store.
        let again = enter(false, true).unwrap();
        let error = host.still_serves().unwrap_err().to_string();
        assert!(error.contains("during this start"), "{error}");
        drop(again);
        fs::write(folder.join(MOVING), "x").unwrap();
        host.still_serves().unwrap_err();
        fs::remove_file(folder.join(MOVING)).unwrap();
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
            fs::write(path(NOTED), "half").unwrap();
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
