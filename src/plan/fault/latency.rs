//! The operation is answered late, and otherwise right.
//!
//! Models a slow device: each matching operation draws its own delay, keyed by rule, path and the
//! operation's occurrence on that path, so that traffic elsewhere does not shift the sequence.
//! Delays in exact steps model throttled flash (Gunawi et al., "Fail-Slow at Scale", FAST'18:
//! multiples of 250 us). Not modelled here: queueing (a delayed operation holds up no other) and
//! stalls.

use std::time::Duration;

use crate::plan::deviate::{above_zero, standard_normal};
use crate::plan::seed::{Draws, StreamKey, below};
use crate::scenario::{self, Distribution};

/// No operation waits longer: a lognormal tail has no end, and nobody watches for more than a day.
pub const DELAY_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A distribution of delays.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    distribution: Distribution,
    step: Option<Duration>,
}

impl Latency {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Latency) -> Latency {
        Latency { distribution: fault.distribution.clone(), step: fault.step }
    }

    /// The delay of the `occurrence`-th matching operation on one path, at most [`DELAY_MAX`].
    pub fn delay(&self, key: StreamKey, occurrence: u64) -> Duration {
        let mut draws = key.draws(occurrence, 0);
        let delay = match &self.distribution {
            Distribution::Constant(delay) => *delay,
            Distribution::Uniform { from, to } => uniform(&mut draws, *from, *to),
            Distribution::Normal { mean, deviation } => normal(&mut draws, *mean, *deviation),
            Distribution::Lognormal { median, sigma } => lognormal(&mut draws, *median, *sigma),
            Distribution::Pareto { scale, shape } => pareto(&mut draws, *scale, *shape),
            Distribution::Empirical(delays) => {
                delays[below(&mut draws, delays.len() as u64) as usize]
            }
        };
        self.stepped(delay.min(DELAY_MAX)).min(DELAY_MAX)
    }

    fn stepped(&self, delay: Duration) -> Duration {
        let Some(step) = self.step else { return delay };
        // A day is less than 2^47 nanoseconds.
        let (delay, step) = (delay.as_nanos() as u64, step.min(DELAY_MAX).as_nanos() as u64);
        Duration::from_nanos(delay.next_multiple_of(step))
    }
}

/// Whole nanoseconds from `from` up to and without `to`, equally likely.
fn uniform(draws: &mut Draws, from: Duration, to: Duration) -> Duration {
    let (from, to) = (from.min(DELAY_MAX), to.min(DELAY_MAX));
    // A day is less than 2^47 nanoseconds.
    let width = to.saturating_sub(from).as_nanos() as u64;
    from + Duration::from_nanos(below(draws, width))
}

fn normal(draws: &mut Draws, mean: Duration, deviation: Duration) -> Duration {
    let (mean, deviation) = (mean.as_nanos() as f64, deviation.as_nanos() as f64);
    // Saturates at 0.
    Duration::from_nanos((mean + deviation * standard_normal(draws)) as u64)
}

/// By the inverse of its distribution function.
fn pareto(draws: &mut Draws, scale: Duration, shape: f64) -> Duration {
    let nanoseconds = scale.as_nanos() as f64 * libm::exp(-libm::log(above_zero(draws)) / shape);
    Duration::from_nanos(nanoseconds as u64)
}

