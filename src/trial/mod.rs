//! Trials: one run of a command over a directory under faults, what was seen, and the verdict.
//!
//! A trial is `errorfs run` as a child process over a directory that it cannot change; inside, this
//! program again ([`capture()`]) runs the command and writes down what it sees. Control trials are the
//! same without faults. Prints nothing.

mod answer;
mod capture;
mod command;
mod isolated;
mod observation;
mod scratch;
mod seed;
mod series;
mod verdict;

pub use answer::*;
pub use capture::*;
pub use command::*;
pub use isolated::*;
pub use observation::*;
pub use scratch::*;
pub use seed::*;
pub use series::*;
pub use verdict::*;
