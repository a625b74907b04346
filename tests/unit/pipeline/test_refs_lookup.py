"""Each tag is asked for once in a run, and a registry that names two digests for it has not answered."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from typing import cast

import pytest

from gate.errors import RegistryError
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST
from gate.model.reference import RegistryReference, Repository, parse_reference
from gate.pipeline.refs_lookup import ImageLookups
from gate.registry.client import RegistryClient
from gate.registry.read import FetchedManifest

NOW = datetime(2026, 12, 1, tzinfo=UTC)


class Registry:
    """Names what `contents` hold, in turn, at each question."""

    def __init__(self, *contents: bytes) -> None:
        self._contents, self._lock = list(contents), threading.Lock()
        self.asked: Counter[str] = Counter()

    def resolve_tag(self, _repository: Repository, tag: str) -> Digest:
        return Digest.of(self._next(tag))

    def manifest(self, _repository: Repository, reference: Digest | str) -> FetchedManifest:
        content = self._next(str(reference))
        return FetchedManifest(media_type=OCI_MANIFEST, digest=Digest.of(content), content=content)

    def _next(self, tag: str) -> bytes:
        with self._lock:
            self.asked[tag] += 1
            return self._contents.pop(0) if len(self._contents) > 1 else self._contents[0]


def reference(text: str) -> RegistryReference:
    parsed = parse_reference(text)
    assert isinstance(parsed, RegistryReference)
    return parsed


def test_a_tag_is_asked_for_once_however_often_it_stands() -> None:
    registry = Registry(b"{}")
    with ImageLookups(cast("RegistryClient", registry), NOW) as lookups:
        for _ in range(50):
            lookups.prepare(reference("a/b:1"))
            assert lookups.digest(reference("docker.io/a/b:1"), "", None) == Digest.of(b"{}")
    assert registry.asked == {"1": 2}  # the digest, then its bytes


def test_two_digests_for_one_tag_are_no_answer() -> None:
    with (
        ImageLookups(cast("RegistryClient", Registry(b"{}", b"{ }")), NOW) as lookups,
        pytest.raises(RegistryError) as caught,
    ):
        lookups.digest(reference("a/b:1"), "", None)
    assert caught.value.code == "REF_MOVED"
    assert "docker.io/a/b:1" in str(caught.value)
