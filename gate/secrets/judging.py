"""What each named validator says of a candidate, and what they say together.

Pure functions over a window of bytes; nothing is asked of any vendor (attack X12). Specification: docs/secret-rules.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from gate.secrets.candidate import Candidate, Judgement
from gate.secrets.encoded import decoded
from gate.secrets.encrypted import is_encrypted
from gate.secrets.json_web_tokens import jwt_algorithm, jwt_is_over, jwt_is_sample
from gate.secrets.patterns import compile_pattern
from gate.secrets.private_keys import private_key_kind
from gate.secrets.rule import ValidatorUse
from gate.secrets.validators import (
    entropy,
    has_base36_checksum,
    has_base58_checksum,
    has_base62_checksum,
    has_bech32_checksum,
    has_hex_checksum,
    is_aws_secret,
    is_crypt_hash,
    is_local_default,
    is_placeholder,
    is_reference,
    is_sample_account,
    is_sample_host,
    is_sample_user,
    is_words,
)

_BEFORE: Final = 512
_AFTER: Final = 256
_AWS_REACH: Final = 1000
_SERVICE_ACCOUNT_REACH: Final = 4096
_MIN_PASSWORD: Final = 6
_MIN_TOKEN: Final = 8
_MAX_ASSIGNED: Final = 4096
_TOKEN_ENTROPY: Final = 3.0
_AWS_SECRET = re.compile(rb"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")

# A pattern for URLs, in code that takes them apart: `(.+?)://(.*?):(.*?)@`.
_EXPRESSION = re.compile(r"\((?:\?[:=!P<]|\.[*+]|\[)|\[\^|\.[*+]\?|\]\+")

Validator = Callable[[Candidate, str], Judgement]


def judge(candidate: Candidate, validators: Iterable[ValidatorUse]) -> Judgement:
    """Return what all validators come to: one that rejects decides, then one that doubts, then one that is certain."""
    if is_placeholder(_text(candidate)) or is_encrypted(_text(candidate)):
        return Judgement.REJECT
    said = Judgement.PLAIN
    for use in validators:
        judgement = VALIDATORS[use.name](candidate, use.parameter)
        if judgement is Judgement.REJECT:
            return judgement
        if judgement is Judgement.DOUBTFUL or said is Judgement.PLAIN:
            said = judgement
    return said


def _text(candidate: Candidate) -> str:
    return candidate.value.decode("latin-1")


def _checksum(test: Callable[[str], bool]) -> Validator:
    """Return what judges by a checksum: it proves or rejects only where its form was held against the vendor's own."""

    def judge_it(candidate: Candidate, _: str) -> Judgement:
        if test(_text(candidate)):
            return Judgement.CERTAIN if candidate.has_proven_checksum else Judgement.PLAIN
        return Judgement.REJECT if candidate.has_proven_checksum else Judgement.DOUBTFUL

    return judge_it


def _base36_crc32(candidate: Candidate, _: str) -> Judgement:
    """Classic tokens of the same prefix have no checksum, so that a wrong one says nothing."""
    return Judgement.CERTAIN if has_base36_checksum(_text(candidate)) else Judgement.PLAIN


def _demand(test: Callable[[str], bool]) -> Validator:
    return lambda candidate, _: Judgement.PLAIN if test(_text(candidate)) else Judgement.REJECT


def _jwt(candidate: Candidate, _: str) -> Judgement:
    algorithm = jwt_algorithm(_text(candidate))
    if algorithm is None or jwt_is_sample(_text(candidate)):
        return Judgement.REJECT
    is_worthless = algorithm.lower() == "none" or jwt_is_over(_text(candidate))
    return Judgement.DOUBTFUL if is_worthless else Judgement.PLAIN


def _private_key(candidate: Candidate, _: str) -> Judgement:
    kind = private_key_kind(_text(candidate))
    if kind is None:
        return Judgement.REJECT
    return Judgement.DOUBTFUL if kind == "encrypted" else Judgement.CERTAIN


def _service_account(candidate: Candidate, _: str) -> Judgement:
    near = candidate.around(_SERVICE_ACCOUNT_REACH, _SERVICE_ACCOUNT_REACH)
    return Judgement.PLAIN if re.search(rb'\\?"type\\?"\s*:\s*\\?"service_account\\?"', near) else Judgement.REJECT


def _aws_pair(candidate: Candidate, _: str) -> Judgement:
    near = candidate.around(_AWS_REACH, _AWS_REACH)
    found = any(is_aws_secret(one[0].decode("latin-1")) for one in _AWS_SECRET.finditer(near))
    return Judgement.CERTAIN if found else Judgement.DOUBTFUL


def _url_password(candidate: Candidate, _: str) -> Judgement:
    user, host = (candidate.groups.get(name, b"").decode("latin-1") for name in ("user", "host"))
    password = _text(candidate)
    is_sample = is_sample_host(host) or is_local_default(user, password, host) or is_sample_account(user, password)
    is_none = is_sample or len(candidate.value) < 3 or bool(_EXPRESSION.search(password))
    return Judgement.REJECT if is_none else Judgement.PLAIN


def _real_user(candidate: Candidate, _: str) -> Judgement:
    user = candidate.groups.get("user", b"").decode("latin-1")
    return Judgement.REJECT if is_sample_user(user) else Judgement.PLAIN


