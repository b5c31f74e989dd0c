//! A device that is gone: once it has fired, every operation on the selected paths fails.
//!
//! Models a disk that drops off its bus, a controller that gives up, a cable that is loose (it comes
//! and goes). What was written before stays as it is stored. Not modelled here: what a device that
//! comes back has forgotten.

use std::time::Duration;

use super::error;
use crate::errno::Errno;
use crate::op::OpSet;
use crate::scenario::{self, Flap};

/// Whatever somebody gets to see.
pub(super) const CONCERNS: OpSet = error::CONCERNS;

/// A device that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead {
    /// What operations fail with.
    pub errno: Errno,
    lasts: Option<Duration>,
    flap: Option<Flap>,
}

impl Dead {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Dead) -> Dead {
        Dead { errno: fault.errno, lasts: fault.for_, flap: fault.flap }
    }

    /// Whether operations fail `since` it fired.
    pub fn holds(&self, since: Duration) -> bool {
        self.lasts.is_none_or(|lasts| since < lasts)
            && self.flap.is_none_or(|flap| is_down(flap, since))
    }
}

/// Gone first, then there, and so on.
fn is_down(Flap { down, up }: Flap, since: Duration) -> bool {
    let period = down.saturating_add(up).as_nanos();
    since.as_nanos() % period < down.as_nanos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead(for_: Option<u64>, flap: Option<(u64, u64)>) -> Dead {
        let seconds = Duration::from_secs;
        let flap = flap.map(|(down, up)| Flap { down: seconds(down), up: seconds(up) });
        Dead::new(&scenario::Dead { errno: Errno::EIO, for_: for_.map(seconds), flap })
    }

    fn held(dead: Dead) -> Vec<u64> {
        (0..10).filter(|second| dead.holds(Duration::from_secs(*second))).collect()
    }

    #[test]
    fn it_holds_from_its_fire_on_for_good_or_for_as_long_as_said() {
        assert_eq!(held(dead(None, None)), (0..10).collect::<Vec<_>>());
        assert_eq!(held(dead(Some(3), None)), [0, 1, 2]);
    }

    #[test]
    fn a_flapping_device_is_gone_first_and_there_for_good_in_the_end() {
        assert_eq!(held(dead(None, Some((1, 3)))), [0, 4, 8]);
        assert_eq!(held(dead(Some(5), Some((2, 1)))), [0, 1, 3, 4]);
    }
}
