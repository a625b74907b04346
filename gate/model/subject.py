"""What a statement is about: a digest with the name under which it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gate.model.digest import Digest
from gate.model.image import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One manifest or index: media type, digest, size in bytes as served; `platform` is None for an index."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None


# Why a child was skipped: it is of a platform that neither the user nor the policy asked for.
OTHER_PLATFORM: Final = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedChild:
    """A child of an index that is not judged, and why: `attestation` (BuildKit) or `platform` (not asked)."""

    digest: Digest
    platform: str
    reason: str
