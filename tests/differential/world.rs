//! A directory with its open files: performs operations and says what came of them.

use std::cell::Cell;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, FileType, Gid, Mode, OFlags, SeekFrom, Timespec, Uid};
use rustix::io::{self, Errno};

use super::mapping::{Mapping, truncate};
use super::operation::{ATTRIBUTES, NAMES, Operation, SLOTS, TARGETS};

/// What an operation gives, without what may differ between two directories.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Nothing,
    Number(u64),
    Bytes(Vec<u8>),
    Names(Vec<(Vec<u8>, FileType)>),
    /// Mode, links, owner, group, device, size (not of directories), set times.
    Stat([u64; 6]),
}
use Answer::{Bytes, Names, Nothing, Number};

pub(super) type Outcome = Result<Answer, Errno>;

pub(super) struct World {
    root: PathBuf,
    slots: [Option<OwnedFd>; SLOTS],
    kind: Kind,
    /// Where space was allocated beforehand, ext4 tells data from holes by how writes were split.
    preallocated: Cell<bool>,
}

/// The filesystem that stores the bytes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Ordinary,
    /// Two peculiarities of tmpfs never reach it through a mount, which has pages of its own: it
    /// fills a hole that is read through a mapping, and what a mapping stores behind the end of a
    /// file becomes part of the file when that grows.
    Tmpfs,
}

impl Kind {
    pub(super) fn of(directory: &Path) -> Kind {
        const TMPFS: i64 = 0x0102_1994;
        let magic = fs::statfs(directory).unwrap().f_type;
        if magic == TMPFS { Kind::Tmpfs } else { Kind::Ordinary }
    }
}

