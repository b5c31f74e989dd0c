"""A mount of errorfs or of a peer: started, awaited, ended; by force where it must be."""

import subprocess
import time
from pathlib import Path

from benchmark import mounttable
from benchmark.process import Failed, attempt, end, run, start

READY_SECONDS = 20
GONE_SECONDS = 15
POLL_SECONDS = 0.01


class Mount:
    """What is mounted for one way over one backing directory; for native nothing is."""

    def __init__(self, way, errorfs, backing, scratch):
        """`scratch` holds the mountpoint, the scenario, the ledger and what was said."""
        self.way, self.errorfs, self.backing, self.scratch = way, errorfs, backing, scratch
        scratch.mkdir(parents=True)
        self.root = backing if way.is_native else scratch / "mnt"
        self.root.mkdir(exist_ok=True)
        self.process = None
        self.broken = None

    def open(self):
        """Mounts, and returns when the mount answers."""
        if self.way.is_native:
            return
        self.spawn()
        deadline = time.monotonic() + READY_SECONDS
        while not mounttable.is_mounted(self.root):
            ended = self.process.poll()
            # A peer may go into the background; errorfs has no business to.
            if ended or (ended == 0 and not self.way.is_peer):
                raise Failed(f"does not mount: status {ended}: {self.said()}")
            if time.monotonic() > deadline:
                raise Failed(f"does not mount within {READY_SECONDS} s: {self.said()}")
            time.sleep(POLL_SECONDS)
        run(["stat", self.root / "own"], READY_SECONDS)

    def spawn(self):
        """Starts the program that mounts."""
        with (self.scratch / "said").open("w") as said:
            self.process = start(
                self.command(),
                cwd=self.scratch,
                env={"XDG_STATE_HOME": str(self.scratch)},
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def command(self):
        """The words of the command that mounts."""
        if self.way.is_peer:
            return self.way.words(self.backing, self.root)
        words = [self.errorfs, "mount", "--exit-with-parent", *self.way.flags()]
        if scenario := self.way.scenario():
            file = self.scratch / "scenario.toml"
            file.write_text(scenario)
            words += ["--scenario", file, "--ledger", self.ledger]
        return [str(word) for word in [*words, self.backing, self.root]]

    @property
    def ledger(self):
        """Where errorfs records what it did."""
        return self.scratch / "ledger"

    def said(self):
        """The end of what the program that mounts has said."""
        lines = (self.scratch / "said").read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"

    def resident_kib(self):
        """The memory of the program; nothing for one that went into a session of its own."""
        if self.process is None or self.process.poll() is not None:
            return None
        # A peer may be started by a shell: the largest of them is what serves.
        return max(resident(number) for number in session(self.process.pid))

    def delivered(self):
        """How many faults reached a program: the lines of the ledger below its header."""
        if not self.ledger.exists():
            return 0
        with self.ledger.open("rb") as lines:
            return sum(b'"delivered"' in line for line in lines)

    def give_up(self, why):
        """Ends a mount that hangs, so that nobody waits for it any longer."""
        self.broken = why
        if not self.way.is_native:
            mounttable.abort(self.root)
            self.close()

    def close(self):
        """Unmounts, whatever state the mount is in, and ends the program."""
        if self.way.is_native or self.process is None:
            return
        if self.way.is_peer:
            self.unmount()
        else:
            self.process.terminate()
        if not self.is_gone(GONE_SECONDS):
            mounttable.abort(self.root)
            end(self.process)
            attempt(["umount", "-l", self.root]) or attempt(["fusermount3", "-uz", self.root])
        end(self.process)

    def unmount(self):
        """Asks for the end of a mount whose program knows no other way."""
        if mounttable.is_mounted(self.root):
            attempt(["fusermount3", "-u", self.root]) or attempt(["umount", self.root])

    def is_gone(self, seconds):
        """Waits until nothing is mounted there and the program has ended by itself."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None and not mounttable.is_mounted(self.root):
                return True
            time.sleep(POLL_SECONDS)
        return False


def session(leader):
    """The processes of a session, by number."""
    found = [leader]
    for place in Path("/proc").glob("[0-9]*"):
        try:
            # Its name, in brackets, may contain anything; what follows may not.
            after = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after[3]) == leader:
            found.append(int(place.name))
    return found


def resident(number):
    """KiB of memory that a process occupies."""
    try:
        text = Path(f"/proc/{number}/status").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in text.splitlines()]
    return next((int(words[1]) for words in lines if words[0] == "VmRSS:"), 0)
