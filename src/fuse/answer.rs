//! Answers of the filesystem to replies of the protocol: closures, since an answer may be late.

use std::sync::Arc;
use std::time::Duration;

use fuser::{
    FileHandle, FopenFlags, Generation, INodeNo, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyStatfs,
    ReplyWrite, ReplyXattr,
};

use super::convert::{attributes, errno, file_type, listed, open_flags};
use super::open_reply::{self, Through};
use crate::errno::Errno;
use crate::fs::{
    Answer, Attr, DataPath, DirEntry, Entry, FileKind, Filesystem, Introduced, Listing, Memory,
    NodeId, Opened, Portion, Space, Uses,
};

/// What an answer tells of a directory: names (READDIR).
pub(super) const NAMES: Portion = Portion { entries: usize::MAX, header: 24 };

/// With attributes (READDIRPLUS). Few at the beginning of a directory (`cookie` 0): by what becomes of
/// those the kernel decides whether it wants attributes of the others, and to introduce a file costs
/// as much as to list ten.
pub(super) fn introduced(cookie: u64) -> Portion {
    const FIRST_ENTRIES: usize = 16;
    Portion { entries: if cookie == 0 { FIRST_ENTRIES } else { usize::MAX }, header: 24 + 128 }
}

/// How long the kernel may remember them.
fn remembered(ttl: Duration, attr: &Attr) -> Duration {
    /// As long as libfuse lets it by default.
    const MOMENT: Duration = Duration::from_secs(1);
    match attr.memory {
        Memory::Usual => ttl,
        Memory::None => Duration::ZERO,
        Memory::Brief => ttl.max(MOMENT),
    }
}

/// Done, or not done.
pub(super) fn empty(reply: ReplyEmpty) -> impl FnOnce(Answer<()>) + Send + 'static {
    move |answer| match answer {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

/// A file becomes known.
pub(super) fn entry(
    ttl: Duration,
    reply: ReplyEntry,
) -> impl FnOnce(Answer<Entry>) + Send + 'static {
    move |answer| match answer {
        Ok(Entry { id, attr }) => {
            // One time for the name and the attributes.
            let ttl = remembered(ttl, &attr).min(ttl);
            reply.entry(&ttl, &attributes(id, &attr), Generation(attr.generation));
        }
        Err(error) => reply.error(errno(error)),
    }
}

/// A file becomes known, or that there is none of that name: for as long as names are remembered,
/// that is remembered too.
pub(super) fn looked_up(
    ttl: Duration,
    reply: ReplyEntry,
) -> impl FnOnce(Answer<Entry>) + Send + 'static {
    move |answer| match answer {
        Err(Errno::ENOENT) if !ttl.is_zero() => {
            const NONE: u64 = 0;
            reply.entry(&ttl, &listed(NONE, FileKind::Regular), Generation(0));
        }
        answer => entry(ttl, reply)(answer),
    }
}

/// The attributes of a node.
pub(super) fn attr(
    ttl: Duration,
    id: NodeId,
    reply: ReplyAttr,
) -> impl FnOnce(Answer<Attr>) + Send + 'static {
    move |answer| match answer {
        Ok(attr) => reply.attr(&remembered(ttl, &attr), &attributes(id, &attr)),
        Err(error) => reply.error(errno(error)),
    }
}

/// Bytes.
pub(super) fn data(reply: ReplyData) -> impl FnOnce(Answer<Vec<u8>>) + Send + 'static {
    move |answer| match answer {
        Ok(data) => reply.data(&data),
        Err(error) => reply.error(errno(error)),
    }
}

/// How many bytes were written.
pub(super) fn written(reply: ReplyWrite) -> impl FnOnce(Answer<usize>) + Send + 'static {
    move |answer| match answer {
        Ok(count) => reply.written(count as u32),
        Err(error) => reply.error(errno(error)),
    }
}

/// Bytes, or their number for callers that have no room (`room` 0).
pub(super) fn xattr(room: u32, reply: ReplyXattr) -> impl FnOnce(Answer<Vec<u8>>) + Send + 'static {
    move |answer| match answer {
        Ok(value) if room == 0 => reply.size(value.len() as u32),
        Ok(value) => reply.data(&value),
        Err(error) => reply.error(errno(error)),
    }
}

/// An open file. `ttl` as for its attributes: what the kernel remembers of a file that it moves the
/// data of by itself becomes untrue without our knowing, if a mapping is written.
pub(super) fn opened(
    id: NodeId,
    uses: Uses,
    unique: u64,
    ttl: Duration,
    reply: ReplyOpen,
) -> impl FnOnce(Answer<Opened>) + Send + 'static {
    move |answer| match answer {
        Ok(Opened { handle, path: DataPath::Passthrough(backing), closes_quietly }) => {
            if !ttl.is_zero() && uses.maps() {
                open_reply::tell(&backing, &open_reply::attributes_forgotten(id));
            }
            let through = Through { handle, backing: backing.number, closes_quietly };
            open_reply::send(&backing, &open_reply::opened(unique, through), reply);
        }
        Ok(open) => reply.opened(FileHandle(open.handle.0), open_flags(&open.path)),
        Err(error) => reply.error(errno(error)),
    }
}

