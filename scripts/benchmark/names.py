"""Names and attributes: loops of system calls, each a round trip to whoever serves the mount."""

from benchmark.process import run
from benchmark.workload import Workload


class Names(Workload):
    """Files made, looked at, read, renamed and removed, one system call after the other."""

    titles = {
        "create": "create",
        "stat": "stat",
        "open-read": "open, read 4K, close",
        "rename": "rename",
        "unlink": "unlink",
        "mkdir": "mkdir",
    }

    def measure(self, cell):
        """Nanoseconds of each call."""
        cell.backing.settle()
        words = [cell.metadata, "chain", cell.own / "chain", cell.size.names]
        return pairs(run(words, cell.limit))


class Trips(Workload):
    """The least that a request costs: one that is repeated, alone."""

    needs = ("read",)
    titles = {"trip-stat": "one stat", "trip-read": "one direct read of 4K"}

    def measure(self, cell):
        """Nanoseconds, the median of many."""
        cell.backing.settle()
        cell.backing.warm(cell.backing.root / "read.dat")
        words = [cell.metadata, "trips", cell.root / "read.dat", cell.size.trips]
        return pairs(run(words, cell.limit))


def pairs(said):
    """Lines of a name and a number."""
    return {name: float(value) for name, value in map(str.split, said.splitlines())}
