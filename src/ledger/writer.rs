//! Writes a ledger: every event is in the file before its fault is delivered.
//!
//! One thread takes what workers record from a bounded queue, numbers it, appends it with one
//! write(2) a batch, and only then runs the closures that deliver. The page cache is enough: the
//! death of errorfs loses no event of a delivered fault. Workers wait only while the queue is full.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::{Event, Header, Outcome};

/// Records that may wait before workers do. Each is one operation.
const QUEUE_RECORDS: usize = 4096;
/// Bytes after which a batch is written even though more is waiting.
const BATCH_BYTES: usize = 1 << 20;

/// Whether an event is in the ledger: what a delivery needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is (or none was wanted): deliver the fault.
    Written,
    /// It is not and never will be: do not deliver the fault.
    Lost,
}

/// The open ledger of one mount. Shared by all workers; dropping it drains the queue.
pub struct Writer {
    state: Arc<State>,
    queue: OnceLock<Queue>,
}

struct Queue {
    path: PathBuf,
    /// The same file, whatever becomes of its path.
    file: File,
    sender: SyncSender<Record>,
    thread: JoinHandle<()>,
}

/// What became of one rule's events so far.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    /// Events of delivered faults.
    pub delivered: u64,
    /// Of damage that changed nothing.
    pub unchanged: u64,
    /// The same since the counts were last set to zero.
    pub recent: Recent,
    /// Events of delivered faults by the kind of fault and the operation.
    pub ops: BTreeMap<(String, String), u64>,
}

/// What became of one rule's events since the counts were last set to zero.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Recent {
    /// Events of delivered faults.
    pub delivered: u64,
    /// Of damage that changed nothing.
    pub unchanged: u64,
    /// When the last of either was recorded, RFC 3339; empty if there was none.
    pub last: String,
}

/// What the thread and everyone who asks have in common.
#[derive(Default)]
struct State {
    failed: AtomicBool,
    /// Events that could not be recorded.
    lost: AtomicU64,
    /// By rule.
    tally: Mutex<BTreeMap<String, Tally>>,
}

struct Record {
    events: Vec<Event>,
    deliver: Box<dyn FnOnce(Recorded) + Send>,
}

impl Writer {
    /// Starts a ledger in a new file. An existing file is an error that names it: a ledger is
    /// evidence, and two mounts in one file would be none. After any error there is no new file.
    ///
    /// Times count from this call. Open it before mounting, and never below the mount: errorfs
    /// would wait for itself.
    pub fn create(path: &Path, header: &Header) -> io::Result<Writer> {
        let writer = Writer::none();
        writer.begin(path, header)?;
        Ok(writer)
    }

