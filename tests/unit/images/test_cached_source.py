"""What was pulled once is not asked for again, and is enough offline; attachments are always asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.codec.oci import parse_manifest
from gate.errors import GateError
from gate.images.blob_store import BlobStore
from gate.images.cached_source import CachedSource
from gate.images.pull import pull_blobs
from gate.images.registry_source import RegistrySource
from gate.model.digest import Digest
from gate.model.image import OCI_INDEX, OCI_MANIFEST
from gate.model.reference import parse_repository
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from tests.support.hostile import HostileRegistry, hostile_registry
from tests.support.images import described, index_of, small_image

IMAGE = small_image(b"layer")
INDEX = index_of(described(IMAGE.manifest, OCI_MANIFEST))
ROOT = Digest.of(INDEX)


@pytest.fixture
def server() -> Iterator[HostileRegistry]:
    with hostile_registry() as registry:
        base = "/v2/shop/web"
        registry.serve(f"{base}/manifests/{ROOT}", INDEX, {"Content-Type": OCI_INDEX})
        registry.serve(f"{base}/manifests/{IMAGE.digest}", IMAGE.manifest, {"Content-Type": OCI_MANIFEST})
        for blob in IMAGE.blobs:
            registry.serve(f"{base}/blobs/{Digest.of(blob)}", blob)
        yield registry


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore(tmp_path / "cache") as opened:
        yield opened


def source(server: HostileRegistry, store: BlobStore, *, offline: bool = False) -> CachedSource:
    client = RegistryClient(RegistryOptions(offline=offline), Deadline.after(timedelta(seconds=30)))
    return CachedSource(RegistrySource(client, parse_repository(f"{server.host}/shop/web"), ROOT), store, ROOT)


def pull(opened: CachedSource, store: BlobStore) -> list[bytes]:
    assert opened.root().content == INDEX
    assert opened.root().media_type == OCI_INDEX
    manifest = parse_manifest(opened.manifest(IMAGE.descriptor), media_type=OCI_MANIFEST)
    blobs = [manifest.config, *manifest.layers]
    pull_blobs(opened, store, blobs, limit_bytes=1_000_000)
    return [b"".join(opened.blob(blob)) for blob in blobs]


def test_the_second_time_nothing_is_asked_for(server: HostileRegistry, store: BlobStore) -> None:
    assert pull(source(server, store), store) == list(IMAGE.blobs)
    assert len(server.requests) == 4
    for offline in (False, True):
        assert pull(source(server, store, offline=offline), store) == list(IMAGE.blobs)
    assert len(server.requests) == 4


def test_attachments_are_always_asked_for(server: HostileRegistry, store: BlobStore) -> None:
    pull(source(server, store), store)
    assert source(server, store).listed(ROOT).referrers == ()
    assert source(server, store).by_digest(IMAGE.digest) is not None
    with pytest.raises(GateError) as caught:
        source(server, store, offline=True).listed(ROOT)
    assert caught.value.code == "REG_OFFLINE"


def test_what_is_not_here_is_an_error_offline(server: HostileRegistry, store: BlobStore) -> None:
    with pytest.raises(GateError) as caught:
        source(server, store, offline=True).root()
    assert caught.value.code == "REG_OFFLINE"
    assert server.requests == []


def test_d05_a_manifest_served_as_another_type_is_not_kept(server: HostileRegistry, store: BlobStore) -> None:
    server.serve(f"/v2/shop/web/manifests/{ROOT}", INDEX, {"Content-Type": OCI_MANIFEST})
    for _ in range(2):
        assert source(server, store).root().media_type == OCI_MANIFEST
    assert store.find(ROOT) is None
