//! What a number of successes among so many trials says of the rate behind it: exact binomial bounds
//! (Clopper and Pearson 1934), which hold for every rate and every number of trials.

use statrs::distribution::{Beta, ContinuousCDF as _};

/// So sure are all bounds.
pub const CONFIDENCE: f64 = 0.95;

/// Successes among trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// How often it happened.
    pub hits: u64,
    /// Among so many.
    pub trials: u64,
}

impl Estimate {
    /// The measured rate; `None` without trials.
    pub fn rate(self) -> Option<f64> {
        (self.trials > 0).then(|| self.hits as f64 / self.trials as f64)
    }

    /// The two-sided interval of 95 %.
    pub fn interval(self) -> (f64, f64) {
        let outside = (1.0 - CONFIDENCE) / 2.0;
        (self.lower(outside), self.upper(outside))
    }

    /// The rate is at least this, with 95 % confidence: 60 of 60 gives 0.951.
    pub fn at_least(self) -> f64 {
        self.lower(1.0 - CONFIDENCE)
    }

    /// The rate is at most this, with 95 % confidence.
    pub fn at_most(self) -> f64 {
        self.upper(1.0 - CONFIDENCE)
    }

    fn lower(self, outside: f64) -> f64 {
        match self.hits {
            0 => 0.0,
            hits => quantile(hits as f64, (self.trials - hits) as f64 + 1.0, outside),
        }
    }

    fn upper(self, outside: f64) -> f64 {
        match self.trials - self.hits {
            0 => 1.0,
            misses => quantile(self.hits as f64 + 1.0, misses as f64, 1.0 - outside),
        }
    }
}

fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    Beta::new(a, b).expect("both are at least 1").inverse_cdf(probability)
}

/// A rate as reports write it: rounded towards the side that claims less.
pub fn percent_at_least(rate: f64) -> String {
    format!("{:.1} %", (rate * 1000.0 + 1e-6).floor() / 10.0)
}

/// As [`percent_at_least`], for upper bounds.
pub fn percent_at_most(rate: f64) -> String {
    format!("{:.1} %", (rate * 1000.0 - 1e-6).ceil().abs() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    fn of(hits: u64, trials: u64) -> Estimate {
        Estimate { hits, trials }
    }

    #[test]
    fn all_or_none_have_closed_forms() {
        for n in [1_u64, 30, 60, 100, 150, 300] {
            let root = |outside: f64| f64::powf(outside, 1.0 / n as f64);
            close(of(n, n).at_least(), root(0.05));
            close(of(n, n).interval().0, root(0.025));
            close(of(0, n).interval().1, 1.0 - root(0.025));
            close(of(0, n).at_most(), 1.0 - root(0.05));
            assert_eq!((of(n, n).interval().1, of(0, n).interval().0), (1.0, 0.0));
        }
    }

    /// The roots of both binomial tails, computed with 60 decimal digits.
    #[test]
    fn intervals_are_exact() {
        for (hits, trials, lower, upper) in [
            (3, 10, 0.066739511, 0.652452850),
            (5, 10, 0.187086028, 0.812913972),
            (105, 300, 0.296079966, 0.406916232),
            (1, 100, 0.000253146, 0.054459385),
            (39, 40, 0.868414142, 0.999367255),
            (59, 60, 0.910600950, 0.999578126),
        ] {
            let (low, high) = of(hits, trials).interval();
            close(low, lower);
            close(high, upper);
        }
    }

    /// The bound is the rate at which so many hits or more are just not too rare.
    #[test]
    fn the_lower_bound_is_the_root_of_the_binomial_tail() {
        for (hits, trials) in [(1_u64, 9_u64), (7, 12), (59, 60), (250, 300)] {
            let p = of(hits, trials).at_least();
            let mut term = (1.0 - p).powi(i32::try_from(trials).unwrap());
            let mut below = 0.0;
            for k in 0..hits {
                below += term;
                term *= (trials - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
            }
            close(1.0 - below, 0.05);
        }
    }

    #[test]
    fn rounding_never_claims_more() {
        assert_eq!(percent_at_least(of(60, 60).at_least()), "95.1 %");
        assert_eq!(percent_at_least(0.99999), "99.9 %");
        assert_eq!(percent_at_most(0.00001), "0.1 %");
        assert_eq!(
            (percent_at_least(1.0), percent_at_most(0.0)),
            ("100.0 %".into(), "0.0 %".into())
        );
    }
}
