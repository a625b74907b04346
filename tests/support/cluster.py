"""A control plane in small: a real kube-apiserver on a real etcd, both on loopback, without nodes."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.programs import Tools
from tests.support.registries import free_port

TOKEN = "test-token"
_SECONDS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running API server; every request is by an administrator."""

    port: int

    def ask(
        self, method: str, path: str, value: Mapping[str, Any] | None = None, kind: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        """Send a request and return status and answer."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=40, context=context)
        with contextlib.closing(connection):
            body = json.dumps(value) if value is not None else None
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind})
            answer = connection.getresponse()
            content = answer.read()
        found: dict[str, Any] = (
            json.loads(content) if content[:1] == b"{" else {"text": content.decode(errors="replace")}
        )
        return answer.status, found

    def create(self, path: str, value: Mapping[str, Any]) -> tuple[int, str]:
        """Create an object and return status and message."""
        status, found = self.ask("POST", path, value)
        return status, str(found.get("message", ""))


@contextlib.contextmanager
def run_cluster(tools: Tools, folder: Path) -> Iterator[Cluster]:
    """Run the control plane until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    client, peer, secure = free_port(), free_port(), free_port()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account_key = folder / "sa.key"
    account_key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    tokens = folder / "tokens.csv"
    tokens.write_text(f"{TOKEN},admin,admin,system:masters\n")
    etcd = [
        tools.etcd, "--data-dir", folder / "etcd", "--unsafe-no-fsync",
        "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
        "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
        "--initial-cluster", f"default=http://127.0.0.1:{peer}", "--log-level", "error",
    ]  # fmt: skip
    server = [
        tools.kube_apiserver, "--etcd-servers", f"http://127.0.0.1:{client}", "--secure-port", str(secure),
        "--bind-address", "127.0.0.1", "--cert-dir", folder / "certificates", "--token-auth-file", tokens,
        "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16",
        "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", account_key,
        "--service-account-signing-key-file", account_key, "--disable-admission-plugins", "ServiceAccount",
        "--advertise-address", "127.0.0.1", "--feature-gates", "ImageVolume=true",
        "--endpoint-reconciler-type", "none",
    ]  # fmt: skip
    with contextlib.ExitStack() as running:
        store = running.enter_context(_child(etcd, folder / "etcd.log"))
        _await_etcd(client, store)
        child = running.enter_context(_child(server, folder / "apiserver.log"))
        cluster = Cluster(port=secure)
        _await(cluster, child, folder / "apiserver.log")
        for namespace in ("shop", "default"):
            cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        yield cluster


@contextlib.contextmanager
def _child(words: Sequence[object], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as stream:
        child = subprocess.Popen(list(map(str, words)), stdout=stream, stderr=stream)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _await_etcd(port: int, child: subprocess.Popen[bytes]) -> None:
    for _ in range(_SECONDS * 5):
        assert child.poll() is None
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise AssertionError("etcd did not start")


def _await(cluster: Cluster, child: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(_SECONDS * 5):
        if child.poll() is not None:
            raise AssertionError(log.read_text()[-4000:])
        with contextlib.suppress(OSError, http.client.HTTPException):
            if cluster.ask("GET", "/readyz")[0] == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text()[-4000:])
