//! The mount guard: a real mount of the real binary, gone when the guard is dropped.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use errorfs::ledger::{Event, Header, Outcome, Region};
use rustix::process::{Pid, Signal, kill_process};

use super::program::{ERRORFS, Program, wait_or_kill};
use super::watchdog::{Watchdog, abort, minor_of, take_away};

/// How long a mount may take to be ready, and to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// What to mount.
#[derive(Debug)]
pub(crate) struct Setup {
    backing: PathBuf,
    scenario: Option<String>,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    limit: Duration,
}

/// A live mount.
#[derive(Debug)]
pub(crate) struct Mount {
    child: Child,
    backing: PathBuf,
    mountpoint: PathBuf,
    /// Holds the mountpoint, the scenario, the ledger and what errorfs said.
    scratch: tempfile::TempDir,
    seed: Vec<OsString>,
    status: Option<ExitStatus>,
    _watchdog: Watchdog,
}

/// One line of `errorfs preview --json`.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub(crate) struct Previewed {
    pub(crate) rule: String,
    pub(crate) path: String,
    pub(crate) byte: u64,
    pub(crate) bit: u8,
    pub(crate) before: u8,
    pub(crate) after: u8,
    pub(crate) id: String,
}

/// One line of the same about a corrupt region.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub(crate) struct PreviewedRegion {
    pub(crate) rule: String,
    pub(crate) path: String,
    pub(crate) region: Region,
    pub(crate) id: String,
}

impl Mount {
    /// Prepares a mount of this backing directory: no faults yet, given up after two minutes.
    #[expect(clippy::new_ret_no_self, reason = "reads as what it prepares")]
    pub(crate) fn new(backing: &Path) -> Setup {
        Setup {
            backing: backing.to_path_buf(),
            scenario: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            limit: Duration::from_secs(120),
        }
    }
}

impl Setup {
    /// Arms this scenario; `version = 1` is put in front.
    pub(crate) fn scenario(mut self, text: &str) -> Setup {
        self.scenario = Some(format!("version = 1\n{text}"));
        self
    }

    pub(crate) fn seed(self, seed: u64) -> Setup {
        self.args(["--seed", &seed.to_string()])
    }

    pub(crate) fn args<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Setup {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Setup {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The watchdog's limit.
    pub(crate) fn within(mut self, limit: Duration) -> Setup {
        self.limit = limit;
        self
    }

    /// Mounts and waits until it is ready.
    pub(crate) fn start(self) -> Mount {
        let scratch = tempfile::Builder::new().prefix("errorfs-test-").tempdir().unwrap();
        // Other users' tests go through it to the mountpoint.
        open_to_all(scratch.path());
        let mountpoint = scratch.path().join("mnt");
        std::fs::create_dir(&mountpoint).unwrap();
        let mut command = self.command(scratch.path(), &mountpoint);
        let mut child = command.spawn().expect("a shell is there");
        let watchdog = Watchdog::over(child.id(), &mountpoint, self.limit);
        let ready = BufReader::new(child.stdout.take().unwrap());
        let seed = self.arguments.windows(2).find(|pair| pair[0] == "--seed");
        let mut mount = Mount {
            child,
            backing: self.backing.clone(),
            mountpoint,
            scratch,
            seed: seed.map(<[OsString]>::to_vec).unwrap_or_default(),
            status: None,
            _watchdog: watchdog,
        };
        mount.wait_until_ready(ready);
        mount
    }

    /// A shell moves the pipe to descriptor 3 and becomes errorfs, so no other child inherits it.
    fn command(&self, scratch: &Path, mountpoint: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3>&1 >&2; exec \"$@\"", "sh", ERRORFS, "mount"]);
        if let Some(text) = &self.scenario {
            let file = scratch.join("scenario.toml");
            std::fs::write(&file, text).unwrap();
            command.arg("--scenario").arg(file);
            command.arg("--ledger").arg(scratch.join("ledger"));
        }
        command.args(["--exit-with-parent", "--ready-fd", "3"]).args(&self.arguments);
        command.arg(&self.backing).arg(mountpoint);
        let said = std::fs::File::create(scratch.join("stderr")).unwrap();
        // A ledger that is not named shall not outlive the test.
        command.env("XDG_STATE_HOME", scratch.join("state"));
        command.envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said);
        command
    }
}

