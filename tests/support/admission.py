"""A running admission service and the reviews that are sent to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gate.model.digest import Digest
from tests.support.installation import Installation
from tests.support.registries import free_port

POD = {"group": "", "version": "v1", "kind": "Pod"}


def pod(*images: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a pod's specification
    """Return a pod with these containers."""
    spec: dict[str, Any] = {
        "containers": [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {**spec, **more},
    }


def review(
    value: Mapping[str, Any] | None,
    *,
    kind: Mapping[str, str] = POD,
    operation: str = "CREATE",
    old: Mapping[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - fields of the request
) -> dict[str, Any]:
    """Return an AdmissionReview about an object."""
    request = {
        "uid": "705ab4f5",
        "kind": kind,
        "operation": operation,
        "namespace": "shop",
        "object": value,
        "oldObject": old,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {**request, **more}}


def requirement(
    installed: Installation, match: str, *, mode: str = "enforce", cluster: str = "{}", max_age: str = "7d"
) -> str:
    """Return a requirement of the shop for images that match."""
    digest = Digest.of(installed.policy.read_bytes())
    pem = installed.public_key_file().read_text().strip().replace("\n", "\n                ")
    return f"""apiVersion: gate/v1
kind: Requirement
metadata: {{name: cluster}}
spec:
  images:
    - match: {match}
      mode: {mode}
      verdict:
        signedBy:
          - key:
              pem: |
                {pem}
        policies: [{digest}]
        environment: production
        maxAge: {max_age}
  cluster: {cluster}
"""


def codes(response: dict[str, Any]) -> str:
    """Return the codes of a refusal, as the audit log gets them."""
    return str(response.get("auditAnnotations", {}).get("codes", response.get("auditAnnotations", {}).get("code", "")))


@dataclass(slots=True, kw_only=True)
class RunningService:
    """A service in a process of its own."""

    port: int
    process: subprocess.Popen[bytes]
    authority: Path | None = None
    log: Path

    def ask(
        self,
        body: bytes,
        path: str = "/validate",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send a request and return status and body."""
        connection: http.client.HTTPConnection
        if self.authority is not None:
            context = ssl.create_default_context(cafile=str(self.authority))
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(
                method, path, body, headers if headers is not None else {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()

    def answer(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Send a review and return the response."""
        status, body = self.ask(json.dumps(document).encode())
        assert status == 200, body
        found: dict[str, Any] = json.loads(body)
        assert found["kind"] == "AdmissionReview"
        response: dict[str, Any] = found["response"]
        return response

    def judge(self, *images: str) -> dict[str, Any]:
        """Send the review of a pod with these images and return the response."""
        return self.answer(review(pod(*images)))

    def metric(self, name: str) -> int:
        """Return the value of a metric."""
        _, body = self.ask(b"", "/metrics", "GET")
        return next(int(line.rpartition(" ")[2]) for line in body.decode().splitlines() if line.startswith(name + " "))

    def stop(self) -> None:
        """End the process and wait for it."""
        self.process.terminate()
        self.process.wait(timeout=20)


@contextlib.contextmanager
def run_service(
    folder: Path, requirements: Sequence[Path], *words: str, authority: Path | None = None, port: int = 0
) -> Iterator[RunningService]:
    """Run `gate serve` until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = port or free_port()
    documents = [word for path in requirements for word in ("--requirement", str(path))]
    log = folder / "service.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gate", "serve", "--listen", f"127.0.0.1:{chosen}", *documents, *words],
            env={**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")},
            stdout=stream,
            stderr=stream,
        )
    service = RunningService(port=chosen, process=process, authority=authority, log=log)
    try:
        _await(service)
        yield service
    finally:
        if process.poll() is None:
            service.stop()


def _await(service: RunningService) -> None:
    for _ in range(200):
        if service.process.poll() is not None:
            raise AssertionError(service.log.read_text())
        with contextlib.suppress(OSError):
            if service.ask(b"", "/healthz", "GET")[0] == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the service did not start")
