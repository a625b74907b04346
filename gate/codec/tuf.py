"""TUF metadata, screened before a TUF client reads it: what no honest repository writes is refused under its own code.

Nothing is verified here: that is the work of python-tuf. The screen bounds the bytes, reads them strictly (a key that is given
twice lets two readers see two documents), and refuses what clients got wrong before: names that leave the cache (attack T01),
one key that signs twice and thresholds of nobody (attack T03).

Specification: TUF specification 1.0.34, sections 4.2 to 4.5.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault, ObjectView, parse_object, printable
from gate.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Iterable

# The largest of what python-tuf reads by default (5 MB of targets).
MAX_METADATA_BYTES: Final = 5_000_000
_FAULT: Final = Fault(EvidenceError, "ROOT_METADATA", "the metadata of the trust root's repository")
# No separator, no leading dot, no percent sign: a role's name becomes a file's name.
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._+-]{0,127}", re.ASCII)


def screen_metadata(data: bytes) -> None:
    """Refuse metadata (untrusted) that must not reach a client.

    Raises:
        EvidenceError: `ROOT_METADATA` where it cannot be read, `ROOT_PATH` for a name, `ROOT_THRESHOLD` for signatures.
    """
    view = parse_object(data, _FAULT, limit_bytes=MAX_METADATA_BYTES)
    _expect_distinct(view.objects("signatures"))
    signed = view.object("signed")
    for role in _roles(signed):
        # A threshold that its keys cannot reach is legal: the role's metadata then never verifies.
        if role.integer("threshold") < 1:
            raise _threshold("a role that nobody needs to sign", "a threshold of at least 1")
    _expect_names(signed.fields.get("meta"), suffix=".json")
    _expect_names(signed.fields.get("targets"), suffix="")
    delegations = signed.optional_object("delegations")
    if delegations is not None:
        for delegated in delegations.optional_objects("roles"):
            _expect_name(delegated.text("name"))


def _expect_distinct(signatures: tuple[ObjectView, ...]) -> None:
    names = [signature.text("keyid") for signature in signatures]
    if len(set(names)) != len(names):
        raise _threshold("a key that signs twice", "one signature a key")


def _roles(signed: ObjectView) -> Iterable[ObjectView]:
    """Return every role that this document says the keys of: of a root its own roles, of targets those delegated."""
    roles = signed.fields.get("roles")
    if isinstance(roles, dict):
        view = signed.object("roles")
        yield from (view.object(name) for name in view.fields)
    delegations = signed.optional_object("delegations")
    if delegations is not None:
        yield from delegations.optional_objects("roles")


def _expect_names(files: object, *, suffix: str) -> None:
    for name in files if isinstance(files, dict) else ():
        _expect_name(name.removesuffix(suffix))


def _expect_name(name: str) -> None:
    """Refuse what leaves the cache; a target in a folder of its repository is legal, and each part of it is a name."""
    if not all(_NAME.fullmatch(part) for part in name.split("/")):
        raise EvidenceError(
            "the trust root's repository names a file outside of the cache",
            code="ROOT_PATH",
            expected="letters, digits, dots and dashes",
            seen=printable(name),
            next_step="Do not use this repository; ask its operator.",
        )


def _threshold(seen: str, expected: str) -> EvidenceError:
    return EvidenceError(
        "metadata of the trust root is not signed by enough keys", code="ROOT_THRESHOLD", expected=expected, seen=seen
    )
