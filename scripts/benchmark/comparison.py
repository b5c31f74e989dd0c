"""The measurement itself: every workload in every way, round after round, over each filesystem."""

import sys
from contextlib import ExitStack, closing

from benchmark import standing
from benchmark.backing import Backing, remove
from benchmark.content import Content
from benchmark.mount import Mount
from benchmark.process import Failed, TookTooLong
from benchmark.suite import selected
from benchmark.way import NATIVE
from benchmark.workload import Cell

QUICK_LIMIT_SECONDS = 30
LIMIT_SECONDS = 180


class Comparison:
    """What is compared, with what; collects what was measured."""

    def __init__(self, options, ways, size, tools, scratch):
        """`tools` has the programs `errorfs` and `metadata`."""
        self.options, self.ways, self.size = options, ways, size
        self.errorfs, self.metadata, self.scratch = tools["errorfs"], tools["metadata"], scratch
        self.workloads = selected(options.only)
        self.limit = QUICK_LIMIT_SECONDS if options.quick else LIMIT_SECONDS
        self.values, self.standing, self.faults, self.filesystems = [], [], {}, {}

    def over(self, name):
        """Everything over one filesystem."""
        with ExitStack() as stack:
            backing = stack.enter_context(closing(Backing(name, self.scratch, self.options.base)))
            self.filesystems[name] = backing.filesystem
            work = self.scratch / f"{name}.work"
            work.mkdir()
            self.fill(backing, work)
            mounts = [self.mounted(way, backing, work, stack) for way in self.ways]
            # What is no ratio is the same over all filesystems.
            if name == self.options.over[0]:
                self.stand(backing, [mount for mount in mounts if not mount.broken], work)
            for number in range(self.options.rounds):
                self.round(number, backing, mounts, work)
            self.note(backing, mounts)

    def fill(self, backing, work):
        """Makes the files that the workloads read."""
        content = Content(backing.root, work, self.size, self.metadata)
        for way in self.ways:
            (backing.root / "own" / way.name).mkdir()
        for workload in self.workloads:
            content.need(workload.needs)

    def mounted(self, way, backing, work, stack):
        """A mount that answers. A peer may fail at that; errorfs may not."""
        mount = Mount(way, self.errorfs, backing.root, work / f"way-{way.name}")
        stack.enter_context(closing(mount))
        try:
            mount.open()
        except Failed as failed:
            if not way.is_peer:
                raise
            mount.give_up(str(failed))
        return mount

    def round(self, number, backing, mounts, work):
        """Each workload in all ways before the next, so that all meet the machine in one mood."""
        first = number % len(mounts)
        for workload in self.workloads:
            told = f"{backing.name}, round {number + 1}: {' '.join(workload.titles)}"
            print(f"bench: {told}", file=sys.stderr)
            # Whoever comes first may be at an advantage: each is once.
            for mount in mounts[first:] + mounts[:first]:
                for name, found in self.measured(workload, mount, backing, work).items():
                    self.value(backing, name, mount.way, number, found)

    def measured(self, workload, mount, backing, work):
        """Name to value, or to why there is none."""
        own = mount.root / "own" / mount.way.name
        cell = Cell(mount.root, own, backing, self.size, work, self.metadata, self.limit)
        try:
            if mount.broken:
                raise Failed(mount.broken)
            return workload.measure(cell)
        except (Failed, ValueError, OSError) as failed:
            if isinstance(failed, TookTooLong):
                mount.give_up(str(failed))
            # What was left half-way, taken away below the mount: that may be dead.
            remaining = backing.root / "own" / mount.way.name
            remove(remaining)
            remaining.mkdir(exist_ok=True)
            return {name: str(failed) for name in workload.titles}

    def value(self, backing, name, way, number, found):
        """Keeps one value, or one failure, if it was asked for."""
        if name not in self.options.only:
            return
        kind = "error" if isinstance(found, str) else "value"
        self.values.append({"over": backing.name, "workload": name, "way": way.name,
                            "round": number, kind: found})

    def note(self, backing, mounts):
        """How many faults each mount has delivered: to show that some do and some do not."""
        told = {mount.way.name: mount.delivered() for mount in mounts if mount.ledger.exists()}
        self.faults[backing.name] = told

    def stand(self, backing, mounts, work):
        """What is no ratio: start, an empty run, memory before anybody uses the mount."""
        for mount in mounts:
            way = mount.way
            if "memory" in self.options.only:
                self.stands("memory", way, backing, "KiB", [mount.resident_kib()])
            place = (way, self.errorfs, backing.root, work)
            if "start" in self.options.only and (way.name == "idle" or way.is_peer):
                self.try_to_stand("start", way, backing,
                                  lambda: standing.starts(*place, self.metadata, self.size.starts))
            if "run" in self.options.only and way.name in (NATIVE, standing.RUN_WAY):
                self.try_to_stand("run", way, backing,
                                  lambda: standing.runs(*place, self.size.starts))

    def try_to_stand(self, name, way, backing, measure):
        """As `measured`, for figures that are no ratios."""
        try:
            self.stands(name, way, backing, "s", measure())
        except Failed as failed:
            self.standing.append({"name": name, "over": backing.name, "way": way.name,
                                  "error": str(failed)})

    def stands(self, name, way, backing, unit, values):
        """Keeps figures that are no ratios; None is what cannot be known."""
        values = [value for value in values if value is not None]
        if values:
            self.standing.append({"name": name, "over": backing.name, "way": way.name,
                                  "unit": unit, "values": values})
