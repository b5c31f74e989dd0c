//! Runs a program for a bounded time; a failure shows argv, directory, status, stdout and stderr.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The errorfs under test.
pub(crate) const ERRORFS: &str = env!("CARGO_BIN_EXE_errorfs");

/// A program to run.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    limit: Duration,
}

/// How it ended.
pub(crate) struct Ended {
    argv: Vec<OsString>,
    directory: Option<PathBuf>,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    /// A program with its arguments, to end within a minute.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Program {
        Program { command: Command::new(program), limit: Duration::from_secs(60) }
    }

    /// errorfs itself.
    pub(crate) fn errorfs(verb: &str) -> Program {
        Program::new(ERRORFS).arg(verb)
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<I: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Program {
        self.command.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    pub(crate) fn directory(mut self, directory: &Path) -> Program {
        self.command.current_dir(directory);
        self
    }

    /// Runs as this user and group, with no other groups.
    pub(crate) fn user(mut self, id: u32) -> Program {
        self.command.gid(id).uid(id);
        self
    }

    pub(crate) fn within(mut self, limit: Duration) -> Program {
        self.limit = limit;
        self
    }

    /// Runs it to its end; killed (and so failed) when its time is over.
    pub(crate) fn run(mut self) -> Ended {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|error| {
            panic!("cannot run {:?}: {error}", self.command.get_program());
        });
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        let status = wait_or_kill(&mut child, self.limit);
        Ended {
            argv: std::iter::once(self.command.get_program())
                .chain(self.command.get_args())
                .map(OsString::from)
                .collect(),
            directory: self.command.get_current_dir().map(PathBuf::from),
            status,
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
        }
    }

    /// Runs it and expects status 0.
    pub(crate) fn succeed(self) -> Ended {
        self.run().expect_status(0)
    }
}

impl Ended {
    pub(crate) fn expect_status(self, status: i32) -> Ended {
        assert_eq!(self.status.code(), Some(status), "{self}");
        self
    }

    pub(crate) fn expect_signal(self, signal: i32) -> Ended {
        assert_eq!(self.status.signal(), Some(signal), "{self}");
        self
    }

    /// What it said on either stream contains this.
    pub(crate) fn expect_said(self, text: &str) -> Ended {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "no {text:?} in what was said by\n{self}"
        );
        self
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "argv: {:?}\ncwd: {:?}", self.argv, self.directory)?;
        writeln!(f, "status: {}\nstdout:\n{}", self.status, self.stdout)?;
        writeln!(f, "stderr:\n{}", self.stderr)
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the end of a child; kills it when the time is over.
pub(crate) fn wait_or_kill(child: &mut Child, limit: Duration) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            return status;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(3));
    }
}
