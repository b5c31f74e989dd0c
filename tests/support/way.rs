//! The ways in which a file is opened, each brought about by a plan that never does a thing.

use std::path::Path;

use super::mount::{Mount, Setup};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// No plan: kernel passthrough, where the machine has it.
    Idle,
    /// No plan and no passthrough: the page cache.
    Cached,
    /// Sticky flips of a rate that never comes: the page cache for readers, direct writes.
    Sticky,
    /// Errors that a count never reaches: always direct.
    Counted,
}

impl Way {
    pub(crate) const ALL: [Way; 4] = [Way::Idle, Way::Cached, Way::Sticky, Way::Counted];

    /// Prepares a mount that opens files in this way.
    pub(crate) fn mount(self, backing: &Path) -> Setup {
        let setup = Mount::new(backing);
        match self {
            Way::Idle => setup,
            Way::Cached => setup.args(["--no-passthrough"]),
            Way::Sticky => {
                setup.scenario("[[rule]]\nname = \"never\"\n[rule.fault.bit_flip]\nrate = 1e-18")
            }
            Way::Counted => setup.scenario(
                "[[rule]]\nname = \"never\"\nselect = { ops = [\"read\", \"write\"] }\n\
                 when = { nth = 1000000000 }\n[rule.fault.error]\nerrno = \"EIO\"",
            ),
        }
    }
}

/// A number that whoever runs the tests has set.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}
