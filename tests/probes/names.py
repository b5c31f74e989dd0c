# Names: renames with their flags, what is open while its name goes, odd names, links.
def rename(a, b, flags=0):
    return libc_call("syscall", 316, -100, ctypes.c_char_p(at(a)), -100, ctypes.c_char_p(at(b)), flags)


def listed(where="."):
    for name in sorted(os.listdir(at(where))):
        print("   ", name, looks(os.fsencode(where) + b"/" + name))


NOREPLACE, EXCHANGE, WHITEOUT = 1, 2, 4
put("a", b"a")
put("b", b"bb")
os.mkdir(at("dir"))
os.mkdir(at("full"))
put("full/x")
os.symlink("a", at("link"))
os.mkfifo(at("pipe"))
cases = ["a", "b", "dir", "full", "link", "pipe", "none", "dir/x"]
for flags in 0, NOREPLACE, EXCHANGE, WHITEOUT, NOREPLACE | EXCHANGE, EXCHANGE | WHITEOUT, NOREPLACE | WHITEOUT, 8, 64:
    for source, target in ("a", "b"), ("a", "dir"), ("dir", "a"), ("dir", "full"), ("full", "dir"), ("none", "a"), ("a", "none"), \
            ("link", "a"), ("a", "a"), ("dir", "dir/x"), ("full/x", "full"), ("pipe", "link"), (".", "x"), ("a/x", "b"), ("a", "n" * 256):
        say(f"{flags} {source[:9]} {target[:9]}", rename, source, target, flags)
    listed()
    for name in cases:
        say("   back", lambda: None)
        tried(os.unlink, at(name))
    put("a", b"a")
    put("b", b"bb")
    tried(os.mkdir, at("dir"))
    tried(os.mkdir, at("full"))
    put("full/x")
    tried(os.symlink, "a", at("link"))
    tried(os.mkfifo, at("pipe"))

os.mkdir(at("theirs"))
os.chmod(at("theirs"), 0o777)


def whiteouts():
    become(1003)
    put("theirs/file")
    say("whiteout by a user", rename, "theirs/file", "theirs/moved", WHITEOUT)
    say("device of 0, 0", os.mknod, at("theirs/zero"), 0o20000, 0)
    say("device", os.mknod, at("theirs/null"), 0o20000, os.makedev(1, 3))
    s = os.lstat(at("theirs/zero"))
    print(s.st_rdev, looks("theirs/file"), looks("theirs/zero"))


child(whiteouts)

# Open while the name goes.
f = os.open(at("open"), os.O_RDWR | os.O_CREAT, 0o600)
os.write(f, b"before")
os.unlink(at("open"))
mine = f"/proc/self/fd/{f}"
say("links", lambda: os.fstat(f).st_nlink)
say("write", os.write, f, b" after")
say("chmod", os.fchmod, f, 0o644)
say("chown", os.fchown, f, 7, 8)
say("truncate", os.ftruncate, f, 9)
say("times", os.utime, f, ns=(1, 2))
say("setxattr", os.setxattr, f, "user.a", b"1")
say("getxattr", os.getxattr, f, "user.a")
say("stat by proc", lambda: os.stat(mine).st_size)
g = tried(os.open, mine, os.O_RDWR)
say("reopened", os.pread, g, 20, 0)
say("chmod by proc", os.chmod, mine, 0o600)
say("truncate by proc", os.truncate, mine, 3)
say("link by proc", os.link, mine, at("relinked"), follow_symlinks=True)
say("what it is", lambda: (oct(os.fstat(f).st_mode), os.fstat(f).st_uid, os.fstat(f).st_size))
say("lock", fcntl.flock, f, fcntl.LOCK_EX)
say("fsync", os.fsync, f)
h = os.open(at("a"), os.O_RDONLY)
rename("b", "a")
print("replaced while open", os.pread(h, 9, 0), get("a"), os.fstat(h).st_nlink)
p = os.open(at("a"), os.O_PATH)
os.rename(at("a"), at("moved"))
say("by O_PATH after a rename", lambda: open(f"/proc/self/fd/{p}", "rb").read())
os.unlink(at("moved"))
say("and after an unlink", lambda: open(f"/proc/self/fd/{p}", "rb").read())
say("empty path", lambda: os.link(f"/proc/self/fd/{p}", at("back"), follow_symlinks=True))


