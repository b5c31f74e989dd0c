//! The fault space: which blocks of which files of which nodes the workload touches, and how.
//!
//! What differs among the runs without faults is flaky, and left out: a trial there might show nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ledger::unescape;
use crate::plan::{Paths, RuleId};
use crate::scenario::{Campaign, PathPattern};
use crate::trace::{Access, Extent, Record, Touched, touched};

/// One file of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpace {
    /// The node.
    pub node: String,
    /// The file, escaped as in ledgers.
    pub path: String,
    /// What it is called in reports: the first structure that matches it, else its path.
    pub structure: String,
    /// Its blocks.
    pub blocks: Vec<BlockRun>,
}

/// Blocks one after the other that were touched alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRun {
    /// How.
    pub access: Access,
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
    /// Of each, where the bytes that were touched begin and end.
    pub extent: (u64, u64),
    /// Of reads: what was read had been written by the workload before.
    pub after_write: bool,
}

/// What all runs touched, and what only some did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// By node and path.
    pub files: Vec<FileSpace>,
    /// How many blocks of which file were not touched by all: node, path, number.
    pub flaky: Vec<(String, String, u64)>,
}

type Blocks = BTreeMap<Touched, Extent>;

impl Space {
    /// Of the traces of a node in all runs, for each node.
    pub fn of(campaign: &Campaign, traces: &BTreeMap<String, Vec<Vec<Record>>>) -> Space {
        let mut space = Space::default();
        let labels = Labels::new(campaign);
        for node in &campaign.nodes {
            let wanted = &campaign.faults.nodes;
            if wanted.is_empty() || wanted.contains(&node.name) {
                let runs = traces.get(&node.name).map_or(&[][..], Vec::as_slice);
                space.add(campaign.block, &node.name, runs, &labels);
            }
        }
        space
    }

    fn add(&mut self, block: u64, node: &str, runs: &[Vec<Record>], labels: &Labels) {
        let runs: Vec<Blocks> = runs.iter().map(|run| touched(run, block)).collect();
        let all: BTreeSet<&Touched> = runs.iter().flat_map(BTreeMap::keys).collect();
        let mut files: BTreeMap<String, Vec<BlockRun>> = BTreeMap::new();
        let mut flaky: BTreeMap<String, u64> = BTreeMap::new();
        for touched in all {
            let seen: Option<Vec<&Extent>> = runs.iter().map(|run| run.get(touched)).collect();
            if !labels.selects(&touched.path) {
                continue;
            }
            match seen.and_then(common) {
                Some(extent) => {
                    extend(files.entry(touched.path.clone()).or_default(), touched, extent)
                }
                None => *flaky.entry(touched.path.clone()).or_default() += 1,
            }
        }
        self.files.extend(files.into_iter().map(|(path, blocks)| {
            let structure = labels.of(&path);
            FileSpace { node: node.to_owned(), path, structure, blocks }
        }));
        self.flaky.extend(flaky.into_iter().map(|(path, count)| (node.to_owned(), path, count)));
    }
}

/// What was touched of a block in every run.
fn common(seen: Vec<&Extent>) -> Option<Extent> {
    let all = |a: Extent, b: &&Extent| Extent {
        first: a.first.max(b.first),
        end: a.end.min(b.end),
        after_write: a.after_write || b.after_write,
    };
    let first = **seen.first()?;
    let extent = seen.iter().fold(first, all);
    (extent.first < extent.end).then_some(extent)
}

fn extend(runs: &mut Vec<BlockRun>, touched: &Touched, extent: Extent) {
    let Extent { first, end, after_write } = extent;
    let Touched { access, block, .. } = *touched;
    match runs.last_mut() {
        Some(run)
            if (run.access, run.extent, run.after_write) == (access, (first, end), after_write)
                && run.to + 1 == block =>
        {
            run.to = block;
        }
        _ => {
            let extent = (first, end);
            runs.push(BlockRun { access, from: block, to: block, extent, after_write });
        }
    }
}

/// What files are called, and which are wanted.
struct Labels {
    structures: Paths,
    names: Vec<String>,
    wanted: Option<Paths>,
}

impl Labels {
    fn new(campaign: &Campaign) -> Labels {
        let patterns = campaign.structures.iter().map(|structure| &structure.paths[..]);
        let structures = Paths::new((0..=u16::MAX).map(RuleId).zip(patterns));
        let names = campaign.structures.iter().map(|structure| structure.name.clone()).collect();
        let paths: &[PathPattern] = &campaign.faults.paths;
        let wanted = (!paths.is_empty()).then(|| Paths::new([(RuleId(0), paths)].into_iter()));
        Labels { structures, names, wanted }
    }

    /// Only names that are text can stand in a scenario.
    fn selects(&self, path: &str) -> bool {
        let Some(text) = unescape(path).and_then(|path| String::from_utf8(path).ok()) else {
            return false;
        };
        self.wanted.as_ref().is_none_or(|wanted| !wanted.select(Path::new(&text)).is_empty())
    }

    fn of(&self, path: &str) -> String {
        let text = unescape(path).and_then(|path| String::from_utf8(path).ok()).unwrap_or_default();
        let found = self.structures.select(Path::new(&text));
        found
            .first()
            .map_or_else(|| path.to_owned(), |rule| self.names[usize::from(rule.0)].clone())
    }
}
