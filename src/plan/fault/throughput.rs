//! No more than so many bytes pass in a second: a token bucket, for all that a rule selects together.
//!
//! Models a device, a bus or a network filesystem at the end of its bandwidth: transfers queue, each
//! behind those that came before. The clock is virtual, since arming: what waits how long follows
//! from when operations come and how long they are, and from nothing else. Not modelled: seeks, and
//! devices that answer out of order.

use std::time::Duration;

use super::DELAY_MAX;
use crate::op::{OpKind, OpSet};
use crate::scenario;

/// What moves bytes.
pub(super) const CONCERNS: OpSet = OpSet::EMPTY.with(OpKind::Read).with(OpKind::Write);

/// A limit of bytes in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throughput {
    per_second: u64,
    /// How far ahead of the limit transfers may be after a pause.
    ahead: Duration,
}

impl Throughput {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Throughput) -> Throughput {
        let per_second = fault.per_second.max(1);
        Throughput { per_second, ahead: duration(fault.burst, per_second) }
    }

    /// Until when the device is busy, since arming, that was busy until `busy` and gets `len` bytes
    /// more at `now`.
    pub fn busy(&self, busy: Duration, now: Duration, len: u64) -> Duration {
        busy.max(now).saturating_add(duration(len, self.per_second))
    }

    /// How long the answer waits of an operation at `now` after which the device is `busy`.
    pub fn wait(&self, busy: Duration, now: Duration) -> Duration {
        busy.saturating_sub(self.ahead).saturating_sub(now).min(DELAY_MAX)
    }
}

/// How long so many bytes take, in whole nanoseconds.
fn duration(bytes: u64, per_second: u64) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let nanoseconds = u128::from(bytes) * SECOND / u128::from(per_second);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long each of these operations waits, given when it comes and how long it is.
    fn waits(burst: u64, operations: &[(u64, u64)]) -> Vec<u64> {
        let fault = Throughput::new(&scenario::Throughput { per_second: 1_000, burst });
        let mut busy = Duration::ZERO;
        let wait = |(now, len): &(u64, u64)| {
            let now = Duration::from_millis(*now);
            busy = fault.busy(busy, now, *len);
            fault.wait(busy, now).as_millis() as u64
        };
        operations.iter().map(wait).collect()
    }

    #[test]
    fn transfers_queue_behind_those_before_and_a_pause_is_lost() {
        assert_eq!(waits(0, &[(0, 100), (0, 100), (150, 100), (900, 10)]), [100, 200, 150, 10]);
        assert_eq!(waits(0, &[(0, 0)]), [0]);
    }

    #[test]
    fn a_burst_passes_at_once_and_fills_up_in_a_pause() {
        let operations = [(0, 100), (0, 100), (0, 100), (0, 100), (10_000, 300)];
        assert_eq!(waits(300, &operations), [0, 0, 0, 100, 0]);
    }

    #[test]
    fn no_wait_is_longer_than_a_day() {
        assert_eq!(waits(0, &[(0, u64::MAX)]), [DELAY_MAX.as_millis() as u64]);
    }
}
