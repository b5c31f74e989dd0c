//! One operation on a small world of names, open files and attributes, and how to draw it.

use proptest::prelude::*;
use rustix::fs::{FallocateFlags, OFlags, RenameFlags, XattrFlags};

/// Open files at a time.
pub(super) const SLOTS: usize = 4;

/// Few names, so that operations meet: files and directories become one another.
pub(super) const NAMES: &[&[u8]] =
    &[b"a", b"b", b"c", b"d", b"d/a", b"d/b", b"d/e", b"d/e/a", b"e", b"e/a", b"a/b", b"n\xff\n,"];

/// Where symbolic links lead: never out of the world.
pub(super) const TARGETS: &[&str] = &["a", "b", "d", "d/a", "e/a", "missing", "e"];

pub(super) const ATTRIBUTES: &[&str] = &["user.one", "user.two", "trusted.t", "nowhere.n", "user."];

type Name = usize;
type Slot = usize;

/// How many kinds of operation there are.
pub(super) const KINDS: usize = 37;

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Open(Slot, Name, OFlags, u32),
    Close(Slot),
    Dup(Slot, Slot),
    Read(Slot, usize),
    Write(Slot, usize, u8),
    ReadAt(Slot, u64, usize),
    WriteAt(Slot, u64, usize, u8),
    Truncate(Name, u64),
    TruncateOpen(Slot, u64),
    Allocate(Slot, FallocateFlags, u64, u64),
    SeekSet(Slot, u64),
    SeekEnd(Slot, i64),
    SeekData(Slot, u64),
    SeekHole(Slot, u64),
    MapRead(Slot, u64, usize),
    MapWrite(Slot, u64, usize, u8),
    CopyRange(Slot, u64, Slot, u64, usize),
    Sync(Slot, bool),
    Rename(Name, Name, RenameFlags),
    Link(Name, Name),
    Symlink(usize, Name),
    ReadLink(Name),
    Unlink(Name),
    MakeDirectory(Name, u32),
    MakeFifo(Name, u32),
    RemoveDirectory(Name),
    List(Name),
    Mode(Name, u32),
    ModeOpen(Slot, u32),
    Owner(Name, Option<u32>, Option<u32>, bool),
    Times(Name, i64, i64, bool),
    SetAttribute(Name, usize, usize, XattrFlags),
    GetAttribute(Name, usize, usize),
    ListAttributes(Name, usize),
    RemoveAttribute(Name, usize),
    Stat(Name, bool),
    StatOpen(Slot),
}

pub(super) fn sequences() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(operation(), 1..40)
}

/// What every sequence begins with: else most operations would find nothing.
pub(super) fn beginning() -> [Operation; 6] {
    use Operation::*;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC;
    [
        MakeDirectory(3, 0o755),
        MakeDirectory(8, 0o755),
        Open(0, 0, flags, 0o644),
        Open(1, 4, flags, 0o600),
        WriteAt(0, 0, 5000, 7),
        WriteAt(1, 100_000, 3, 9),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![5 => opening(), 8 => data(), 5 => names(), 4 => attributes()]
}

fn opening() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        8 => (slot(), name(), flags(), mode()).prop_map(|(s, n, f, m)| Open(s, n, f, m)),
        1 => slot().prop_map(Close),
        1 => (slot(), slot()).prop_map(|(from, to)| Dup(from, to)),
    ]
}

fn data() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        2 => (slot(), length()).prop_map(|(s, l)| Read(s, l)),
        4 => (slot(), length(), any::<u8>()).prop_map(|(s, l, b)| Write(s, l, b)),
        4 => (slot(), offset(), length()).prop_map(|(s, o, l)| ReadAt(s, o, l)),
        4 => (slot(), offset(), length(), any::<u8>()).prop_map(|(s, o, l, b)| WriteAt(s, o, l, b)),
        1 => (name(), offset()).prop_map(|(n, o)| Truncate(n, o)),
        2 => (slot(), offset()).prop_map(|(s, o)| TruncateOpen(s, o)),
        2 => (slot(), allocation(), offset(), offset()).prop_map(|(s, f, o, l)| Allocate(s, f, o, l)),
        1 => (slot(), offset()).prop_map(|(s, o)| SeekSet(s, o)),
        1 => (slot(), -9_000_i64..9_000).prop_map(|(s, o)| SeekEnd(s, o)),
        1 => (slot(), offset()).prop_map(|(s, o)| SeekData(s, o)),
        1 => (slot(), offset()).prop_map(|(s, o)| SeekHole(s, o)),
        2 => (slot(), offset(), length()).prop_map(|(s, o, l)| MapRead(s, o, l)),
        2 => (slot(), offset(), length(), any::<u8>()).prop_map(|(s, o, l, b)| MapWrite(s, o, l, b)),
        2 => (slot(), offset(), slot(), offset(), length())
            .prop_map(|(s, o, t, p, l)| CopyRange(s, o, t, p, l)),
        1 => (slot(), any::<bool>()).prop_map(|(s, data)| Sync(s, data)),
        1 => slot().prop_map(StatOpen),
    ]
}

