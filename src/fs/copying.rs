//! Copies of files with all that belongs to them: kind, bytes, owner, mode, attributes, times.
//!
//! For what is kept on another filesystem than the backing directory's, and for files that are made
//! again after they were removed.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawMode, XattrFlags, chmodat, chownat, getxattr, mkdirat,
    mknodat, openat, readlinkat, setxattr, symlinkat, utimensat,
};
use rustix::process::{Gid, Uid};

use super::data::read_fully;
use super::locate::proc_path;
use super::stat::{Attr, FileKind, stat_fd};
use super::tree::times;
use super::{Answer, stat};
use crate::errno::Errno;

/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// Copies what stands under a name, with all that is below it.
pub(super) fn copy(from: (&OwnedFd, &OsStr), to: (&OwnedFd, &OsStr)) -> Answer<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(from.0, from.1, flags, Mode::empty())?;
    let attr = make_like(&file, to)?;
    if attr.kind == FileKind::Directory {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (from, to) = (openat(from.0, from.1, flags, Mode::empty())?, to);
        let inside = openat(to.0, to.1, flags, Mode::empty())?;
        for name in names(&from)? {
            copy((&from, &name), (&inside, &name))?;
        }
        belongs_like(&file, &attr, to)?;
    }
    Ok(())
}

/// Makes a file like an open one (`O_PATH` is enough for what has no bytes); of a directory the
/// directory itself.
pub(super) fn make_like(file: &OwnedFd, to: (&OwnedFd, &OsStr)) -> Answer<Attr> {
    let attr = stat_fd(file)?;
    match attr.kind {
        FileKind::Regular => copy_bytes(file, to)?,
        FileKind::Directory => mkdirat(to.0, to.1, Mode::RWXU)?,
        FileKind::Symlink => symlinkat(readlinkat(file, "", Vec::new())?, to.0, to.1)?,
        kind => mknodat(to.0, to.1, file_type(kind), Mode::empty(), stat::device(attr.rdev))?,
    }
    belongs_like(file, &attr, to)?;
    Ok(attr)
}

fn copy_bytes(file: &OwnedFd, (directory, name): (&OwnedFd, &OsStr)) -> Answer<()> {
    let source =
        rustix::fs::open(proc_path(file), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let target = openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    let mut at = 0;
    loop {
        let bytes = read_fully(&source, at, CHUNK)?;
        if bytes.is_empty() {
            return Ok(());
        }
        write_fully(&target, at, &bytes)?;
        at += bytes.len() as u64;
    }
}

/// Writes all of it.
pub fn write_fully(file: &OwnedFd, offset: u64, bytes: &[u8]) -> Answer<()> {
    let mut done = 0;
    while done < bytes.len() {
        match rustix::io::pwrite(file, &bytes[done..], offset + done as u64) {
            Ok(0) => return Err(Errno::EIO),
            Ok(count) => done += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Owner before mode, which a change of owner may take bits of; times last.
fn belongs_like(file: &OwnedFd, attr: &Attr, (directory, name): (&OwnedFd, &OsStr)) -> Answer<()> {
    let (uid, gid) = (Uid::from_raw(attr.uid), Gid::from_raw(attr.gid));
    chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(directory, name, flags, Mode::empty())?;
    if attr.kind != FileKind::Symlink {
        let mode = Mode::from_raw_mode(RawMode::from(attr.permissions));
        chmodat(CWD, proc_path(&made), mode, AtFlags::empty())?;
    }
    copy_attributes(file, &made, attr.kind == FileKind::Symlink)?;
    Ok(utimensat(directory, name, &times(attr), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Extended attributes. Symbolic links have none that a user sees.
fn copy_attributes(from: &OwnedFd, to: &OwnedFd, symlink: bool) -> Answer<()> {
    if symlink {
        return Ok(());
    }
    let (from, to) = (proc_path(from), proc_path(to));
    let mut list = vec![0; 65_536];
    let len = match rustix::fs::listxattr(&*from, &mut list[..]) {
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        len => len?,
    };
    for name in list[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 65_536];
        let len = getxattr(&*from, name, &mut value[..])?;
        setxattr(&*to, name, &value[..len], XattrFlags::empty())?;
    }
    Ok(())
}

/// What a directory holds.
pub(super) fn names(directory: &OwnedFd) -> Answer<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn file_type(kind: FileKind) -> FileType {
    match kind {
        FileKind::Fifo => FileType::Fifo,
        FileKind::Socket => FileType::Socket,
        FileKind::Character => FileType::CharacterDevice,
        FileKind::Block => FileType::BlockDevice,
        FileKind::Regular | FileKind::Directory | FileKind::Symlink => FileType::RegularFile,
    }
}
