//! What a campaign file says: plain data, and the words for it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Detect, PathPattern, Variant, duration};

/// A system, how it is run and judged, and what is to go wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Stands in reports.
    pub name: String,
    /// What it models, a sentence or two.
    pub models: Option<String>,
    /// A shell script that makes the nodes' directories in the current one, named as they are.
    pub prepare: String,
    /// What the script and all commands find in their environment.
    pub environment: BTreeMap<String, String>,
    /// At least one.
    pub nodes: Vec<NodeSpec>,
    /// A line for the shell: what is asked of the system.
    pub workload: String,
    /// A line for the shell that reads the data themselves, as clients would.
    pub oracle: Option<String>,
    /// Lines for the shell that say by status 0 that reads, and writes, are possible.
    pub check: Checks,
    /// The workload noticed if any of these holds.
    pub detect: Vec<Detect>,
    /// How long each command may take.
    pub timeout: Duration,
    /// How long all nodes together may take until they are ready.
    pub startup: Duration,
    /// How many runs without faults come first.
    pub golden: u64,
    /// Bytes of a block.
    pub block: u64,
    /// The root of all randomness.
    pub seed: u64,
    /// Names for groups of files, the first that matches.
    pub structures: Vec<Structure>,
    /// Other workloads, of which one can be chosen.
    pub variants: Vec<Variant>,
    /// What is to go wrong.
    pub faults: FaultKinds,
    /// Whether errorfs is over the directories of all nodes, and not of the faulty one alone.
    pub all_mounted: bool,
    /// What one should know.
    pub notes: Option<String>,
}

/// One node: a data directory, and the process that uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Its own among the nodes; the name of its directory.
    pub name: String,
    /// A line for the shell that runs as long as the node; none: the workload itself uses the data.
    pub start: Option<String>,
    /// A line for the shell that says by status 0 that it is ready.
    pub ready: Option<String>,
    /// A line for the shell that makes it end; none: it is killed.
    pub stop: Option<String>,
    /// A line for the shell that reads the data by way of this node; counts if it is up.
    pub oracle: Option<String>,
    /// It noticed if any of these holds of what it wrote to its standard output and error.
    pub detect: Vec<Detect>,
}

/// What says whether the system can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// For reading.
    pub read: Option<String>,
    /// For writing.
    pub write: Option<String>,
}

/// A name for files.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    /// As reports call it.
    pub name: String,
    /// Which files.
    pub paths: Vec<PathPattern>,
}

/// What can go wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It reads as zeros.
    Zero,
    /// It reads as junk.
    Junk,
    /// One bit of it reads wrong.
    BitFlip,
    /// EIO.
    Eio,
    /// ENOSPC.
    Enospc,
    /// EDQUOT.
    Edquot,
}

impl FaultKind {
    /// Every kind, in the order of reports.
    pub const ALL: [FaultKind; 6] = [
        FaultKind::Zero,
        FaultKind::Junk,
        FaultKind::BitFlip,
        FaultKind::Eio,
        FaultKind::Enospc,
        FaultKind::Edquot,
    ];

    /// As files and reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            FaultKind::Zero => "zero",
            FaultKind::Junk => "junk",
            FaultKind::BitFlip => "bit_flip",
            FaultKind::Eio => "eio",
            FaultKind::Enospc => "enospc",
            FaultKind::Edquot => "edquot",
        }
    }
}

/// Which kinds go where. By default as CORDS has them, and bit flips.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultKinds {
    /// Of blocks that are read.
    pub read: Vec<FaultKind>,
    /// Of blocks that are overwritten.
    pub write: Vec<FaultKind>,
    /// Of blocks that are appended.
    pub append: Vec<FaultKind>,
    /// Names of the nodes that get them; empty: each in turn.
    pub nodes: Vec<String>,
    /// In which files, as in scenarios; empty: all.
    pub paths: Vec<PathPattern>,
}

impl FaultKinds {
    /// What a read can suffer.
    pub const OF_READ: &'static [FaultKind] =
        &[FaultKind::Zero, FaultKind::Junk, FaultKind::BitFlip, FaultKind::Eio];
    /// What a write can suffer.
    pub const OF_WRITE: &'static [FaultKind] =
        &[FaultKind::Eio, FaultKind::Enospc, FaultKind::Edquot];
}

impl Default for FaultKinds {
    fn default() -> FaultKinds {
        FaultKinds {
            read: FaultKinds::OF_READ.to_vec(),
            write: vec![FaultKind::Eio],
            append: vec![FaultKind::Eio, FaultKind::Enospc],
            nodes: Vec::new(),
            paths: Vec::new(),
        }
    }
}

impl Campaign {
    /// The same as JSON, the same for the same meaning: what plans are made of.
    pub fn canonical(&self) -> Value {
        let detect = |list: &[Detect]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let paths = |list: &[PathPattern]| list.iter().map(PathPattern::text).collect::<Vec<_>>();
        let node = |node: &NodeSpec| {
            json!({
                "name": node.name, "start": node.start, "ready": node.ready, "stop": node.stop,
                "oracle": node.oracle, "detect": detect(&node.detect),
            })
        };
        let structure = |one: &Structure| json!({ "name": one.name, "path": paths(&one.paths) });
        json!({
            "name": self.name,
            "prepare": self.prepare,
            "environment": self.environment,
            "nodes": self.nodes.iter().map(node).collect::<Vec<_>>(),
            "workload": self.workload,
            "oracle": self.oracle,
            "check": { "read": self.check.read, "write": self.check.write },
            "detect": detect(&self.detect),
            "timeout": duration::format(self.timeout),
            "startup": duration::format(self.startup),
            "golden": self.golden,
            "block": self.block,
            "seed": self.seed,
            "structures": self.structures.iter().map(structure).collect::<Vec<_>>(),
            "faults": {
                "read": self.faults.read, "write": self.faults.write, "append": self.faults.append,
                "nodes": self.faults.nodes, "path": paths(&self.faults.paths),
            },
            "mounted": if self.all_mounted { "all" } else { "faulty" },
        })
    }
}
