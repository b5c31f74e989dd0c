"""What is mounted, as the kernel says: a dead mount would not answer."""

from pathlib import Path


def entry(mountpoint):
    """The device number and the kind of what is mounted there, or nothing."""
    found = None
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, kind = line.partition(" - ")
        fields = fields.split(" ")
        if plain(fields[4]) == str(mountpoint):
            # The last one lies on top.
            found = (fields[2], kind.split(" ")[0])
    return found


def plain(text):
    """A path as it is: the kernel writes blanks in octal."""
    return text.encode().decode("unicode_escape") if "\\" in text else text


def is_mounted(mountpoint):
    """Whether anything is mounted there."""
    return entry(mountpoint) is not None


def abort(mountpoint):
    """Has the kernel answer with errors whoever waits for the mount there."""
    found = entry(mountpoint)
    if not found or not found[1].startswith("fuse"):
        return
    minor = found[0].split(":")[1]
    try:
        Path(f"/sys/fs/fuse/connections/{minor}/abort").write_text("1")
    except OSError:
        pass
