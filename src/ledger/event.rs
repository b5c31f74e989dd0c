//! One line of a ledger, format 1: the header, then one event a line. The format may only grow.
//!
//! A leaf: data and its JSON, no files.

use serde::{Deserialize, Serialize};

/// The version of the format in this file.
pub const FORMAT: u32 = 1;

/// The first line: what is needed to make the same faults again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format.
    pub ledger: u32,
    /// Version of errorfs.
    pub errorfs: String,
    /// The seed, drawn or given.
    pub seed: u64,
    /// Version of the numbering of draws.
    pub draw: u32,
    /// Hash of the canonical scenario, hexadecimal.
    pub plan: String,
    /// The id of this mount: part of the streams' keys if it was given.
    pub mount: String,
    /// Kernel release.
    pub kernel: String,
    /// When the plan was armed, RFC 3339.
    pub armed: String,
    /// What the mount was told.
    pub options: serde_json::Value,
    /// The scenario in its canonical form, so that a ledger can be replayed by itself.
    pub scenario: serde_json::Value,
}

/// What became of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It reached the target.
    Delivered,
    /// Sticky damage ended because its bytes were overwritten.
    Repaired,
    /// Sticky damage ended because its bytes were cut off or its file removed.
    Gone,
    /// Sticky damage that nobody read until the end of the mount.
    NeverRead,
    /// A stalled operation is answered after all: the stall was `delivered` when it began.
    Released,
    /// The target read a corrupt region, and what it got is what is stored: zeros in place of zeros;
    /// or what a write lost is what was there before.
    Unchanged,
    /// No fault, but another plan: from here on that one is in force, and so are its rules.
    Armed,
    /// It was decided and not done: there was no room to keep what the medium holds.
    Skipped,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// From 1, without gaps.
    pub seq: u64,
    /// Nanoseconds since the plan was armed.
    pub mono_ns: u64,
    /// Wall-clock time, RFC 3339.
    pub time: String,
    /// What became of the fault.
    pub outcome: Outcome,
    /// Name of the rule.
    pub rule: String,
    /// Kind of fault, as in scenarios: `bit_flip`.
    pub fault: String,
    /// Which of the plans of the mount decided it; absent: the first, which is the header's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arming: Option<u64>,
    /// The plan that is in force from here on; of `armed` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Planned>>,
    /// Operation, as in scenarios: `read`.
    pub op: String,
    /// Relative to the mount's root, at the time of the operation. Bytes that are not UTF-8 are
    /// written `\xHH`, and a backslash `\\`.
    pub path: String,
    /// Of an operation on two paths (rename, link, copy_file_range): the other one, `path` being
    /// where it goes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The path that keys the damage of this file (differs from `path` after a rename); sticky only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Inode number.
    pub ino: u64,
    /// First byte of the operation.
    pub offset: u64,
    /// Bytes of the operation.
    pub len: u64,
    /// Which of the rule's matching operations this was, from 1; for rules that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<u64>,
    /// The flipped bits, at most 64 an event; more of one operation follow in further events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bits: Vec<Bit>,
    /// The corrupt regions, at most 16 an event; more of one operation follow in further events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Region>,
    /// Bytes that the medium did not get, at most 16 stretches an event; more of one operation follow
    /// in further events. Of a write: those that it lost. Of others: what became of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<LostBytes>,
    /// Bytes that a read got from another place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misread: Vec<MisreadBytes>,
    /// What was told wrong of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistold: Vec<Mistold>,
    /// Of a power cut (`op` `power_cut`): the change of a name that did not last, by the operation
    /// that made it; `path` is the name, and `to` the one that a rename gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<String>,
    /// Damage id of a bad sector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// First byte and length of a bad sector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector: Option<(u64, u64)>,
    /// How many bytes a read got that ends early at a bad sector, and a short read or write moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<u64>,
    /// The error that the target got, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// How late the answer was, nanoseconds: less than was decided if the caller was killed or the
    /// mount ended meanwhile. Of a stall it is in the event `released`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<u64>,
    /// The kernel asked on behalf of its page cache (read-ahead, a page fault, write-back): `pid` is
    /// whoever made it ask, and others may get the same bytes from the cache without another event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Who asked: process id.
    pub pid: u32,
    /// Who asked: user id.
    pub uid: u32,
    /// Who asked: the command name, empty if it is gone.
    pub comm: String,
    /// Who asked: the control group (version 2), empty if it is gone or not to be seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub cgroup: String,
}

