# Control requests: flags and versions of files, and the unknown ones.
GETFLAGS, SETFLAGS, GETVERSION = 0x80086601, 0x40086602, 0x80087601
FSGETXATTR, FSSETXATTR, GETFSLABEL = 0x801C581F, 0x401C5820, 0x81009431
IMMUTABLE, APPEND, NODUMP, NOATIME, JOURNAL_DATA = 0x10, 0x20, 0x40, 0x80, 0x4000


def ioctl(f, number, argument=b"\0" * 8):
    return fcntl.ioctl(f, number, argument)


def flags(f, number=None, value=0):
    if number is None:
        return hex(struct.unpack("I", ioctl(f, GETFLAGS)[:4])[0])
    ioctl(f, number, struct.pack("Q", value))


def extended(f):
    return struct.unpack("5I", ioctl(f, FSGETXATTR, b"\0" * 28)[:20])


put("file", b"12345")
os.mkdir(at("dir"))
os.mkfifo(at("pipe"))
f, d = os.open(at("file"), os.O_RDWR), os.open(at("dir"), os.O_RDONLY)
for name, h in ("file", f), ("dir", d), ("pipe", os.open(at("pipe"), os.O_RDWR)):
    start = tried(flags, h)
    say(f"{name} flags", flags, h)
    say("version", lambda: ioctl(h, GETVERSION) and "there is one")
    say("extended", extended, h)
    say("label", lambda: ioctl(h, GETFSLABEL, b"\0" * 256).rstrip(b"\0"))
    for value in NODUMP, NOATIME, NODUMP | NOATIME, 0:
        say(f"set {value:#x}", flags, h, SETFLAGS, value | int(start, 16) if isinstance(start, str) and start[0] == "0" else value)
        say("now", flags, h)
        say("extended", extended, h)
    say("set extended", lambda: ioctl(h, FSSETXATTR, struct.pack("5I8x", 0x80, 0, 0, 0, 0)) and "done")
    say("now", flags, h)
    say("project", lambda: ioctl(h, FSSETXATTR, struct.pack("5I8x", 0, 0, 0, 7, 0)) and "done")
    for unknown in 0x5401, 0x40045431, 0x8004FF01, 0x4004FF02, 0xC004FF03, 0x0000FF04, 0x801C58FF, 0xDEADBEEF & 0xC008FFFF:
        say(f"unknown {unknown:#x}", lambda: ioctl(h, unknown))
    say("clone", lambda: fcntl.ioctl(h, 0x40049409, f))
    say("bytes ahead", lambda: ioctl(h, 0x541B, b"\0" * 4))
say("immutable", flags, f, SETFLAGS, IMMUTABLE)
for what, act in {
    "open to write": lambda: os.close(os.open(at("file"), os.O_WRONLY)),
    "open to append": lambda: os.close(os.open(at("file"), os.O_WRONLY | os.O_APPEND)),
    "read": lambda: get("file"),
    "truncate": lambda: os.truncate(at("file"), 1),
    "unlink": lambda: os.unlink(at("file")),
    "rename": lambda: os.rename(at("file"), at("new")),
    "link": lambda: os.link(at("file"), at("new")),
    "chmod": lambda: os.chmod(at("file"), 0o600),
    "chown": lambda: os.chown(at("file"), 1, 1),
    "touch": lambda: os.utime(at("file"), ns=(1, 1)),
    "setxattr": lambda: os.setxattr(at("file"), "user.a", b"1"),
}.items():
    say(f"immutable: {what}", act)
say("append only", flags, f, SETFLAGS, APPEND)
say("append", lambda: os.write(os.open(at("file"), os.O_WRONLY | os.O_APPEND), b"6"))
say("open to write", lambda: os.close(os.open(at("file"), os.O_WRONLY)))
say("truncate", lambda: os.truncate(at("file"), 1))
say("unlink", lambda: os.unlink(at("file")))
say("neither", flags, f, SETFLAGS, 0)
say("directory immutable", flags, d, SETFLAGS, IMMUTABLE)
say("create in it", lambda: put("dir/x"))
say("directory mutable", flags, d, SETFLAGS, 0)
os.chown(at("file"), 1001, 1001)
os.chmod(at("file"), 0o666)


def unprivileged():
    g = os.open(at("file"), os.O_RDWR)
    for name, value in ("none", 0), ("nodump", NODUMP), ("immutable", IMMUTABLE), ("append", APPEND), ("journal", JOURNAL_DATA):
        say(f"{name}", flags, g, SETFLAGS, value)
    say("project", lambda: ioctl(g, FSSETXATTR, struct.pack("5I8x", 0, 0, 0, 8, 0)) and "done")
    say("now", flags, g)
    os.close(g)


child(lambda: (become(1001), unprivileged()))
child(lambda: (become(1003), unprivileged()))
child(lambda: (become(1003, caps=["FOWNER"]), unprivileged()))
flags(f, SETFLAGS, 0)
