"""The cache of evidence: obtained once, never an error, and nothing that is damaged or another's."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.strict_json import JsonValue
from gate.codec.values import encode_value
from gate.errors import ScannerError
from gate.model.digest import Digest
from gate.model.evidence import Canary, LayerFacts, ScanReport, SecretEvidence, Unavailable
from gate.model.finding import Tool
from gate.pipeline.collect.evidence_cache import Cachable, EvidenceCache, _sealed
from gate.store.evidence_folder import EvidenceFolder
from tests.support.evidence import layer_facts, scan, subject_evidence

KEY: dict[str, JsonValue] = {"manifest": "sha256:00", "limits": "none"}


# Whole, and of another form.
SEALED = hashlib.sha256(b"null").hexdigest().encode() + b"\nnull"


class Collecting:
    """Collects, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> LayerFacts:
        self.times += 1
        return layer_facts()


@pytest.fixture
def cache(tmp_path: Path) -> EvidenceCache:
    return EvidenceCache(tmp_path / "cache", EvidenceFolder(tmp_path / "evidence"))


def entry(cache: EvidenceCache) -> Path:
    (only,) = cache.folder.iterdir()
    return only


def test_evidence_is_collected_once_under_one_key(cache: EvidenceCache) -> None:
    collect = Collecting()
    assert [cache.obtain(LayerFacts, KEY, collect) for _ in range(3)] == [layer_facts()] * 3
    assert collect.times == 1
    cache.obtain(LayerFacts, {**KEY, "limits": "others"}, collect)
    assert collect.times == 2
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in cache.folder.iterdir()} == {0o600}


def test_kinds_of_evidence_are_kept_apart(cache: EvidenceCache) -> None:
    cache.obtain(LayerFacts, KEY, layer_facts)
    assert cache.obtain(SecretEvidence, KEY, SecretEvidence) == SecretEvidence()


def test_an_error_is_never_kept(cache: EvidenceCache) -> None:
    def fail() -> LayerFacts:
        raise ScannerError("it broke")

    with pytest.raises(ScannerError):
        cache.obtain(LayerFacts, KEY, fail)
    collect = Collecting()
    cache.obtain(LayerFacts, KEY, collect)
    assert collect.times == 1


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), keep=st.floats(0, 1))
def test_a_damaged_entry_is_no_entry(
    place: float, flip: int, keep: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = EvidenceCache(folder / "cache", EvidenceFolder(folder / "evidence"))
    cache.obtain(LayerFacts, KEY, layer_facts)
    content = bytearray(entry(cache).read_bytes())
    content[int(place * len(content))] ^= flip
    entry(cache).write_bytes(content[: max(1, int(keep * len(content)))])
    collect = Collecting()
    assert cache.obtain(LayerFacts, KEY, collect) == layer_facts()
    assert collect.times == 1


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"[" * 100_000, b"\xff", b'{"layers":[]}', SEALED])
def test_an_entry_of_another_form_is_collected_anew(content: bytes, cache: EvidenceCache) -> None:
    collect = Collecting()
    cache.obtain(LayerFacts, KEY, collect)
    entry(cache).write_bytes(content)
    assert cache.obtain(LayerFacts, KEY, collect) == layer_facts()
    assert collect.times == 2
    cache.obtain(LayerFacts, KEY, collect)
    assert collect.times == 2


def test_v15_an_entry_that_others_could_write_is_no_entry(cache: EvidenceCache, tmp_path: Path) -> None:
    collect = Collecting()
    cache.obtain(LayerFacts, KEY, collect)
    entry(cache).chmod(0o666)
    cache.obtain(LayerFacts, KEY, collect)
    assert collect.times == 2
    elsewhere = tmp_path / "elsewhere"
    entry(cache).rename(elsewhere)
    (cache.folder / elsewhere.name).symlink_to(elsewhere)
    next(cache.folder.iterdir()).unlink()
    place = cache.folder / "planted"
    place.symlink_to(elsewhere)
    cache.obtain(LayerFacts, KEY, collect)
    assert collect.times == 3


