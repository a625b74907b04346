"""What fuzzing is made of: the corpus, mutations of its files, the codecs with the errors they declare, and the bounds.

A seed is a real document in `fixtures/fuzz/CODEC/`. A mutation changes bytes, or fields where the seed is JSON (then it
stays JSON, and base64 inside of it is opened and closed again): so that both the first reading and what comes behind it are
reached. A codec answers with a value or with an error that it declares; anything else is a finding.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import hypothesis
from hypothesis import strategies as st

from gate.codec.bundle import parse_bundle
from gate.codec.certificates import is_self_issued, key_of, parse_certificate
from gate.codec.dsse import parse_envelope
from gate.codec.legacy import parse_legacy_attestation, parse_legacy_signature, parse_simple_signing
from gate.codec.log_body import parse_log_body
from gate.codec.oci import parse_index, parse_listing, parse_manifest
from gate.codec.oci_config import parse_config
from gate.codec.release_signature import parse_checksums, parse_entries_found
from gate.codec.signed_note import parse_checkpoint
from gate.codec.signing_config import parse_signing_config
from gate.codec.statement import own_subjects, parse_statement
from gate.codec.strict_json import Fault
from gate.codec.trusted_root import parse_trusted_root
from gate.codec.tuf import screen_metadata
from gate.errors import (
    AttestationError,
    EvidenceError,
    GateError,
    ImageError,
    SignatureError,
    UsageError,
)
from gate.model.image import OCI_INDEX, OCI_MANIFEST
from gate.model.reasons import REASONS
from tests.support.signing import NOW
from tests.support.sources import ROOT

CORPUS: Final = ROOT / "fixtures" / "fuzz"
# A parse costs milliseconds; this much processor time is a loop that grows with more than the input.
MOST_SECONDS: Final = 5.0
# Parsed JSON in Python weighs up to 60 bytes a byte (a list of empty lists); 200 leaves room for copies, not for powers.
MOST_BYTES_A_BYTE: Final = 200
SPARE_BYTES: Final = 8 << 20
_CERTIFICATE: Final = Fault(SignatureError, "SIG_MALFORMED", "the certificate")
# Lengths and signs at which parsers change their mind.
_WORDS: Final = (
    b"", b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x80", b"\x30\x80", b"{", b"}", b"[" * 200, b'"', b"\\u0000", b"\\ud800", b"null",
    b"-1", b"1e999", b"9" * 40, b"0x1", b"\n\n", b"\r\n", b"=", b"\xe2\x80\x94 ", b"\xc0\x80", b"true", b"NaN",
)  # fmt: skip
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**53, 2**63, 2**64, 10**30, 1.5, "", "0", "-1", "A", "AAAA", "=", "\0", "\ud800",
    "é" * 20, "sha256:" + "0" * 64, "2026-13-45T99:99:99Z", "a" * 5000, [], {}, [[]], [None], {"": None}, [{}] * 70,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Codec:
    """One parser of untrusted bytes: what reads them, which classes of error it declares."""

    read: Callable[[bytes], object]
    declared: tuple[type[GateError], ...]


def _certificate(data: bytes) -> object:
    certificate = parse_certificate(data, _CERTIFICATE)
    return certificate, key_of(certificate), is_self_issued(data, _CERTIFICATE)


def _annotations(data: bytes) -> tuple[bytes, dict[str, str]]:
    """Take a layer and its annotations apart; what is no such document is one with nothing in it."""
    try:
        document = json.loads(data)
        layer, annotations = document["layer"].encode("utf-8", "surrogatepass"), document["annotations"]
        return layer, {name: text for name, text in annotations.items() if isinstance(text, str)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return data, {}


def _statement(data: bytes) -> object:
    statement = parse_statement(data)
    try:
        return own_subjects(statement)
    except AttestationError:
        return statement


SIGNATURE: Final = (SignatureError, AttestationError)
CODECS: Final[Mapping[str, Codec]] = {
    "bundle": Codec(parse_bundle, SIGNATURE),
    "certificate": Codec(_certificate, (SignatureError,)),
    "checkpoint": Codec(lambda data: parse_checkpoint(data.decode("utf-8", "surrogateescape")), (SignatureError,)),
    "checksums": Codec(parse_checksums, (EvidenceError,)),
    "config": Codec(parse_config, (ImageError,)),
    "envelope": Codec(parse_envelope, (AttestationError,)),
    "index": Codec(lambda data: parse_index(data, media_type=OCI_INDEX), (ImageError,)),
    "legacy-attestation": Codec(lambda data: parse_legacy_attestation(*_annotations(data)), SIGNATURE),
    "legacy-signature": Codec(lambda data: parse_legacy_signature(*_annotations(data)), SIGNATURE),
    "listing": Codec(parse_listing, (ImageError, EvidenceError)),
    "log-answer": Codec(parse_entries_found, (EvidenceError,)),
    "log-body": Codec(parse_log_body, (SignatureError,)),
    "manifest": Codec(lambda data: parse_manifest(data, media_type=OCI_MANIFEST), (ImageError,)),
    "signing-config": Codec(lambda data: parse_signing_config(data, NOW), (UsageError,)),
    "simple-signing": Codec(parse_simple_signing, SIGNATURE),
    "statement": Codec(_statement, (AttestationError,)),
    "trusted-root": Codec(parse_trusted_root, (UsageError,)),
    "tuf": Codec(screen_metadata, (EvidenceError,)),
}


def seeds(codec: str) -> list[Path]:
    """Return the files of a codec's corpus."""
    return sorted(path for path in (CORPUS / codec).iterdir() if path.is_file())


