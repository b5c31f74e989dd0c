//! The plan of a campaign: a pure function of the campaign and of what its runs touched.
//!
//! It has the space, not the trials: those are counted off from it, with names that depend on nothing
//! but the plan and the point.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FileSpace, Point, Space, TrialId};
use crate::plan::seed::DRAW_VERSION;
use crate::scenario::{Campaign, FaultKind, FaultKinds};
use crate::trace::Access;

/// The version of the format in this file.
pub const PLAN_FORMAT: u32 = 1;

/// What is to be tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignPlan {
    /// Version of the format.
    pub plan: u32,
    /// Version of errorfs.
    pub errorfs: String,
    /// Version of the numbering of draws.
    pub draw: u32,
    /// The campaign in its canonical form.
    pub campaign: Value,
    /// Bytes of a block.
    pub block: u64,
    /// The root of all randomness.
    pub seed: u64,
    /// Kinds of faults of blocks that are read, written and appended.
    pub kinds: [Vec<FaultKind>; 3],
    /// Which blocks are touched, and how.
    pub space: Vec<FileSpace>,
    /// What was touched by some of the runs without faults only, and is left out: node, file, number
    /// of blocks.
    pub flaky: Vec<(String, String, u64)>,
}

/// BLAKE3 of the canonical plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanId(blake3::Hash);

impl PlanId {
    /// All of it, hexadecimal.
    pub fn text(&self) -> String {
        self.0.to_hex().to_string()
    }

    /// Enough of it for a name.
    pub fn short(&self) -> String {
        self.text()[..16].to_owned()
    }
}

/// A trial of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTrial {
    /// Its name.
    pub id: TrialId,
    /// Its own seed.
    pub seed: u64,
    /// Its fault.
    pub point: Point,
}

impl CampaignPlan {
    /// The plan of a campaign over a space.
    pub fn new(campaign: &Campaign, space: Space) -> CampaignPlan {
        let FaultKinds { read, write, append, .. } = campaign.faults.clone();
        CampaignPlan {
            plan: PLAN_FORMAT,
            errorfs: env!("CARGO_PKG_VERSION").to_owned(),
            draw: DRAW_VERSION,
            campaign: campaign.canonical(),
            block: campaign.block,
            seed: campaign.seed,
            kinds: [read, write, append],
            space: space.files,
            flaky: space.flaky,
        }
    }

    /// The same bytes for the same plan.
    pub fn canonical(&self) -> String {
        // By way of a value, whose keys are sorted.
        let value = serde_json::to_value(self).expect("a plan is plain data");
        value.to_string()
    }

    /// Names the plan.
    pub fn id(&self) -> PlanId {
        PlanId(blake3::hash(self.canonical().as_bytes()))
    }

    /// Every point, in the order of the space.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.space.iter().flat_map(move |file| {
            file.blocks.iter().flat_map(move |run| {
                (run.from..=run.to).flat_map(move |block| {
                    self.kinds_of(run.access).iter().map(move |kind| Point {
                        node: file.node.clone(),
                        path: file.path.clone(),
                        structure: file.structure.clone(),
                        access: run.access,
                        block,
                        kind: *kind,
                        extent: run.extent,
                        after_write: run.after_write,
                    })
                })
            })
        })
    }

    fn kinds_of(&self, access: Access) -> &[FaultKind] {
        &self.kinds[access as usize]
    }

    /// Every trial, or so many drawn with the seed of the plan: a smaller sample is a part of a larger
    /// one. In the order of their ids.
    pub fn trials(&self, sample: Option<u64>) -> Vec<PlannedTrial> {
        let plan = self.id();
        let mut trials: Vec<PlannedTrial> =
            self.points().map(|point| planned(&plan, self.seed, point)).collect();
        if let Some(sample) = sample {
            trials.sort_by_cached_key(|trial| (rank(self.seed, trial.id), trial.id));
            trials.truncate(usize::try_from(sample).unwrap_or(usize::MAX));
        }
        trials.sort_by_key(|trial| trial.id);
        trials
    }
}

fn planned(plan: &PlanId, seed: u64, point: Point) -> PlannedTrial {
    let mut hasher = blake3::Hasher::new();
    hasher.update(plan.0.as_bytes()).update(point.coordinates().as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    let id = TrialId(u128::from_be_bytes(first));
    PlannedTrial { id, seed: derived("errorfs campaign trial seed v1", seed, id), point }
}

fn rank(seed: u64, id: TrialId) -> u64 {
    derived("errorfs campaign sample v1", seed, id)
}

/// 53 bits: whole also in programs whose numbers are floating-point.
fn derived(what: &str, seed: u64, id: TrialId) -> u64 {
    let mut hasher = blake3::Hasher::new_derive_key(what);
    hasher.update(&seed.to_le_bytes()).update(&id.0.to_le_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(first) >> 11
}
