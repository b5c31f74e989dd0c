//! Requests of the kernel to operations of the filesystem: translate and call.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, FileHandle, INodeNo, IoctlFlags, KernelConfig, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus,
    ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr,
    Request, TimeOrNow, WriteFlags,
};

use super::answer;
use super::convert::{handle, node, op, op_on, rename_flags, timestamp};
use super::vigil::{Served, Vigil};
use crate::fs::{
    Changes, Controlled, Filesystem, NewMode, Subject, Uses, Writing, length_of_allocation,
};
use crate::op::{Op, OpKind};

/// The filesystem as fuser calls it.
#[derive(Debug)]
pub(super) struct Adapter {
    pub(super) fs: Arc<Filesystem>,
    /// How long the kernel may answer for us what it was told of names and attributes.
    pub(super) ttl: Duration,
    /// Whether the kernel is to be asked to move data by itself.
    pub(super) passthrough: bool,
    pub(super) vigil: Arc<Vigil>,
}

impl Adapter {
    /// The filesystem for one request.
    fn fs(&self) -> Served<'_> {
        Served { fs: &self.fs, vigil: &self.vigil }
    }
}

impl fuser::Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        self.negotiate(config);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let subject = Subject::Name(node(parent), name);
        let call = |fs: &Filesystem| fs.lookup(node(parent), name);
        let op = op(OpKind::Lookup, request);
        self.fs().around_telling(op, subject, call, answer::looked_up(self.ttl, reply));
    }

    fn forget(&self, _request: &Request, ino: INodeNo, lookups: u64) {
        self.fs().forget(node(ino), lookups);
    }

    fn getattr(&self, request: &Request, ino: INodeNo, open: Option<FileHandle>, reply: ReplyAttr) {
        let id = node(ino);
        let call = |fs: &Filesystem| fs.getattr(id, open.map(handle));
        let answer = answer::attr(self.ttl, id, reply);
        let subject = self.fs.subject(id, open.map(handle));
        self.fs().around_telling(op(OpKind::Getattr, request), subject, call, answer);
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        open: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let (atime, mtime) = (atime.map(timestamp), mtime.map(timestamp));
        let changes = Changes { mode, uid, gid, size, atime, mtime };
        let (id, op) = (node(ino), Op { length: size, ..op(OpKind::Setattr, request) });
        let call = |fs: &Filesystem| fs.setattr(op, id, open.map(handle), &changes);
        let subject = self.fs.subject(id, open.map(handle));
        self.fs().around_telling(op, subject, call, answer::attr(self.ttl, id, reply));
    }

    fn readlink(&self, request: &Request, ino: INodeNo, reply: ReplyData) {
        let call = |fs: &Filesystem| fs.readlink(node(ino));
        let subject = Subject::Node(node(ino));
        self.fs().around_telling(op(OpKind::Readlink, request), subject, call, answer::data(reply));
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let (op, mode) = (op(OpKind::Mknod, request), NewMode { mode, umask });
        let call = |fs: &Filesystem| fs.mknod(node(parent), name, mode, rdev, op.caller);
        let answer = answer::entry(self.ttl, reply);
        self.fs().around_telling(op, Subject::Name(node(parent), name), call, answer);
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        let (op, mode) = (op(OpKind::Mkdir, request), NewMode { mode, umask });
        let call = |fs: &Filesystem| fs.mkdir(node(parent), name, mode, op.caller);
        let answer = answer::entry(self.ttl, reply);
        self.fs().around_telling(op, Subject::Name(node(parent), name), call, answer);
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let op = op(OpKind::Unlink, request);
        let call = |fs: &Filesystem| fs.unlink(op, node(parent), name);
        self.fs().around(op, Subject::Name(node(parent), name), call, answer::empty(reply));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let op = op(OpKind::Rmdir, request);
        let call = |fs: &Filesystem| fs.rmdir(op, node(parent), name);
        self.fs().around(op, Subject::Name(node(parent), name), call, answer::empty(reply));
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let op = op(OpKind::Symlink, request);
        let call = |fs: &Filesystem| fs.symlink(node(parent), name, target, op.caller);
        let answer = answer::entry(self.ttl, reply);
        self.fs().around_telling(op, Subject::Name(node(parent), name), call, answer);
    }

    fn rename(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (from, to) = ((node(parent), name), (node(new_parent), new_name));
        let op = op(OpKind::Rename, request);
        let call = |fs: &Filesystem| fs.rename(op, from, to, rename_flags(flags));
        let both = (Subject::Name(from.0, from.1), Subject::Name(to.0, to.1));
        self.fs().around(op, Subject::Both(&both.0, &both.1), call, answer::empty(reply));
    }

    fn link(
        &self,
        request: &Request,
        ino: INodeNo,
        parent: INodeNo,
        name: &OsStr,
        reply: ReplyEntry,
    ) {
        let call = |fs: &Filesystem| fs.link(node(ino), node(parent), name);
        let (from, to) = (Subject::Node(node(ino)), Subject::Name(node(parent), name));
        let both = Subject::Both(&from, &to);
        let op = op(OpKind::Link, request);
        self.fs().around_telling(op, both, call, answer::entry(self.ttl, reply));
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let call = |fs: &Filesystem| fs.open(node(ino), flags.0);
        let answer =
            answer::opened(node(ino), Uses::of(flags.0), request.unique().0, self.ttl, reply);
        let op = Op { changes: Uses::of(flags.0).writes, ..op(OpKind::Open, request) };
        self.fs().around(op, Subject::Node(node(ino)), call, answer);
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let (op, mode) = (op(OpKind::Create, request), NewMode { mode, umask });
        let call = |fs: &Filesystem| fs.create(node(parent), name, mode, flags, op.caller);
        self.fs().around_telling(
            op,
            Subject::Name(node(parent), name),
            call,
            answer::created(request.unique().0, self.ttl, reply),
        );
    }

    fn read(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        // Only what a read(2) itself asks for has an owner; read-ahead and page faults have none.
        let fills_cache = lock_owner.is_none();
        let op = op_on(OpKind::Read, request, offset, size.into());
        self.fs().read(op, handle(open), fills_cache, answer::data(reply));
    }

    fn write(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written_back = write_flags.contains(WriteFlags::FUSE_WRITE_CACHE);
        let takes_set_id = write_flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID);
        let how = Writing { flags: flags.0, written_back, takes_set_id };
        let op = op_on(OpKind::Write, request, offset, data.len() as u64);
        self.fs().write(op, handle(open), data, how, answer::written(reply));
    }

    fn flush(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        let call = |fs: &Filesystem| fs.flush(handle(open));
        let subject = Subject::Open(handle(open));
        self.fs().around(op(OpKind::Flush, request), subject, call, answer::empty(reply));
    }

    fn release(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let subject = Subject::Open(handle(open));
        let op = op(OpKind::Release, request);
        self.fs.around(op, subject, |_| Ok(()), answer::empty(reply));
        // Whatever a rule says: the kernel forgets the handle, and so must we.
        self.fs().release(handle(open));
    }

    fn fsync(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        let op = op(OpKind::Fsync, request);
        self.fs().sync_file(op, handle(open), data_only, answer::empty(reply));
    }

    fn opendir(&self, request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let call = |fs: &Filesystem| fs.opendir(node(ino));
        let subject = Subject::Node(node(ino));
        let op = op(OpKind::Opendir, request);
        self.fs().around(op, subject, call, answer::opened_directory(self.ttl, reply));
    }

    fn readdir(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        cookie: u64,
        reply: ReplyDirectory,
    ) {
        let op = op(OpKind::Readdir, request);
        self.fs().list(op, (handle(open), cookie), answer::NAMES, answer::entries(reply));
    }

    fn readdirplus(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        cookie: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let op = op(OpKind::Readdir, request);
        let answer = answer::introductions(self.ttl, self.fs.clone(), handle(open), reply);
        self.fs().list(op, (handle(open), cookie), answer::introduced(cookie), answer);
    }

    fn releasedir(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        let subject = Subject::OpenDirectory(handle(open));
        let op = op(OpKind::Releasedir, request);
        self.fs.around(op, subject, |_| Ok(()), answer::empty(reply));
        self.fs().releasedir(handle(open));
    }

    fn fsyncdir(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        data_only: bool,
        reply: ReplyEmpty,
    ) {
        let op = op(OpKind::Fsyncdir, request);
        let call = |fs: &Filesystem| fs.sync_directory(op, handle(open), data_only);
        let subject = Subject::OpenDirectory(handle(open));
        self.fs().around(op, subject, call, answer::empty(reply));
    }

    fn statfs(&self, request: &Request, ino: INodeNo, reply: ReplyStatfs) {
        let call = |fs: &Filesystem| fs.statfs(node(ino));
        let subject = Subject::Node(node(ino));
        self.fs().around(op(OpKind::Statfs, request), subject, call, answer::space(reply));
    }

    fn setxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _position: u32,
        reply: ReplyEmpty,
    ) {
        let op = op(OpKind::Setxattr, request);
        let call = |fs: &Filesystem| fs.setxattr(op, node(ino), name, value, flags);
        self.fs().around(op, Subject::Node(node(ino)), call, answer::empty(reply));
    }

    fn getxattr(
        &self,
        request: &Request,
        ino: INodeNo,
        name: &OsStr,
        room: u32,
        reply: ReplyXattr,
    ) {
        let call = |fs: &Filesystem| fs.getxattr(node(ino), name, room);
        let subject = Subject::Node(node(ino));
        let (op, answer) = (op(OpKind::Getxattr, request), answer::xattr(room, reply));
        match room > 0 && may_be_mistold(name) {
            true => self.fs().around_telling(op, subject, call, answer),
            false => self.fs().around(op, subject, call, answer),
        }
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, room: u32, reply: ReplyXattr) {
        let (op, subject) = (op(OpKind::Listxattr, request), Subject::Node(node(ino)));
        let call = |fs: &Filesystem| fs.listxattr(op, node(ino), room);
        self.fs().around(op, subject, call, answer::xattr(room, reply));
    }

    fn removexattr(&self, request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let op = op(OpKind::Removexattr, request);
        let call = |fs: &Filesystem| fs.removexattr(op, node(ino), name);
        self.fs().around(op, Subject::Node(node(ino)), call, answer::empty(reply));
    }

    fn ioctl(
        &self,
        request: &Request,
        ino: INodeNo,
        open: FileHandle,
        flags: IoctlFlags,
        command: u32,
        input: &[u8],
        room: u32,
        reply: ReplyIoctl,
    ) {
        let on = match flags.contains(IoctlFlags::FUSE_IOCTL_DIR) {
            true => Controlled::Directory(handle(open)),
            false => Controlled::File(handle(open)),
        };
        let op = Op { changes: on.changes(command), ..op(OpKind::Ioctl, request) };
        let subject = Subject::Node(node(ino));
        let call = |fs: &Filesystem| fs.control(op, on, command, input, room);
        self.fs().around(op, subject, call, answer::controlled(reply));
    }

    fn fallocate(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        offset: u64,
        len: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let length = length_of_allocation(mode, offset, len);
        let op = Op { length, ..op_on(OpKind::Fallocate, request, offset, len) };
        let call = |fs: &Filesystem| fs.fallocate(op, handle(open), mode);
        self.fs().around(op, Subject::Open(handle(open)), call, answer::empty(reply));
    }

    fn lseek(
        &self,
        request: &Request,
        _ino: INodeNo,
        open: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let call = |fs: &Filesystem| fs.lseek(handle(open), offset, whence);
        let subject = Subject::Open(handle(open));
        self.fs().around(op(OpKind::Lseek, request), subject, call, answer::position(reply));
    }

    fn copy_file_range(
        &self,
        request: &Request,
        _from: INodeNo,
        open_from: FileHandle,
        offset_from: u64,
        _to: INodeNo,
        open_to: FileHandle,
        offset_to: u64,
        len: u64,
        _flags: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        let (from, to) = ((handle(open_from), offset_from), (handle(open_to), offset_to));
        let op = op_on(OpKind::CopyFileRange, request, offset_to, len);
        let call = |fs: &Filesystem| fs.copy_file_range(op.caller, from, to, len);
        let both = (Subject::Open(handle(open_from)), Subject::Open(handle(open_to)));
        self.fs().around(op, Subject::Both(&both.0, &both.1), call, answer::written(reply));
    }
}

/// Whether the value of an attribute may be told wrong: those of the kernel decide who may do what.
fn may_be_mistold(name: &OsStr) -> bool {
    ["user.", "trusted."].iter().any(|of| name.as_encoded_bytes().starts_with(of.as_bytes()))
}
