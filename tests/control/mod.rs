//! The API of a live mount and the verbs that ask it, on real mounts.

mod changes;
mod cost;
mod documents;
mod endings;
mod events;
mod exactness;
mod messages;
mod pages;
mod populate;
mod port;
mod requests;
mod safety;
mod stalls;
mod top;
mod verbs;
mod watch;

use std::time::Duration;

use errorfs::control::{Client, Reply, find};
use serde_json::{Value, json};

use crate::support::*;

const LONG: Duration = Duration::from_secs(20);

/// One bit of `file`, at byte 5, wrong for everybody.
const ROT: &str = "[[rule]]\nname = \"rot\"\nselect = { path = \"file\" }\n[rule.fault.bit_flip]\n\
    at = [{ byte = 5, bit = 0 }]\n";

/// Every second read of `other` fails.
const FAILS: &str = "[[rule]]\nname = \"fails\"\nselect = { path = \"other\", ops = [\"read\"] }\n\
    when = { every = 2 }\n[rule.fault.error]\nerrno = \"EIO\"\n";

/// A live mount that can be asked.
struct Api {
    client: Client,
}

impl Api {
    fn of(mount: &Mount) -> Api {
        let socket = find(Some(mount.path())).unwrap();
        Api { client: Client::new(&socket).unwrap() }
    }

    fn ask(&self, method: &str, path: &str, body: Option<(&str, &str)>) -> Reply {
        let body = body.map(|(kind, text)| (kind, text.as_bytes().to_vec()));
        self.client.ask(method, path, body).unwrap()
    }

    /// What is there to be read.
    fn get(&self, path: &str) -> Value {
        let reply = self.ask("GET", path, None);
        assert!(reply.is_done(), "{path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// A change that comes about; its answer.
    fn change(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let text = body.map(Value::to_string);
        let reply = self.ask(method, path, text.as_deref().map(|text| ("application/json", text)));
        assert!(reply.is_done(), "{method} {path}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    fn post(&self, path: &str) -> Value {
        self.change("POST", path, None)
    }

    /// Loads rules; `version = 1` is put in front.
    fn load(&self, rules: &str) -> Reply {
        let text = format!("version = 1\n{rules}");
        self.ask("PUT", "/v1/scenario", Some(("application/toml", &text)))
    }

    /// One rule as `status` has it.
    fn rule(&self, name: &str) -> Value {
        self.get(&format!("/v1/rules/{name}"))
    }

    fn generation(&self) -> u64 {
        self.get("/v1/status")["generation"].as_u64().unwrap()
    }
}

/// What a refused change answers: status and code.
fn refusal(reply: &Reply) -> (u16, String) {
    let problem = reply.json();
    assert_eq!(problem["status"], json!(reply.status), "{problem}");
    (reply.status, problem["code"].as_str().unwrap_or_default().to_owned())
}

/// The byte at which [`ROT`] flips a bit of zeros: 1 if it does.
fn rotten(mount: &Mount) -> u8 {
    read_at(&mount.join("file"), 5, 1).unwrap()[0]
}

fn zeros() -> Backing {
    Backing::new().with("file", &[0; 20_000]).with("other", &[0; 20_000])
}
