//! The passthrough: node table, handles, names, data, attributes, directories; no fuser types.

mod survey;

pub use survey::{Survey, SurveyError, survey};
