"""Whole trees: what people do with tar, git, find and rm."""

from benchmark.content import GIT, GIT_ENVIRONMENT
from benchmark.process import run, timed
from benchmark.workload import Workload


class Unpack(Workload):
    """A tar file unpacked, and what came of it removed."""

    needs = ("archive",)
    programs = ("tar",)
    unit = "s"
    titles = {"untar": "untar", "rm": "rm -r"}

    def measure(self, cell):
        """Seconds of both."""
        place = cell.own / "unpack"
        run(["mkdir", place], cell.limit)
        cell.backing.settle()
        archive = cell.scratch / "archive.tar"
        cell.backing.warm(archive)
        untar = timed(["tar", "-xf", archive, "-C", place], limit=cell.limit)
        cell.backing.settle()
        return {"untar": untar, "rm": timed(["rm", "-r", place], limit=cell.limit)}


class Clone(Workload):
    """A git repository cloned from the mount to the mount, its files checked out."""

    needs = ("repository",)
    programs = ("git",)
    unit = "s"
    titles = {"git-clone": "git clone"}

    def measure(self, cell):
        """Seconds."""
        place = cell.own / "clone"
        cell.backing.settle()
        cell.backing.warm(cell.backing.root / "repository")
        words = [*GIT, "clone", "-q", "--no-hardlinks", cell.root / "repository", place]
        seconds = timed(words, limit=cell.limit, env=GIT_ENVIRONMENT)
        run(["rm", "-r", place], cell.limit)
        return {"git-clone": seconds}


class Find(Workload):
    """A walk over many files that finds nothing."""

    needs = ("tree",)
    programs = ("find",)
    unit = "s"

    def __init__(self, name, title, condition):
        """`condition` decides whether names are enough, or every file must be looked at."""
        self.name, self.condition = name, condition
        self.titles = {name: title}

    def measure(self, cell):
        """Seconds."""
        cell.backing.settle()
        cell.backing.warm(cell.backing.root / "tree")
        words = ["find", cell.root / "tree", *self.condition]
        return {self.name: timed(words, limit=cell.limit)}
