//! The unit of the nightly copy: what it deletes, and when.

use std::{fs, path::Path, process::Command};

use crate::workspace;

/// The values of a setting of the unit.
fn settings(name: &str) -> Vec<String> {
    let unit = workspace().join("deploy/server/mpay-backup.service");
    let unit = fs::read_to_string(unit).unwrap();
    let values = unit
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

/// Makes a file that was last written so many minutes ago.
fn make(folder: &Path, name: &str, minutes: u32) {
    let made = Command::new("touch")
        .args(["-d", &format!("{minutes} minutes ago")])
        .arg(folder.join(name))
        .status();
    assert!(made.unwrap().success());
}

/// Runs commands of the unit over another folder, and gives what is left there.
fn left_after(commands: &[String], folder: &Path) -> Vec<String> {
    for command in commands {
        let command = command.trim_start_matches('-');
        let place = folder.to_str().unwrap();
        assert!(command.contains("/var/backups/mpay-provider"), "{command}");
        let command = command.replace("/var/backups/mpay-provider", place);
        let done = Command::new("sh").args(["-c", &command]).status();
        assert!(done.unwrap().success(), "{command}");
    }
    let files = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let mut names: Vec<_> = files
        .map(|file| file.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_a_killed_copy_has_left_is_deleted_before_the_next_and_old_copies_after_it() {
    const DAY: u32 = 24 * 60;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, minutes) in [
        ("new.db", DAY),
        ("old.db", 40 * DAY),
        ("killed.db.part", DAY),
        ("killed.db.part-journal", DAY),
        ("at-work.db.part", 0),
    ] {
        make(folder, name, minutes);
    }
    // Whether the copy succeeds or not; and the copy is tried whatever becomes of it.
    let before = settings("ExecStartPre");
    assert!(before.iter().all(|command| command.starts_with('-')));
    let kept = ["at-work.db.part", "new.db", "old.db"];
    assert_eq!(left_after(&before, folder), kept);
    // Only once there is a new one.
    let after = settings("ExecStartPost");
    assert_eq!(left_after(&after, folder), ["at-work.db.part", "new.db"]);
}
