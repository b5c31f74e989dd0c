//! Scenario to plan: pure and total. No input, output, clock or randomness of its own.
//!
//! A plan is immutable and counts nothing: the armed plan (`injector`) has the counters, and asks
//! here what they mean.

mod askers;
mod clusters;
mod compile;
mod damage;
mod decision;
mod deviate;
pub mod fault;
mod filling;
mod paths;
mod placement;
mod rule;
pub mod sampler;
mod scope;
pub mod seed;
mod trigger;

pub use askers::Askers;
pub use clusters::Clusters;
pub use compile::compile;
pub use damage::{DamageId, Place};
pub use decision::*;
pub use filling::Filling;
pub use paths::Paths;
pub use placement::{NothingMatched, Placed, Placement, Surveyed};
pub use rule::{DataAccess, Label, Plan, Rule, RuleKey};
pub use scope::{Scope, bytes_of};
pub use trigger::{Chance, Trigger};
