//! Names of damage: the same bit or region of the same stored data has the same id in `preview`, in every
//! ledger, and after a remount.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::seed::hash_fields;
use super::{Plan, RuleId};

/// Begins the encoding of every damage id.
const DAMAGE_TAG: &[u8] = b"errorfs damage v1";

/// One piece of damage; written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DamageId(pub u64);

impl fmt::Display for DamageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where damage is in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One bit.
    Bit {
        /// Offset of its byte.
        byte: u64,
        /// 0 is the least significant.
        bit: u8,
    },
    /// One bit of one operation: transient damage.
    Once {
        /// Offset of its byte.
        byte: u64,
        /// 0 is the least significant.
        bit: u8,
        /// Which of the rule's matching operations it was.
        occurrence: u64,
    },
    /// One sector.
    Sector {
        /// Offset of its first byte.
        start: u64,
    },
    /// One region.
    Region {
        /// Offset of its first byte.
        start: u64,
    },
    /// One region of one operation: transient damage.
    RegionOnce {
        /// Offset of its first byte.
        start: u64,
        /// Which of the rule's matching operations it was.
        occurrence: u64,
    },
    /// Bytes of one read that came from another place.
    Misread {
        /// Offset of the first of them.
        start: u64,
        /// Which of the rule's matching operations it was.
        occurrence: u64,
    },
    /// Bytes of one write that the medium did not get.
    Lost {
        /// Offset of the first of them.
        start: u64,
        /// Which of the rule's matching operations it was.
        occurrence: u64,
    },
}

impl Plan {
    /// The id of one piece of damage: a hash of seed, rule name, domain, `file` (the path that keys
    /// the file's damage), place and write generation.
    ///
    /// The plan's own id is not part of it: damage keeps its name when another rule changes.
    pub fn damage_id(&self, rule: RuleId, file: &Path, place: Place, generation: u32) -> DamageId {
        let (kind, at, bit, occurrence) = match place {
            Place::Bit { byte, bit } => (&b"bit"[..], byte, bit, 0),
            Place::Once { byte, bit, occurrence } => (&b"once"[..], byte, bit, occurrence),
            Place::Sector { start } => (&b"sector"[..], start, 0, 0),
            Place::Region { start } => (&b"region"[..], start, 0, 0),
            Place::RegionOnce { start, occurrence } => (&b"region once"[..], start, 0, occurrence),
            Place::Misread { start, occurrence } => (&b"misread"[..], start, 0, occurrence),
            Place::Lost { start, occurrence } => (&b"lost"[..], start, 0, occurrence),
        };
        DamageId(hash_fields(&[
            DAMAGE_TAG,
            &self.seed().to_le_bytes(),
            self.rule(rule).name.as_bytes(),
            self.domain_of(rule).as_bytes(),
            file.as_os_str().as_bytes(),
            kind,
            &at.to_le_bytes(),
            &[bit],
            &generation.to_le_bytes(),
            &occurrence.to_le_bytes(),
        ]))
    }
}
