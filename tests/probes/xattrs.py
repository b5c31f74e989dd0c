# Extended attributes: sizes, names, values, who sees which.
put("file")
os.mkdir(at("dir"))
os.symlink("file", at("link"))
os.mkfifo(at("pipe"))
for size in 0, 1, 255, 1024, 3000, 4096, 65536, 65537:
    say(f"set {size}", os.setxattr, at("file"), "user.big", b"v" * size)
    say(f"length {size}", lambda: len(os.getxattr(at("file"), "user.big")))
buffer = ctypes.create_string_buffer(70000)


def raw(name, path, *a):
    return libc_call(name, ctypes.c_char_p(at(path)), *a)


os.setxattr(at("file"), "user.big", b"v" * 100)
for room in 0, 1, 99, 100, 101, 65536, 70000:
    say(f"get into {room}", lambda: raw("getxattr", "file", ctypes.c_char_p(b"user.big"), buffer, room))
    say(f"list into {room}", lambda: raw("listxattr", "file", buffer, room) and buffer.raw[:9])
for name in ("user.", "user.a/b", "user." + "n" * 250, "user." + "n" * 251, "user.\n\udcff", "nonsense", "", "other.a",
             "security.test", "system.test", "trusted.test", "trusted.", "user"):
    for target in "file", "dir", "link", "pipe":
        say(f"{target} {name!r}", os.setxattr, at(target), os.fsencode(name), b"1", follow_symlinks=False)
        say("   get", os.getxattr, at(target), os.fsencode(name), follow_symlinks=False)
say("create over", os.setxattr, at("file"), "user.big", b"2", os.XATTR_CREATE)
say("replace none", os.setxattr, at("file"), "user.none", b"2", os.XATTR_REPLACE)
say("replace", os.setxattr, at("file"), "user.big", b"2", os.XATTR_REPLACE)
say("bad flags", os.setxattr, at("file"), "user.big", b"2", 7)
say("remove none", os.removexattr, at("file"), "user.none")
say("remove", os.removexattr, at("file"), "user.big")
for target in "file", "dir", "link", "pipe":
    say(f"root sees of {target}", lambda: sorted(os.listxattr(at(target), follow_symlinks=False)))
f = os.open(at("file"), os.O_RDONLY)
say("by descriptor", os.setxattr, f, "user.fd", b"1")
os.unlink(at("file"))
say("of an unlinked file", os.getxattr, f, "user.fd")
say("set on it", os.setxattr, f, "user.two", b"2")
os.chmod(at("dir"), 0o777)


def unprivileged():
    say("sees", lambda: sorted(os.listxattr(at("dir"))))
    say("of a symlink", lambda: sorted(os.listxattr(at("link"), follow_symlinks=False)))
    say("room", lambda: raw("listxattr", "dir", None, 0))
    say("too small", lambda: raw("listxattr", "dir", buffer, 1))
    for name in "user.", "user.a/b", "trusted.test", "security.test", "system.test":
        say(f"get {name}", os.getxattr, at("dir"), name)
        say(f"set {name}", os.setxattr, at("dir"), name, b"2")
        say(f"remove {name}", os.removexattr, at("dir"), name)


def user_namespace():
    become(1003)
    libc_call("unshare", 0x10000000)
    unprivileged()


child(lambda: (become(1003), unprivileged()))
child(lambda: (become(0, caps=()), unprivileged()))
child(lambda: (become(1003, caps=["SYS_ADMIN"]), unprivileged()))
child(user_namespace)
