//! What a series of trials showed, in numbers and in four formats: one file each.
//!
//! From plain data to text; writes no files and prints nothing.

mod campaign;
mod campaign_filters;
mod campaign_html;
mod campaign_json;
mod campaign_plot;
mod campaign_text;
mod estimate;
mod html;
mod json;
mod junit;
mod summary;
mod text;

pub use campaign::*;
pub use campaign_html::campaign_html;
pub use campaign_json::campaign_json;
pub use campaign_text::{campaign_text, campaign_trial_text};
pub use estimate::*;
pub use html::to_html;
pub use json::to_json;
pub use junit::to_junit;
pub use summary::*;
pub use text::{to_text, to_text_of_one};
