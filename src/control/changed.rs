//! What came of a change of a live mount, as its answer tells it.

use serde_json::{Value, json};

use crate::fs::Pending;
use crate::ledger::escape;

/// What came of a change.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// The generation of the plan that is in force.
    pub generation: u64,
    /// Open files that some rule waits for.
    pub pending: Vec<Pending>,
    /// Rules about stored bytes that select no file that is there now.
    pub unselected: Vec<String>,
    /// The seed, if nobody chose it.
    pub drawn: Option<u64>,
}

impl Changed {
    /// The body of an answer.
    pub fn to_json(&self) -> Value {
        let mut json = json!({
            "generation": self.generation,
            "pending": self.pending.iter().map(pending).collect::<Vec<_>>(),
        });
        if !self.unselected.is_empty() {
            json["unselected"] = json!(self.unselected);
        }
        if let Some(seed) = self.drawn {
            json["seed"] = json!(seed);
        }
        json
    }
}

pub(super) fn pending(pending: &Pending) -> Value {
    let waits = match pending.waits {
        crate::fs::Waits::Passthrough => "passthrough",
        crate::fs::Waits::PageCache => "page_cache",
    };
    let path = escape(pending.path.as_os_str().as_encoded_bytes());
    json!({ "path": path, "waits": waits, "rules": pending.rules })
}
