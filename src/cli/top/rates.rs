//! From counts at two moments to what happened between them.

/// So many a second; `None` if no time has passed.
pub(super) fn rate(before: u64, now: u64, seconds: f64) -> Option<f64> {
    (seconds > 0.0).then(|| now.saturating_sub(before) as f64 / seconds)
}

/// What came to each class since.
pub(super) fn since(before: &[u64], now: &[u64]) -> Vec<u64> {
    let earlier = before.iter().copied().chain(std::iter::repeat(0));
    now.iter().zip(earlier).map(|(now, before)| now.saturating_sub(before)).collect()
}

/// The duration that the part `quantile` of them does not exceed, in seconds, as Prometheus has it:
/// durations lie evenly in their class. `None` if there are none; of what is above all bounds no more
/// is known than the last bound.
pub(super) fn quantile(classes: &[u64], bounds_s: &[f64], quantile: f64) -> Option<f64> {
    let all: u64 = classes.iter().sum();
    let rank = quantile * all as f64;
    let (mut below, mut low) = (0.0, 0.0);
    for (class, bound) in classes.iter().zip(bounds_s) {
        let count = *class as f64;
        if count > 0.0 && below + count >= rank {
            return Some(low + (bound - low) * (rank - below) / count);
        }
        (below, low) = (below + count, *bound);
    }
    (all > 0).then_some(low)
}

/// A duration in five letters.
pub(super) fn duration(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return "-".to_owned() };
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "us")];
    let (scale, unit) =
        units.into_iter().find(|(scale, _)| seconds >= *scale).unwrap_or((1e-6, "us"));
    let number = seconds / scale;
    if number < 9.95 { format!("{number:.1}{unit}") } else { format!("{number:.0}{unit}") }
}

/// A number in seven letters at most.
pub(super) fn number(value: f64) -> String {
    let units = [(1e9, "G"), (1e6, "M"), (1e4, "k")];
    match units.into_iter().find(|(least, _)| value >= *least) {
        Some((_, "k")) => format!("{:.1}k", value / 1e3),
        Some((least, unit)) => format!("{:.1}{unit}", value / least),
        None if value == value.round() || value >= 100.0 => format!("{value:.0}"),
        None => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_in_their_class() {
        let bounds = [1.0, 2.0, 5.0];
        assert_eq!(quantile(&[0, 0, 0, 0], &bounds, 0.5), None);
        assert_eq!(quantile(&[10, 0, 0, 0], &bounds, 0.5), Some(0.5));
        assert_eq!(quantile(&[10, 10, 0, 0], &bounds, 0.75), Some(1.5));
        assert_eq!(quantile(&[1, 0, 1, 0], &bounds, 1.0), Some(5.0));
        assert_eq!(quantile(&[0, 0, 0, 3], &bounds, 0.99), Some(5.0), "no more is known");
    }

    #[test]
    fn what_came_since_is_the_difference() {
        assert_eq!(since(&[], &[1, 2]), [1, 2]);
        assert_eq!(since(&[1, 5], &[1, 2]), [0, 0], "another mount has its place");
        assert_eq!(rate(3, 5, 0.5), Some(4.0));
        assert_eq!(rate(3, 5, 0.0), None);
    }

    #[test]
    fn durations_and_numbers_are_short() {
        let durations = [0.000_000_4, 0.000_012, 0.003_44, 0.25, 12.3];
        let written = durations.map(|seconds| duration(Some(seconds)));
        assert_eq!(written, ["0.4us", "12us", "3.4ms", "250ms", "12s"]);
        assert_eq!(duration(None), "-");
        let numbers = [0.0, 0.5, 17.0, 123.4, 9_999.0, 12_345.0, 9_876_543.0, 4e10];
        let written = numbers.map(number);
        assert_eq!(written, ["0", "0.5", "17", "123", "9999", "12.3k", "9.9M", "40.0G"]);
    }
}
