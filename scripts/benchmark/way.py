"""The ways of reaching the same files: the plain directory, errorfs as it is told, peers."""

from dataclasses import dataclass, field

# What git and tar unpack is never hit: they would notice, and stop. Everything called *.dat is,
# which is what the other workloads read and write.
FIRING = """\
[[rule]]
name = "rot"
select = { path = "**/*.dat" }
[rule.fault.bit_flip]
rate = 1e-6
"""

ELSEWHERE = """\
[[rule]]
name = "rot-elsewhere"
select = { path = "elsewhere/**" }
[rule.fault.bit_flip]
rate = 1e-6

[[rule]]
name = "rot-of-databases"
select = { path = ["**/*.db", "**/*.sst"] }
[rule.fault.bit_flip]
rate = 1e-6
"""

IMPROBABLE = """\
[[rule]]
name = "never-comes"
[rule.fault.bit_flip]
rate = 1e-12
"""

COUNTING = """\
[[rule]]
name = "far-away"
select = { ops = ["read", "write"] }
when = { nth = 4000000000 }
[rule.fault.error]
errno = "EIO"
"""

THOUSAND = "\n".join(
    f"""\
[[rule]]
name = "rot-{number}"
select = {{ path = "elsewhere-{number}/**/*.dat" }}
[rule.fault.bit_flip]
rate = 1e-6
"""
    for number in range(1000)
)

NATIVE = "native"

# Name, what it is, scenario.
OWN = {
    NATIVE: ("the plain directory", None),
    "idle": ("errorfs without a scenario", None),
    "exclusive": ("the same, promised that nobody else changes the directory", None),
    "never": ("errorfs with sticky flips for other files only", ELSEWHERE),
    "thousand": ("errorfs with 1,000 rules about other files", THOUSAND),
    "sticky": ("errorfs with sticky flips for every file, too rare to come", IMPROBABLE),
    "counted": ("errorfs counting reads and writes up to an error that never comes", COUNTING),
    "faulty": ("errorfs that does flip bits, one stored bit in a million", FIRING),
}


@dataclass(frozen=True)
class Way:
    """One way of reaching the files."""

    name: str
    about: str
    # For errorfs: the rules, without the version and the seed.
    rules: str | None = None
    # For a peer: the words of the command that mounts it.
    command: tuple = field(default=())

    @property
    def is_native(self):
        """Whether nothing is mounted."""
        return self.name == NATIVE

    @property
    def is_peer(self):
        """Whether it is not ours: then its failure is a result and not a defect."""
        return bool(self.command)

    def scenario(self):
        """The text of a scenario file, if there is one."""
        return None if self.rules is None else f"version = 1\nseed = 1\n\n{self.rules}"

    def flags(self):
        """Options of `errorfs mount`."""
        return ["--exclusive"] if self.name == "exclusive" else []

    def words(self, backing, mountpoint):
        """The command of a peer for this place."""
        fill = {"{backing}": str(backing), "{mnt}": str(mountpoint)}
        return [replace(word, fill) for word in self.command]


def replace(word, fill):
    """The word with its placeholders filled; other braces are the command's own."""
    for placeholder, text in fill.items():
        word = word.replace(placeholder, text)
    return word


def ways(peers):
    """All of them, native first."""
    own = [Way(name, about, rules) for name, (about, rules) in OWN.items()]
    theirs = [Way(name, " ".join(words), command=tuple(words)) for name, words in peers.items()]
    return own + theirs
