"""Every codec of untrusted bytes answers mutated documents with a value or a declared error, in bounded time and memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.errors import ImageError, SignatureError
from tests.support.fuzzing import CODECS, CORPUS, Codec, examples, mutations, run, seeds

SEEDS = [(codec, path) for codec in CODECS for path in seeds(codec)]


def test_the_corpus_and_the_codecs_are_the_same_list() -> None:
    assert sorted(path.name for path in CORPUS.iterdir() if path.is_dir()) == sorted(CODECS)


@pytest.mark.parametrize(("codec", "path"), SEEDS, ids=[f"{codec}-{path.name}" for codec, path in SEEDS])
def test_a_seed_is_read_and_what_was_found_once_is_refused_as_declared(codec: str, path: Path) -> None:
    error = run(CODECS[codec], path.read_bytes())
    assert path.name.startswith("found-") or error is None, error


@pytest.mark.parametrize("codec", CODECS)
def test_mutated_documents_end_in_a_value_or_a_declared_error(codec: str) -> None:
    documents = mutations(*(path.read_bytes() for path in seeds(codec)))
    refused = []

    @examples(150)
    @given(documents)
    def reading(data: bytes) -> None:
        refused.append(run(CODECS[codec], data) is not None)

    reading()
    # Mutations that are never or always refused would show nothing.
    assert any(refused)


@pytest.mark.parametrize("codec", CODECS)
def test_anything_at_all_ends_in_a_value_or_a_declared_error(codec: str) -> None:
    @examples(40)
    @given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
    def reading(data: bytes) -> None:
        run(CODECS[codec], data)

    reading()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("pattern", [b"[", b'{"a":', b"A" * 1000, b"[{}," * 8, b"\n"])
def test_much_of_one_thing_is_refused_within_the_bounds(codec: str, pattern: bytes) -> None:
    assert run(CODECS[codec], pattern * ((1 << 18) // len(pattern))) is not None


def test_a_codec_that_breaks_its_word_is_found() -> None:
    def of(read: Callable[[bytes], object]) -> Codec:
        return Codec(read, (SignatureError,))

    def refuse(_data: bytes) -> object:
        raise ImageError("not of this codec")

    with pytest.raises(KeyError):
        run(of(lambda data: {b"known": 1}[data]), b"")
    with pytest.raises(ImageError):
        run(of(refuse), b"")
    with pytest.raises(AssertionError, match="memory"):
        run(of(lambda _data: bytes(1 << 24)), b"")
    with pytest.raises(AssertionError, match="too long"):
        run(of(spin), b"", most_seconds=0.05)


def spin(_data: bytes) -> None:
    ends = time.process_time() + 0.05
    while time.process_time() <= ends:
        pass
