//! What a live mount does to the directory itself when it is told to: cut the power; and what it does
//! not: heal.

use super::{Problem, Stage};
use crate::fs::CutError;

impl Stage {
    /// Cuts the power, as the first rule about it says.
    pub(super) fn cut_power(&mut self) -> Result<(), Problem> {
        self.must_record()?;
        self.filesystem().cut_power().map_err(|error| match error {
            CutError::NotRemembered => Problem::new(
                409,
                "power-not-remembered",
                format!("{error}: mount with a scenario that has such a rule"),
            ),
            CutError::Off => Problem::new(409, "power-off", error.to_string()),
        })
    }

    /// Why a live mount is not healed: programs have its files open and its pages cached, and what
    /// they write next would be judged by a journal that says otherwise.
    pub(super) fn must_end_to_heal(&self) -> Problem {
        match self.filesystem().state() {
            None => Problem::new(
                409,
                "nothing-to-heal",
                "the directory is not damaged: the mount was made without --allow-damage; \
                 `errorfs disarm` ends the faults",
            ),
            Some(state) => Problem::new(
                409,
                "heal-mounted",
                format!(
                    "programs use what would be given back: unmount (`errorfs umount`), then \
                     `errorfs heal {}`",
                    state.path().display()
                ),
            ),
        }
    }
}
