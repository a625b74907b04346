"""Provenance: who built an artifact, from which source, how; one form for every predicate that builders write.

Values only. They are the builder's word, and count only after the signature over the statement was verified: what they are
then compared with is the policy and the certificate of whoever signed.

Specification: SLSA provenance v0.2 and v1; formats reference, section 13.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gate.model.string_map import StringMap

PROVENANCE_V02: Final = "https://slsa.dev/provenance/v0.2"
PROVENANCE_V1: Final = "https://slsa.dev/provenance/v1"
PROVENANCE_TYPES: Final = frozenset({PROVENANCE_V02, PROVENANCE_V1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A repository at a commit: `git+https://host/path` in normal form; `ref` and `commit` are "" where it names none."""

    uri: str
    ref: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a build says of itself.

    `sources` holds every repository that could be the source, each once: with more or less than one nobody can say which it
    is. `parameters` are the external parameters by dotted path; texts as they are, other values as JSON. `run` names the
    invocation. `finished` is the builder's own clock.
    """

    predicate_type: str
    builder: str
    build_type: str
    sources: tuple[Source, ...] = ()
    parameters: StringMap = StringMap()
    run: str = ""
    finished: datetime | None = None

    @property
    def source(self) -> Source | None:
        """Return the source where it is clear."""
        return self.sources[0] if len(self.sources) == 1 else None
