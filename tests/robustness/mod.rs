//! What goes wrong around errorfs: below it, to it, and among those who use it.

mod backing;
mod escape;
mod killed;
mod ledger;
mod load;
mod mutation;
mod pressure;

use crate::support::Small;