impl World {
    pub(super) fn new(root: &Path, kind: Kind) -> World {
        std::fs::create_dir(root).unwrap();
        World {
            root: root.to_path_buf(),
            slots: Default::default(),
            kind,
            preallocated: Cell::default(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn perform(&mut self, operation: &Operation) -> Outcome {
        use Operation::*;
        match *operation {
            Open(slot, name, flags, mode) => {
                let file = fs::open(self.name(name), flags, bits(mode))?;
                self.slots[slot] = Some(file);
                Ok(Nothing)
            }
            Close(slot) => self.slots[slot].take().map(|_| Nothing).ok_or(Errno::BADF),
            Dup(from, to) => {
                self.slots[to] = Some(io::dup(self.file(from)?)?);
                Ok(Nothing)
            }
            Rename(..) | Link(..) | Symlink(..) | ReadLink(..) | Unlink(..) => self.link(operation),
            MakeDirectory(..) | MakeFifo(..) | RemoveDirectory(..) | List(..) => {
                self.directory(operation)
            }
            Mode(..) | ModeOpen(..) | Owner(..) | Times(..) => self.attribute(operation),
            SetAttribute(..) | GetAttribute(..) | ListAttributes(..) | RemoveAttribute(..) => {
                self.extended(operation)
            }
            Stat(..) | StatOpen(..) => self.stat(operation),
            Read(..) | Write(..) | ReadAt(..) | WriteAt(..) => self.transfer(operation),
            _ => self.data(operation),
        }
    }

    fn name(&self, name: usize) -> PathBuf {
        self.root.join(OsStr::from_bytes(NAMES[name]))
    }

    fn file(&self, slot: usize) -> Result<BorrowedFd<'_>, Errno> {
        self.slots[slot].as_ref().map(AsFd::as_fd).ok_or(Errno::BADF)
    }

    /// Reads and writes; files open for direct ones get whole blocks, as the kernel demands.
    fn transfer(&self, operation: &Operation) -> Outcome {
        use Operation::*;
        match *operation {
            Read(slot, len) => {
                let file = self.file(slot)?;
                if is_direct(file)? { read_at(file, 0, len) } else { read(file, len) }
            }
            Write(slot, len, first) => {
                let file = self.file(slot)?;
                let bytes = pattern(first, len);
                if is_direct(file)? {
                    return write_at(file, 0, &bytes);
                }
                count(io::write(file, &bytes))
            }
            ReadAt(slot, at, len) => read_at(self.file(slot)?, at, len),
            WriteAt(slot, at, len, first) => write_at(self.file(slot)?, at, &pattern(first, len)),
            _ => unreachable!("not a transfer"),
        }
    }

    fn data(&self, operation: &Operation) -> Outcome {
        use Operation::*;
        match *operation {
            Truncate(name, len) => truncate(&self.name(name), len).map(|()| Nothing),
            TruncateOpen(slot, len) => fs::ftruncate(self.file(slot)?, len).map(|()| Nothing),
            Allocate(slot, flags, at, len) => {
                self.preallocated.set(true);
                fs::fallocate(self.file(slot)?, flags, at, len).map(|()| Nothing)
            }
            SeekSet(slot, at) => self.seek(slot, SeekFrom::Start(at)),
            SeekEnd(slot, at) => self.seek(slot, SeekFrom::End(at)),
            SeekData(..) | SeekHole(..) if self.kind == Kind::Tmpfs || self.preallocated.get() => {
                Ok(Nothing)
            }
            SeekData(slot, at) => self.seek(slot, SeekFrom::Data(at)),
            SeekHole(slot, at) => self.seek(slot, SeekFrom::Hole(at)),
            MapRead(slot, at, len) => {
                let mapping = self.map(slot, at, len, false)?;
                Ok(mapping.map_or(Nothing, |mapping| Bytes(mapping.bytes())))
            }
            MapWrite(slot, at, len, first) => {
                let Some(mut mapping) = self.map(slot, at, len, true)? else { return Ok(Nothing) };
                let len = mapping.bytes().len();
                mapping.store(&pattern(first, len)).map(|()| Number(len as u64))
            }
            CopyRange(from, mut at, to, mut there, len) => {
                let (from, to) = (self.file(from)?, self.file(to)?);
                // The kernel copies odd lengths, which ext4 refuses and a mount carries out.
                if is_direct(from)? || is_direct(to)? {
                    return Ok(Nothing);
                }
                count(fs::copy_file_range(from, Some(&mut at), to, Some(&mut there), len))
            }
            Sync(slot, true) => fs::fdatasync(self.file(slot)?).map(|()| Nothing),
            Sync(slot, false) => fs::fsync(self.file(slot)?).map(|()| Nothing),
            _ => unreachable!("not about data"),
        }
    }

    /// Directories are left out: what their offsets mean is the filesystem's own affair.
    fn seek(&self, slot: usize, place: SeekFrom) -> Outcome {
        let file = self.file(slot)?;
        match kind(&fs::fstat(file)?) {
            FileType::Directory => Ok(Nothing),
            _ => fs::seek(file, place).map(Number),
        }
    }

    /// Only the pages that the file has: beyond them a program gets SIGBUS. The rest of the last
    /// page is there: what is stored in it must not become part of the file when that grows.
    fn map(&self, slot: usize, at: u64, len: usize, w: bool) -> Result<Option<Mapping>, Errno> {
        let file = self.file(slot)?;
        let stat = fs::fstat(file)?;
        let page = if self.kind == Kind::Tmpfs { 1 } else { BLOCK as u64 };
        let there = (stat.st_size as u64).next_multiple_of(page);
        let len = len.min(there.saturating_sub(at) as usize);
        if len == 0 || kind(&stat) != FileType::RegularFile {
            return Ok(None);
        }
        Mapping::new(file, at, len, w).map(Some)
    }

    fn link(&self, operation: &Operation) -> Outcome {
        use Operation::*;
        let done = match *operation {
            Rename(old, new, flags) => {
                fs::renameat_with(CWD, self.name(old), CWD, self.name(new), flags)
            }
            Link(old, new) => {
                fs::linkat(CWD, self.name(old), CWD, self.name(new), AtFlags::empty())
            }
            Symlink(target, name) => fs::symlink(TARGETS[target], self.name(name)),
            Unlink(name) => fs::unlink(self.name(name)),
            ReadLink(name) => {
                return fs::readlink(self.name(name), Vec::new()).map(|t| Bytes(t.into_bytes()));
            }
            _ => unreachable!("not about links"),
        };
        done.map(|()| Nothing)
    }

    fn directory(&self, operation: &Operation) -> Outcome {
        use Operation::*;
        let done = match *operation {
            MakeDirectory(name, mode) => fs::mkdir(self.name(name), bits(mode)),
            MakeFifo(name, mode) => {
                fs::mknodat(CWD, self.name(name), FileType::Fifo, bits(mode), 0)
            }
            RemoveDirectory(name) => fs::rmdir(self.name(name)),
            List(name) => return list(&self.name(name)),
            _ => unreachable!("not about directories"),
        };
        done.map(|()| Nothing)
    }

    fn attribute(&self, operation: &Operation) -> Outcome {
        use Operation::*;
        let follow = |yes| if yes { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        let done = match *operation {
            Mode(name, mode) => fs::chmod(self.name(name), bits(mode)),
            ModeOpen(slot, mode) => fs::fchmod(self.file(slot)?, bits(mode)),
            Owner(name, user, group, yes) => {
                let (user, group) = (user.map(Uid::from_raw), group.map(Gid::from_raw));
                fs::chownat(CWD, self.name(name), user, group, follow(yes))
            }
            Times(name, access, modification, yes) => {
                let time = |tv_sec| Timespec { tv_sec, tv_nsec: 123_456_789 };
                let [last_access, last_modification] = [time(access), time(modification)];
                let times = fs::Timestamps { last_access, last_modification };
                fs::utimensat(CWD, self.name(name), &times, follow(yes))
            }
            _ => unreachable!("not about attributes"),
        };
        done.map(|()| Nothing)
    }

    fn extended(&self, operation: &Operation) -> Outcome {
        use Operation::*;
        match *operation {
            SetAttribute(name, key, len, flags) => {
                let value = pattern(len as u8, len);
                fs::lsetxattr(self.name(name), ATTRIBUTES[key], &value, flags).map(|()| Nothing)
            }
            GetAttribute(name, key, len) => {
                let mut value = vec![0; len];
                let got = fs::lgetxattr(self.name(name), ATTRIBUTES[key], &mut value[..])?;
                value.truncate(got);
                Ok(if len == 0 { Number(got as u64) } else { Bytes(value) })
            }
            ListAttributes(name, len) => {
                let mut text = vec![0; len];
                let got = fs::llistxattr(self.name(name), &mut text[..])?;
                text.truncate(got);
                Ok(if len == 0 { Number(got as u64) } else { Bytes(text) })
            }
            RemoveAttribute(name, key) => {
                fs::lremovexattr(self.name(name), ATTRIBUTES[key]).map(|()| Nothing)
            }
            _ => unreachable!("not about extended attributes"),
        }
    }

    fn stat(&self, operation: &Operation) -> Outcome {
        let stat = match *operation {
            Operation::Stat(name, true) => fs::stat(self.name(name)),
            Operation::Stat(name, false) => fs::lstat(self.name(name)),
            Operation::StatOpen(slot) => fs::fstat(self.file(slot)?),
            _ => unreachable!("not a stat"),
        }?;
        let size = if kind(&stat) == FileType::Directory { 0 } else { stat.st_size as u64 };
        let (mode, user, group) = (stat.st_mode.into(), stat.st_uid.into(), stat.st_gid.into());
        Ok(Answer::Stat([mode, stat.st_nlink, user, group, stat.st_rdev, size]))
    }
}

fn bits(mode: u32) -> Mode {
    Mode::from_bits_truncate(mode)
}

fn kind(stat: &fs::Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn count(result: Result<usize, Errno>) -> Outcome {
    result.map(|number| Number(number as u64))
}

/// Bytes that show when they are moved: no two neighbouring blocks are equal.
fn pattern(first: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|place| first.wrapping_add((place % 251) as u8).wrapping_add((place >> 12) as u8))
        .collect()
}

fn is_direct(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(fs::fcntl_getfl(file)?.contains(OFlags::DIRECT))
}

fn read(file: BorrowedFd<'_>, len: usize) -> Outcome {
    let mut bytes = vec![0; len];
    let got = io::read(file, &mut bytes[..])?;
    bytes.truncate(got);
    Ok(Bytes(bytes))
}

fn read_at(file: BorrowedFd<'_>, at: u64, len: usize) -> Outcome {
    let (at, len) = place(file, at, len)?;
    let mut room = vec![0; len + BLOCK];
    let start = room.as_ptr().align_offset(BLOCK);
    let got = io::pread(file, &mut room[start..start + len], at)?;
    Ok(Bytes(room[start..start + got].to_vec()))
}

fn write_at(file: BorrowedFd<'_>, at: u64, bytes: &[u8]) -> Outcome {
    let (at, len) = place(file, at, bytes.len())?;
    let mut room = vec![0x5a; len + BLOCK];
    let start = room.as_ptr().align_offset(BLOCK);
    let known = len.min(bytes.len());
    room[start..start + known].copy_from_slice(&bytes[..known]);
    count(io::pwrite(file, &room[start..start + len], at))
}

const BLOCK: usize = 4096;

fn place(file: BorrowedFd<'_>, at: u64, len: usize) -> Result<(u64, usize), Errno> {
    let whole = if is_direct(file)? { BLOCK } else { 1 };
    Ok((at.next_multiple_of(whole as u64), len.next_multiple_of(whole)))
}

/// Every name and its kind, in order of names.
fn list(path: &Path) -> Outcome {
    let directory = fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    let mut room = [MaybeUninit::uninit(); 4096];
    let mut entries = fs::RawDir::new(directory, &mut room);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        names.push((entry.file_name().to_bytes().to_vec(), entry.file_type()));
    }
    names.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(Names(names))
}
