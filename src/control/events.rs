//! The ledger as a stream of its lines: from a number on, of one rule, and what comes yet.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::fs::Filesystem;

/// How often to look for more.
const TICK: Duration = Duration::from_millis(20);
/// Bytes that are sent together.
const CHUNK: usize = 64 << 10;
/// Chunks that may wait for a slow reader.
const CHUNKS: usize = 4;

/// Which events.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Those with a greater number.
    #[serde(default)]
    pub after: u64,
    /// 1: and what comes yet, until the mount ends.
    #[serde(default)]
    pub follow: u8,
    /// Those of this rule.
    pub rule: Option<String>,
}

/// Who reads, and whether they are to come to an end.
#[derive(Debug, Default)]
pub(super) struct Followers {
    pub(super) ending: AtomicBool,
    pub(super) count: AtomicUsize,
}

/// The lines as the body of an answer.
#[derive(Debug)]
pub(super) struct Lines(Receiver<Bytes>);

impl Body for Lines {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Begins to read. One thread a reader: it waits on a file, which nothing else here does.
pub(super) fn lines(
    fs: Arc<Filesystem>,
    query: EventsQuery,
    followers: Arc<Followers>,
) -> std::io::Result<Lines> {
    let (sender, receiver) = channel(CHUNKS);
    followers.count.fetch_add(1, Ordering::AcqRel);
    let counted = followers.clone();
    let read = move || {
        let ledger = || fs.ledger().reader();
        let _ = Stream { query, sender, followers: &followers, chunk: Vec::new() }.run(&ledger);
        followers.count.fetch_sub(1, Ordering::AcqRel);
    };
    if let Err(error) = std::thread::Builder::new().name("events".into()).spawn(read) {
        counted.count.fetch_sub(1, Ordering::AcqRel);
        return Err(error);
    }
    Ok(Lines(receiver))
}

/// Opens the ledger, if there is one by now.
type Ledger<'a> = dyn Fn() -> Option<std::io::Result<File>> + 'a;

struct Stream<'a> {
    query: EventsQuery,
    sender: Sender<Bytes>,
    followers: &'a Followers,
    chunk: Vec<u8>,
}

/// What of a line decides whether it is wanted.
#[derive(Deserialize)]
struct Head {
    seq: u64,
    rule: String,
}

impl Stream<'_> {
    /// To the end, or until nobody reads any more.
    fn run(mut self, ledger: &Ledger<'_>) -> std::io::Result<()> {
        let Some(file) = self.wait_for(ledger) else { return Ok(()) };
        let mut file = BufReader::new(file?);
        file.read_until(b'\n', &mut Vec::new())?; // the header
        let mut line = Vec::new();
        loop {
            // What was recorded before this is read once more before the end.
            let ends = self.ends();
            while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
                self.take(&line)?;
                line.clear();
            }
            self.send()?;
            if ends {
                return Ok(());
            }
            std::thread::sleep(TICK);
        }
    }

    /// Without a plan there is no ledger yet.
    fn wait_for(&self, ledger: &Ledger<'_>) -> Option<std::io::Result<File>> {
        loop {
            let ends = self.ends() || self.sender.is_closed();
            match ledger() {
                Some(file) => return Some(file),
                None if ends => return None,
                None => std::thread::sleep(TICK),
            }
        }
    }

    fn ends(&self) -> bool {
        self.query.follow == 0 || self.followers.ending.load(Ordering::Acquire)
    }

    fn take(&mut self, line: &[u8]) -> std::io::Result<()> {
        let Ok(head) = serde_json::from_slice::<Head>(line) else { return Ok(()) };
        let of_rule = self.query.rule.as_ref().is_none_or(|rule| *rule == head.rule);
        if head.seq > self.query.after && of_rule {
            self.chunk.extend_from_slice(line);
        }
        if self.chunk.len() >= CHUNK { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> std::io::Result<()> {
        let gone = |_| std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        if self.chunk.is_empty() {
            return if self.sender.is_closed() { Err(gone(())) } else { Ok(()) };
        }
        let chunk = Bytes::from(std::mem::take(&mut self.chunk));
        self.sender.blocking_send(chunk).map_err(|_| gone(()))
    }
}
