//! One operation as rules see it: plain data, named as FUSE names them.
//!
//! Knows nothing of the kernel's protocol (`fuse`) nor of what an operation does (`fs`).

/// Kinds of operation, in the order in which documents list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)] // Each variant is the FUSE operation of that name.
pub enum OpKind {
    Lookup,
    Getattr,
    Setattr,
    Readlink,
    Mknod,
    Mkdir,
    Unlink,
    Rmdir,
    Symlink,
    Rename,
    Link,
    Open,
    Create,
    Read,
    Write,
    Flush,
    Release,
    Fsync,
    Opendir,
    Readdir,
    Releasedir,
    Fsyncdir,
    Statfs,
    Setxattr,
    Getxattr,
    Listxattr,
    Removexattr,
    Fallocate,
    Lseek,
    CopyFileRange,
    Ioctl,
}

impl OpKind {
    /// Every kind, in declaration order.
    pub const ALL: [OpKind; 31] = [
        OpKind::Lookup,
        OpKind::Getattr,
        OpKind::Setattr,
        OpKind::Readlink,
        OpKind::Mknod,
        OpKind::Mkdir,
        OpKind::Unlink,
        OpKind::Rmdir,
        OpKind::Symlink,
        OpKind::Rename,
        OpKind::Link,
        OpKind::Open,
        OpKind::Create,
        OpKind::Read,
        OpKind::Write,
        OpKind::Flush,
        OpKind::Release,
        OpKind::Fsync,
        OpKind::Opendir,
        OpKind::Readdir,
        OpKind::Releasedir,
        OpKind::Fsyncdir,
        OpKind::Statfs,
        OpKind::Setxattr,
        OpKind::Getxattr,
        OpKind::Listxattr,
        OpKind::Removexattr,
        OpKind::Fallocate,
        OpKind::Lseek,
        OpKind::CopyFileRange,
        OpKind::Ioctl,
    ];

