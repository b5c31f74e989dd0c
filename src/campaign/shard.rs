//! A part of a campaign, which one process runs: the trials whose id leaves a remainder.

use std::str::FromStr;

use super::TrialId;

/// Shard `index` (from 0) of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    /// How many there are, at least 1.
    pub of: u64,
}

/// Where schedulers say which part is meant: index, number of parts, and the first index.
const SCHEDULERS: [(&str, &str, u64); 5] = [
    ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", 0),
    ("JOB_COMPLETION_INDEX", "ERRORFS_SHARDS", 0),
    ("BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0),
    ("CI_NODE_INDEX", "CI_NODE_TOTAL", 1),
    ("ERRORFS_SHARD", "ERRORFS_SHARDS", 0),
];

impl Shard {
    /// All of it.
    pub const WHOLE: Shard = Shard { index: 0, of: 1 };

    /// Whether a trial is in it. Each is in exactly one of a number of shards.
    pub fn has(self, id: TrialId) -> bool {
        id.0 % u128::from(self.of) == u128::from(self.index)
    }

    /// As a scheduler says by the environment, and which variable said so. How many there are,
    /// `ERRORFS_SHARDS` says first: Kubernetes does not, and Slurm counts the tasks of this array, which
    /// are fewer when only some are run again.
    pub fn of_environment(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<Result<(Shard, &'static str), String>> {
        let told = |(index, of, first): (&'static str, &'static str, u64)| {
            let index_text = variable(index)?;
            let Some(of_text) = variable("ERRORFS_SHARDS").or_else(|| variable(of)) else {
                // A number alone is no part of anything; only a scheduler's own is a mistake.
                return (index != "CI_NODE_INDEX")
                    .then(|| Err(format!("{index} is set, and {of} is not: how many shards?")));
            };
            let number = |text: &str| text.trim().parse::<u64>().ok();
            let shard = number(&index_text)
                .zip(number(&of_text))
                .and_then(|(index, of)| Shard::checked(index.checked_sub(first)?, of));
            Some(
                shard
                    .map(|shard| (shard, index))
                    .ok_or_else(|| format!("{index}={index_text} of {of}={of_text} is no shard")),
            )
        };
        SCHEDULERS.into_iter().find_map(told)
    }

    fn checked(index: u64, of: u64) -> Option<Shard> {
        (index < of).then_some(Shard { index, of })
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(index, of)| Shard::checked(index.parse().ok()?, of.parse().ok()?));
        numbers.ok_or_else(|| "a shard is K/N, K from 0 to N-1: 0/8 is the first of 8".to_owned())
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_read_and_told_by_schedulers() {
        assert_eq!("3/8".parse(), Ok(Shard { index: 3, of: 8 }));
        for wrong in ["8/8", "1", "a/b", "-1/3", "0/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        let told = |pairs: &[(&str, &str)]| {
            let variable = |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            Shard::of_environment(variable)
        };
        assert_eq!(told(&[]), None);
        let slurm = told(&[("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "4")]);
        assert_eq!(slurm.unwrap().unwrap().0, Shard { index: 2, of: 4 });
        let again = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "1")];
        assert!(told(&again).unwrap().is_err());
        let again = told(&[("SLURM_ARRAY_TASK_ID", "3"), ("ERRORFS_SHARDS", "8")]);
        assert_eq!(again.unwrap().unwrap().0, Shard { index: 3, of: 8 });
        let gitlab = told(&[("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "4")]);
        assert_eq!(gitlab.unwrap().unwrap().0, Shard { index: 0, of: 4 });
        assert!(told(&[("JOB_COMPLETION_INDEX", "1")]).unwrap().is_err());
        assert!(told(&[("JOB_COMPLETION_INDEX", "4"), ("ERRORFS_SHARDS", "4")]).unwrap().is_err());
    }
}
