//! The model of every report: what was tried, what came of it, what was required.

use super::{Estimate, percent_at_least, percent_at_most};
use crate::scenario::Expect;
use crate::trial::{Trial, Verdict};

/// A series of trials, to be reported.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The recipe, or nothing.
    pub name: Option<String>,
    /// What the product says of its version.
    pub tool: Option<String>,
    /// The directory, as typed.
    pub directory: String,
    /// The command, as typed.
    pub command: String,
    /// What was injected, in words.
    pub fault: String,
    /// The seed of all trials.
    pub seed: u64,
    /// How many trials were asked for.
    pub planned: u64,
    /// Those that were run, in order.
    pub trials: Vec<Trial>,
    /// What repeats one trial, but for its number: words before and after it.
    pub repeat: [String; 2],
    /// What must be noticed.
    pub requirement: Requirement,
    /// What the operator should know.
    pub notes: Vec<String>,
    /// Whether it was ended before its time.
    pub interrupted: bool,
}

/// What is asked of the program under test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Requirement {
    /// Nothing.
    None,
    /// To notice at least this part.
    Rate(f64),
    /// What is known of it: to be blind.
    Blind,
}

impl Requirement {
    /// What a recipe asks.
    pub fn expected(expect: Expect, rate: f64) -> Requirement {
        match expect {
            Expect::Detected => Requirement::Rate(rate),
            Expect::Undetected => Requirement::Blind,
            Expect::Partly => Requirement::None,
        }
    }
}

/// Whether the requirement is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was none.
    NotRequired,
    /// It is.
    Met,
    /// It is not.
    NotMet,
    /// No fault was ever read, or errorfs failed, so that nothing was shown.
    NothingShown,
}

