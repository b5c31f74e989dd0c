//! Which number the kernel gets for a file: the inode number where that is unambiguous.
//!
//! The mount is one device, what lies below may be several with the same inode numbers: a file on
//! another device (or a directory that a bind mount shows twice) gets a number with the top bit
//! set, the place of its mount among those seen, and its inode number.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, RwLock};

use super::stat::{Attr, FileKind};
use super::{NodeId, locked, reading, writing};
use crate::media::FileKey;

/// Bits for inode numbers below the place of the mount.
const INO_BITS: u32 = 48;

/// As many mounts can be told apart; numbers beyond are counted instead.
const MOUNTS_MAX: usize = (1 << 15) - 1;

/// A device as seen through a mount.
type Place = (u64, u64);

/// The numbering of one mount of errorfs.
#[derive(Debug)]
pub(super) struct Numbers {
    home: Place,
    others: RwLock<Vec<Place>>,
    counted: Mutex<Counted>,
    secret: RandomState,
}

/// Numbers of the files in one directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    bits: u64,
}

impl Listed {
    /// What the mount calls the file of this inode number.
    pub(super) fn number(self, ino: u64) -> u64 {
        if ino >> INO_BITS == 0 { self.bits | ino } else { ino }
    }
}

/// Numbers for the rare files whose inode number is too long.
#[derive(Debug, Default)]
struct Counted {
    last: u64,
    ids: HashMap<(Place, u64), NodeId>,
}

impl Numbers {
    /// Numbers as seen from this root.
    pub(super) fn new(root: &Attr) -> Numbers {
        Numbers {
            home: (root.key.dev, root.mount),
            others: RwLock::default(),
            counted: Mutex::default(),
            secret: RandomState::new(),
        }
    }

    /// Whether a file was reached through the mount that the root is on.
    pub(super) fn is_home(&self, attr: &Attr) -> bool {
        (attr.key.dev, attr.mount) == self.home
    }

    /// The number of a file that is not the root.
    pub(super) fn id(&self, attr: &Attr) -> NodeId {
        let (place, ino) = ((attr.key.dev, attr.mount), attr.key.ino);
        let shown_twice = place != self.home && attr.kind == FileKind::Directory;
        let at_home = attr.key.dev == self.home.0 && !shown_twice;
        if at_home && ino > NodeId::ROOT.0 && ino & NodeId::SYNTHETIC == 0 {
            return NodeId(ino);
        }
        match self.bits(place) {
            Some(bits) if ino >> INO_BITS == 0 => NodeId(bits | ino),
            _ => self.count(place, ino),
        }
    }

    /// What the inode numbers in a directory look like from above: the same bits as in
    /// [`Numbers::id`] are set in those of other devices.
    pub(super) fn listed(&self, directory: &Attr) -> Listed {
        let at_home = directory.key.dev == self.home.0;
        let bits = if at_home { None } else { self.bits((directory.key.dev, directory.mount)) };
        Listed { bits: bits.unwrap_or(0) }
    }

    /// Tells one file from others that had its inode number. Keyed, so that who makes up a handle
    /// of a file that this mount never showed cannot know the generation that belongs to it.
    pub(super) fn generation(&self, key: FileKey) -> u64 {
        u64::from(self.secret.hash_one(key) as u32)
    }

    /// The file of a number is forgotten.
    pub(super) fn forget(&self, id: NodeId) {
        if id.0 >> INO_BITS == (NodeId::SYNTHETIC >> INO_BITS) | MOUNTS_MAX as u64 {
            locked(&self.counted).ids.retain(|_, counted| *counted != id);
        }
    }

    fn bits(&self, place: Place) -> Option<u64> {
        let shifted = |number: usize| NodeId::SYNTHETIC | (number as u64) << INO_BITS;
        let known = reading(&self.others).iter().position(|other| *other == place);
        if let Some(number) = known {
            return Some(shifted(number));
        }
        let mut others = writing(&self.others);
        let known = others.iter().position(|other| *other == place);
        let number = known.unwrap_or(others.len());
        if known.is_none() && number < MOUNTS_MAX {
            others.push(place);
        }
        (number < MOUNTS_MAX).then_some(shifted(number))
    }

    fn count(&self, place: Place, ino: u64) -> NodeId {
        let mut counted = locked(&self.counted);
        let Counted { last, ids } = &mut *counted;
        *ids.entry((place, ino)).or_insert_with(|| {
            *last += 1;
            NodeId(NodeId::SYNTHETIC | (MOUNTS_MAX as u64) << INO_BITS | *last)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dev: u64, mount: u64, ino: u64) -> Attr {
        let attr = super::super::stat::stat_fd(std::fs::File::open("/proc/self/stat").unwrap());
        Attr { key: FileKey { dev, ino, birth: 0 }, mount, ..attr.unwrap() }
    }

    #[test]
    fn equal_inode_numbers_on_two_devices_are_two_numbers_and_listed_as_such() {
        let numbers = Numbers::new(&file(1, 1, 2));
        assert_eq!(numbers.id(&file(1, 1, 77)), NodeId(77));
        let (one, other) = (numbers.id(&file(2, 2, 77)), numbers.id(&file(3, 3, 77)));
        assert_ne!(one, other);
        assert!(one.is_synthetic() && other.is_synthetic());
        assert_eq!(numbers.listed(&file(3, 3, 5)).number(77), other.0);
        assert_eq!(numbers.listed(&file(1, 1, 5)).number(77), 77);
    }

    #[test]
    fn numbers_that_are_too_long_are_counted_and_forgotten() {
        let numbers = Numbers::new(&file(1, 1, 2));
        let long = file(2, 2, 1 << 60);
        let id = numbers.id(&long);
        assert_eq!(numbers.id(&long), id);
        numbers.forget(id);
        assert!(locked(&numbers.counted).ids.is_empty());
    }

    #[test]
    fn a_directory_that_a_bind_mount_shows_twice_has_two_numbers() {
        let numbers = Numbers::new(&file(1, 1, 2));
        let directory = |mount| Attr { kind: FileKind::Directory, ..file(1, mount, 9) };
        assert_eq!(numbers.id(&directory(1)), NodeId(9));
        assert!(numbers.id(&directory(4)).is_synthetic());
        assert_eq!(numbers.id(&file(1, 4, 10)), NodeId(10));
    }
}