/// An open directory. What was listed once the kernel may answer by itself, for as long as it
/// remembers names.
pub(super) fn opened_directory(
    ttl: Duration,
    reply: ReplyOpen,
) -> impl FnOnce(Answer<(crate::fs::FileHandle, bool)>) + Send + 'static {
    let kept = FopenFlags::FOPEN_CACHE_DIR | FopenFlags::FOPEN_KEEP_CACHE;
    move |answer| match answer {
        Ok((handle, lists_truly)) => {
            let keeps = lists_truly && !ttl.is_zero();
            let flags = if keeps { kept } else { FopenFlags::empty() };
            reply.opened(FileHandle(handle.0), flags);
        }
        Err(error) => reply.error(errno(error)),
    }
}

/// A new file, open.
pub(super) fn created(
    unique: u64,
    ttl: Duration,
    reply: ReplyCreate,
) -> impl FnOnce(Answer<(Entry, Opened)>) + Send + 'static {
    move |answer| match answer {
        Ok((entry, Opened { handle, path: DataPath::Passthrough(backing), closes_quietly })) => {
            let through = Through { handle, backing: backing.number, closes_quietly };
            let ttls = (ttl, remembered(ttl, &entry.attr).min(ttl));
            let bytes = open_reply::created(unique, ttls, &entry, through);
            open_reply::send(&backing, &bytes, reply);
        }
        Ok((Entry { id, attr }, open)) => reply.created(
            &ttl,
            &attributes(id, &attr),
            Generation(attr.generation),
            FileHandle(open.handle.0),
            open_flags(&open.path),
        ),
        Err(error) => reply.error(errno(error)),
    }
}

/// As many entries of a directory as there is room for.
pub(super) fn entries(mut reply: ReplyDirectory) -> impl FnOnce(Answer<Listing>) + Send + 'static {
    move |answer| match answer {
        Ok(listing) => {
            for entry in listing.entries() {
                let kind = file_type(entry.kind);
                if reply.add(INodeNo(entry.ino), entry.next, kind, &entry.name) {
                    break;
                }
            }
            reply.ok();
        }
        Err(error) => reply.error(errno(error)),
    }
}

/// The same, each with the attributes of its file.
pub(super) fn introductions(
    ttl: Duration,
    fs: Arc<Filesystem>,
    directory: crate::fs::FileHandle,
    mut reply: ReplyDirectoryPlus,
) -> impl FnOnce(Answer<Listing>) + Send + 'static {
    move |answer| match answer {
        Ok(listing) => {
            for entry in listing.entries() {
                let told = fs.introduce(directory, entry);
                if introduce(ttl, entry, &told, &mut reply) {
                    fs.take_back(&told, entry);
                    break;
                }
            }
            reply.ok();
        }
        Err(error) => reply.error(errno(error)),
    }
}

/// Returns whether there was no room.
fn introduce(
    ttl: Duration,
    entry: &DirEntry,
    told: &Introduced,
    reply: &mut ReplyDirectoryPlus,
) -> bool {
    let (ttl, attributes, generation) = match told {
        Introduced::File(Entry { id, attr }) => {
            (remembered(ttl, attr).min(ttl), attributes(*id, attr), attr.generation)
        }
        Introduced::Listed => (Duration::ZERO, listed(entry.ino, entry.kind), 0),
    };
    let ino = attributes.ino;
    reply.add(ino, entry.next, &entry.name, &ttl, &attributes, Generation(generation))
}

/// The state of the filesystem.
pub(super) fn space(reply: ReplyStatfs) -> impl FnOnce(Answer<Space>) + Send + 'static {
    move |answer| match answer {
        Ok(space) => reply.statfs(
            space.f_blocks,
            space.f_bfree,
            space.f_bavail,
            space.f_files,
            space.f_ffree,
            space.f_bsize as u32,
            space.f_namemax as u32,
            space.f_frsize as u32,
        ),
        Err(error) => reply.error(errno(error)),
    }
}

/// What a control request gives back.
pub(super) fn controlled(reply: ReplyIoctl) -> impl FnOnce(Answer<Vec<u8>>) + Send + 'static {
    move |answer| match answer {
        Ok(output) => reply.ioctl(0, &output),
        Err(error) => reply.error(errno(error)),
    }
}

/// A position in a file.
pub(super) fn position(reply: ReplyLseek) -> impl FnOnce(Answer<u64>) + Send + 'static {
    move |answer| match answer {
        Ok(position) => reply.offset(position as i64),
        Err(error) => reply.error(errno(error)),
    }
}
