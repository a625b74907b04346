"""Real registries on free loopback ports, each a child process that ends with its context.

`run_olareg` starts olareg (OCI 1.1 referrers, or none, rate limit, TLS, delete); `run_docker_registry` starts Debian's
docker-registry, which asks for a password and knows no referrers API.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import yaml

from tests.support.certificates import ServerCertificate, write_server_certificate

START_SECONDS = 20.0
STOP_SECONDS = 10.0
# Another program may take the free port between the look and the start.
ATTEMPTS = 5
USERNAME = "robot"
PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRegistry:
    """A registry that answers.

    `host` is `127.0.0.1:PORT`, as it stands in references; `authority` is the file to trust where it speaks TLS;
    `username` and `password` are empty where it asks for none; `directory` is its storage.
    """

    host: str
    directory: Path
    pid: int
    authority: Path | None = None
    username: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        """Return the address up to and without `/v2/`."""
        return f"{'https' if self.authority else 'http'}://{self.host}"


@contextlib.contextmanager
def run_olareg(
    program: Path,
    directory: Path,
    *,
    referrers: bool = True,
    tls: bool = False,
    rate_limit: int = 0,
    delete: bool = False,
    read_only: bool = False,
    port: int = 0,
) -> Iterator[RunningRegistry]:
    """Run olareg over `directory`; `rate_limit` is requests a second, 0 for none; `port` 0 takes a free one."""
    directory.mkdir(parents=True, exist_ok=True)
    storage = directory / "storage"
    storage.mkdir(exist_ok=True)
    certificate = write_server_certificate(directory) if tls else None
    options = [
        f"--api-referrer={str(referrers).lower()}",
        f"--api-delete={str(delete).lower()}",
        f"--api-blob-delete={str(delete).lower()}",
        f"--store-ro={str(read_only).lower()}",
        # A test decides what is removed, not a clock.
        "--gc-frequency=-1s",
        *([f"--rate-limit={rate_limit}"] if rate_limit else []),
        *([f"--tls-cert={certificate.certificate}", f"--tls-key={certificate.key}"] if certificate else []),
    ]

    def command(chosen: int) -> Sequence[str]:
        return [str(program), "serve", "--addr=127.0.0.1", f"--port={chosen}", f"--dir={storage}", *options]

    with _run(command, log=directory / "olareg.log", certificate=certificate, port=port) as (host, pid):
        yield RunningRegistry(
            host=host,
            directory=storage,
            pid=pid,
            authority=certificate.authority if certificate else None,
        )


@contextlib.contextmanager
def run_docker_registry(program: Path, directory: Path, *, authentication: bool = True) -> Iterator[RunningRegistry]:
    """Run Docker's registry 2 over `directory`; with `authentication` it demands USERNAME and PASSWORD."""
    storage = directory / "storage"
    storage.mkdir(parents=True, exist_ok=True)
    passwords = directory / "htpasswd"
    # Cost 4, the least that bcrypt takes: each request is checked anew.
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4))
    passwords.write_bytes(USERNAME.encode() + b":" + hashed + b"\n")
    configuration = directory / "registry.yml"

    def command(chosen: int) -> Sequence[str]:
        document = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{chosen}"},
            **({"auth": {"htpasswd": {"realm": "test", "path": str(passwords)}}} if authentication else {}),
        }
        configuration.write_text(yaml.safe_dump(document), encoding="utf-8")
        return [str(program), "serve", str(configuration)]

    with _run(command, log=directory / "registry.log", certificate=None, port=0) as (host, pid):
        yield RunningRegistry(
            host=host,
            directory=storage,
            pid=pid,
            username=USERNAME if authentication else "",
            password=PASSWORD if authentication else "",
        )


@contextlib.contextmanager
def _run(
    command: Callable[[int], Sequence[str]],
    *,
    log: Path,
    certificate: ServerCertificate | None,
    port: int,
) -> Iterator[tuple[str, int]]:
    for attempt in range(1, ATTEMPTS + 1):
        chosen = port or free_port()
        with log.open("ab") as output:
            child = subprocess.Popen(command(chosen), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            if _answers(child, chosen, certificate):
                yield f"127.0.0.1:{chosen}", child.pid
                return
        finally:
            _stop(child)
        if attempt == ATTEMPTS:
            raise RuntimeError(f"{log.stem} did not answer: {log.read_text(encoding='utf-8')[-2000:]}")


def free_port() -> int:
    """Return a loopback port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(child: subprocess.Popen[bytes], port: int, certificate: ServerCertificate | None) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        connection = _connection(port, certificate)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/")
            # Any status will do: 401 is an answer, too. It must be our child's, not that of another on this port.
            return connection.getresponse().status > 0 and child.poll() is None
        time.sleep(0.02)
    return False


def _connection(port: int, certificate: ServerCertificate | None) -> http.client.HTTPConnection:
    if certificate is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    context = ssl.create_default_context(cafile=str(certificate.authority))
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context)


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
