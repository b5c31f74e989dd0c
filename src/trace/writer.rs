//! Writes a trace. Who records does not wait for the file: one thread numbers and writes the lines.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::{Record, TraceHeader};

/// Records that may wait before who records does.
const QUEUE_RECORDS: usize = 16 * 1024;

/// The open trace of one mount. Shared by all workers.
pub struct TraceWriter {
    sender: SyncSender<Option<Record>>,
    thread: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

impl TraceWriter {
    /// Starts a trace in a new file, which only its owner may read. Times count from this call. Open
    /// it before mounting, and never below the mount: errorfs would wait for itself.
    pub fn create(path: &Path, header: &TraceHeader) -> io::Result<TraceWriter> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("trace {}: {error}", path.display()))
        };
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path);
        let mut file = BufWriter::new(file.map_err(named)?);
        write_line(&mut file, header).map_err(named)?;
        let (sender, receiver) = sync_channel(QUEUE_RECORDS);
        let clerk = move || write_all(file, &receiver);
        let thread = Builder::new().name("errorfs-trace".into()).spawn(clerk)?;
        Ok(TraceWriter { sender, thread: Mutex::new(Some(thread)) })
    }

    /// Adds an operation; its `seq` and `mono_ns` are filled in.
    pub fn record(&self, record: Record) {
        // The thread is gone if the file could not be written: `finish` tells.
        let _ = self.sender.send(Some(record));
    }

    /// Writes what is still waiting. What is recorded afterwards is lost.
    pub fn finish(&self) -> io::Result<()> {
        let _ = self.sender.send(None);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = thread.map_or(Ok(Ok(())), JoinHandle::join);
        ended.map_err(|_| io::Error::other("the thread that writes the trace died"))?
    }
}

impl fmt::Debug for TraceWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceWriter").finish_non_exhaustive()
    }
}

fn write_all(mut file: BufWriter<File>, queue: &Receiver<Option<Record>>) -> io::Result<()> {
    let start = Instant::now();
    let mut seq = 0;
    while let Ok(Some(record)) = queue.recv() {
        seq += 1;
        let mono_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        write_line(&mut file, &Record { seq, mono_ns, ..record })?;
    }
    file.flush()
}

/// One line of a trace.
pub fn write_line(mut to: impl io::Write, line: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut to, line)?;
    to.write_all(b"\n")
}
