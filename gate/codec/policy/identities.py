"""Identities in policies: issuer and subject, exact or as a pattern, and the claims of the same certificate.

An identity without issuer, with an empty text or with a pattern that fits anybody is refused when the policy is read
(attacks I02, I03, I06, I07): nothing that is written here can fail to be compared later.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.codec.identity_patterns import PatternKind, require_pattern
from gate.codec.policy.keys import CLAIM_KEYS, KEYLESS_KEYS
from gate.errors import PolicyError
from gate.model.identity import Claim, Identity, Matcher
from gate.model.policy_signers import KeylessSigner

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate.codec.policy.files import FileReader
    from gate.codec.yaml_node import Fields, Node

_EMPTY: Final = "POL_EMPTY_IDENTITY"
_ISSUER: Final = re.compile(
    r"https?://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[!-)+-~]*)?", re.ASCII
)
_PLAIN: Final = re.compile(r"[ -~]{1,2048}", re.ASCII)


def read_keyless(node: Node, files: FileReader) -> KeylessSigner:
    """Read `{issuer|issuerRegExp, subject|subjectRegExp, claims, trust}`; without `trust` the public instance is meant.

    Raises:
        PolicyError: `POL_ISSUER_REQUIRED`, `POL_EMPTY_IDENTITY`, `POL_REGEX`, `POL_MALFORMED`.
    """
    fields = node.fields(KEYLESS_KEYS, missing=_EMPTY)
    identity = Identity(
        subject=_one_of(fields, "subject", _subject, _EMPTY),
        issuer=_one_of(fields, "issuer", _issuer, "POL_ISSUER_REQUIRED"),
        claims=fields.get("claims", _claims, ()),
    )
    return KeylessSigner(identity=identity, trust=files.trust(fields.values.get("trust"), node))


def _one_of(fields: Fields, key: str, exact: Callable[[Node], Matcher], missing: str) -> Matcher:
    pattern = f"{key}RegExp"
    given = [name for name in (key, pattern) if name in fields]
    if len(given) != 1:
        raise fields.node.refuse(
            f"does not say exactly one {key}",
            code="POL_MALFORMED" if given else missing,
            expected=f"{key} or {pattern}",
            seen=", ".join(given) or ", ".join(fields.values) or "nothing",
        )
    kind = PatternKind.ISSUER if key == "issuer" else PatternKind.SUBJECT
    return exact(fields.values[key]) if given[0] == key else _pattern(fields.values[pattern], kind)


def _issuer(node: Node) -> Matcher:
    text = _not_empty(node, "POL_ISSUER_REQUIRED")
    if not _ISSUER.fullmatch(text):
        raise node.refuse("is not one issuer", code="POL_REGEX", expected="a URL without wildcards", seen=text)
    host = text.split("/")[2] if text.count("/") > 1 else ""
    if host != host.lower():
        raise node.refuse("can never be matched", expected=text.replace(host, host.lower(), 1), seen=text)
    return Matcher(text=text)


def _subject(node: Node) -> Matcher:
    text = _plain(node)
    if "*" in text:
        raise node.refuse("can never be matched", expected="one identity, or subjectRegExp with .+ for *", seen=text)
    return Matcher(text=text)


def _plain(node: Node) -> str:
    text = _not_empty(node, _EMPTY)
    if not _PLAIN.fullmatch(text):
        raise node.refuse("can never be matched", expected="printable ASCII, at most 2048 characters", seen=text)
    return text


def _not_empty(node: Node, code: str) -> str:
    """Read a text that is compared: empty must never equal absent."""
    if node.kind == "scalar" and not getattr(node.value, "text", "").strip():
        raise node.refuse("is empty", code=code, expected="a text that the certificate must carry")
    return node.text()


def _pattern(node: Node, kind: PatternKind) -> Matcher:
    text = _not_empty(node, _EMPTY)
    try:
        return Matcher(text=require_pattern(text, kind), is_pattern=True)
    except PolicyError as error:
        raise node.refuse(error.message, code=error.code, expected=error.expected, seen=error.seen) from error


def _claims(node: Node) -> tuple[tuple[Claim, Matcher], ...]:
    fields = node.fields([claim.value for claim in Claim])
    if not fields.values:
        raise node.refuse("demands nothing", code=_EMPTY, expected="at least one claim")
    return tuple((Claim(name), _claim(value)) for name, value in fields.values.items())


def _claim(node: Node) -> Matcher:
    """Read an exact text, or `{regExp: ...}`."""
    if node.kind != "mapping":
        return Matcher(text=_plain(node))
    fields = node.fields(CLAIM_KEYS, missing=_EMPTY)
    return fields.demand("regExp", lambda value: _pattern(value, PatternKind.CLAIM))
