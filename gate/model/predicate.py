"""Kinds of attestation that a policy can demand by a word, and which predicate types each word means.

A URI in a policy is compared byte for byte (attack A07). A word stands for the types that the kind's own specification
names; where tools write the document's version behind the type, that is accepted too, and nothing else.

Specification: formats reference, section 10.7.
"""

from __future__ import annotations

import re
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION: Final = re.compile(r"/v[0-9]{1,4}(?:\.[0-9]{1,4}){0,2}", re.ASCII)


class AttestationKind(StrEnum):
    """What a demanded attestation is, by the policy's word."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"
    VULNERABILITIES = "vulnerabilities"
    OPENVEX = "openvex"
    TEST_RESULT = "test-result"


_VERSIONED: Final = frozenset({AttestationKind.CYCLONEDX, AttestationKind.SPDX, AttestationKind.OPENVEX})
PREDICATE_TYPES: Final[Mapping[AttestationKind, tuple[str, ...]]] = MappingProxyType(
    {
        AttestationKind.CYCLONEDX: ("https://cyclonedx.org/bom",),
        AttestationKind.SPDX: ("https://spdx.dev/Document",),
        AttestationKind.VULNERABILITIES: (
            "https://cosign.sigstore.dev/attestation/vuln/v1",
            "https://in-toto.io/attestation/vulns/v0.1",
            "https://in-toto.io/attestation/vulns/v0.2",
        ),
        AttestationKind.OPENVEX: ("https://openvex.dev/ns",),
        AttestationKind.TEST_RESULT: ("https://in-toto.io/attestation/test-result/v0.1",),
    }
)


def kind_of(predicate_type: str) -> AttestationKind | None:
    """Return the kind of a predicate type; None for one that no word names."""
    for kind, types in PREDICATE_TYPES.items():
        for base in types:
            rest = predicate_type.removeprefix(base) if predicate_type.startswith(base) else None
            if rest == "" or (rest and kind in _VERSIONED and _VERSION.fullmatch(rest)):
                return kind
    return None