fn lognormal(draws: &mut Draws, median: Duration, sigma: f64) -> Duration {
    let factor = libm::exp(sigma * standard_normal(draws));
    let nanoseconds = median.as_nanos() as f64 * factor;
    // Saturates at both ends; the caller cuts off the upper one.
    Duration::from_nanos(nanoseconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey::from_u64(7);

    fn latency(distribution: Distribution) -> Latency {
        Latency::new(&scenario::Latency { distribution, step: None })
    }

    fn sorted(distribution: Distribution) -> Vec<Duration> {
        let fault = latency(distribution);
        let mut delays: Vec<_> = (1..=4_000).map(|n| fault.delay(KEY, n)).collect();
        delays.sort_unstable();
        delays
    }

    #[test]
    fn a_constant_is_constant_and_cut_off_after_a_day() {
        let five = Duration::from_secs(5);
        assert_eq!(latency(Distribution::Constant(five)).delay(KEY, 1), five);
        let forever = Distribution::Constant(Duration::MAX);
        assert_eq!(latency(forever).delay(KEY, 1), DELAY_MAX);
    }

    #[test]
    fn uniform_delays_fill_their_range() {
        let [from, to] = [1, 9].map(Duration::from_millis);
        let delays = sorted(Distribution::Uniform { from, to });
        assert!(delays[0] >= from && delays[3_999] < to);
        let quarters = [1_000, 2_000, 3_000].map(|rank| delays[rank].as_micros());
        // Order statistics of 4000: 5 standard deviations of the middle one are 316 us.
        assert!(quarters.iter().zip([3_000, 5_000, 7_000]).all(|(q, e)| q.abs_diff(e) < 320));
        let point = Distribution::Uniform { from, to: from };
        assert_eq!(latency(point).delay(KEY, 1), from);
    }

    #[test]
    fn normal_delays_have_their_mean_and_deviation_and_none_is_negative() {
        let [mean, deviation] = [8, 1].map(Duration::from_millis);
        let delays = sorted(Distribution::Normal { mean, deviation });
        // Quantiles of the standard normal; 5 standard deviations of the outer ones are 0.12.
        for (rank, quantile) in [(635, -1.0), (2_000, 0.0), (3_365, 1.0)] {
            let found = (delays[rank].as_secs_f64() - 0.008) / 0.001;
            assert!((found - quantile).abs() < 0.12, "{rank}: {found}");
        }
        let wide = sorted(Distribution::Normal { mean: deviation, deviation: mean });
        assert_eq!(wide[0], Duration::ZERO);
    }

    #[test]
    fn pareto_delays_are_never_less_than_the_scale_and_have_its_quantiles() {
        let scale = Duration::from_millis(1);
        let delays = sorted(Distribution::Pareto { scale, shape: 1.5 });
        assert!(delays[0] >= scale);
        // The quantile p is (1 - p)^(-1/shape); 5 standard deviations of the outer one are 7 %.
        for (rank, quantile) in [(1_000, 1.2114), (2_000, 1.5874), (3_000, 2.5198)] {
            let found = delays[rank].as_secs_f64() * 1e3 / quantile;
            assert!((found - 1.0).abs() < 0.09, "{rank}: {found}");
        }
    }

    #[test]
    fn empirical_delays_are_the_samples_each_as_often_as_the_others() {
        let samples = [1, 2, 40].map(Duration::from_millis);
        let delays = sorted(Distribution::Empirical(samples.into()));
        for sample in samples {
            let count = delays.iter().filter(|delay| **delay == sample).count();
            assert!(count.abs_diff(4_000 / 3) < 150, "{sample:?}: {count}"); // 5 deviations
        }
    }

    #[test]
    fn delays_in_steps_are_rounded_up_to_multiples() {
        let [from, to] = [1, 9].map(Duration::from_millis);
        let step = Duration::from_micros(250);
        let distribution = Distribution::Uniform { from, to };
        let fault = Latency::new(&scenario::Latency {
            distribution: distribution.clone(),
            step: Some(step),
        });
        let plain = latency(distribution);
        for nth in 1..200 {
            let (stepped, drawn) = (fault.delay(KEY, nth), plain.delay(KEY, nth));
            assert_eq!(stepped.as_nanos() % step.as_nanos(), 0);
            assert!(stepped >= drawn && stepped - drawn < step);
        }
    }

    #[test]
    fn lognormal_delays_have_their_median_and_sigma() {
        let median = Duration::from_millis(20);
        let delays = sorted(Distribution::Lognormal { median, sigma: 1.2 });
        let logs = |rank: usize| (delays[rank].as_secs_f64() / 0.02).ln() / 1.2;
        // Quantiles of the standard normal; 5 standard deviations of the outer ones are 0.12.
        for (rank, quantile) in [(635, -1.0), (2_000, 0.0), (3_365, 1.0)] {
            assert!((logs(rank) - quantile).abs() < 0.12, "{rank}: {}", logs(rank));
        }
        let extreme = Distribution::Lognormal { median, sigma: 1e6 };
        assert!(sorted(extreme).iter().all(|delay| *delay <= DELAY_MAX));
    }
}
