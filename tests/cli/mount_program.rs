//! `mount.errorfs`: as mount(8), fstab and the helper of libfuse call it.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{is_mounted, output, text};
use crate::support::{Backing, Program, can_mount};

const ERRORFS: &str = env!("CARGO_BIN_EXE_errorfs");

fn mount_errorfs(scratch: &Path, words: &[&str]) -> std::process::Output {
    let program = scratch.join("mount.errorfs");
    if !program.exists() {
        symlink(ERRORFS, &program).unwrap();
    }
    output(Command::new(program).args(words).stdin(Stdio::null()))
}

#[test]
fn its_exit_codes_are_those_of_mount_and_nothing_is_mounted_by_mistake() {
    let (backing, scratch) = (Backing::new().with("file", b"x"), tempfile::tempdir().unwrap());
    let at = scratch.path().canonicalize().unwrap().join("mnt");
    std::fs::create_dir(&at).unwrap();
    let (source, target) = (backing.path().to_str().unwrap(), at.to_str().unwrap());
    std::fs::write(scratch.path().join("bad.toml"), "version = 2\n").unwrap();
    let bad = format!("scenario={}", scratch.path().join("bad.toml").display());
    for (words, status, says) in [
        (&[source, target, "-o", "sed=7"][..], 1, "unknown option sed=7"),
        (&[source], 1, "give two directories"),
        (&[source, "/nowhere/at/all"], 1, "/nowhere/at/all"),
        (&[source, target, "-o", &bad], 32, "version"),
        (&[source, target, "-f", "-o", "rw"], 0, ""),
    ] {
        let ended = mount_errorfs(scratch.path(), words);
        assert_eq!(ended.status.code(), Some(status), "{words:?}: {ended:?}");
        assert!(text(&ended.stderr).contains(says), "{words:?}: {ended:?}");
        assert!(!is_mounted(&at), "{words:?}");
    }
}

/// Runs a script where mount(8) finds `mount.errorfs` installed and nobody else sees what is mounted.
fn where_it_is_installed(scratch: &Path, backing: &Path, script: &str) -> String {
    let sbin = scratch.join("sbin");
    std::fs::create_dir_all(scratch.join("mnt")).unwrap();
    std::fs::create_dir(&sbin).unwrap();
    std::fs::create_dir(scratch.join("lib")).unwrap();
    symlink(ERRORFS, sbin.join("mount.errorfs")).unwrap();
    let script = format!(
        "set -e
        mount --bind \"$1/sbin\" \"$(readlink -f /sbin)\"
        mount --bind \"$1/lib\" /var/lib
        {script}"
    );
    let ended = Program::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"])
        .arg(scratch.canonicalize().unwrap())
        .arg(backing.canonicalize().unwrap())
        .succeed();
    ended.stdout
}

const SCENARIO: &str = "version = 1\nseed = 1\n[[rule]]\nname = \"bit\"\n\
     [rule.fault.bit_flip]\nat = [{ byte = 0, bit = 0 }]\n";

#[test]
fn mount_of_type_errorfs_mounts_and_findmnt_shows_source_and_type() {
    assert!(can_mount());
    let (backing, scratch) = (Backing::new().with("file", b"seven"), tempfile::tempdir().unwrap());
    std::fs::write(scratch.path().join("a.toml"), SCENARIO).unwrap();
    let script = "
        options=scenario=$1/a.toml,ledger=$1/ledger,seed=7,noexec,nofail,x-systemd.automount
        mount -t errorfs \"$2\" \"$1/mnt\" -o \"$options\"
        findmnt -n -o SOURCE,FSTYPE,OPTIONS \"$1/mnt\"
        cat \"$1/mnt/file\"
        umount \"$1/mnt\"";
    let shown = where_it_is_installed(scratch.path(), backing.path(), script);
    assert!(shown.contains(&format!("{} fuse.errorfs rw,", backing.path().display())), "{shown}");
    assert!(shown.contains("noexec"), "{shown}");
    assert!(shown.ends_with("reven"), "{shown}");
}

#[test]
fn the_line_of_fstab_in_the_readme_mounts_once_however_often_all_is_mounted() {
    assert!(can_mount());
    let (backing, scratch) = (Backing::new().with("file", b"seven"), tempfile::tempdir().unwrap());
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let line = readme.lines().map(str::trim).find(|line| line.contains(" errorfs scenario="));
    let at = scratch.path().canonicalize().unwrap();
    let line = line
        .expect("the README shows a line of fstab")
        .replace("/srv/data", backing.path().canonicalize().unwrap().to_str().unwrap())
        .replace("/mnt/faulty", at.join("mnt").to_str().unwrap())
        .replace("/etc/bitrot.toml", at.join("a.toml").to_str().unwrap());
    std::fs::write(at.join("a.toml"), SCENARIO).unwrap();
    std::fs::write(at.join("fstab"), format!("{line}\n")).unwrap();
    let script = "
        mount --all --fstab \"$1/fstab\"
        mount --all --fstab \"$1/fstab\"
        grep -c \" $1/mnt \" /proc/self/mounts
        cat \"$1/mnt/file\"
        umount \"$1/mnt\"";
    assert_eq!(where_it_is_installed(scratch.path(), backing.path(), script), "1\nreven");
    // mount(8) tells of no home: without a word about it the ledger is where services have theirs.
    assert_eq!(std::fs::read_dir(at.join("lib/errorfs")).unwrap().count(), 1);
}
