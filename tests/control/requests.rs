//! Requests that are wrong, too large, cut off, many at once, or somebody else's.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use errorfs::control::{ROUTES, default_path};

use super::*;

fn socket(mount: &Mount) -> PathBuf {
    errorfs::control::find(Some(mount.path())).unwrap()
}

/// What comes back for these bytes, if anything.
fn raw(socket: &std::path::Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn every_request_of_the_table_is_answered_and_stands_in_the_document() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let api = Api::of(&mount);
    let document = api.get("/v1/openapi.json");
    let mut listed: Vec<(String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        listed.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let mut table: Vec<(String, String)> =
        ROUTES.iter().map(|one| (one.method.to_owned(), one.path.to_owned())).collect();
    listed.sort();
    table.sort();
    assert_eq!(listed, table);
    for route in ROUTES {
        let path = route.path.replace("{name}", "rot");
        let body = route.body.map(|_| ("application/json", "{}"));
        let reply = api.ask(route.method, &path, body);
        let known = reply.is_done() || reply.json()["code"] != "unknown-path";
        assert!(known && reply.status != 405 && reply.status < 500, "{route:?}: {}", reply.status);
    }
    for (method, path, wanted) in [
        ("GET", "/v1/nothing", (404, "unknown-path")),
        ("DELETE", "/v1/status", (405, "method-not-allowed")),
        ("GET", "/v1/events?after=x", (400, "bad-query")),
        ("GET", "/v1/events?what=1", (400, "bad-query")),
        ("POST", "/v1/rules/none/arm", (404, "unknown-rule")),
        ("POST", "/v1/inject", (400, "bad-json")),
    ] {
        let (status, code) = refusal(&api.ask(method, path, None));
        assert_eq!((status, &*code), wanted, "{method} {path}");
    }
    mount.stop();
}

#[test]
fn whatever_is_sent_the_mount_lives_and_is_as_it_was() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let (socket, api) = (socket(&mount), Api::of(&mount));
    let before = (api.get("/v1/scenario"), api.generation());
    let good = format!(
        "PUT /v1/scenario HTTP/1.1\r\nhost: x\r\ncontent-length: 400\r\n\r\nversion = 1\n{ROT}"
    );
    let rounds: u64 = std::env::var("ERRORFS_FUZZ").map_or(300, |text| text.parse().unwrap());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (socket, good) = (&socket, &good);
            scope.spawn(move || {
                for round in (thread..rounds).step_by(4) {
                    raw(socket, &spoilt(good.as_bytes(), round));
                }
            });
        }
    });
    let large = vec![b'#'; 5 << 20];
    let reply = api.client.ask("PUT", "/v1/scenario", Some(("application/toml", large)));
    assert!(reply.is_err() || reply.is_ok_and(|reply| reply.status == 413));
    let many: String = (0..2000).map(|number| format!("h{number}: x\r\n")).collect();
    raw(&socket, format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes());
    assert_eq!((api.get("/v1/scenario"), api.generation()), before);
    assert_eq!(rotten(&mount), 1);
    mount.stop();
}

/// A request that is never whole: cut off, or with some bytes that are others.
fn spoilt(good: &[u8], seed: u64) -> Vec<u8> {
    let random = noise(seed + 1, 16);
    let number = |at: usize| usize::from(random[at]) << 8 | usize::from(random[at + 1]);
    let mut bytes = good[..number(0) % good.len()].to_vec();
    for at in (2..10).step_by(2) {
        let place = number(at) % bytes.len().max(1);
        if bytes.is_empty() {
            break;
        }
        bytes[place] = random[at + 4];
    }
    bytes
}

#[test]
fn changes_that_are_asked_for_at_once_are_made_one_after_another() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).scenario(ROT).seed(1).start();
    let mut generations: Vec<u64> = std::thread::scope(|scope| {
        let add = |number: u64| {
            let mount = &mount;
            scope.spawn(move || {
                let rule = json!({ "name": format!("r{number}"), "fault": { "stall": {} },
                    "select": { "path": format!("none{number}"), "ops": ["read"] } });
                let added = Api::of(mount).change("POST", "/v1/rules", Some(&rule));
                added["generation"].as_u64().unwrap()
            })
        };
        let added: Vec<_> = (0..16).map(add).collect();
        added.into_iter().map(|one| one.join().unwrap()).collect()
    });
    generations.sort_unstable();
    assert_eq!(generations, (2..18).collect::<Vec<_>>());
    assert_eq!(Api::of(&mount).get("/v1/rules").as_array().unwrap().len(), 17);
    mount.stop();
}

