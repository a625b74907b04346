"""Mirrors of the operator: they serve the image's bytes, the digest decides, and attestations come from the registry alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import pytest

from gate.clock import Clock, Deadline
from gate.errors import RegistryError
from gate.images.registry_source import RegistrySource
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST, Descriptor
from gate.model.reference import parse_repository
from gate.registry.client import RegistryClient
from gate.registry.options import HostSettings, RegistryOptions
from tests.support.hostile import HostileRegistry, answer, hostile_registry

MANIFEST: Final = b'{"schemaVersion":2}'
DIGEST: Final = Digest.of(MANIFEST)
BLOB: Final = b"layer" * 1000
LAYER: Final = Descriptor(media_type="application/octet-stream", digest=Digest.of(BLOB), size=len(BLOB))
TYPE: Final = {"Content-Type": OCI_MANIFEST}


@pytest.fixture
def registry() -> Iterator[HostileRegistry]:
    with hostile_registry() as server:
        yield server


@pytest.fixture
def mirror() -> Iterator[HostileRegistry]:
    with hostile_registry() as server:
        yield server


def serve(server: HostileRegistry, name: str, *, manifest: bytes = MANIFEST, blob: bytes = BLOB) -> None:
    server.serve(f"/v2/{name}/manifests/{DIGEST}", manifest, TYPE)
    server.serve(f"/v2/{name}/blobs/{LAYER.digest}", blob)


@contextmanager
def opened(registry: HostileRegistry, *mirrors: str, offline: bool = False) -> Iterator[RegistrySource]:
    hosts = {registry.host: HostSettings(mirrors=mirrors)}
    options = RegistryOptions(hosts=hosts, offline=offline, stall_seconds=1.0, request_seconds=1.0, tries=1)
    deadline = Deadline.after(timedelta(seconds=20), Clock(sleep=lambda _: None))
    with RegistryClient(options, deadline) as client:
        yield RegistrySource(client, parse_repository(f"{registry.host}/shop/web"), DIGEST)


def paths(server: HostileRegistry) -> list[str]:
    return [seen.path for seen in server.requests]


@pytest.mark.parametrize("below", ["", "/hub"])
def test_a_mirror_serves_the_bytes_and_the_registry_the_attachments(
    registry: HostileRegistry, mirror: HostileRegistry, below: str
) -> None:
    serve(mirror, f"{below}/shop/web".lstrip("/"))
    with opened(registry, f"{mirror.host}{below}") as source:
        assert source.root().content == MANIFEST
        assert b"".join(source.blob(LAYER)) == BLOB
        assert registry.requests == []
        assert source.listed(DIGEST).referrers == ()
        assert source.tagged("latest") is None
    assert len(mirror.requests) == 2
    assert [path for path in paths(mirror) if "referrers" in path or "latest" in path or "sha256-" in path] == []
    assert registry.requests


@pytest.mark.parametrize("kind", ["not there", "other bytes", "in trouble"])
def test_what_a_mirror_does_not_serve_right_comes_from_the_registry(
    registry: HostileRegistry, mirror: HostileRegistry, kind: str
) -> None:
    serve(registry, "shop/web")
    if kind == "other bytes":
        mirror.serve(f"/v2/shop/web/manifests/{DIGEST}", MANIFEST + b" ", TYPE)
    if kind == "in trouble":
        mirror.on("GET", f"/v2/shop/web/manifests/{DIGEST}", answer(503))
    with opened(registry, mirror.host) as source:
        assert source.root().digest == DIGEST
        assert b"".join(source.blob(LAYER)) == BLOB
    assert mirror.asked("GET", f"/v2/shop/web/manifests/{DIGEST}")
    assert registry.asked("GET", f"/v2/shop/web/manifests/{DIGEST}")


def test_a_mirror_that_is_not_there_is_followed_by_the_next(registry: HostileRegistry, mirror: HostileRegistry) -> None:
    serve(mirror, "shop/web")
    with opened(registry, "127.0.0.1:1", mirror.host) as source:
        assert source.root().digest == DIGEST
    assert registry.requests == []


def test_a_blob_of_a_mirror_that_is_another_is_refused(registry: HostileRegistry, mirror: HostileRegistry) -> None:
    serve(registry, "shop/web")
    serve(mirror, "shop/web", blob=BLOB[:-1] + b"x")
    with opened(registry, mirror.host) as source, pytest.raises(RegistryError) as refused:
        b"".join(source.blob(LAYER))
    assert refused.value.code == "REG_DIGEST_MISMATCH"


def test_offline_asks_no_mirror(registry: HostileRegistry, mirror: HostileRegistry) -> None:
    with opened(registry, mirror.host, offline=True) as source, pytest.raises(RegistryError) as refused:
        source.root()
    assert refused.value.code == "REG_OFFLINE"
    assert (mirror.requests, registry.requests) == ([], [])
