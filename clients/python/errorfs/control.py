"""The control API of a live mount: HTTP and JSON over a Unix socket."""

import http.client
import json
import socket
from urllib.parse import quote, urlencode

# Seconds that an answer may take.
PATIENCE = 30


class ControlError(RuntimeError):
    """What the mount refused: `status` and the `problem` that it gave (RFC 9457)."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail") or problem.get("title") or f"status {status}")
        self.status = status
        self.problem = problem


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Control:
    """Asks and changes one mount. Every change holds when its call returns."""

    def __init__(self, path):
        self.path = path

    def status(self):
        """What is armed, and what became of each rule."""
        return self._ask("GET", "/v1/status")

    def arm(self, rule=None):
        """Arms a rule, or all of them."""
        return self._ask("POST", _rule(rule, "arm"))

    def disarm(self, rule=None):
        """Disarms a rule, or all of them: the mount is its backing directory then."""
        return self._ask("POST", _rule(rule, "disarm"))

    def scenario(self, text):
        """Puts a scenario (TOML) in place of the one in force."""
        return self._ask("PUT", "/v1/scenario", text.encode(), "application/toml")

    def inject(self, **fault):
        """One fault at an exact position, once."""
        return self._ask("POST", "/v1/inject", json.dumps(fault).encode())

    def events(self, after=0):
        """The events since a sequence number."""
        return self._ask("GET", "/v1/events?" + urlencode({"after": after}))

    def release(self):
        """Answers every operation that is stalled or late."""
        return self._ask("POST", "/v1/release")

    def reset(self):
        """Sets all counters of rules to zero."""
        return self._ask("POST", "/v1/reset")

    def _ask(self, method, target, body=None, kind="application/json"):
        connection = _Connection(self.path)
        try:
            headers = {"Content-Type": kind} if body is not None else {}
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            return _answer(answer.status, answer.getheader("Content-Type", ""), answer.read())
        finally:
            connection.close()


def _rule(rule, verb):
    return f"/v1/rules/{quote(rule, safe='')}/{verb}" if rule else f"/v1/{verb}"


def _answer(status, kind, body):
    if kind.startswith("application/jsonl"):
        return [json.loads(line) for line in body.splitlines()]
    content = json.loads(body) if body else {}
    if status >= 400:
        raise ControlError(status, content if isinstance(content, dict) else {})
    return content
