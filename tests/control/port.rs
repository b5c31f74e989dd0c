//! Asking at a port of this machine, with a token; and connections on which nothing is asked.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn token(files: &Backing, text: &str, mode: u32) -> PathBuf {
    let path = files.join("token");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

fn mount(backing: &Backing, token: &Path) -> (Mount, String) {
    mount_for(backing, token, "1s")
}

/// Keeps connections for so long on which nothing is asked.
fn mount_for(backing: &Backing, token: &Path, patience: &str) -> (Mount, String) {
    // A free one, as of now.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mount = Mount::new(backing.path())
        .scenario(ROT)
        .seed(1)
        .args(["--control", &format!("tcp:{free}")])
        .args(["--token-file".as_ref(), token.as_os_str()])
        .args(["--control-patience", patience])
        .start();
    (mount, free.to_string())
}

/// A mount of zeros that keeps idle connections for so long; its port takes [`TOKEN`].
fn listening(patience: &str) -> ([Backing; 2], Mount, String) {
    let (backing, files) = (zeros(), Backing::new());
    let (mount, port) = mount_for(&backing, &token(&files, TOKEN, 0o600), patience);
    ([backing, files], mount, port)
}

/// What comes back for this text.
fn said(mut stream: impl std::io::Read + std::io::Write, text: &str) -> String {
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn asked(port: &str, authorization: &str) -> String {
    let head = format!("GET /version HTTP/1.0\r\n{authorization}\r\n");
    said(TcpStream::connect(port).unwrap(), &head)
}

#[test]
fn a_port_answers_those_who_know_the_token_and_the_verbs_do() {
    require_fuse!();
    let (backing, files) = (zeros(), Backing::new());
    let file = token(&files, &format!("{TOKEN}\n"), 0o600);
    let (mut mount, port) = mount(&backing, &file);
    assert!(asked(&port, &format!("Authorization: Bearer {TOKEN}\r\n")).contains("\"errorfs\""));
    let wrong = ["", "Bearer ", &format!("Bearer {}", &TOKEN[1..]), &format!("Basic {TOKEN}")];
    for wrong in wrong {
        let answer = asked(&port, &format!("Authorization: {wrong}\r\n"));
        assert!(answer.starts_with("HTTP/1.0 401 ") && answer.contains("unauthorized"), "{answer}");
        assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
    }
    let verb = |name: &str| Program::errorfs(name).args(["--socket", &format!("tcp:{port}")]);
    verb("disarm").arg("--token-file").arg(&file).succeed().expect_said("generation 2");
    assert_eq!(rotten(&mount), 0);
    verb("arm").env("ERRORFS_TOKEN_FILE", &file).succeed();
    verb("status").run().expect_status(2).expect_said("a port takes a token");
    let other = Backing::new();
    let wrong = token(&other, &TOKEN.replace('0', "1"), 0o600);
    verb("status")
        .arg("--token-file")
        .arg(wrong)
        .run()
        .expect_status(2)
        .expect_said("takes the token");
    // The usual socket is there as well, and takes none.
    Program::errorfs("status").arg(mount.path()).succeed().expect_said("rot");
    assert!(!mount.said().contains(TOKEN));
    mount.stop();
    assert!(TcpStream::connect(&port).is_err());
}

#[test]
fn ports_of_others_and_tokens_that_others_know_are_refused_before_anything_is_mounted() {
    require_fuse!();
    let (backing, files) = (zeros(), Backing::new());
    let place = Backing::new();
    let mount = |control: &str, file: Option<&Path>| {
        let mount = Program::errorfs("mount").args(["--control", control]);
        let mount = file.into_iter().fold(mount, |mount, file| mount.arg("--token-file").arg(file));
        mount.arg(backing.path()).arg(place.path()).run().expect_status(2)
    };
    let file = token(&files, TOKEN, 0o600);
    mount("tcp:0.0.0.0:7070", Some(&file)).expect_said("can be reached from other machines");
    mount("tcp:7070", Some(&file)).expect_said("is not a port of this machine");
    mount("tcp:127.0.0.1:0", None).expect_said("a port takes a token: --token-file FILE");
    let file = token(&files, TOKEN, 0o644);
    mount("tcp:127.0.0.1:0", Some(&file)).expect_said("others can read the token file");
    let file = token(&files, "short", 0o600);
    mount("tcp:127.0.0.1:0", Some(&file)).expect_said("16 to 1024 visible letters");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let file = token(&files, TOKEN, 0o600);
    let port = format!("tcp:{}", taken.local_addr().unwrap());
    mount(&port, Some(&file)).expect_said("nobody can ask this mount");
}

#[test]
fn connections_on_which_nothing_is_asked_are_closed_and_followers_are_not() {
    require_fuse!();
    let (_kept, mut mount, _) = listening("1s");
    let socket = find(Some(mount.path())).unwrap();
    let connect = || {
        let stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    };
    let mut follower = connect();
    follower.write_all(b"GET /v1/events?follow=1 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let start = Instant::now();
    assert_eq!(said(connect(), ""), "", "nothing was asked");
    assert_eq!(said(connect(), "GET /ver"), "", "half a head");
    let idle = said(connect(), "GET /version HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(idle.starts_with("HTTP/1.1 200"), "closed after the answer: {idle}");
    let slow = "PUT /v1/scenario HTTP/1.1\r\nhost: x\r\ncontent-length: 400\r\n\r\nversion";
    let slow = said(connect(), slow);
    assert!(slow.starts_with("HTTP/1.1 408 ") && slow.contains("slow-body"), "{slow}");
    assert!(start.elapsed() >= Duration::from_secs(4), "each was given its time");
    // Whoever follows has been there for all of that, and still is.
    assert_eq!(rotten(&mount), 1);
    let (mut seen, mut buffer) = (String::new(), [0; 4096]);
    while !seen.contains("\"rot\"") {
        let count = follower.read(&mut buffer).unwrap();
        assert!(count > 0, "closed after {seen}");
        seen += &String::from_utf8_lossy(&buffer[..count]);
    }
    mount.stop();
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    require_fuse!();
    let (_kept, mut mount, port) = listening("1s");
    let large = format!("x: {}\r\n", "y".repeat(100_000));
    let mut stream = TcpStream::connect(&port).unwrap();
    let _ = stream.write_all(format!("GET /version HTTP/1.1\r\n{large}\r\n").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    assert!(asked(&port, &format!("Authorization: Bearer {TOKEN}\r\n")).contains("\"errorfs\""));
    mount.stop();
}

#[test]
fn whoever_takes_every_place_at_the_port_takes_none_at_the_socket() {
    require_fuse!();
    let (_kept, mut mount, port) = listening("10m");
    let idle: Vec<_> = (0..128).map(|_| TcpStream::connect(&port).unwrap()).collect();
    // Whoever comes next has no place: all of those are taken by now.
    let mut refused = TcpStream::connect(&port).unwrap();
    refused.set_read_timeout(Some(LONG)).unwrap();
    let closed = match refused.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(closed, "there is a place left");
    Program::errorfs("status").arg(mount.path()).succeed().expect_said("rot");
    drop(idle);
    mount.stop();
}

#[test]
fn whoever_asks_and_never_reads_the_answers_is_not_kept() {
    require_fuse!();
    let (_kept, mut mount, _) = listening("1s");
    let mut peer = UnixStream::connect(find(Some(mount.path())).unwrap()).unwrap();
    peer.set_nonblocking(true).unwrap();
    let mut is_kept = || match peer.write(b"GET /v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n") {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    };
    wait_until("it is closed", LONG, || !is_kept());
    mount.stop();
}

/// Programs that follow may rest for longer than others are kept.
#[test]
fn whoever_follows_and_does_not_read_for_a_while_is_kept() {
    require_fuse!();
    const EVENTS: usize = 6_000;
    let (_kept, mut mount, _) = listening("1s");
    assert!(Api::of(&mount).load(&FAILS.replace("every = 2", "every = 1")).is_done());
    let mut follower = UnixStream::connect(find(Some(mount.path())).unwrap()).unwrap();
    follower.set_read_timeout(Some(LONG)).unwrap();
    follower.write_all(b"GET /v1/events?follow=1 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let other = std::fs::File::open(mount.join("other")).unwrap();
    for _ in 0..EVENTS {
        let read = std::os::unix::fs::FileExt::read_at(&other, &mut [0], 0);
        assert!(read.is_err());
    }
    std::thread::sleep(Duration::from_secs(3));
    let (mut seen, mut buffer) = (String::new(), vec![0; 1 << 16]);
    while !seen.contains(&format!("\"seq\":{EVENTS},")) {
        let count = follower.read(&mut buffer).unwrap();
        assert!(count > 0, "closed after {} bytes", seen.len());
        seen += &String::from_utf8_lossy(&buffer[..count]);
    }
    drop(other);
    mount.stop();
}
