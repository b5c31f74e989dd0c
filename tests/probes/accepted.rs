//! The differences of `accepted.md`, pinned: a test here fails when one of them is gone.

use super::{Backing, Mount, open_to_all, outcome, require_fuse, require_root};

/// What a program prints on a plain directory, and what it prints on an idle mount.
fn pinned(options: &[&str], text: &str, plain: &str, mount: &str) {
    require_root!();
    require_fuse!();
    assert_eq!(outcome(text, Backing::new().path()).trim_end(), plain, "on a plain directory");
    let backing = Backing::new();
    open_to_all(backing.path());
    let mut mounted = Mount::new(backing.path()).args(["--allow-other"]).args(options).start();
    assert_eq!(outcome(text, mounted.path()).trim_end(), mount, "on a mount");
    mounted.stop();
}

#[test]
fn direct_io_that_a_disk_refuses_is_done() {
    let text = "put('f', b'x' * 65536); d = os.open(at('f'), os.O_RDWR | os.O_DIRECT)\n\
        view = memoryview(mmap.mmap(-1, 1 << 16))\n\
        for what, start, length, offset in ('memory', 1, 4096, 0), ('length', 0, 1000, 0), ('offset', 0, 4096, 100):\n\
        \x20say(what, os.preadv, d, [view[start:start + length]], offset)\n\
        \x20say(what, os.pwritev, d, [view[start:start + length]], offset)";
    let refused = ["memory", "memory", "length", "length", "offset", "offset"];
    let refused = refused.map(|what| format!("{what} EINVAL")).join("\n");
    let done = "memory 4096\nmemory 4096\nlength 1000\nlength 1000\noffset 4096\noffset 4096";
    pinned(&["--no-passthrough"], text, &refused, done);
}

#[test]
fn a_mapping_that_is_written_back_takes_capabilities() {
    let text = "put('f', b'x' * 4096)\n\
        os.setxattr(at('f'), 'security.capability', struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0))\n\
        m = mmap.mmap(os.open(at('f'), os.O_RDWR), 4096); m[0:1] = b'y'; m.flush()\n\
        say('capability', lambda: len(os.getxattr(at('f'), 'security.capability')))";
    pinned(&["--no-passthrough"], text, "capability 20", "capability ENODATA");
}

#[test]
fn a_change_of_the_owner_to_nobody_is_not_refused_while_the_file_is_written() {
    let text = "put('f', b'x', 0o2666)\n\
        def chown(): become(1003); say('chown', os.chown, at('f'), -1, -1)\n\
        child(chown); print(looks('f')); d = os.open(at('f'), os.O_WRONLY); child(chown); print(looks('f'))";
    let (refused, file) = ("chown EPERM", "102666 0:0 links=1 size=1");
    let plain = format!("{refused}\n{file}\n{refused}\n{file}");
    let mount = format!("{refused}\n{file}\nchown None\n100666 0:0 links=1 size=1");
    pinned(&[], text, &plain, &mount);
}

#[test]
fn reads_from_the_page_cache_move_no_time_of_access() {
    let text = "put('f', b'x' * 4096); f = os.open(at('f'), os.O_RDONLY); os.pread(f, 10, 0)\n\
        os.utime(f, ns=(1, 1)); os.pread(f, 10, 0); print(os.fstat(f).st_atime_ns > 1)";
    pinned(&["--no-passthrough"], text, "True", "False");
}

#[test]
fn a_mount_without_times_of_access_still_moves_those_of_the_backing_directory() {
    let text = "put('f', b'x' * 4096); os.utime(at('f'), ns=(1, 1)); get('f')\n\
        print(os.stat(at('f')).st_atime_ns > 1)";
    pinned(&["-o", "noatime"], text, "True", "True");
}

#[test]
fn a_file_that_the_kernel_serves_keeps_the_flags_that_it_was_opened_with() {
    let text = "put('f', b'0123456789'); f = os.open(at('f'), os.O_RDWR | os.O_APPEND)\n\
        fcntl.fcntl(f, fcntl.F_SETFL, fcntl.fcntl(f, fcntl.F_GETFL) & ~os.O_APPEND)\n\
        os.pwrite(f, b'AB', 0); print(get('f').decode())";
    pinned(&[], text, "AB23456789", "0123456789AB");
    pinned(&["--no-passthrough"], text, "AB23456789", "AB23456789");
}

#[test]
fn ranges_are_neither_collapsed_nor_inserted() {
    let text = "put('f', b'x' * 65536); f = os.open(at('f'), os.O_RDWR)\n\
        for mode in 8, 32: say(mode, libc_call, 'fallocate', f, mode, 4096, 4096)";
    pinned(&[], text, "8 0\n32 0", "8 EOPNOTSUPP\n32 EOPNOTSUPP");
}

#[test]
fn a_file_can_be_waited_for_and_has_the_type_of_fuse_and_no_map_of_its_blocks() {
    let text = "put('f'); f = os.open(at('f'), os.O_RDONLY)\n\
        say('epoll', lambda: select.epoll().register(f, select.EPOLLIN))\n\
        b = ctypes.create_string_buffer(256); libc_call('fstatfs', f, b)\n\
        print('fuse', struct.unpack('q', b.raw[:8])[0] == 0x65735546)\n\
        say('fiemap', lambda: fcntl.ioctl(f, 0xC020660B, b'\\0' * 8 + b'\\xff' * 8 + b'\\0' * 16) and 'a map')\n\
        print('still there', looks('f'))";
    let file = "still there 100644 0:0 links=1 size=1";
    let plain = format!("epoll EPERM\nfuse False\nfiemap a map\n{file}");
    let mount = format!("epoll None\nfuse True\nfiemap EOPNOTSUPP\n{file}");
    pinned(&[], text, &plain, &mount);
}

#[test]
fn reads_that_must_not_wait_are_refused() {
    let text = "put('f'); f = os.open(at('f'), os.O_RDONLY); os.pread(f, 1, 0)\n\
        say('nowait', os.preadv, f, [bytearray(1)], 0, 8)";
    pinned(&[], text, "nowait 1", "nowait EOPNOTSUPP");
}
