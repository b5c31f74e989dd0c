//! A minute of each battery against an idle mount; all of them: scripts/compliance.

mod load;