#[test]
fn another_user_gets_nothing_from_the_socket() {
    require_fuse!();
    require_root!();
    let (backing, open) = (zeros(), Backing::new());
    std::fs::set_permissions(open.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let socket = open.join("socket");
    let mut mount = Mount::new(backing.path())
        .args(["--control".into(), socket.clone().into_os_string()])
        .start();
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let asks = |user: u32| {
        let curl = Program::new("curl").args(["-sS", "--max-time", "5", "--unix-socket"]);
        curl.arg(&socket).arg("http://localhost/version").user(user).run()
    };
    assert!(!asks(65_534).status.success(), "by its mode");
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
    let other = asks(65_534);
    assert!(!other.status.success() && other.stdout.is_empty(), "by whom it is: {other}");
    assert!(asks(0).stdout.contains("errorfs"));
    mount.stop();
    assert!(!socket.exists());
}

#[test]
fn the_socket_is_refused_where_it_would_be_below_the_mount_and_replaced_where_it_is_dead() {
    require_fuse!();
    let (backing, mountpoint, other) = (zeros(), Backing::new(), Backing::new());
    let mount = |socket: &std::path::Path| {
        Program::errorfs("mount")
            .arg("--control")
            .arg(socket)
            .arg(backing.path())
            .arg(mountpoint.path())
    };
    let refused = mount(&backing.join("socket")).run().expect_status(2);
    refused.expect_said("the control socket");
    let alive = std::os::unix::net::UnixListener::bind(other.join("socket")).unwrap();
    mount(&other.join("socket")).run().expect_status(2).expect_said("nobody can ask this mount");
    drop(alive);
    let mut mount = Mount::new(backing.path())
        .args(["--control".into(), other.join("socket").into_os_string()])
        .start();
    let asked = Program::errorfs("status").arg("--socket").arg(other.join("socket"));
    asked.succeed().expect_said("no rule is loaded");
    let pointer = find(Some(mount.path())).unwrap();
    assert_eq!(std::fs::read_link(&pointer).unwrap(), other.join("socket"));
    let link = other.join("link");
    std::os::unix::fs::symlink(mount.path(), &link).unwrap();
    for name in [mount.path(), &link] {
        Program::errorfs("status").arg(name).succeed().expect_said("no rule is loaded");
    }
    mount.stop();
    assert!(!pointer.is_symlink());
    find(Some(&link)).unwrap_err();
    let chosen = default_path(mountpoint.path()).unwrap();
    assert!(chosen.to_str().unwrap().len() < 100, "a socket's path is short: {chosen:?}");
}

/// Each takes a descriptor: the target's files are to be opened whatever clients leave open.
#[test]
fn connections_that_nobody_closes_leave_the_mount_its_descriptors() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).start();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", mount.pid())).unwrap().count();
    let before = descriptors();
    let socket = socket(&mount);
    let mut open: Vec<_> = (0..600).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    // All have been looked at when the last one is closed.
    let last = open.last_mut().unwrap();
    last.set_read_timeout(Some(LONG)).unwrap();
    let closed = match last.read(&mut [0]) {
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        Ok(count) => count == 0,
    };
    assert!(closed, "600 connections are served");
    assert!(descriptors() < before + 200, "{} after {before}", descriptors());
    drop(open);
    wait_until("there is a place again", LONG, || {
        raw(&socket, b"GET /version HTTP/1.0\r\n\r\n").contains("errorfs")
    });
    mount.stop();
}

/// Somebody removed it, and another mount listens there by now.
#[test]
fn a_mount_that_ends_leaves_the_socket_of_another_one() {
    require_fuse!();
    let (backing, other) = (zeros(), Backing::new());
    let socket = other.join("socket");
    let mount = || {
        let arguments = ["--control".into(), socket.clone().into_os_string()];
        Mount::new(backing.path()).args(arguments).start()
    };
    let mut first = mount();
    std::fs::remove_file(&socket).unwrap();
    let mut second = mount();
    first.stop();
    Program::errorfs("status").arg("--socket").arg(&socket).succeed();
    second.stop();
    assert!(!socket.exists());
}

#[test]
fn without_control_there_is_no_socket() {
    require_fuse!();
    let backing = zeros();
    let mut mount = Mount::new(backing.path()).args(["--no-control"]).start();
    assert!(errorfs::control::find(Some(mount.path())).is_err());
    mount.stop();
}
