"""A real OCI registry (olareg) on a free loopback port, ended by its pid when the demo or a benchmark is over."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_ATTEMPTS: Final = 5
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 10.0


class RegistryStartError(Exception):
    """The registry did not answer; the text has its last words."""


@contextlib.contextmanager
def running_registry(program: Path, folder: Path) -> Iterator[str]:
    """Return `127.0.0.1:PORT` of a registry that stores below `folder`; raises RegistryStartError."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "olareg.log"
    for _ in range(_ATTEMPTS):
        port = _free_port()
        command = [str(program), "serve", "--addr=127.0.0.1", f"--port={port}", f"--dir={folder / 'storage'}"]
        with log.open("ab") as output:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            if _answers(child, port):
                yield f"127.0.0.1:{port}"
                return
        finally:
            _stop(child)
    raise RegistryStartError(f"olareg did not answer; its last words: {log.read_text(encoding='utf-8')[-1000:]}")


def attached_count(host: str, repository: str, digest: str) -> int:
    """Return how many manifests name this digest as their subject, asked without the gate."""
    connection = http.client.HTTPConnection(host, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", f"/v2/{repository}/referrers/{digest}")
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RegistryStartError(f"the registry answered {answer.status} to a question for referrers")
        # olareg answers null where there is none.
        return len(json.loads(content)["manifests"] or ())


def _free_port() -> int:
    # Another program may take the port before olareg does: hence the attempts.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(child: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200 and child.poll() is None
        time.sleep(0.02)
    return False


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