def unlinked_cwd():
    os.mkdir(at("cwd"))
    os.chdir(at("cwd"))
    os.rmdir(at("cwd"))
    say("list", os.listdir, ".")
    say("create", lambda: os.open("x", os.O_CREAT | os.O_WRONLY))
    say("up", lambda: sorted(os.listdir(".."))[:1])
    say("cwd", lambda: os.getcwd() and None)


child(unlinked_cwd)
q = os.open(at("pipe"), os.O_RDWR)
os.unlink(at("pipe"))
say("an unlinked fifo", lambda: (os.write(q, b"through"), os.read(q, 9), os.fstat(q).st_nlink))
os.mkdir(at("deep"))
d = os.open(at("deep"), os.O_RDONLY)
os.rename(at("deep"), at("full/deep"))
say("create below a directory that moved", lambda: os.close(os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=d)))
say("found there", looks, "full/deep/x")

# Odd names.
for name in b"new\nline", b"\xff\xfe", b" ", b"-rf", b"*?[\\", b"a,b", b"a\\040b", b"n" * 255, b"n" * 256, b"...", b"\x01\x7f", "é".encode(), "e\u0301".encode():
    def turn():
        os.close(os.open(at(b"dir/" + name), os.O_CREAT | os.O_WRONLY))
        assert name in os.listdir(at("dir"))
        os.symlink(name, at(b"dir/s"))
        assert os.readlink(at(b"dir/s")) == name
        os.unlink(at(b"dir/s"))
        os.rename(at(b"dir/" + name), at(b"dir/x" + name[:200]))
        os.unlink(at(b"dir/x" + name[:200]))
    say(f"{name[:20]!r}", turn)
for n in 1, 254, 4095, 4096:
    say(f"link of {n}", os.symlink, b"l" * n, at(f"l{n}"))
    say("   reads", lambda: len(os.readlink(at(f"l{n}"))))
say("link of nothing", os.symlink, b"", at("empty"))


def long_path():
    os.chdir(root)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    with open("deep", "w") as f:
        f.write("deep")
    os.rename("deep", "deeper")
    assert open("deeper").read() == "deep" and os.stat("deeper").st_size == 4
    os.chmod("deeper", 0o600)
    os.unlink("deeper")
    for _ in range(25):
        os.chdir("..")
        os.rmdir("d" * 200)
    print("long path")


child(long_path)
for what, call in {
    "open a trailing slash": lambda: os.open(at("full/x/"), os.O_RDONLY),
    "create a trailing slash": lambda: os.open(at("nofile/"), os.O_CREAT | os.O_WRONLY),
    "mkdir a trailing slash": lambda: os.mkdir(at("newdir/")),
    "mkdir dot": lambda: os.mkdir(at("dir/.")),
    "rmdir dot": lambda: os.rmdir(at("dir/.")),
    "rmdir dots": lambda: os.rmdir(at("dir/..")),
    "unlink a directory": lambda: os.unlink(at("dir")),
    "rmdir a file": lambda: os.rmdir(at("full/x")),
    "rmdir a full one": lambda: os.rmdir(at("full")),
    "link a directory": lambda: os.link(at("dir"), at("hard")),
    "link a symlink": lambda: os.link(at("link"), at("hardlink"), follow_symlinks=False),
    "link over": lambda: os.link(at("full/x"), at("link")),
    "open a link, no follow": lambda: os.open(at("link"), os.O_RDONLY | os.O_NOFOLLOW),
    "exclusive over a link": lambda: os.open(at("link"), os.O_CREAT | os.O_EXCL | os.O_WRONLY),
    "through a dangling link": lambda: os.close(os.open(at("l1"), os.O_CREAT | os.O_WRONLY)),
    "no such file": lambda: os.open(at("nothing"), os.O_RDWR),
    "directory to write": lambda: os.open(at("dir"), os.O_RDWR),
    "temporary": lambda: os.open(at("full/x"), os.O_RDONLY | os.O_DIRECTORY),
    "socket": lambda: (socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{os.open(root, os.O_PATH)}/s"), os.open(at("s"), os.O_RDONLY)),
    "readlink of a file": lambda: os.readlink(at("full/x")),
    "access none": lambda: os.access(at("full/x"), 0),
    "statfs": lambda: os.statvfs(root).f_namemax,
    "pathconf": lambda: [os.pathconf(root, n) for n in ("PC_NAME_MAX", "PC_PATH_MAX", "PC_PIPE_BUF")],
}.items():
    say(what, call)
listed()
