//! What is told wrong of files as a scenario says it.

use crate::errno::Errno;

/// What is told of files in place of what is true; at least one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// How likely a selected path is one of those.
    pub rate: f64,
    /// Bytes of a regular file.
    pub size: Option<u64>,
    /// Seconds from the epoch to the last change of the content.
    pub mtime: Option<u64>,
    /// Permission bits, of which those are told that are there.
    pub mode: Option<u16>,
    /// Hard links.
    pub nlink: Option<u32>,
    /// How it stands in its directory.
    pub entry: Option<EntryFault>,
    /// Where a symbolic link leads.
    pub target: Option<String>,
    /// What the values of extended attributes are.
    pub xattr: Option<XattrFault>,
    /// What opening it fails with.
    pub open: Option<Errno>,
}

/// How an entry stands in its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// Not at all.
    Missing,
    /// Twice.
    Duplicated,
    /// As another kind of file.
    Mistyped,
}

/// What the values of extended attributes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XattrFault {
    /// As many zeros.
    Zero,
    /// As many bytes, of each of which every bit is flipped.
    Inverted,
}

impl EntryFault {
    /// Every way.
    pub const ALL: [EntryFault; 3] =
        [EntryFault::Missing, EntryFault::Duplicated, EntryFault::Mistyped];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            EntryFault::Missing => "missing",
            EntryFault::Duplicated => "duplicated",
            EntryFault::Mistyped => "mistyped",
        }
    }
}

impl XattrFault {
    /// Every content.
    pub const ALL: [XattrFault; 2] = [XattrFault::Zero, XattrFault::Inverted];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            XattrFault::Zero => "zero",
            XattrFault::Inverted => "inverted",
        }
    }
}