    /// The same for a writer that had no ledger so far. One that has one keeps it.
    pub fn begin(&self, path: &Path, header: &Header) -> io::Result<()> {
        if self.queue.get().is_some() {
            return Ok(());
        }
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("ledger {}: {error}", path.display()))
        };
        let mut file = Appender::create(path).map_err(named)?;
        let mut line = serde_json::to_vec(header)?;
        line.push(b'\n');
        // A file without a whole header is no ledger, and would be in the way of the next one.
        file.append(&line).inspect_err(|_| drop(std::fs::remove_file(path))).map_err(named)?;
        let same = file.file.try_clone().map_err(named)?;
        let (sender, receiver) = sync_channel(QUEUE_RECORDS);
        let clerk = Clerk::new(file, self.state.clone());
        let thread =
            Builder::new().name("errorfs-ledger".into()).spawn(move || clerk.work(&receiver))?;
        let path = std::path::absolute(path)?;
        let _ = self.queue.set(Queue { path, file: same, sender, thread });
        Ok(())
    }

    /// Where the ledger is, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.queue.get().map(|queue| queue.path.as_path())
    }

    /// The ledger from its beginning, to be read; also if its path leads elsewhere by now. `None`: there
    /// is none yet.
    pub fn reader(&self) -> Option<io::Result<File>> {
        let queue = self.queue.get()?;
        Some(File::open(format!("/proc/self/fd/{}", queue.file.as_raw_fd())))
    }

    /// No ledger is wanted: faults are delivered at once, and still counted.
    pub fn none() -> Writer {
        Writer { state: Arc::default(), queue: OnceLock::new() }
    }

    /// Records the events of one operation (their `seq`, `mono_ns` and `time` are filled in here),
    /// then delivers its faults. `deliver` runs in the order of these calls, on the ledger's
    /// thread: it sends a reply or hands it to a timer, and does not wait.
    pub fn record(&self, events: Vec<Event>, deliver: impl FnOnce(Recorded) + Send + 'static) {
        let Some(queue) = self.queue.get() else {
            self.state.count(&events);
            return deliver(Recorded::Written);
        };
        let deliver = Box::new(deliver);
        if let Err(error) = queue.sender.send(Record { events, deliver }) {
            // The thread is gone, which only a panic in it explains: nothing can be recorded.
            self.state.failed.store(true, Ordering::Release);
            (error.0.deliver)(Recorded::Lost);
        }
    }

    /// Waits until everything recorded before this call is written and delivered.
    pub fn drain(&self) {
        let (done, wait) = sync_channel(1);
        self.record(Vec::new(), move |_| {
            let _ = done.send(());
        });
        let _ = wait.recv();
    }

    /// Whether an event could not be written. Stays so: from then on no fault is delivered.
    pub fn failed(&self) -> bool {
        self.state.failed.load(Ordering::Acquire)
    }

    /// How many events of each rule were delivered so far, by name of the rule.
    pub fn delivered(&self) -> BTreeMap<String, u64> {
        self.state.told(|tally| tally.delivered)
    }

    /// How many events of each rule were of damage that changed nothing, by name of the rule.
    pub fn unchanged(&self) -> BTreeMap<String, u64> {
        self.state.told(|tally| tally.unchanged)
    }

    /// What became of the events of each rule so far, by name of the rule.
    pub fn tally(&self) -> BTreeMap<String, Tally> {
        self.state.tally().clone()
    }

    /// How many events could not be recorded: their faults were not delivered.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// Writes and delivers what is still waiting, then ends. Dropping does the same.
    pub fn close(self) {}
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            drop(queue.sender);
            // A delivery may hold the last reference to its own writer; it cannot wait for itself.
            if queue.thread.thread().id() != std::thread::current().id() {
                let _ = queue.thread.join();
            }
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("wanted", &self.queue.get().is_some())
            .field("failed", &self.failed())
            .finish_non_exhaustive()
    }
}

