"""VEX statements: who says of which package that a vulnerability does not matter, and why.

One form for OpenVEX 0.2.0 and CycloneDX (`checks` reference, section 5.6). A statement takes effect only after the merge,
and only if its document is pinned by the policy or signed by an author whom the policy names for that package.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gate.model.digest import Digest


class VexStatus(StrEnum):
    """OpenVEX's words; those of CycloneDX are mapped to them."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"


# `n/a`, `-` and `none` explain nothing; the shortest real explanations ("not reachable") have this many letters.
_LEAST_LETTERS: Final = 10
# A letter of a script without alphabet carries about a syllable or a word.
_WIDE: Final = 3


def says_why(text: str) -> bool:
    """Return whether free text is long enough to be an explanation."""
    return sum((1 if char.isascii() else _WIDE) for char in text if char.isalpha()) >= _LEAST_LETTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class VexStatement:
    """One statement: ids of the vulnerability (any of them), purls of products and of packages inside them.

    `hashes` are what the statement says the product hashes to, as `sha256:...`; other algorithms as they are named. Where there
    are any, the product is what has them, whatever its purl says.
    """

    vulnerability: frozenset[str]
    products: tuple[str, ...]
    subcomponents: tuple[str, ...] = ()
    status: VexStatus
    justification: str = ""
    timestamp: datetime
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VexDocument:
    """A document that may speak: `source` says by which right (pinned file, or key id of the signer).

    `products` limits for which packages it may speak, as globs over purls without version; empty means all (pinned files).
    """

    id: str
    author: str
    digest: Digest
    source: str
    statements: tuple[VexStatement, ...]
    products: tuple[str, ...] = ()
