//! What has become of stored damage so far: read by the target, or ended without.
//!
//! Keeps ids only, of damage that somebody has met; so its size grows with what happened, never with
//! what a rate could do.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::DamageId;

/// The fates of damage by id.
#[derive(Debug, Default)]
pub struct Fates {
    read: Mutex<HashSet<DamageId>>,
    ended: Mutex<HashSet<DamageId>>,
}

impl Fates {
    /// The target is about to get it.
    pub fn reads(&self, damage: impl Iterator<Item = DamageId>) {
        held(&self.read).extend(damage);
    }

    /// It was overwritten, or went with its bytes. Whether the target had read it before.
    pub fn ends(&self, damage: DamageId) -> bool {
        held(&self.ended).insert(damage);
        held(&self.read).contains(&damage)
    }

    /// Whether the target has read it.
    pub fn was_read(&self, damage: DamageId) -> bool {
        held(&self.read).contains(&damage)
    }

    /// Whether it is still there and nobody has read it.
    pub fn is_waiting(&self, damage: DamageId) -> bool {
        !held(&self.read).contains(&damage) && !held(&self.ended).contains(&damage)
    }
}

/// A panic elsewhere leaves every set whole.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
