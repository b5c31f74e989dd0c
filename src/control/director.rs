//! Who makes the changes of a live mount: one after another, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::Stage;
use super::stage::Shown;
use crate::fs::Filesystem;

type Job = Box<dyn FnOnce(&mut Stage) + Send>;

/// Whom to ask for changes: they are made one after another.
#[derive(Clone, Debug)]
pub struct Director {
    jobs: Sender<Job>,
    fs: Arc<Filesystem>,
    shown: Arc<ArcSwap<Shown>>,
}

impl Director {
    /// Changes this stage from now on, on a thread of its own.
    pub fn over(stage: Stage) -> std::io::Result<Director> {
        let (jobs, waiting) = channel();
        let (fs, shown) = (stage.fs.clone(), stage.shown.clone());
        let thread = std::thread::Builder::new().name("changes".into());
        thread.spawn(move || direct(stage, &waiting))?;
        Ok(Director { jobs, fs, shown })
    }

    /// Has something done with the stage, in its turn. Returns at once.
    pub fn post(&self, job: impl FnOnce(&mut Stage) + Send + 'static) {
        let _ = self.jobs.send(Box::new(job));
    }

    /// The mount.
    pub fn filesystem(&self) -> &Arc<Filesystem> {
        &self.fs
    }

    pub(super) fn shown(&self) -> Arc<Shown> {
        self.shown.load_full()
    }
}

fn direct(mut stage: Stage, jobs: &Receiver<Job>) {
    /// Nothing is to be done by itself.
    const IDLE: Duration = Duration::from_secs(3600);
    loop {
        let until = stage.shown.load().until;
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        // Looked at first: somebody may always ask for something.
        if left.is_some_and(|left| left.is_zero()) {
            stage.limit(None);
            let _ = stage.set_armed(None, false);
            tracing::warn!("the time is over: nothing is armed any more (--for)");
            continue;
        }
        match jobs.recv_timeout(left.unwrap_or(IDLE)) {
            Ok(job) => job(&mut stage),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::control::Terms;
    use crate::control::files::ScenarioFiles;
    use crate::fs::Settings;
    use crate::injector::Injector;
    use crate::ledger::Writer;
    use crate::media::Media;

    fn empty(directory: &Path) -> Stage {
        let root = std::fs::File::open(directory).unwrap().into();
        let settings = Settings { errorfs_is_root: false, keep_max: 0 };
        let (injector, media) = (Injector::default(), Media::default());
        let fs = Filesystem::new(root, settings, injector, media, Writer::none()).unwrap();
        let terms = Terms {
            seed: None,
            files: ScenarioFiles::default(),
            domain: String::new(),
            remembers_names: false,
            may_damage: false,
            options: Value::Null,
            ledger: None,
            choose_ledger: || Err("none is wanted".to_owned()),
        };
        Stage::new(fs.into(), terms)
    }

    #[test]
    fn the_time_is_over_before_what_was_asked_for_is_done() {
        let scratch = tempfile::tempdir().unwrap();
        let director = Director::over(empty(scratch.path())).unwrap();
        let (go, gate) = channel();
        let (sender, over) = channel();
        director.post(move |stage| {
            gate.recv().unwrap();
            stage.limit(Some(Duration::ZERO));
        });
        director.post(move |stage| sender.send(stage.shown.load().until.is_none()).unwrap());
        go.send(()).unwrap();
        assert!(over.recv().unwrap(), "whoever always asks for something would put it off");
    }
}