fn names() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        4 => (name(), name(), renaming()).prop_map(|(a, b, f)| Rename(a, b, f)),
        2 => (name(), name()).prop_map(|(a, b)| Link(a, b)),
        2 => (0..TARGETS.len(), name()).prop_map(|(t, n)| Symlink(t, n)),
        1 => name().prop_map(ReadLink),
        2 => name().prop_map(Unlink),
        5 => (name(), mode()).prop_map(|(n, m)| MakeDirectory(n, m)),
        1 => (name(), mode()).prop_map(|(n, m)| MakeFifo(n, m)),
        2 => name().prop_map(RemoveDirectory),
        2 => name().prop_map(List),
        2 => (name(), any::<bool>()).prop_map(|(n, follow)| Stat(n, follow)),
    ]
}

fn attributes() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let id = || prop_oneof![Just(None), Just(Some(0)), Just(Some(1)), Just(Some(65_534))];
    let time = || prop_oneof![-3_i64..3, 0_i64..4_000_000_000];
    prop_oneof![
        2 => (name(), mode()).prop_map(|(n, m)| Mode(n, m)),
        1 => (slot(), mode()).prop_map(|(s, m)| ModeOpen(s, m)),
        2 => (name(), id(), id(), any::<bool>()).prop_map(|(n, u, g, f)| Owner(n, u, g, f)),
        1 => (name(), time(), time(), any::<bool>()).prop_map(|(n, a, m, f)| Times(n, a, m, f)),
        3 => (name(), attribute(), 0_usize..600, setting())
            .prop_map(|(n, a, l, f)| SetAttribute(n, a, l, f)),
        2 => (name(), attribute(), room()).prop_map(|(n, a, l)| GetAttribute(n, a, l)),
        1 => (name(), room()).prop_map(|(n, l)| ListAttributes(n, l)),
        1 => (name(), attribute()).prop_map(|(n, a)| RemoveAttribute(n, a)),
    ]
}

fn slot() -> impl Strategy<Value = Slot> {
    0..SLOTS
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![2 => 0..4_usize, 1 => 0..NAMES.len()]
}

fn attribute() -> impl Strategy<Value = usize> {
    prop_oneof![2 => Just(0), 1 => 0..ATTRIBUTES.len()]
}

/// A place in a file: small, near the edges of pages and requests, or anywhere.
fn offset() -> impl Strategy<Value = u64> {
    let edge = prop::sample::select(vec![0_u64, 512, 4096, 8192, 65_536, 131_072]);
    prop_oneof![2 => 0_u64..300, 2 => (edge, 0_u64..3).prop_map(|(edge, more)| edge + more), 1 => 0_u64..200_000]
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![0_usize..300, Just(4096), Just(4097), 0_usize..20_000, 130_000_usize..140_000]
}

/// Room for an answer: asking for the size, too little, enough.
fn room() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0_usize), 1_usize..20, Just(4096)]
}

/// Permissions with set-user-id, set-group-id and sticky now and then.
fn mode() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0o755_u32), 2 => Just(0o644), 2 => 0_u32..0o1000, 1 => 0_u32..0o10000]
}

fn flags() -> impl Strategy<Value = OFlags> {
    let access = prop_oneof![
        1 => Just(OFlags::RDONLY), 1 => Just(OFlags::WRONLY), 4 => Just(OFlags::RDWR)
    ];
    let more = prop::sample::subsequence(
        vec![OFlags::EXCL, OFlags::TRUNC, OFlags::APPEND, OFlags::NOFOLLOW, OFlags::DIRECT],
        0..=2,
    );
    let kind = prop_oneof![
        6 => Just(OFlags::CREATE), 2 => Just(OFlags::empty()), 1 => Just(OFlags::DIRECTORY)
    ];
    (access, more, kind).prop_map(|(access, more, kind)| {
        // A fifo without a peer would block the open.
        let steady = OFlags::CLOEXEC | OFlags::NONBLOCK;
        let all = more.into_iter().fold(access | kind | steady, |all, one| all | one);
        // A direct write to an odd end is refused by ext4 and carried out by a mount (accepted).
        if all.contains(OFlags::DIRECT) { all - OFlags::APPEND } else { all }
    })
}

/// What the kernel's FUSE forwards; collapse and insert are its limits (accepted differences).
fn allocation() -> impl Strategy<Value = FallocateFlags> {
    let keep = FallocateFlags::KEEP_SIZE;
    prop::sample::select(vec![
        FallocateFlags::empty(),
        keep,
        FallocateFlags::PUNCH_HOLE | keep,
        FallocateFlags::ZERO_RANGE,
        FallocateFlags::ZERO_RANGE | keep,
        FallocateFlags::PUNCH_HOLE,
    ])
}

fn renaming() -> impl Strategy<Value = RenameFlags> {
    let (swap, spare) = (RenameFlags::EXCHANGE, RenameFlags::NOREPLACE);
    let white = RenameFlags::WHITEOUT;
    prop_oneof![
        6 => Just(RenameFlags::empty()), 2 => Just(swap), 2 => Just(spare), 1 => Just(white),
        1 => Just(swap | spare)
    ]
}

fn setting() -> impl Strategy<Value = XattrFlags> {
    prop_oneof![3 => Just(XattrFlags::empty()), 1 => Just(XattrFlags::CREATE),
        1 => Just(XattrFlags::REPLACE)]
}