def examples(count: int) -> hypothesis.settings:
    """Return the settings of a fuzz test: so many examples in CI, forty times as many in each round of `make fuzz`."""
    rounds = 40 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 1
    unhurried = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large]
    return hypothesis.settings(max_examples=count * rounds, suppress_health_check=unhurried)


def run(codec: Codec, data: bytes, most_seconds: float = MOST_SECONDS) -> GateError | None:
    """Read once, within the bounds; give the declared error, or None for a value."""
    error: GateError | None = None
    began = time.process_time()
    tracemalloc.start()
    try:
        codec.read(data)
    except codec.declared as declared:
        error = declared
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert time.process_time() - began < most_seconds, f"{len(data)} bytes take too long"
    assert peak < SPARE_BYTES + MOST_BYTES_A_BYTE * len(data), f"{len(data)} bytes take {peak} bytes of memory"
    if error is not None:
        assert error.code in REASONS
        str(error).encode()  # a message can be written anywhere
    return error


def mutations(*originals: bytes) -> st.SearchStrategy[bytes]:
    """Return changed documents: bytes of any one, fields of those that are JSON."""
    whole = st.sampled_from(originals)
    kinds = [st.builds(_spoiled, whole, st.lists(_edits(), min_size=1, max_size=4), whole)]
    fields = [value for value in map(_json, originals) if value is not None]
    if fields:
        kinds.append(st.builds(_rewritten, st.sampled_from(fields), st.lists(_changes(), min_size=1, max_size=3)))
    return st.one_of(*kinds)


def _edits() -> st.SearchStrategy[tuple[str, int, int, bytes]]:
    inserted = st.one_of(st.sampled_from(_WORDS), st.binary(max_size=8))
    place = st.integers(0, 1 << 20)
    return st.tuples(st.sampled_from(("flip", "cut", "put", "over", "twice", "end", "splice")), place, place, inserted)


def _spoiled(original: bytes, edits: list[tuple[str, int, int, bytes]], other: bytes) -> bytes:
    data = original
    for kind, first, second, word in edits:
        at = first % (len(data) + 1)
        to = min(len(data), at + second % 64)
        match kind:
            case "flip":
                data = data[:at] + bytes(byte ^ (1 << second % 8) for byte in data[at : at + 1]) + data[at + 1 :]
            case "cut":
                data = data[:at] + data[to:]
            case "put":
                data = data[:at] + word + data[at:]
            case "over":
                data = data[:at] + word + data[at + len(word) :]
            case "twice":
                data = data[:to] + data[at:]
            case "end":
                data = data[:at]
            case _:
                data = data[:at] + other[second % (len(other) + 1) :]
    return data


def _json(data: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(data)
    except ValueError:
        return None


def _changes() -> st.SearchStrategy[tuple[int, str, Any]]:
    kind = st.sampled_from(("value", "value", "remove", "add", "double", "swap", "inside", "inside", "inside"))
    return st.tuples(st.integers(0, 1 << 20), kind, st.sampled_from(_VALUES) | st.binary(max_size=6))


def _rewritten(document: Any, changes: list[tuple[int, str, Any]]) -> bytes:  # noqa: ANN401 - any JSON
    value = document
    for number, kind, new in changes:
        places = _paths(value)
        value = _changed(value, places[number % len(places)], kind, (number, new))
    return json.dumps(value, ensure_ascii=True).encode()


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here] + [path for key, item in items for path in _paths(item, (*here, key))]


def _changed(value: Any, path: tuple[Any, ...], kind: str, new: tuple[int, Any]) -> Any:  # noqa: ANN401 - any JSON
    if len(path) > 1 and path[0] in _keys(value):
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[path[0]] = _changed(value[path[0]], path[1:], kind, new)
        return copy
    if not path:
        return _plain(new[1])
    return _changed_here(value, path[0], kind, new)


def _keys(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()


def _changed_here(value: Any, key: Any, kind: str, placed: tuple[int, Any]) -> Any:  # noqa: ANN401 - any JSON
    place, new = placed
    copy = dict(value) if isinstance(value, dict) else list(value)
    match kind:
        case "remove":
            del copy[key]
        case "add" if isinstance(copy, dict):
            copy[str(_plain(new))[:20]] = copy[key]
        case "add" | "double" if isinstance(copy, list):
            copy.insert(key, copy[key])
        case "swap":
            other = list(_keys(copy))[-1]
            copy[key], copy[other] = copy[other], copy[key]
        case "inside" if isinstance(copy[key], str):
            copy[key] = _inside(copy[key], place, new)
        case _:
            copy[key] = _plain(new)
    return copy


def _inside(text: str, place: int, new: Any) -> str:  # noqa: ANN401 - any JSON
    """Change the bytes at a place that a text holds in base64 (certificates, log bodies, timestamps), or the text."""
    extra = new if isinstance(new, bytes) else str(new).encode("utf-8", "surrogatepass")[:8]
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text + extra.decode("latin-1")
    at = place % (len(data) + 1)
    return base64.b64encode(data[:at] + extra + data[at + len(extra) :]).decode()


def _plain(new: Any) -> Any:  # noqa: ANN401 - any JSON
    return new.decode("latin-1") if isinstance(new, bytes) else new
