"""A registry on loopback that answers as each test scripts it, and remembers what it was asked.

A script gets the open connection and may do what no honest server does: drip, never end, lie about lengths, speak
nonsense. Paths that have no script answer 404.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it came; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


Script = Callable[["Exchange"], None]


@dataclass(slots=True)
class Exchange:
    """One open connection with its request."""

    seen: Seen
    _handler: BaseHTTPRequestHandler
    stopping: threading.Event

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer as a server should."""
        lines = {"Content-Length": str(len(body)), **(headers or {})}
        self.raw(self.head(status, lines) + (b"" if self.seen.method == "HEAD" else body))

    def head(self, status: int, headers: Mapping[str, str]) -> bytes:
        """Return the bytes of a status line and headers."""
        lines = [
            f"HTTP/1.1 {status} x",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        return "\r\n".join(lines).encode("latin-1")

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        with contextlib.suppress(OSError):
            self._handler.wfile.write(data)
            self._handler.wfile.flush()

    def drip(self, data: bytes, *, every: float = 0.05) -> None:
        """Send a byte at a time until the client or the test ends."""
        for place in range(len(data)):
            if self.stopping.wait(every):
                return
            try:
                self._handler.wfile.write(data[place : place + 1])
                self._handler.wfile.flush()
            except OSError:
                return

    def endless(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Send a chunked body without an end."""
        self.raw(self.head(status, {"Transfer-Encoding": "chunked", **(headers or {})}))
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        while not self.stopping.is_set():
            try:
                self._handler.wfile.write(piece)
            except OSError:
                return


@dataclass(slots=True)
class HostileRegistry:
    """The scripts by method and path (the path without its query), and what was asked, in order."""

    port: int
    scripts: dict[tuple[str, str], Script] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Return the host as it stands in references."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Return the address up to and without `/v2/`."""
        return f"http://{self.host}"

    def on(self, method: str, path: str, script: Script) -> None:
        """Script a path."""
        self.scripts[method, path] = script

    def serve(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        status: int = 200,
        method: str = "GET",
    ) -> None:
        """Script a plain answer."""
        self.on(method, path, lambda exchange: exchange.reply(status, body, headers))

    def asked(self, method: str, path: str) -> list[Seen]:
        """Return the requests of a method for a path."""
        return [seen for seen in self.requests if (seen.method, seen.path.partition("?")[0]) == (method, path)]


def sequence(*scripts: Script) -> Script:
    """Play the scripts one a request; the last one goes on."""
    left = list(scripts)

    def play(exchange: Exchange) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return play


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Script:
    """Make the script of a plain answer."""
    return lambda exchange: exchange.reply(status, body, headers)


@contextlib.contextmanager
def hostile_registry() -> Iterator[HostileRegistry]:
    """Run a scripted server."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
            """Say nothing."""

        def handle_expect_100(self) -> bool:
            return True

        def play(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            seen = Seen(
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            registry.requests.append(seen)
            script = registry.scripts.get((self.command, self.path.partition("?")[0]), answer(404))
            script(Exchange(seen, self, stopping))
            # One request a connection: what a script left behind cannot disturb the next.
            self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = play  # noqa: N815 - the names of http.server

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore clients that hang up: that is what they are tested to do."""

    server = Server(("127.0.0.1", 0), Handler)
    registry = HostileRegistry(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
