//! Rates, uniformity and independence of everything drawn: fixed seeds, exact bounds.
//!
//! Bounds have a stated false-alarm rate over seeds (1e-6 unless said otherwise); with the seeds
//! fixed, a failure means that draws have changed.

mod clusters;
mod golden;
mod independence;
mod regions;
mod sample;
mod uniformity;
