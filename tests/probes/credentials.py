# Twelve and more kinds of caller by thirty operations: what each may, and what becomes of it.


def in_user_namespace(uid):
    def enter():
        become(uid)
        libc_call("unshare", 0x10000000)  # CLONE_NEWUSER
        for name, text in ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {uid} 1"):
            with open("/proc/self/" + name, "w") as f:
                f.write(text)
    return enter


CALLERS = {
    "root": lambda: None,
    "root-without-capabilities": lambda: become(0, caps=()),
    "owner": lambda: become(1001),
    "owner-in-group": lambda: become(1001, 1001, [2000]),
    "primary-group": lambda: become(1002, 2000),
    "supplementary-group": lambda: become(1002, 1002, [2000, 2001]),
    "other": lambda: become(1003),
    "acl-user": lambda: become(1005),
    "acl-group": lambda: become(1004, 1004, [3000]),
    "cap-dac-override": lambda: become(1003, caps=["DAC_OVERRIDE"]),
    "cap-fowner": lambda: become(1003, caps=["FOWNER"]),
    "cap-chown": lambda: become(1003, caps=["CHOWN"]),
    "cap-fsetid": lambda: become(1001, caps=["FSETID"]),
    "cap-mknod": lambda: become(1001, caps=["MKNOD"]),
    "user-namespace": in_user_namespace(1001),
    "user-namespace-of-other": in_user_namespace(1003),
}
LIST = acl(("u:", 7), ("u", 7, 1005), ("g:", 5), ("g", 7, 3000), ("m", 7), ("o", 5))
OTHER_LIST = acl(("u:", 6), ("u", 4, 1009), ("g:", 4), ("m", 4), ("o", 0))


def fixture(kind):
    for name, mode, owner in ("", 0o775, 1001), ("setgid", 0o2775, 1001), ("sticky", 0o1777, 0), ("private", 0o700, 1001):
        path = at(f"{kind}/{name}")
        os.mkdir(path)
        os.chown(path, owner, 2000)
        os.chmod(path, mode)
    os.setxattr(at(kind), ACCESS, LIST)
    for name, mode in ("file", 0o640), ("set-id", 0o6755), ("set-gid", 0o2644), ("listed", 0o600), ("locked", 0), \
            ("gone", 0o644), ("sticky/hers", 0o666), ("sticky/moved", 0o666), ("exec", 0o750), ("set-id-2", 0o6777), ("set-id-3", 0o6666):
        put(f"{kind}/{name}", b"#!/bin/sh\nexit 0\n")
        os.chown(at(f"{kind}/{name}"), 1001, 2000)
        os.chmod(at(f"{kind}/{name}"), mode)
    os.setxattr(at(f"{kind}/listed"), ACCESS, LIST)


def opened(path, flags, mode=0o666):
    os.close(os.open(path, flags, mode))


def written(path):
    f = os.open(path, os.O_WRONLY)
    os.write(f, b"y")
    os.close(f)


def operations(p):
    """Name, target, call."""
    return [
        ("create", "new", lambda: opened(p("new"), os.O_CREAT | os.O_WRONLY, 0o4775)),
        ("mkdir", "dir", lambda: os.mkdir(p("dir"), 0o777)),
        ("symlink", "link", lambda: os.symlink("x", p("link"))),
        ("mkfifo", "pipe", lambda: os.mkfifo(p("pipe"), 0o666)),
        ("mknod", "null", lambda: os.mknod(p("null"), 0o20666, os.makedev(1, 3))),
        ("whiteout", "zero", lambda: os.mknod(p("zero"), 0o20666, 0)),
        ("bind", "sock", lambda: socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{os.open(p(''), os.O_PATH)}/sock")),
        ("link", "hard", lambda: os.link(p("file"), p("hard"))),
        ("read", "file", lambda: opened(p("file"), os.O_RDONLY)),
        ("write", "file", lambda: written(p("file"))),
        ("read by list", "listed", lambda: opened(p("listed"), os.O_RDONLY)),
        ("write by list", "listed", lambda: written(p("listed"))),
        ("read locked", "locked", lambda: opened(p("locked"), os.O_RDONLY)),
        ("access", "file", lambda: [os.access(p("file"), m) for m in (4, 2, 1)]),
        ("list private", "private", lambda: os.listdir(p("private"))),
        ("create in setgid", "setgid/new", lambda: opened(p("setgid/new"), os.O_CREAT | os.O_WRONLY, 0o2775)),
        ("create plain in setgid", "setgid/plain", lambda: opened(p("setgid/plain"), os.O_CREAT | os.O_WRONLY, 0o644)),
        ("mkdir in setgid", "setgid/dir", lambda: os.mkdir(p("setgid/dir"))),
        ("unlink in sticky", "sticky/hers", lambda: os.unlink(p("sticky/hers"))),
        ("rename in sticky", "sticky/mine", lambda: os.rename(p("sticky/moved"), p("sticky/mine"))),
        ("rename", "renamed", lambda: os.rename(p("gone"), p("renamed"))),
        ("unlink", "locked", lambda: os.unlink(p("locked"))),
        ("write set-id", "set-id-2", lambda: written(p("set-id-2"))),
        ("truncate set-id", "set-id-3", lambda: os.truncate(p("set-id-3"), 1)),
        ("write set-gid", "set-gid", lambda: written(p("set-gid"))),
        ("chmod setgid", "file", lambda: os.chmod(p("file"), 0o2770)),
        ("set list", "set-gid", lambda: os.setxattr(p("set-gid"), ACCESS, OTHER_LIST)),
        ("set list on set-id", "set-id", lambda: os.setxattr(p("set-id"), ACCESS, LIST)),
        ("chgrp", "set-id", lambda: os.chown(p("set-id"), -1, 2000)),
        ("chgrp to own", "file", lambda: os.chown(p("file"), -1, os.getegid())),
        ("chown", "exec", lambda: os.chown(p("exec"), 1003, -1)),
        ("touch", "file", lambda: os.utime(p("file"))),
        ("set times", "file", lambda: os.utime(p("file"), ns=(1, 1))),
        ("setxattr", "listed", lambda: os.setxattr(p("listed"), "user.a", b"1")),
        ("setxattr trusted", "listed", lambda: os.setxattr(p("listed"), "trusted.a", b"1")),
        ("getxattr", "file", lambda: os.getxattr(p("file"), "user.none")),
        ("execute", "exec", lambda: subprocess.call([p("exec")], stderr=subprocess.DEVNULL)),
        ("chmod suid", "set-id-2", lambda: os.chmod(p("set-id-2"), 0o6711)),
        ("rmdir", "dir", lambda: os.rmdir(p("dir"))),
    ]


def act(kind, enter, report):
    enter()
    os.umask(0o022)
    for name, target, call in operations(lambda name: at(f"{kind}/{name}")):
        os.write(report, f"{kind}: {name}: {tried(call)}|{kind}/{target}\n".encode())
        os.read(answers[0], 1)


answers = os.pipe()
os.umask(0)
for kind, enter in CALLERS.items():
    fixture(kind)
    reports = os.pipe()
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        act(kind, enter, reports[1])
        os._exit(0)
    os.close(reports[1])
    # Root looks at each target, as the caller may not be able to.
    for line in os.fdopen(reports[0]):
        what, target = line.rstrip("\n").split("|")
        print(what, "->", looks(target))
        os.write(answers[1], b"x")
    os.waitpid(pid, 0)
