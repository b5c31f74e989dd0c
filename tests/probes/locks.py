# Locks of all three kinds: who excludes whom, when they end, and many that wait.
put("file", b"x" * 100)
path = at("file")
EX, SH, NB, UN = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_NB, fcntl.LOCK_UN
SETLK, SETLKW, GETLK = fcntl.F_SETLK, fcntl.F_SETLKW, fcntl.F_GETLK
OFD_GETLK, OFD_SETLK = 36, 37


def opened(flags=os.O_RDWR):
    return os.open(path, flags)


def posix(f, command, kind, start, length):
    answer = fcntl.fcntl(f, command, struct.pack("hhqqi4x", kind, 0, start, length, 0))
    kind, _, start, length, pid = struct.unpack("hhqqi4x", answer)
    return kind, start, length, "somebody" if pid > 0 else pid


def elsewhere(f):
    """In another process."""
    child(f)


a = opened()
say("flock", fcntl.flock, a, EX)
elsewhere(lambda: say("another flock", fcntl.flock, opened(), EX | NB))
say("another description", fcntl.flock, opened(), SH | NB)
say("a duplicate", fcntl.flock, os.dup(a), EX | NB)
say("downgrade", fcntl.flock, a, SH | NB)
elsewhere(lambda: say("share", fcntl.flock, opened(), SH | NB))
os.close(a)
[os.close(n) for n in range(3, 20) if tried(os.fstat, n) != "EBADF" and n > 2]
elsewhere(lambda: say("closed", fcntl.flock, opened(), EX | NB))

a = opened()
say("posix", posix, a, SETLK, 1, 10, 20)
elsewhere(lambda: say("test", posix, opened(), GETLK, 1, 0, 100))
elsewhere(lambda: say("beside", posix, opened(), SETLK, 1, 0, 10))
elsewhere(lambda: say("over", posix, opened(), SETLK, 1, 0, 11))
elsewhere(lambda: say("share over", posix, opened(), SETLK, 0, 15, 1))
say("own again", posix, opened(), SETLK, 0, 12, 3)
elsewhere(lambda: say("the downgraded middle", posix, opened(), SETLK, 0, 12, 3))
os.close(opened())
elsewhere(lambda: say("any close ends it", posix, opened(), SETLK, 1, 0, 0))
say("read-only write lock", posix, opened(os.O_RDONLY), SETLK, 1, 0, 1)
say("write-only read lock", posix, opened(os.O_WRONLY), SETLK, 0, 0, 1)
say("negative", posix, opened(), SETLK, 1, -1, 1)

a, b = opened(), opened()
say("of a description", posix, a, OFD_SETLK, 1, 0, 50)
say("excludes its own process", posix, b, OFD_SETLK, 1, 40, 20)
say("test", posix, b, OFD_GETLK, 1, 40, 20)
say("and posix locks", posix, b, SETLK, 1, 0, 1)
os.close(b)
elsewhere(lambda: say("other closes do not end it", posix, opened(), SETLK, 1, 0, 1))
os.close(a)
elsewhere(lambda: say("its own does", posix, opened(), SETLK, 1, 0, 0))


def deadlock():
    """Two processes that wait for each other: one is told."""
    r, w = os.pipe()
    r2, w2 = os.pipe()
    if (pid := os.fork()) == 0:
        f = opened()
        posix(f, SETLK, 1, 1, 1)
        os.write(w, b"x")
        os.read(r2, 1)
        try:
            posix(f, SETLKW, 1, 0, 1)
        except OSError:
            os._exit(7)
        os._exit(0)
    f = opened()
    posix(f, SETLK, 1, 0, 1)
    os.read(r, 1)
    os.write(w2, b"x")
    mine = tried(posix, f, SETLKW, 1, 1, 1)
    os.close(f)
    theirs = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return sorted([mine in ("EDEADLK", "EDEADLOCK"), theirs == 7])


say("deadlock", deadlock)


def waiters(lock, count):
    """Many wait for a lock; the file stays usable; each gets it in turn."""
    f = opened()
    lock(f)
    pids = []
    for _ in range(count):
        if (pid := os.fork()) == 0:
            os.close(f)
            g = opened()
            lock(g)
            os._exit(5)
        pids.append(pid)
    time.sleep(0.1)
    put("beside", b"usable")
    usable = get("beside"), len(os.listdir(root)) > 0, os.stat(path).st_size
    os.kill(pids[0], signal.SIGKILL)
    killed = os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1])
    os.close(f)
    return usable, killed, [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids[1:]]


say("20 wait for flock", waiters, lambda f: fcntl.flock(f, EX), 20)
say("20 wait for posix", waiters, lambda f: posix(f, SETLKW, 1, 0, 0), 20)
signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(InterruptedError(errno.EINTR, "")))
a = opened()
fcntl.flock(a, EX)
signal.setitimer(signal.ITIMER_REAL, 0.05)
say("a signal interrupts", fcntl.flock, opened(), EX)
os.unlink(path)
say("of an unlinked file", fcntl.flock, a, UN)
d = os.open(root, os.O_RDONLY)
say("of a directory", fcntl.flock, d, EX | NB)
say("lease", fcntl.fcntl, os.open(at("beside"), os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK)
