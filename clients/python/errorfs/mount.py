"""Mounts: started, waited for, and taken away again whatever happens."""

import http.client
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .control import Control, ControlError
from .ledger import events

# Seconds that a mount may take to answer, and to be gone.
PATIENCE = 30


class MountError(RuntimeError):
    """errorfs could not mount; the message is what it said."""


def program():
    """The errorfs program: $ERRORFS, else the one in PATH."""
    found = os.environ.get("ERRORFS") or shutil.which("errorfs")
    if not found:
        raise MountError("there is no errorfs in PATH; install it, or set ERRORFS to the program")
    return found


def mount(backing, mountpoint=None, *, scenario=None, seed=None, ledger=None, options=()):
    """Mounts `backing`, at an empty directory of its own if no other is named.

    `scenario`: a file, several files, or the text of one (whatever has a line break in it).
    `options`: more arguments for `errorfs mount`. Raises MountError. The result is a context manager.
    """
    return Mount(backing, mountpoint, scenario=scenario, seed=seed, ledger=ledger, options=options)


class Mount:
    """A live mount; unmounted by `close()` and at the end of `with`."""

    def __init__(self, backing, mountpoint=None, *, scenario=None, seed=None, ledger=None, options=()):
        self._scratch = tempfile.TemporaryDirectory(prefix="errorfs-")
        scratch = Path(self._scratch.name)
        self.path = Path(mountpoint) if mountpoint else scratch / "mnt"
        self.path.mkdir(exist_ok=True)
        arguments = [program(), "mount", "--exit-with-parent", *map(str, options)]
        scenarios = _scenarios(scenario, scratch)
        for file in scenarios:
            arguments += ["--scenario", os.fspath(file)]
        if scenarios or ledger:
            arguments += ["--ledger", os.fspath(ledger or scratch / "ledger.jsonl")]
        if seed is not None:
            arguments += ["--seed", str(seed)]
        try:
            self._start(arguments, backing, scratch / "messages")
        except BaseException:
            self._scratch.cleanup()
            raise

    def _start(self, arguments, backing, messages):
        self._ledger = None
        reader, writer = os.pipe()
        with os.fdopen(reader) as ready, open(messages, "wb") as said:
            arguments += ["--ready-fd", str(writer), os.fspath(backing), os.fspath(self.path)]
            try:
                self._process = subprocess.Popen(
                    arguments, pass_fds=[writer], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            except OSError as error:
                raise MountError(f"{arguments[0]} cannot be started: {error.strerror}") from error
            finally:
                os.close(writer)
            in_time = select.select([ready], [], [], PATIENCE)[0]
            line = ready.readline() if in_time else ""
        self._messages = messages
        if not line:
            self._end()
            raise MountError(self.messages() or "errorfs did not answer in time")
        self.ready = json.loads(line)

    @property
    def seed(self):
        """The seed in force: repeats the same faults."""
        return self.ready.get("seed")

    @property
    def ledger(self):
        """The file of events, or None if no scenario has been loaded so far.

        Of a scenario that was loaded later errorfs chose it, and it stays there."""
        if self._ledger is None:
            self._ledger = self.ready.get("ledger") or self._begun_later()
        return self._ledger

    def _begun_later(self):
        if self._process.poll() is not None or not self.ready.get("control"):
            return None
        try:
            return self.control.status()["ledger"]
        except (OSError, http.client.HTTPException, ControlError):
            return None

    @property
    def control(self):
        """Changes the faults of the live mount."""
        return Control(self.ready["control"])

    def messages(self):
        """What errorfs has said so far."""
        return self._messages.read_text(errors="replace").strip()

    def events(self):
        """Every event so far."""
        return events(self.ledger) if self.ledger else []

    def delivered(self):
        """The faults that reached a program so far."""
        return [event for event in self.events() if event["outcome"] == "delivered"]

    def close(self):
        """Unmounts. The ledger is whole afterwards; a ledger of the mount's own is removed with it."""
        _ = self.ledger  # asked for while there is somebody to answer
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._end()
        self._scratch.cleanup()

    def _end(self):
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            lazily = [program(), "umount", "--lazy", os.fspath(self.path)]
            subprocess.run(lazily, stderr=subprocess.DEVNULL, check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _scenarios(scenario, scratch):
    if scenario is None:
        return []
    if isinstance(scenario, str) and "\n" in scenario:
        file = scratch / "scenario.toml"
        file.write_text(scenario)
        return [file]
    if isinstance(scenario, (str, os.PathLike)):
        return [scenario]
    return list(scenario)
