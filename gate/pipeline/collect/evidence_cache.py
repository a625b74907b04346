"""Evidence that was obtained before, under a key over everything that it depends on.

Errors are never cached: only values of evidence go in, and none that is `Unavailable` or holds one at any depth, such as a report
whose canary timed out. An entry that is damaged, of another form, holds what was never to be kept, or whose raw report is gone is
no entry. The folder is private, and its entries are trusted as far as that.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from gate.codec.strict_json import JsonValue, canonical_json
from gate.codec.values import decode_value, encode_value
from gate.disk.content import read_private, write_atomically
from gate.errors import StorageError
from gate.model.evidence import Canary, LayerFacts, ScanReport, SecretEvidence
from gate.model.problems import holds_unobtained

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate.model.digest import Digest

Cachable = TypeVar("Cachable", LayerFacts, ScanReport, SecretEvidence)


class RawEvidence(Protocol):
    """Where raw reports are kept by digest."""

    def get(self, digest: Digest) -> bytes:
        """Return the bytes, whole; raises StorageError."""


@dataclass(frozen=True, slots=True)
class EvidenceCache:
    """Entries in one private folder, named by the SHA-256 of their key."""

    folder: Path
    raw: RawEvidence

    def obtain(self, kind: type[Cachable], key: dict[str, JsonValue], collect: Callable[[], Cachable]) -> Cachable:
        """Return the evidence under this key, collected now if it is not there.

        What `collect` raises passes through and is not kept, nor is a value of which a part could not be had: the next run
        tries again. A cache that cannot be written costs time, nothing else.
        """
        place = self.folder / f"{kind.__name__}-{hashlib.sha256(canonical_json(key)).hexdigest()}.json"
        known = self._read(kind, place)
        if known is not None:
            return known
        value = collect()
        if not _lasts(value):
            return value
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(place, _sealed(encode_value(value)))
        return value

    def _read(self, kind: type[Cachable], place: Path) -> Cachable | None:
        try:
            value = decode_value(kind, _opened(read_private(place)))
            if not _lasts(value):
                return None
            for report in _reports(value):
                self.raw.get(report)
        except (OSError, StorageError):
            return None
        return value


def _sealed(content: bytes) -> bytes:
    """Put a digest before the content: a damaged entry may still be a value, and then another one."""
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def _opened(entry: bytes) -> bytes:
    digest, _, content = entry.partition(b"\n")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise StorageError("a kept value is damaged", code="CACHE_CORRUPT")
    return content


def _lasts(value: LayerFacts | ScanReport | SecretEvidence) -> bool:
    """Say whether the next run may have this instead of trying again: nothing in it failed."""
    failed_canary = isinstance(value, ScanReport) and isinstance(value.canary, Canary) and not value.canary.is_found
    return not failed_canary and not holds_unobtained(value)


def _reports(value: LayerFacts | ScanReport | SecretEvidence) -> tuple[Digest, ...]:
    if not isinstance(value, ScanReport):
        return ()
    more = (value.package_report.digest,) if value.package_report is not None else ()
    return (value.report.digest, *more)
