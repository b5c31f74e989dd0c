//! What scenarios/README.md says of faults is what happens: each sentence has a test, in every cache
//! mode where that could make a difference.

mod caches;
mod concerns;
mod files;
mod medium;
mod modes;
mod page;
mod selecting;
