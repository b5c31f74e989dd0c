//! Campaigns: every block that a workload touches, damaged once each, every reaction classified.
//!
//! Runs without faults say what is right, and their traces what is touched; a [`CampaignPlan`] is made of
//! both and nothing else; its trials run in any order, on any machine, and their results add up.
//! Prints nothing.

mod golden;
mod isolated;
mod judge;
mod layout;
mod merge;
mod merged_file;
mod observed;
mod plan;
mod point;
mod prepare;
mod results;
mod series;
mod shard;
mod space;
mod spread;
mod stage;

pub use golden::*;
pub use isolated::*;
pub use judge::*;
pub use layout::*;
pub use merge::*;
pub use merged_file::*;
pub use observed::*;
pub use plan::*;
pub use point::*;
pub use prepare::*;
pub use results::*;
pub use series::*;
pub use shard::*;
pub use space::*;
pub use spread::*;
pub use stage::*;