/// A plan that was armed on a live mount.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    /// Hash of the canonical scenario, hexadecimal.
    pub id: String,
    /// The seed.
    pub seed: u64,
    /// The names of the rules that are in force, of those of the scenario.
    pub rules: Vec<String>,
    /// Whether all counts begin anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// The scenario in its canonical form.
    pub scenario: serde_json::Value,
}

/// One flipped bit of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bit {
    /// Offset of its byte in the file.
    pub byte: u64,
    /// 0 is the least significant.
    pub bit: u8,
    /// The byte as it is stored, or as a corrupt region makes it; of damage that was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u8>,
    /// The byte as the target got it; of damage that was delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u8>,
    /// How often the byte had been overwritten.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Damage id: the same bit of the same data has the same id in every ledger of this plan.
    pub id: String,
}

/// One corrupt region of an event, or a run of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// Its first byte in the file.
    pub start: u64,
    /// Its length, which may reach beyond the end of the file.
    pub len: u64,
    /// First byte and number of those of its bytes that the event is about: that were read,
    /// overwritten, cut off.
    pub bytes: (u64, u64),
    /// What it reads as.
    pub content: RegionContent,
    /// How many of these bytes read as something else than what is stored; of a region that was
    /// read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
    /// How many of these bytes lie in a hole of the backing file; of a region that was read.
    #[serde(default, skip_serializing_if = "is_none")]
    pub hole: u64,
    /// The bytes as they are stored, of a region that was read: up to 64 in hexadecimal, of more
    /// their BLAKE3 as `blake3:` and 64 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The bytes as the region makes them, likewise; flips of other rules come on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How often the bytes had been overwritten.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Damage id: the same region of the same data has the same id in every ledger of this plan.
    pub id: String,
}

/// A stretch of bytes of a write that the medium did not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostBytes {
    /// First byte and number of those that the event is about.
    pub bytes: (u64, u64),
    /// Of a write that was torn: how many sectors of 512 bytes the medium got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u64>,
    /// Of a write that was misdirected: the first of the bytes of the file where they are now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// Of the place where such a write landed: the first of the bytes that it was meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// How many of them the medium holds as something else than what was written; of bytes that were
    /// lost just now, or read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
    /// The bytes as they were written, and as the backing file has them: up to 64 in hexadecimal, of
    /// more their BLAKE3 as `blake3:` and 64 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The bytes as the medium holds them, and reads get them, likewise; other damage comes on top.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Damage id: of the write that lost them, in every ledger of this plan.
    pub id: String,
}

/// Something that was told wrong of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistold {
    /// What, by the key of the scenario: `size`.
    pub what: String,
    /// What is true.
    pub before: String,
    /// What the target was told.
    pub after: String,
}

/// A stretch of bytes that a read got from another place of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MisreadBytes {
    /// First byte and number of those that were asked for.
    pub bytes: (u64, u64),
    /// The first of as many that the target got.
    pub from: u64,
    /// How many of them are something else than what was asked for.
    pub changed: u64,
    /// The bytes that were asked for: up to 64 in hexadecimal, of more their BLAKE3 as `blake3:` and
    /// 64 digits.
    pub before: String,
    /// The bytes that the target got, likewise; other damage comes on top.
    pub after: String,
    /// Damage id.
    pub id: String,
}

/// What a region reads as, in the words of scenarios.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionContent {
    /// Zeros.
    Zero,
    /// This byte throughout.
    Byte(u8),
    /// Junk of this key, 16 hexadecimal digits: `content = { junk = "..." }` gives the same bytes.
    Junk(String),
    /// What was there before the bytes were overwritten last.
    Stale,
}

/// Bytes beyond which an event has their hash.
const BYTES_MAX: usize = 64;

/// Bytes as an event has them.
pub fn bytes_or_hash(bytes: &[u8]) -> String {
    if bytes.len() > BYTES_MAX {
        return format!("blake3:{}", blake3::hash(bytes).to_hex());
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_zero(generation: &u32) -> bool {
    *generation == 0
}

fn is_none(bytes: &u64) -> bool {
    *bytes == 0
}
