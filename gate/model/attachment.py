"""Attachments: what hangs on a digest, as raw bytes that nobody has judged yet.

Collectors bring them; `verification` judges them under a policy's trust, so that replay under other keys needs no network.
Listings, tags, annotations and media types are unsigned hints (attack A04, R08): only signed content binds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gate.model.digest import Digest
from gate.model.string_map import StringMap

BUNDLE_PREFIX: Final = "application/vnd.dev.sigstore.bundle"
BUNDLE_V03: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
FAILED_VERDICT: Final = "application/vnd.gate.verdict.failed.v1+json"
SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
# Cosign's OCI 1.1 mode with its old format: a referrer whose layers are those of the legacy tags.
COSIGN_ARTIFACT_PREFIX: Final = "application/vnd.dev.cosign.artifact."
IN_TOTO_ARTIFACT: Final = "application/vnd.in-toto+json"
DSSE_ENVELOPE: Final = "application/vnd.dsse.envelope.v1+json"


class AttachmentSource(StrEnum):
    """How an attachment was found."""

    REFERRER = "referrer"
    FALLBACK_TAG = "fallback-tag"
    LEGACY_SIGNATURE = "legacy-signature"
    LEGACY_ATTESTATION = "legacy-attestation"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One layer of one manifest that hangs on a digest.

    `content` is the layer's bytes, equal to its digest; `manifest` is None for a file. `annotations` are the layer's.
    """

    source: AttachmentSource
    media_type: str
    content: bytes
    manifest: Digest | None = None
    annotations: StringMap = StringMap()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachments:
    """All attachments of one digest that could be a signature or attestation; `ignored` counts the others by media type."""

    digest: Digest
    items: tuple[Attachment, ...] = ()
    ignored: tuple[tuple[str, int], ...] = ()