impl Summary {
    /// How many trials got this verdict.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.trials.iter().filter(|trial| trial.verdict == verdict).count() as u64
    }

    /// Noticed, of the trials whose faults were read.
    pub fn estimate(&self) -> Estimate {
        let count = |holds: fn(Verdict) -> bool| {
            self.trials.iter().filter(|trial| holds(trial.verdict)).count() as u64
        };
        Estimate { hits: count(Verdict::is_noticed), trials: count(Verdict::is_activated) }
    }

    /// Whether the requirement is met, by the measured rate.
    pub fn outcome(&self) -> Outcome {
        let estimate = self.estimate();
        let failed = self.count(Verdict::Inconclusive) > 0 && estimate.trials == 0;
        match (self.requirement, estimate.rate()) {
            // Whatever was asked: errorfs failed to ask it.
            _ if failed => Outcome::NothingShown,
            (Requirement::None, _) => Outcome::NotRequired,
            (Requirement::Rate(_), None) => Outcome::NothingShown,
            (Requirement::Rate(required), Some(rate)) if rate >= required => Outcome::Met,
            // Not to read is a way of being blind.
            (Requirement::Blind, None | Some(0.0)) => Outcome::Met,
            (Requirement::Rate(_) | Requirement::Blind, Some(_)) => Outcome::NotMet,
        }
    }

    /// Whether more trials could hardly change whether the requirement is met: with 95 % confidence
    /// the rate is on one side of it.
    pub fn is_decided(&self) -> bool {
        let estimate = self.estimate();
        match self.requirement {
            Requirement::Rate(_) if estimate.trials == 0 => false,
            Requirement::Rate(required) => {
                estimate.at_least() >= required || estimate.at_most() < required
            }
            Requirement::Blind => estimate.hits > 0,
            Requirement::None => false,
        }
    }

    /// The trials that showed that damage is not noticed, or showed nothing because errorfs failed.
    pub fn unnoticed(&self) -> impl Iterator<Item = &Trial> {
        let told =
            |trial: &&Trial| !trial.verdict.is_noticed() && trial.verdict != Verdict::NotActivated;
        self.trials.iter().filter(told)
    }

    /// What repeats one trial.
    pub fn repeat(&self, number: u64) -> String {
        format!("{} --trial {number} {}", self.repeat[0], self.repeat[1])
    }

    /// The rate in one sentence.
    pub fn rate_in_words(&self) -> String {
        let estimate = self.estimate();
        let Estimate { hits, trials } = estimate;
        let (low, high) = estimate.interval();
        let bounds = match (hits, trials) {
            (_, 0) if self.count(Verdict::Inconclusive) > 0 => {
                return "no trial could be judged: nothing is shown".to_owned();
            }
            (_, 0) => return "no fault was read: nothing is shown".to_owned(),
            (0, _) => format!("at most {}", percent_at_most(estimate.at_most())),
            (hits, trials) if hits == trials => {
                format!("at least {}", percent_at_least(estimate.at_least()))
            }
            _ => format!("{} to {}", percent_at_least(low), percent_at_most(high)),
        };
        format!("{hits} of {trials} noticed ({bounds} at 95 % confidence)")
    }

    /// The requirement and whether it is met, in one sentence; nothing if there is none.
    pub fn requirement_in_words(&self) -> Option<String> {
        let required = match self.requirement {
            Requirement::None => return None,
            Requirement::Blind => "known to be blind".to_owned(),
            Requirement::Rate(rate) => format!("required: {}", percent_at_least(rate)),
        };
        let outcome = match (self.outcome(), self.requirement) {
            (Outcome::NothingShown, _) => "nothing was shown",
            (Outcome::Met, Requirement::Blind) => match self.estimate().trials {
                0 => "it reads nothing of it",
                _ => "it is",
            },
            (Outcome::Met, Requirement::Rate(rate)) if rate < 1.0 && !self.is_decided() => {
                "met by these trials, which are too few to be sure of it"
            }
            (Outcome::Met, _) => "met",
            (_, Requirement::Blind) => "no more: it noticed",
            _ => "not met",
        };
        Some(format!("{required}: {outcome}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(requirement: Requirement, verdicts: &[(Verdict, u64)]) -> Summary {
        let trial = |verdict| Trial {
            number: 1,
            seed: 1,
            verdict,
            why: String::new(),
            faults: Vec::new(),
            command: None,
        };
        let several =
            |(verdict, count): &(Verdict, u64)| (0..*count).map(|_| trial(*verdict)).collect();
        let trials: Vec<Vec<Trial>> = verdicts.iter().map(several).collect();
        Summary {
            name: None,
            tool: None,
            directory: "d".into(),
            command: "c".into(),
            fault: "f".into(),
            seed: 1,
            planned: 60,
            trials: trials.concat(),
            repeat: ["errorfs drill".into(), "d -- c".into()],
            requirement,
            notes: Vec::new(),
            interrupted: false,
        }
    }

    use Verdict::{Benign, Corrected, Crash, Detected, Inconclusive, NotActivated};

    #[test]
    fn only_what_was_read_and_judged_counts() {
        let verdicts = [
            (Detected, 3),
            (Corrected, 1),
            (Benign, 2),
            (Crash, 1),
            (NotActivated, 9),
            (Inconclusive, 5),
        ];
        let estimate = summary(Requirement::None, &verdicts).estimate();
        assert_eq!(estimate, Estimate { hits: 4, trials: 7 });
    }

    #[test]
    fn a_requirement_is_met_by_the_measured_rate_and_never_by_nothing() {
        let outcome = |required, verdicts: &[_]| summary(required, verdicts).outcome();
        let half = Requirement::Rate(0.5);
        assert_eq!(outcome(half, &[(Detected, 1), (Benign, 1), (NotActivated, 8)]), Outcome::Met);
        assert_eq!(outcome(half, &[(Detected, 1), (Benign, 2)]), Outcome::NotMet);
        assert_eq!(outcome(half, &[(NotActivated, 8)]), Outcome::NothingShown);
        assert_eq!(outcome(Requirement::Blind, &[(NotActivated, 8)]), Outcome::Met);
        assert_eq!(outcome(Requirement::Blind, &[(Benign, 8), (Detected, 1)]), Outcome::NotMet);
        for required in [Requirement::None, half, Requirement::Blind] {
            assert_eq!(outcome(required, &[(Inconclusive, 8)]), Outcome::NothingShown);
        }
    }

    #[test]
    fn a_series_is_decided_when_the_bounds_are_on_one_side() {
        let decided = |verdicts: &[_]| summary(Requirement::Rate(0.95), verdicts).is_decided();
        assert!(!decided(&[(Detected, 58)]) && decided(&[(Detected, 59)]));
        assert!(!decided(&[(Benign, 0)]) && decided(&[(Benign, 2)]));
        assert!(!summary(Requirement::Blind, &[(Benign, 60)]).is_decided());
    }

    #[test]
    fn the_rate_is_never_said_without_what_it_shows() {
        let words = |verdicts: &[_]| summary(Requirement::None, verdicts).rate_in_words();
        assert_eq!(
            words(&[(Detected, 60)]),
            "60 of 60 noticed (at least 95.1 % at 95 % confidence)"
        );
        assert_eq!(words(&[(Benign, 60)]), "0 of 60 noticed (at most 4.9 % at 95 % confidence)");
        let some = words(&[(Detected, 59), (Benign, 1)]);
        assert_eq!(some, "59 of 60 noticed (91.0 % to 100.0 % at 95 % confidence)");
        assert!(words(&[(NotActivated, 5)]).starts_with("no fault was read"));
    }
}
