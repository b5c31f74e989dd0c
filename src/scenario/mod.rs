//! Text to [`Scenario`]: parse, validate, collect every diagnostic.
//!
//! Knows spans and words; knows nothing of mounts, clocks or randomness.

mod askers;
mod campaign;
mod campaign_model;
mod canonical;
mod clusters;
mod conflict;
mod corrupt;
mod damage;
mod dead;
mod detect;
mod distribution;
mod document;
mod document_text;
pub mod duration;
mod event;
mod fault;
mod fault_model;
mod file;
mod fsync;
mod lost_write;
mod merge;
mod metadata;
mod misdirected;
mod mistake;
mod model;
mod power_cut;
mod preset;
mod recipe;
mod rule;
mod schema;
mod select;
mod short;
pub mod size;
mod space;
mod stall;
pub mod suggest;
mod throughput;
mod when;

pub use campaign::*;
pub use campaign_model::*;
pub use detect::Detect;
pub use fault_model::*;
pub use file::{Parsed, parse};
pub use merge::{MergeError, merge};
pub use mistake::Mistake;
pub use model::*;
pub use preset::{Acceleration, Evidence, Method, Preset};
pub use recipe::*;
pub use schema::schema;
