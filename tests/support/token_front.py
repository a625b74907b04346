"""A front for a registry that demands tokens, lets them end after some uses, and is slow for one repository.

It counts the connections that it takes, the tokens that it gives and the requests that it passes on, so that a test can say what
a client of long life costs.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

USES = 40


@dataclass(slots=True)
class Front:
    """What is counted, and where it listens; tokens of a repository whose name holds `slow` take `slow_seconds`."""

    host: str = ""
    slow_seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    uses: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str) -> None:
        """Count one more."""
        with self.lock:
            self.counts[name] += 1

    def new_token(self) -> str:
        """Return a token that holds for some uses."""
        with self.lock:
            self.counts["tokens"] += 1
            token = f"token-{self.counts['tokens']}"
            self.uses[token] = USES
            return token

    def accepts(self, header: str) -> bool:
        """Say whether a token holds, and use it once."""
        with self.lock:
            left = self.uses.get(header.removeprefix("Bearer "), 0)
            self.uses[header.removeprefix("Bearer ")] = left - 1
            return left > 0


@contextlib.contextmanager
def run_front(upstream: str) -> Iterator[Front]:
    """Listen in front of a registry at `host:port`."""
    front = Front()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Small answers must not wait for one another's acknowledgement.
        disable_nagle_algorithm = True

        def setup(self) -> None:
            front.count("connections")
            super().setup()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            if self.path.startswith("/token"):
                self._give_token()
            elif not front.accepts(self.headers.get("Authorization", "")):
                challenge = f'Bearer realm="http://{front.host}/token",service="front"'
                self._answer(401, {"WWW-Authenticate": challenge}, b"{}")
            else:
                front.count("requests")
                self._pass_on()

        def _give_token(self) -> None:
            (scope,) = parse_qs(urlsplit(self.path).query)["scope"]
            if "slow" in scope:
                time.sleep(front.slow_seconds)
            body = json.dumps({"token": front.new_token(), "expires_in": 300}).encode()
            self._answer(200, {"Content-Type": "application/json"}, body)

        def _pass_on(self) -> None:
            connection = http.client.HTTPConnection(upstream, timeout=30)
            with contextlib.closing(connection):
                connection.request("GET", self.path, headers={"Accept": self.headers.get("Accept", "*/*")})
                answer = connection.getresponse()
                body = answer.read()
            kept = ("content-type", "docker-content-digest", "oci-filters-applied", "link")
            headers = {name: value for name, value in answer.getheaders() if name.lower() in kept}
            self._answer(answer.status, headers, body)

        def _answer(self, status: int, headers: dict[str, Any], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        front.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield front
        finally:
            server.shutdown()
            thread.join()
