"""Programs under a time limit: nothing here waits for ever, whatever a mount does."""

import os
import signal
import subprocess
import time

LIMIT_SECONDS = 120


class Failed(Exception):
    """A program that did not do what it was started for."""


class TookTooLong(Failed):
    """A program that had to be killed. What it was waiting for may hang for others as well."""


def run(command, limit=LIMIT_SECONDS, env=None, cwd=None):
    """Runs to the end and returns stdout; anything but status 0 in time is a failure."""
    command = [str(word) for word in command]
    try:
        process = start(command, env=env, cwd=cwd)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}") from error
    try:
        said, complained = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as error:
        end(process)
        raise TookTooLong(f"{command[0]}: not done within {limit} s") from error
    except BaseException:
        end(process)
        raise
    if process.returncode != 0:
        last = (complained or said).strip().splitlines()[-3:]
        raise Failed(f"{command[0]}: status {process.returncode}: {' / '.join(last)}")
    return said


def start(command, env=None, cwd=None, **streams):
    """Starts a program in a session of its own, so that it can be ended with its children."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, **(env or {})},
        cwd=cwd,
        **streams,
    )


def end(process):
    """Kills what `start` started. One that waits for a hung mount dies only when that is gone."""
    if process.poll() is not None:
        # Its number may be somebody else's by now.
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        pass


def timed(command, **how):
    """The seconds that a program takes."""
    begin = time.monotonic()
    run(command, **how)
    return time.monotonic() - begin


def attempt(command, limit=20):
    """Runs something whose failure is answered by trying something else."""
    try:
        run(command, limit=limit)
    except Failed:
        return False
    return True
