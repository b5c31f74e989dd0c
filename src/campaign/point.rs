//! One point of the fault space, and the scenario that puts the fault there.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ledger::exact_pattern;
use crate::scenario::FaultKind;
use crate::trace::Access;

/// Which fault a trial has, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The node that gets it.
    pub node: String,
    /// The file, escaped as in ledgers.
    pub path: String,
    /// What the file is called in reports.
    pub structure: String,
    /// How the workload touches the block.
    pub access: Access,
    /// Number of the block.
    pub block: u64,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Where in the block the bytes begin and end that the workload touches.
    pub extent: (u64, u64),
    /// The workload writes the block before it reads it.
    pub after_write: bool,
}

/// Names a trial: the same for the same plan and point, on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId(pub u128);

impl std::fmt::Display for TrialId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for TrialId {
    type Err = String;

    fn from_str(text: &str) -> Result<TrialId, String> {
        let number = u128::from_str_radix(text, 16).ok().filter(|_| text.len() == 32);
        number.map(TrialId).ok_or_else(|| "the id of a trial has 32 hexadecimal digits".to_owned())
    }
}

impl Point {
    /// The coordinates as one text, no two of which are the same.
    pub fn coordinates(&self) -> String {
        let Point { node, path, access, block, kind, .. } = self;
        [node, path, access.name(), &block.to_string(), kind.name()].join("\0")
    }

    /// The scenario, as TOML. `seed` decides which bit.
    pub fn scenario(&self, block: u64, seed: u64) -> String {
        let glob = exact_pattern(&self.path).map_or(String::new(), |pattern| pattern.text());
        let start = self.block * block;
        let select = |ops: &str, bytes: &str| {
            format!("select = {{ path = {}, ops = [\"{ops}\"], bytes = \"{bytes}\" }}", json!(glob))
        };
        let of_block = format!("{start}..{}", start + block);
        let operation = if self.access == Access::Read { "read" } else { "write" };
        let error = |errno: &str, bytes: &str| {
            format!("{}\n[rule.fault.error]\nerrno = \"{errno}\"\n", select(operation, bytes))
        };
        let body = match (self.kind, self.access) {
            (FaultKind::Zero, _) => self.region("zero", start, block, &select("read", &of_block)),
            (FaultKind::Junk, _) => self.region("junk", start, block, &select("read", &of_block)),
            (FaultKind::BitFlip, _) => self.flip(start, seed, &select("read", &of_block)),
            (FaultKind::Eio, _) => error("EIO", &of_block),
            // No room for this block is no room for those behind it.
            (FaultKind::Enospc, Access::Append) => error("ENOSPC", &format!("{start}..")),
            (FaultKind::Edquot, Access::Append) => error("EDQUOT", &format!("{start}..")),
            (FaultKind::Enospc, _) => error("ENOSPC", &of_block),
            (FaultKind::Edquot, _) => error("EDQUOT", &of_block),
        };
        format!("version = 1\n[[rule]]\nname = \"{}\"\n{body}", self.kind.name())
    }

    /// What the workload writes first is damaged by the writing; what was there, until it is written.
    fn persistence(&self) -> &'static str {
        if self.after_write { "permanent" } else { "sticky" }
    }

    fn region(&self, content: &str, start: u64, block: u64, select: &str) -> String {
        let persistence = self.persistence();
        format!(
            "{select}\n[rule.fault.corrupt]\ncontent = \"{content}\"\nregion = {block}\n\
             at = [{{ byte = {start} }}]\npersistence = \"{persistence}\"\n"
        )
    }

    fn flip(&self, start: u64, seed: u64, select: &str) -> String {
        let (first, end) = self.extent;
        let drawn = seed % ((end - first) * 8);
        let (byte, bit) = (start + first + drawn / 8, drawn % 8);
        let persistence = self.persistence();
        format!(
            "{select}\n[rule.fault.bit_flip]\nat = [{{ byte = {byte}, bit = {bit} }}]\n\
             persistence = \"{persistence}\"\n"
        )
    }

    /// In a few words.
    pub fn words(&self) -> String {
        let Point { node, path, access, block, kind, .. } = self;
        format!("{} on {} of block {block} of {node}:{path}", kind.name(), access.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse;

    #[test]
    fn every_point_is_a_sound_scenario() {
        for access in Access::ALL {
            for kind in FaultKind::ALL {
                for after_write in [false, true] {
                    let point = Point {
                        node: "one".into(),
                        path: r#"a b/["*]?{x}\\\x01!"#.into(),
                        structure: "x".into(),
                        access,
                        block: 3,
                        kind,
                        extent: (0, 100),
                        after_write,
                    };
                    let text = point.scenario(4096, 799);
                    let parsed = parse(&text);
                    assert!(parsed.diagnostics.is_empty(), "{text}\n{:?}", parsed.diagnostics);
                }
            }
        }
    }
}
