//! How much of stored bytes is damaged: by chance, by number, or at places that are named.

use crate::plan::Clusters;
use crate::plan::sampler::Bernoulli;

/// An amount of damage whose places are of type `P`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Amount<P> {
    /// Each place independently.
    Rate(Bernoulli),
    /// Exactly so many.
    Count(u64),
    /// These, sorted.
    At(Vec<P>),
    /// As they lie on a sick device.
    Clusters(Clusters),
}

impl<P> Amount<P> {
    /// How many places are to be chosen, if that is what it says; in clusters at least so many.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Amount::Count(count) => Some(*count),
            Amount::Clusters(_) => Some(1),
            Amount::Rate(_) | Amount::At(_) => None,
        }
    }

    /// How they are to be chosen, if not by their number.
    pub(super) fn clusters(&self) -> Option<&Clusters> {
        match self {
            Amount::Clusters(clusters) => Some(clusters),
            _ => None,
        }
    }

    /// Whether its places are named or chosen, instead of drawn as they are looked at.
    pub(super) fn names_places(&self) -> bool {
        !matches!(self, Amount::Rate(_))
    }

    /// Whether it is nothing.
    pub(super) fn is_never(&self) -> bool {
        match self {
            Amount::Rate(trials) => trials.probability() <= 0.0,
            Amount::Count(count) => *count == 0,
            Amount::At(places) => places.is_empty(),
            Amount::Clusters(_) => false,
        }
    }
}