impl State {
    fn tally(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Tally>> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of each rule the number that is wanted, if there is one.
    fn told(&self, of: impl Fn(&Tally) -> u64) -> BTreeMap<String, u64> {
        let tally = self.tally();
        let counts = tally.iter().map(|(rule, counts)| (rule.clone(), of(counts)));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    fn count(&self, events: &[Event]) {
        let mut tally = self.tally();
        for event in events {
            if event.plan.as_ref().is_some_and(|plan| plan.reset) {
                tally.values_mut().for_each(|counts| counts.recent = Recent::default());
            }
            let step = match event.outcome {
                Outcome::Delivered => (1, 0),
                Outcome::Unchanged => (0, 1),
                Outcome::Repaired
                | Outcome::Gone
                | Outcome::NeverRead
                | Outcome::Released
                | Outcome::Armed
                | Outcome::Skipped => {
                    continue;
                }
            };
            match tally.get_mut(&event.rule) {
                Some(counts) => counts.add(event, step),
                None => tally.entry(event.rule.clone()).or_default().add(event, step),
            }
        }
    }
}

impl Tally {
    fn add(&mut self, event: &Event, (delivered, unchanged): (u64, u64)) {
        self.delivered += delivered;
        self.unchanged += unchanged;
        self.recent.delivered += delivered;
        self.recent.unchanged += unchanged;
        self.recent.last.clone_from(&event.time);
        if delivered > 0 {
            *self.ops.entry((event.fault.clone(), event.op.clone())).or_default() += delivered;
        }
    }
}

/// The thread's side: turns records into lines, lines into one write, and delivers.
struct Clerk {
    file: Appender,
    state: Arc<State>,
    origin: Instant,
    seq: u64,
    lines: Vec<u8>,
    /// The records of this batch, each with the end of its last line in `lines`.
    batch: Vec<(usize, Record)>,
}

impl Clerk {
    fn new(file: Appender, state: Arc<State>) -> Clerk {
        Clerk {
            file,
            state,
            origin: Instant::now(),
            seq: 0,
            lines: Vec::with_capacity(BATCH_BYTES),
            batch: Vec::new(),
        }
    }

    fn work(mut self, queue: &Receiver<Record>) {
        while let Ok(record) = queue.recv() {
            self.take(record);
            while self.lines.len() < BATCH_BYTES && self.batch.len() < QUEUE_RECORDS {
                let Ok(record) = queue.try_recv() else { break };
                self.take(record);
            }
            self.settle();
        }
    }

    /// Numbers the events of a record and adds their lines to the batch.
    fn take(&mut self, mut record: Record) {
        if !record.events.is_empty() && !self.state.failed.load(Ordering::Acquire) {
            let mono_ns = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let time = format!("{:.9}", jiff::Timestamp::now());
            for event in &mut record.events {
                self.seq += 1;
                event.seq = self.seq;
                event.mono_ns = mono_ns;
                event.time.clone_from(&time);
                serde_json::to_writer(&mut self.lines, event).expect(
                    "an event has no map with keys that are not text, and memory is no file",
                );
                self.lines.push(b'\n');
            }
        }
        self.batch.push((self.lines.len(), record));
    }

    /// Writes the batch, then delivers it in order.
    fn settle(&mut self) {
        let written = self.write();
        self.lines.clear();
        for (end, record) in self.batch.drain(..) {
            let unwanted = record.events.is_empty();
            let recorded = match written {
                Some(complete) if end > complete && !unwanted => Recorded::Lost,
                None if !unwanted => Recorded::Lost,
                _ => Recorded::Written,
            };
            match recorded {
                Recorded::Written => self.state.count(&record.events),
                Recorded::Lost => {
                    let count = record.events.len() as u64;
                    self.state.lost.fetch_add(count, Ordering::Relaxed);
                }
            }
            (record.deliver)(recorded);
        }
    }

    /// How many bytes of the batch's lines belong to records that are wholly in the file; `None`
    /// if an earlier batch failed.
    fn write(&mut self) -> Option<usize> {
        if self.state.failed.load(Ordering::Acquire) {
            return None;
        }
        let Err((written, error)) = self.file.append_or_tell(&self.lines) else {
            return Some(self.lines.len());
        };
        self.state.failed.store(true, Ordering::Release);
        let ends = self.batch.iter().map(|(end, _)| *end);
        let complete = ends.filter(|end| *end <= written).max().unwrap_or(0);
        let torn = self.file.cut(written - complete);
        tracing::error!(
            ledger = %self.file.path.display(),
            "the ledger cannot be written ({error}): from now on no fault is delivered{}",
            torn.map_or_else(|e| format!("; its last line is torn ({e})"), |()| String::new()),
        );
        Some(complete)
    }
}

/// An append-only file that knows its length.
struct Appender {
    path: PathBuf,
    file: File,
    len: u64,
}

impl Appender {
    fn create(path: &Path) -> io::Result<Appender> {
        // Evidence, of what other users did as well: nobody else's to read or write.
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Appender { path: path.to_owned(), file, len: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.append_or_tell(bytes).map_err(|(_, error)| error)
    }

    /// Appends with as few calls as the kernel allows, which is one unless the disk is full. The
    /// error comes with how many of the bytes are in the file.
    fn append_or_tell(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while written < bytes.len() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    written += count;
                    self.len += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }

    /// Takes the last `count` bytes away again.
    fn cut(&mut self, count: usize) -> io::Result<()> {
        self.len -= count as u64;
        self.file.set_len(self.len)
    }
}