def _basic_auth(candidate: Candidate, _: str) -> Judgement:
    user, colon, password = decoded(_text(candidate)).partition(b":")
    is_text = all(0x20 <= byte < 0x7F for byte in user + password)
    if not (user and colon and password and is_text) or is_placeholder(password.decode("ascii")):
        return Judgement.REJECT
    return Judgement.PLAIN


def _macaroon(candidate: Candidate, location: str) -> Judgement:
    data = decoded(_text(candidate).rpartition("pypi-")[2])
    wanted = location.encode()
    # Version 2, field 1 is the location (libmacaroons `doc/format.txt`).
    is_right = data.startswith(b"\x02\x01" + bytes([len(wanted)]) + wanted + b"\x02")
    return Judgement.CERTAIN if is_right else Judgement.REJECT


def _base64_bytes(candidate: Candidate, count: str) -> Judgement:
    return Judgement.PLAIN if len(decoded(_text(candidate))) == int(count) else Judgement.REJECT


def _base64_starts(candidate: Candidate, beginning: str) -> Judgement:
    return Judgement.PLAIN if _loosely_decoded(candidate).startswith(beginning.encode()) else Judgement.REJECT


def _base64_json(candidate: Candidate, key: str) -> Judgement:
    try:
        value = json.loads(_loosely_decoded(candidate))
    except (ValueError, RecursionError):
        return Judgement.REJECT
    return Judgement.PLAIN if isinstance(value, dict) and key in value else Judgement.REJECT


def _loosely_decoded(candidate: Candidate) -> bytes:
    """Return the bytes of base64 that may be cut: what does not fill a group of four is left away."""
    text = _text(candidate).rstrip("=")
    return decoded(text) or decoded(text[: len(text) - len(text) % 4])


def _entropy(candidate: Candidate, least: str) -> Judgement:
    return Judgement.PLAIN if entropy(_text(candidate)) >= float(least) else Judgement.REJECT


def _mixes(*classes: str) -> Validator:
    tests = [re.compile(one.encode()) for one in classes]
    return lambda candidate, _: (
        Judgement.PLAIN if all(test.search(candidate.value) for test in tests) else Judgement.REJECT
    )


def _password(candidate: Candidate, _: str) -> Judgement:
    text = _text(candidate)
    is_one = _MIN_PASSWORD <= len(text) <= _MAX_ASSIGNED and not is_reference(text)
    return Judgement.PLAIN if is_one else Judgement.REJECT


def _token(candidate: Candidate, _: str) -> Judgement:
    text = _text(candidate)
    is_sized = _MIN_TOKEN <= len(text) <= _MAX_ASSIGNED and " " not in text
    is_random = is_sized and not is_reference(text) and not is_words(text) and entropy(text) >= _TOKEN_ENTROPY
    return Judgement.PLAIN if is_random else Judgement.REJECT


def _is_near(candidate: Candidate, pattern: str) -> bool:
    return compile_pattern(pattern).fits(candidate.around(_BEFORE, _AFTER))


def _near(candidate: Candidate, pattern: str) -> Judgement:
    return Judgement.PLAIN if _is_near(candidate, pattern) else Judgement.REJECT


def _not_near(candidate: Candidate, pattern: str) -> Judgement:
    return Judgement.REJECT if _is_near(candidate, pattern) else Judgement.PLAIN


def _doubtful_if(candidate: Candidate, pattern: str) -> Judgement:
    return Judgement.DOUBTFUL if compile_pattern(pattern).fits(candidate.value) else Judgement.PLAIN


def _reject_if(candidate: Candidate, pattern: str) -> Judgement:
    return Judgement.REJECT if compile_pattern(pattern).fits(candidate.value) else Judgement.PLAIN


VALIDATORS: Final[Mapping[str, Validator]] = {
    "base62-crc32": _checksum(has_base62_checksum),
    "hex-crc32": _checksum(has_hex_checksum),
    "bech32": _checksum(has_bech32_checksum),
    "base58-check": _checksum(has_base58_checksum),
    "base36-crc32": _base36_crc32,
    "jwt": _jwt,
    "private-key": _private_key,
    "service-account": _service_account,
    "aws-pair": _aws_pair,
    "aws-secret": _demand(is_aws_secret),
    "url-password": _url_password,
    "real-user": _real_user,
    "basic-auth": _basic_auth,
    "crypt-hash": _demand(is_crypt_hash),
    "macaroon": _macaroon,
    "base64-bytes": _base64_bytes,
    "base64-starts": _base64_starts,
    "base64-json": _base64_json,
    "entropy": _entropy,
    "has-digit-and-letter": _mixes("[0-9]", "[A-Za-z]"),
    "has-upper-lower-digit": _mixes("[0-9]", "[A-Z]", "[a-z]"),
    "not-words": _demand(lambda text: not is_words(text)),
    "not-hex": _demand(lambda text: not _HEX.fullmatch(text)),
    "not-uuid": _demand(lambda text: not _UUID.fullmatch(text)),
    "password": _password,
    "token": _token,
    "near": _near,
    "not-near": _not_near,
    "doubtful-if": _doubtful_if,
    "reject-if": _reject_if,
}
