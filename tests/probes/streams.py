# Directories as streams: places, small buffers, changes while reading, the dots, kinds.
for n in range(700):
    put(f"e{n:04}", b"")
os.mkdir(at("dir"))
os.mkfifo(at("pipe"))
os.symlink("x", at("link"))
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long


def getdents(fd, room):
    """Names, kinds, inode numbers and places of the next entries."""
    buffer = ctypes.create_string_buffer(room)
    n = libc_call("syscall", 217, fd, buffer, room)
    entries, at = [], 0
    while at < n:
        ino, place, length, kind = struct.unpack_from("QqHB", buffer, at)
        entries.append((buffer[at + 19:at + length].split(b"\0")[0], kind, ino, place))
        at += length
    return entries


def all_of(fd, room=32768):
    entries = []
    while part := getdents(fd, room):
        entries += part
    return entries


fd = os.open(root, os.O_RDONLY)
whole = all_of(fd)
print(len(whole), len({e[0] for e in whole}), sorted({e[1] for e in whole}))
inodes = {e[0]: e[2] for e in whole}
print("inodes", all(os.lstat(at(e[0])).st_ino == e[2] for e in whole if e[0] != b".."))
sub = {e[0]: e[2] for e in all_of(os.open(at("dir"), os.O_RDONLY))}
print("dots", sub[b"."] == os.stat(at("dir")).st_ino, sub[b".."] == os.stat(root).st_ino, len(sub))
os.lseek(fd, 0, 0)
say("no room", getdents, fd, 1)
say("room for one", lambda: len(getdents(fd, 32)))
for room in 24, 48, 100, 280, 1000, 4096:
    os.lseek(fd, 0, 0)
    print(room, tried(lambda: len({e[0] for e in all_of(fd, room)})))
os.lseek(fd, 0, 0)
for e in whole[::97]:
    os.lseek(fd, e[3], 0)
    rest = all_of(fd)
    print(rest == whole[whole.index(e) + 1:], end=" ")
print()
os.lseek(fd, 0, 0)
first = getdents(fd, 1000)
for n in range(700):
    if n % 2:
        os.unlink(at(f"e{n:04}"))
rest = all_of(fd)
left = {f"e{n:04}".encode() for n in range(0, 700, 2)}
seen = [e[0] for e in first + rest]
print("nothing that stayed is missed", left <= set(seen), "nothing comes twice", len(seen) == len(set(seen)))
put("new", b"")
os.lseek(fd, 0, 0)
print("a rewound stream has the new", b"new" in {e[0] for e in all_of(fd)}, len(left) + 6)
os.lseek(fd, 0, 0)
getdents(fd, 300)
os.rename(at("e0000"), at("renamed"))
print("renamed while reading", all_of(fd) != [])
os.mkdir(at("gone"))
g = os.open(at("gone"), os.O_RDONLY)
os.rmdir(at("gone"))
say("a removed directory", getdents, g, 1000)
say("create in it", lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=g))
say("stat of it", lambda: os.fstat(g).st_nlink)
say("fsync of it", os.fsync, g)
say("a file", getdents, os.open(at("new"), os.O_RDONLY), 1000)
say("seek to the end", lambda: os.lseek(fd, 0, 2) > 0)
say("seek below", os.lseek, fd, -1, 0)
say("seek nowhere", lambda: os.lseek(fd, 12345, 0))
for names in range(3):
    removed = 0
    for name in os.listdir(root)[:100]:
        if name.startswith(b"e"):
            os.unlink(at(name))
            removed += 1
print("emptied", len(os.listdir(root)))
for n in range(0, 700, 2):
    tried(os.unlink, at(f"e{n:04}"))
print(sorted(os.listdir(root)), os.stat(root).st_nlink, sorted(e.name for e in os.scandir(root) if e.is_dir()))


def scan_while_others_change():
    """One process makes and removes names while another reads: those that stay are always there."""
    for n in range(200):
        put(f"stay{n}", b"")
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        for n in range(300):
            put(f"come{n}", b"")
            os.unlink(at(f"come{n}"))
        os._exit(0)
    stay = {f"stay{n}".encode() for n in range(200)}
    for _ in range(5):
        names = os.listdir(root)
        assert stay <= set(names) and len(names) == len(set(names))
    os.waitpid(pid, 0)


say("read while others change", scan_while_others_change)
