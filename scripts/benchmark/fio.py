"""Reading and writing, by fio: one process, synchronous calls, a bounded time."""

import json

from benchmark.process import Failed, run
from benchmark.workload import RATE, Workload

# More passes than fit into any time.
PASSES = 1_000_000
# Each costs a start of fio and an emptied cache: enough to even out a disk's moods.
COLD_PASSES = 5


class Fio(Workload):
    """One pattern of access to one file."""

    programs = ("fio",)
    better = RATE
    unit = "bytes/s"

    def __init__(self, name, title, pattern, block, state, jobs=1):
        """`state` is the condition of the caches, and with it what `options` adds."""
        self.name, self.pattern, self.block, self.jobs = name, pattern, block, jobs
        self.titles = {name: title}
        self.state = state
        self.is_write = "write" in pattern
        self.needs = () if state == "append" else ("write",) if self.is_write else ("read",)

    def measure(self, cell):
        """Bytes per second. A disk is cold only once: there it may take several passes."""
        amount, seconds = self.once(cell)
        for _ in range(COLD_PASSES - 1 if self.state == "cold" else 0):
            if seconds >= cell.size.seconds:
                break
            more = self.once(cell)
            amount, seconds = amount + more[0], seconds + more[1]
        return {self.name: amount / seconds}

    def once(self, cell):
        """Bytes and seconds of one run, with the caches as they are to be."""
        self.prepare(cell)
        said = run(self.command(cell), cell.limit, cwd=cell.scratch)
        # Before the JSON there may be remarks.
        job = json.loads(said[said.index("{"):])["jobs"][0]
        done = job["write" if self.is_write else "read"]
        if job["error"] or not done["bw_bytes"]:
            raise Failed(f"fio: error {job['error']}, {done['io_bytes']} bytes")
        return done["io_bytes"], done["io_bytes"] / done["bw_bytes"]

    def prepare(self, cell):
        """Brings the caches below the mount into the state that is to be measured."""
        if self.state == "cold":
            cell.backing.forget()
            return
        cell.backing.settle()
        if "read" in self.needs:
            # Who serves a mount may answer direct reads from the cache below it: always or never.
            cell.backing.warm(cell.backing.root / "read.dat")

    def command(self, cell):
        """The words of the command."""
        common = {
            "name": self.name,
            "thread": 1,
            "ioengine": "psync",
            "rw": self.pattern,
            "bs": self.block,
            "numjobs": self.jobs,
            "group_reporting": 1,
            # Clocks asked at each call cost as much as a cheap call.
            "gtod_reduce": 1,
            "invalidate": 0,
            "fallocate": "none",
            "runtime": milliseconds(cell.size.seconds),
            "output-format": "json",
        }
        options = {**common, **getattr(self, self.state)(cell)}
        return ["fio", *(f"--{key}={value}" for key, value in options.items())]

    def again(self, cell):
        """What was read just before, through the same descriptor."""
        warm_up = milliseconds(cell.size.warm_up_seconds)
        size = cell.size.cached
        return {**self.existing(cell), "time_based": 1, "size": size, "ramp_time": warm_up}

    def cold(self, cell):
        """What no cache of the mount's holds: in memory pass after pass, on a disk the first."""
        passes = {"invalidate": 1, "loops": PASSES} if cell.backing.is_memory else {}
        return {**self.existing(cell), **passes, "size": cell.size.data}

    def direct(self, cell):
        """O_DIRECT."""
        return {**self.buffered(cell), "direct": 1}

    def buffered(self, cell):
        """Through the page cache where there is one; what is written must arrive."""
        arrive = {"end_fsync": 1} if self.is_write else {}
        return {**self.existing(cell), **arrive, "time_based": 1, "size": cell.size.data}

    def append(self, cell):
        """A new file that grows by each write, as logs do."""
        return {
            "filename": cell.own / "log.dat",
            "create_on_open": 1,
            "unlink": 1,
            "unlink_each_loop": 1,
            "loops": PASSES,
            "fsync": 1,
            "size": cell.size.cached,
        }

    def existing(self, cell):
        """The file that is there."""
        file = "write.dat" if self.is_write else "read.dat"
        return {"filename": cell.root / file, "allow_file_create": 0}


def milliseconds(seconds):
    """A time as fio reads it."""
    return f"{round(seconds * 1000)}ms"