impl Mount {
    fn wait_until_ready(&mut self, mut pipe: BufReader<std::process::ChildStdout>) {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = pipe.read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = receiver.recv_timeout(PATIENCE).unwrap_or_default();
        let ready = serde_json::from_str::<serde_json::Value>(&line).is_ok();
        assert!(ready, "the mount was not ready; it said:\n{}", self.said());
    }

    /// The mountpoint.
    pub(crate) fn path(&self) -> &Path {
        &self.mountpoint
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.mountpoint.join(name)
    }

    /// The process id of errorfs.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What errorfs wrote to stderr so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.scratch.path().join("stderr")).unwrap_or_default()
    }

    pub(crate) fn ledger_file(&self) -> PathBuf {
        self.scratch.path().join("ledger")
    }

    /// The ledger's first line.
    pub(crate) fn header(&self) -> Header {
        serde_json::from_str(self.ledger_text().lines().next().unwrap()).unwrap()
    }

    /// The events so far; a last line that a kill cut short is left out.
    pub(crate) fn ledger(&self) -> Vec<Event> {
        let text = self.ledger_text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let events = whole.lines().skip(1);
        events.map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// Without a scenario there may be none.
    fn ledger_text(&self) -> String {
        let text = std::fs::read_to_string(self.ledger_file());
        let may_be_none = !self.scratch.path().join("scenario.toml").exists();
        text.unwrap_or_else(
            |error| {
                if may_be_none { String::new() } else { panic!("ledger: {error}") }
            },
        )
    }

    /// The events that reached the target.
    pub(crate) fn delivered(&self) -> Vec<Event> {
        let events = self.ledger().into_iter();
        events.filter(|event| event.outcome == Outcome::Delivered).collect()
    }

    /// The bits that `errorfs preview` names for this scenario, seed and backing directory.
    pub(crate) fn preview(&self) -> Vec<Previewed> {
        self.preview_lines("byte")
    }

    /// The regions that it names.
    pub(crate) fn preview_regions(&self) -> Vec<PreviewedRegion> {
        self.preview_lines("region")
    }

    /// Those of its lines that have this key.
    fn preview_lines<T: serde::de::DeserializeOwned>(&self, key: &str) -> Vec<T> {
        let ended = Program::errorfs("preview")
            .arg("--json")
            .arg("--scenario")
            .arg(self.scratch.path().join("scenario.toml"))
            .args(&self.seed)
            .arg(&self.backing)
            .succeed();
        let lines = ended.stdout.lines();
        let lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
        let wanted = lines.filter(|line| line.get(key).is_some());
        wanted.map(|line| serde_json::from_value(line).unwrap()).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Whether the kernel still has it.
    pub(crate) fn is_mounted(&self) -> bool {
        minor_of(&self.mountpoint).is_some()
    }

    /// Waits for the end of errorfs.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        *self.status.get_or_insert_with(|| wait_or_kill(child, PATIENCE))
    }

    /// Unmounts as an operator would; nothing may be left.
    pub(crate) fn stop(&mut self) {
        if self.status.is_none() {
            self.signal(Signal::TERM);
            let status = self.wait();
            assert!(status.success(), "errorfs ended with {status}:\n{}", self.said());
        }
        assert!(!self.is_mounted(), "the mount is still there:\n{}", self.said());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.signal(Signal::TERM);
            self.wait();
        }
        // After a kill the guard takes the mount away, a moment later.
        let start = Instant::now();
        while self.is_mounted() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.is_mounted() {
            abort(self.child.id(), &self.mountpoint);
            take_away(&self.mountpoint);
            if !std::thread::panicking() {
                panic!("errorfs left its mount behind; it said:\n{}", self.said());
            }
        }
        if std::thread::panicking() {
            eprintln!("errorfs said:\n{}", self.said());
        }
    }
}

fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}
