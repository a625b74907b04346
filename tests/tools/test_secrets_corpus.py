"""The labelled corpus: enough of everything, disjoint parts, the same bytes each time."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import pytest

from gate.secrets.examples import ExampleMaker
from gate.secrets.validators import has_base62_checksum, has_bech32_checksum
from tools.secrets_corpus.carriers import CARRIERS
from tools.secrets_corpus.generate import FILES_FOLDER, Part, maker_of, part_of, read_labels, write_corpus
from tools.secrets_corpus.independent import IndependentMaker
from tools.secrets_corpus.kinds import KINDS
from tools.secrets_corpus.negatives import VALUES, read_negative_files

# Parts of what is written in clear nowhere but in a plain carrier.
PLAIN = ("dotenv", "yaml", "json", "python")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, Part.DEVELOP)
    return folder


def test_there_are_at_least_60_kinds_and_as_many_hard_negatives() -> None:
    assert len({kind.id for kind in KINDS}) == len(KINDS) >= 60
    names = [*(kind.id for kind in VALUES), *(one.name for one in read_negative_files())]
    assert len(names) >= len(KINDS)


def test_a_part_holds_as_many_negatives_as_secrets(written: Path) -> None:
    labels = read_labels(written)
    planted = sum(label.is_secret for label in labels)
    assert planted > 1000
    assert len(labels) - planted >= planted


def test_each_kind_and_each_carrier_is_in_both_parts() -> None:
    for kind in KINDS:
        assert {part_of(kind.id, carrier) for carrier in CARRIERS} == set(Part), kind.id
    for carrier in CARRIERS:
        assert {part_of(kind.id, carrier) for kind in KINDS} == set(Part), carrier


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(written: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    assert write_corpus(again, Part.DEVELOP) == read_labels(written)
    write_corpus(other, Part.DEVELOP, "another seed")
    first, second, third = (_contents(folder) for folder in (written, again, other))
    assert first == second
    # One kind has a fixed value: credentials of a header.
    assert sum(one == two for one, two in zip(first, third, strict=True)) < 40


def _contents(folder: Path) -> list[bytes]:
    """SQLite writes a counter of its own into its files."""
    chosen = [label for label in read_labels(folder) if label.is_secret and label.carrier != "sqlite"]
    return [(folder / FILES_FOLDER / label.path).read_bytes() for label in chosen[:300]]


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_carrier_holds_the_value_in_clear(name: str) -> None:
    value = ExampleMaker("plain").fill("{{alnum:40}}")
    _, content = CARRIERS[name]("API_TOKEN", value)
    assert value.encode() in content


@pytest.mark.parametrize("name", ["gzip", "jar", "base64", "hex", "utf-16", "git-pack", "xz", "zstd"])
def test_a_wrapped_carrier_hides_the_value(name: str) -> None:
    value = ExampleMaker("wrapped").fill("{{alnum:40}}")
    _, content = CARRIERS[name]("API_TOKEN", value)
    assert value.encode() not in content


def test_the_measured_part_shares_no_code_with_the_rules() -> None:
    source = (Path(__file__).resolve().parents[2] / "tools" / "secrets_corpus" / "independent.py").read_text("utf-8")
    assert not re.search(r"^\s*(?:from|import) gate\b", source, re.MULTILINE)
    assert isinstance(maker_of(Part.MEASURED, "x"), IndependentMaker)


def test_the_independent_checksums_are_those_that_were_published() -> None:
    made = IndependentMaker("x").fill("{{hex-crc32:glsa_:32}}")
    body, _, digits = made.rpartition("_")
    assert digits == zlib.crc32(body.encode()).to_bytes(4, "little").hex()
    assert has_bech32_checksum(IndependentMaker("x").fill("{{bech32:AGE-SECRET-KEY-:32}}"))
    assert has_base62_checksum(IndependentMaker("x").fill("ghp_{{base62-crc32:30}}"))