def test_a_report_whose_raw_bytes_are_gone_is_scanned_again(cache: EvidenceCache, tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path / "evidence")
    report = scan(Tool.GRYPE, subject_evidence())
    calls: list[Digest] = []

    def collect() -> ScanReport:
        calls.append(evidence.put(f"report {report.kind.value}".encode()))
        return report

    for _ in range(2):
        cache.obtain(ScanReport, KEY, collect)
    assert calls == [report.report.digest]
    evidence.path(calls[0]).unlink()
    cache.obtain(ScanReport, KEY, collect)
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = EvidenceCache(tmp_path / "file" / "cache", EvidenceFolder(tmp_path / "evidence"))
    collect = Collecting()
    assert [cache.obtain(LayerFacts, KEY, collect) for _ in range(2)] == [layer_facts()] * 2
    assert collect.times == 2


GONE: Final = Unavailable(code="SCAN_TIMEOUT", reason="trivy took longer than it may")
CACHED: Final[dict[type, Any]] = {
    LayerFacts: layer_facts(),
    ScanReport: scan(Tool.TRIVY, subject_evidence()),
    SecretEvidence: SecretEvidence(),
}


def places_of(kind: Any, way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401 - a type as it is annotated
    """Return the way to each field, at any depth, whose type says that it may be `Unavailable`."""
    if kind is Unavailable:
        yield way
    elif get_origin(kind) in {Union, UnionType, tuple, frozenset}:
        for part in get_args(kind):
            yield from places_of(part, way)
    elif dataclasses.is_dataclass(kind):
        for name, hint in get_type_hints(kind).items():
            yield from places_of(hint, (*way, name))


def spoiled(value: Any, way: tuple[str, ...]) -> Any:  # noqa: ANN401 - any piece of evidence
    if not way:
        return GONE
    return replace(value, **{way[0]: spoiled(getattr(value, way[0]), way[1:])})


SPOILED: Final = [(kind, way) for kind in CACHED for way in places_of(kind)]


def test_the_walk_over_the_cached_types_finds_what_can_be_missing_in_them() -> None:
    assert set(CACHED) == set(Cachable.__constraints__)
    assert (ScanReport, ("canary",)) in SPOILED


@pytest.mark.parametrize(("kind", "way"), SPOILED)
@pytest.mark.parametrize("kept_by", ["this release", "another release"])
def test_z10_what_could_not_be_had_is_never_kept_nor_believed_in_whatever_it_is_nested(
    kind: type[Any], way: tuple[str, ...], kept_by: str, cache: EvidenceCache, tmp_path: Path
) -> None:
    keep_raw(tmp_path)
    bad, good = spoiled(CACHED[kind], way), CACHED[kind]
    if kept_by == "another release":
        # As a release that kept such a value has left it.
        cache.obtain(kind, KEY, lambda: good)
        entry(cache).write_bytes(_sealed(encode_value(bad)))
    else:
        assert cache.obtain(kind, KEY, lambda: bad) == bad
    assert cache.obtain(kind, KEY, lambda: good) == good
    assert cache.obtain(kind, KEY, lambda: bad) == good


def test_a_canary_that_was_not_found_is_looked_for_again(cache: EvidenceCache, tmp_path: Path) -> None:
    keep_raw(tmp_path)
    report = CACHED[ScanReport]
    lost = replace(report, canary=Canary(expected=frozenset({"CVE-1"}), found=frozenset()))
    assert cache.obtain(ScanReport, KEY, lambda: lost) == lost
    assert cache.obtain(ScanReport, KEY, lambda: report) == report
    assert cache.obtain(ScanReport, KEY, lambda: lost) == report


def keep_raw(folder: Path) -> None:
    EvidenceFolder(folder / "evidence").put(b"report trivy")


def test_the_same_evidence_gives_the_same_bytes() -> None:
    assert encode_value(layer_facts()) == encode_value(layer_facts())
