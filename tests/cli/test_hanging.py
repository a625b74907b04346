"""Everything that can hang, hangs: each command ends within `--timeout` and a second, as one that could not be judged."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.cli.conftest import Run
from tests.support.signing import GATE, pem_of

SECONDS: Final = 2
DIGEST: Final = "sha256:" + "a" * 64
POLICY: Final = {
    "apiVersion": "gate/v1",
    "kind": "Policy",
    "metadata": {"name": "user"},
    "spec": {"image": {"user": "non-root"}},
}


@contextmanager
def _server(answer: bytes = b"", drip: float = 0.0) -> Iterator[str]:
    """Provide the address of a server that accepts, writes this (a byte each `drip` seconds), and then says nothing more."""
    done = threading.Event()
    kept: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if answer:
                connection.recv(4096)
            for byte in answer if drip else ():
                connection.sendall(bytes([byte]))
                if done.wait(drip):
                    return
            connection.sendall(b"" if drip else answer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                kept.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            for connection in kept:
                connection.close()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check(layout: str, *more: str) -> list[str]:
    places = [f"--{name}-dir={name}" for name in ("cache", "tools", "db")]
    return ["check", layout, "--policy", "policy.json", *places, *(more or ("--record", "state/record.db"))]


def _verify(host: str, *more: str) -> list[str]:
    reference = f"{host}/shop/web@{DIGEST}"
    return ["verify", reference, "--key", "gate.pub", "--policy", DIGEST, *more]


Case = Callable[[str], "contextlib.AbstractContextManager[tuple[list[str], dict[str, str]]]"]


def _case(work: Callable[[str], Iterator[list[str] | tuple[list[str], dict[str, str]]]]) -> Case:
    @contextmanager
    def case(layout: str) -> Iterator[tuple[list[str], dict[str, str]]]:
        given = contextmanager(work)(layout)
        with given as found:
            yield found if isinstance(found, tuple) else (found, {})

    case.__name__ = work.__name__
    return case


@_case
def scratch_of_a_frozen_run(layout: str) -> Iterator[list[str]]:
    with _locked(Path("cache/scratch/lock")):
        yield _check(layout)


@_case
def store_under_a_frozen_prune(layout: str) -> Iterator[list[str]]:
    with _locked(Path("cache/images/lock")):
        yield _check(layout)


@_case
def image_of_a_frozen_run(layout: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    folder = Path("state/gate/turns").absolute()
    with contextlib.ExitStack() as held:
        for number in range(256):
            held.enter_context(_locked(folder / f"{number:02x}"))
        yield _check(layout), {"XDG_STATE_HOME": str(Path("state").absolute())}


@_case
def record_that_another_process_locks(layout: str) -> Iterator[list[str]]:
    Path("state").mkdir(mode=0o700)
    with closing(sqlite3.connect("state/record.db", isolation_level=None)) as holder:
        Path("state/record.db").chmod(0o600)
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("CREATE TABLE held (id INTEGER)")
        yield _check(layout)


@_case
def postgresql_that_says_nothing(layout: str) -> Iterator[list[str]]:
    with _server() as host:
        yield _check(layout, "--record", f"postgresql://gate@{host}/gate")


@_case
def postgresql_of_a_verification(_: str) -> Iterator[list[str]]:
    with _server() as host:
        yield _verify("127.0.0.1:9", "--record", f"postgresql://gate@{host}/gate")


@_case
def registry_that_says_nothing(_: str) -> Iterator[list[str]]:
    with _server() as host:
        yield _verify(host)


@_case
def registry_that_stops_in_its_headers(_: str) -> Iterator[list[str]]:
    with _server(b"HTTP/1.1 200 OK\r\nContent-Type: appli") as host:
        yield _verify(host)


@_case
def registry_that_stops_in_its_body(_: str) -> Iterator[list[str]]:
    with _server(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{") as host:
        yield _verify(host)


@_case
def registry_that_drips_its_headers(_: str) -> Iterator[list[str]]:
    with _server(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500, drip=0.1) as host:
        yield _verify(host)


@_case
def registry_that_drips_its_body(_: str) -> Iterator[list[str]]:
    with _server(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"{" * 500, drip=0.1) as host:
        yield _verify(host)


@_case
def registry_that_asks_to_wait(_: str) -> Iterator[list[str]]:
    with _server(b"HTTP/1.1 429 Slow\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n") as host:
        yield _verify(host)


@_case
def proxy_that_says_nothing(_: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    with _server() as host:
        yield _verify("registry.example"), {"HTTPS_PROXY": f"http://{host}"}


@_case
def credential_helper_that_hangs(_: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    helper = Path("bin/docker-credential-slow")
    helper.parent.mkdir()
    helper.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    challenge = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    with _server(challenge) as host:
        Path("auth.json").write_text(json.dumps({"credHelpers": {host: "slow"}}))
        found = f"{helper.parent.absolute()}{os.pathsep}{os.environ['PATH']}"
        yield _verify(host, "--authfile", "auth.json"), {"PATH": found}


CASES: Final = [
    scratch_of_a_frozen_run,
    store_under_a_frozen_prune,
    image_of_a_frozen_run,
    record_that_another_process_locks,
    postgresql_that_says_nothing,
    postgresql_of_a_verification,
    registry_that_says_nothing,
    registry_that_stops_in_its_headers,
    registry_that_stops_in_its_body,
    registry_that_drips_its_headers,
    registry_that_drips_its_body,
    registry_that_asks_to_wait,
    proxy_that_says_nothing,
    credential_helper_that_hangs,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_hangs_ends_with_the_commands_time(case: Case, run: Run, layout: str) -> None:
    Path("policy.json").write_text(json.dumps(POLICY))
    Path("gate.pub").write_bytes(pem_of(GATE.public_key))
    with case(layout) as (arguments, environment):
        started = time.monotonic()
        result = run(*arguments, "--timeout", f"{SECONDS}s", env=environment)
        took = time.monotonic() - started
    assert result.exit_code == 3, result.output + result.stderr
    assert took < SECONDS + 1, f"{took:.1f} s"


def test_without_anything_that_hangs_it_is_judged(run: Run, layout: str) -> None:
    Path("policy.json").write_text(json.dumps(POLICY))
    assert run(*_check(layout), "--timeout", "30s").exit_code == 1
