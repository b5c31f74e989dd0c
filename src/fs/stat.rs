//! What `statx(2)` says of a file of the backing directory.

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Statx, StatxFlags, statx};

use super::Answer;
use super::kind::birth_lasts;
use crate::media::FileKey;

/// Kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // inode(7) has the words.
pub enum FileKind {
    Regular,
    Directory,
    Symlink,
    Fifo,
    Socket,
    Character,
    Block,
}

impl FileKind {
    fn from_mode(mode: u16) -> FileKind {
        match rustix::fs::FileType::from_raw_mode(mode.into()) {
            rustix::fs::FileType::Directory => FileKind::Directory,
            rustix::fs::FileType::Symlink => FileKind::Symlink,
            rustix::fs::FileType::Fifo => FileKind::Fifo,
            rustix::fs::FileType::Socket => FileKind::Socket,
            rustix::fs::FileType::CharacterDevice => FileKind::Character,
            rustix::fs::FileType::BlockDevice => FileKind::Block,
            _ => FileKind::Regular,
        }
    }
}

/// Seconds and nanoseconds since the epoch; the nanoseconds count forward also before it.
pub type Time = (i64, u32);

/// The attributes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Who it is.
    pub key: FileKey,
    /// What it is.
    pub kind: FileKind,
    /// Permission, suid, sgid and sticky bits.
    pub permissions: u16,
    /// Hard links.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device that a device node stands for, in the kernel's encoding.
    pub rdev: u32,
    /// Bytes.
    pub size: u64,
    /// 512-byte units allocated.
    pub blocks: u64,
    /// Preferred bytes a call.
    pub blksize: u32,
    /// Last access.
    pub atime: Time,
    /// Last change of the content.
    pub mtime: Time,
    /// Last change of the inode.
    pub ctime: Time,
    /// Distinguishes files that were given the same inode number one after the other; drawn by the
    /// node table when the kernel learns of the file.
    pub generation: u64,
    /// The mount through which it was reached; 0 where the kernel does not say.
    pub mount: u64,
    /// How long the kernel may remember it.
    pub memory: Memory,
}

/// How long the kernel may remember the attributes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// As long as those of any file of the mount.
    #[default]
    Usual,
    /// Not at all: the kernel moves its data by itself, and they change without a request to us.
    None,
    /// For a moment at least: its data is read from the page cache, and the kernel would else ask for
    /// them before each read(2).
    Brief,
}

impl Attr {
    fn from_statx(stat: &Statx) -> Attr {
        let time = |t: rustix::fs::StatxTimestamp| (t.tv_sec, t.tv_nsec);
        let has_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0 && birth_lasts();
        let birth = if has_birth { time(stat.stx_btime) } else { (0, 0) };
        Attr {
            key: FileKey {
                dev: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor),
                ino: stat.stx_ino,
                birth: nanoseconds(birth),
            },
            kind: FileKind::from_mode(stat.stx_mode),
            permissions: stat.stx_mode & 0o7777,
            nlink: stat.stx_nlink,
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            rdev: encode_device(stat.stx_rdev_major, stat.stx_rdev_minor),
            size: stat.stx_size,
            blocks: stat.stx_blocks,
            blksize: stat.stx_blksize,
            atime: time(stat.stx_atime),
            mtime: time(stat.stx_mtime),
            ctime: time(stat.stx_ctime),
            generation: 0,
            mount: stat.stx_mnt_id,
            memory: Memory::Usual,
        }
    }
}

fn nanoseconds((seconds, nanoseconds): Time) -> u64 {
    (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(nanoseconds.into())
}

/// The kernel's `new_encode_dev`: the form in which FUSE carries device numbers.
fn encode_device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// The opposite: as mknod(2) takes it.
pub(super) fn device(dev: u32) -> u64 {
    let (major, minor) = ((dev & 0x000f_ff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0x000f_ff00));
    rustix::fs::makedev(major, minor)
}

/// The attributes of an open file, `O_PATH` included.
pub(super) fn stat_fd(fd: impl AsFd) -> Answer<Attr> {
    Ok(stat_at(fd, c"", AtFlags::EMPTY_PATH)?)
}

/// The attributes of the entry `name` of a directory; a symlink is the link itself.
pub(super) fn stat_name(dir: impl AsFd, name: impl rustix::path::Arg) -> Answer<Attr> {
    Ok(stat_at(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT)?)
}

/// statx(2), with all that an [`Attr`] has.
pub(super) fn stat_at(
    dir: impl AsFd,
    name: impl rustix::path::Arg,
    flags: AtFlags,
) -> rustix::io::Result<Attr> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID;
    Ok(Attr::from_statx(&statx(dir, name, flags, wanted)?))
}