    /// The word that scenarios, ledgers and messages use.
    pub const fn name(self) -> &'static str {
        match self {
            OpKind::Lookup => "lookup",
            OpKind::Getattr => "getattr",
            OpKind::Setattr => "setattr",
            OpKind::Readlink => "readlink",
            OpKind::Mknod => "mknod",
            OpKind::Mkdir => "mkdir",
            OpKind::Unlink => "unlink",
            OpKind::Rmdir => "rmdir",
            OpKind::Symlink => "symlink",
            OpKind::Rename => "rename",
            OpKind::Link => "link",
            OpKind::Open => "open",
            OpKind::Create => "create",
            OpKind::Read => "read",
            OpKind::Write => "write",
            OpKind::Flush => "flush",
            OpKind::Release => "release",
            OpKind::Fsync => "fsync",
            OpKind::Opendir => "opendir",
            OpKind::Readdir => "readdir",
            OpKind::Releasedir => "releasedir",
            OpKind::Fsyncdir => "fsyncdir",
            OpKind::Statfs => "statfs",
            OpKind::Setxattr => "setxattr",
            OpKind::Getxattr => "getxattr",
            OpKind::Listxattr => "listxattr",
            OpKind::Removexattr => "removexattr",
            OpKind::Fallocate => "fallocate",
            OpKind::Lseek => "lseek",
            OpKind::CopyFileRange => "copy_file_range",
            OpKind::Ioctl => "ioctl",
        }
    }

    /// Whether every such operation changes the filesystem. Of `open` and `ioctl` some do.
    pub const fn changes(self) -> bool {
        let sometimes = OpSet::EMPTY.with(OpKind::Open).with(OpKind::Ioctl);
        OpSet::CHANGING.contains(self) && !sometimes.contains(self)
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<OpKind> {
        OpKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A set of operation kinds.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct OpSet(u32);

impl OpSet {
    /// No operation.
    pub const EMPTY: OpSet = OpSet(0);
    /// Every operation.
    pub const ALL: OpSet = OpSet(u32::MAX >> (32 - OpKind::ALL.len()));
    /// The group `data`: operations that move or persist the bytes of files.
    pub const DATA: OpSet = OpSet::EMPTY
        .with(OpKind::Read)
        .with(OpKind::Write)
        .with(OpKind::Fsync)
        .with(OpKind::Fallocate)
        .with(OpKind::CopyFileRange);
    /// Operations that change the filesystem, or may: what a read-only one refuses.
    pub const CHANGING: OpSet = OpSet::EMPTY
        .with(OpKind::Setattr)
        .with(OpKind::Mknod)
        .with(OpKind::Mkdir)
        .with(OpKind::Unlink)
        .with(OpKind::Rmdir)
        .with(OpKind::Symlink)
        .with(OpKind::Rename)
        .with(OpKind::Link)
        .with(OpKind::Open)
        .with(OpKind::Create)
        .with(OpKind::Write)
        .with(OpKind::Setxattr)
        .with(OpKind::Removexattr)
        .with(OpKind::Fallocate)
        .with(OpKind::CopyFileRange)
        .with(OpKind::Ioctl);
    /// Operations that answer with the attributes of a file.
    pub const ATTRIBUTES: OpSet = OpSet::MAKING
        .with(OpKind::Lookup)
        .with(OpKind::Getattr)
        .with(OpKind::Setattr)
        .with(OpKind::Link);
    /// Operations that tell what a file is, and opening it.
    pub const TELLING: OpSet = OpSet::ATTRIBUTES
        .with(OpKind::Open)
        .with(OpKind::Readdir)
        .with(OpKind::Readlink)
        .with(OpKind::Getxattr);
    /// Operations that make a file of any kind.
    pub const MAKING: OpSet = OpSet::EMPTY
        .with(OpKind::Mknod)
        .with(OpKind::Mkdir)
        .with(OpKind::Symlink)
        .with(OpKind::Create);
    /// The group `metadata`: every other operation.
    pub const METADATA: OpSet = OpSet(OpSet::ALL.0 & !OpSet::DATA.0);

    /// This set and one kind more.
    pub const fn with(self, kind: OpKind) -> OpSet {
        OpSet(self.0 | (1 << kind as u8))
    }

    /// This set without one kind.
    pub const fn without(self, kind: OpKind) -> OpSet {
        OpSet(self.0 & !(1 << kind as u8))
    }

    /// Both sets together.
    pub const fn union(self, other: OpSet) -> OpSet {
        OpSet(self.0 | other.0)
    }

    /// What is in both.
    pub const fn intersection(self, other: OpSet) -> OpSet {
        OpSet(self.0 & other.0)
    }

    /// Whether the kind is in the set.
    pub const fn contains(self, kind: OpKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether all of `other` is in this set.
    pub const fn is_superset(self, other: OpSet) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in the set, in the order of [`OpKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = OpKind> {
        OpKind::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }
}

impl std::fmt::Debug for OpSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(OpKind::name)).finish()
    }
}

/// Who asked, as the kernel tells it. For read-ahead and write-back it is whoever caused them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Caller {
    /// Process (thread) id in errorfs' pid namespace; 0 where it is not visible there.
    pub pid: u32,
    /// Filesystem user id.
    pub uid: u32,
    /// Filesystem group id.
    pub gid: u32,
}

/// More of who asks than a request tells: for rules that look at it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Who {
    /// The process, and those that it descends from.
    pub pids: Vec<u32>,
    /// The names of the thread and of its process.
    pub comms: Vec<String>,
    /// The control group (version 2); empty if there is none.
    pub cgroup: String,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// What is asked.
    pub kind: OpKind,
    /// First byte that it concerns; 0 where it concerns no bytes.
    pub offset: u64,
    /// How many bytes it concerns; 0 where it concerns no bytes.
    pub len: u64,
    /// Who asks.
    pub caller: Caller,
    /// Whether it changes the filesystem: what a read-only one refuses.
    pub changes: bool,
    /// The length that a file is to have afterwards (setattr), or at least (fallocate); `None` for
    /// operations that are not about a length.
    pub length: Option<u64>,
    /// Whether the kernel asks on behalf of its page cache, and not for one read(2) or write(2).
    pub cached: bool,
}

impl Op {
    /// An operation that changes what all of its kind change, asked for by a program.
    pub const fn new(kind: OpKind, offset: u64, len: u64, caller: Caller) -> Op {
        Op { kind, offset, len, caller, changes: kind.changes(), length: None, cached: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "**`ops`** are: lookup, getattr, setattr, readlink, mknod, mkdir, unlink, rmdir, symlink,
    /// rename, link, open, create, read, write, flush, release, fsync, opendir, readdir,
    /// releasedir, fsyncdir, statfs, setxattr, getxattr, listxattr, removexattr, fallocate, lseek,
    /// copy_file_range, ioctl." "The group `data` is read, write, fsync, fallocate and
    /// copy_file_range, `metadata` is every other one, `all` is both."
    #[test]
    fn every_kind_is_found_by_its_name_and_in_exactly_one_group() {
        for kind in OpKind::ALL {
            assert_eq!(OpKind::from_name(kind.name()), Some(kind));
            assert!(OpSet::DATA.contains(kind) != OpSet::METADATA.contains(kind));
        }
        assert_eq!(OpKind::from_name("raed"), None);
    }
}
