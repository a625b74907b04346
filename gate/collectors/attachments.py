"""What hangs on a digest, as raw bytes: referrers, the list under the fallback tag, and Cosign's legacy tags.

Collects and counts, and judges nothing: listings, tags, annotations and media types are unsigned hints, which only
decide what is worth reading (attacks A04, R08). What cannot be a signature or attestation is counted as ignored; more
than 500 attachments refuse, for the one that matters could be the last (attack S23).

Specification: formats reference, sections 3.4, 4 and 5; section 10.6 for the media type of FAILED verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from gate.codec.oci import parse_manifest
from gate.codec.strict_json import Fault, printable
from gate.collectors.image_source import AttachmentReader, FetchedManifest
from gate.errors import GateError, ImageError, RegistryError, SignatureError
from gate.model.attachment import (
    BUNDLE_PREFIX,
    DSSE_ENVELOPE,
    FAILED_VERDICT,
    SIMPLE_SIGNING,
    Attachment,
    Attachments,
    AttachmentSource,
)
from gate.model.digest import Digest
from gate.model.image import Descriptor, ImageManifest
from gate.registry.referrers import check_count, fallback_tag

MAX_ATTACHMENT_BYTES: Final = 4 * 1024 * 1024
# Signatures are kilobytes; this bounds the memory that 500 of them could take.
MAX_TOTAL_BYTES: Final = 64 * 1024 * 1024
MALFORMED: Final = "malformed"
MISSING: Final = "missing"
_WORKERS: Final = 4
_FAULT: Final = Fault(SignatureError, "SIG_MALFORMED", "the attachment's manifest", single=True)
_LEGACY: Final = (
    (".sig", AttachmentSource.LEGACY_SIGNATURE, SIMPLE_SIGNING),
    (".att", AttachmentSource.LEGACY_ATTESTATION, DSSE_ENVELOPE),
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One layer that is worth reading."""

    source: AttachmentSource
    manifest: Digest
    layer: Descriptor


def collect_attachments(source: AttachmentReader, digest: Digest, pool: Executor | None = None) -> Attachments:
    """Read all that is attached to a digest; referrers first, then legacy layers in their order.

    `pool` runs the requests; None: a pool of four for this call alone.

    Raises:
        SignatureError: `LIMIT_SIGNATURES` for too many or too much.
        ImageError: `LIMIT_BLOB` for one of more than 4 MiB.
        GateError: what the source raises when it cannot answer.
    """
    if pool is None:
        with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="gate-attachments") as own:
            return collect_attachments(source, digest, own)
    ignored: Counter[str] = Counter()
    wanted = [*_referrers(source, digest, ignored, pool), *_legacy(source, digest, ignored)]
    check_count(len(wanted) + ignored.total(), str(digest))
    _check_sizes(wanted)
    found = list(pool.map(partial(_read, source), wanted))
    ignored.update(item for item in found if isinstance(item, str))
    items = tuple(item for item in found if isinstance(item, Attachment))
    return Attachments(digest=digest, items=items, ignored=tuple(sorted(ignored.items())))


def _referrers(source: AttachmentReader, digest: Digest, ignored: Counter[str], pool: Executor) -> Iterator[_Wanted]:
    listed = source.listed(digest)
    origins = dict.fromkeys((item.digest for item in listed.fallback), AttachmentSource.FALLBACK_TAG)
    origins |= dict.fromkeys((item.digest for item in listed.referrers), AttachmentSource.REFERRER)
    check_count(len(origins), str(digest))
    fetched = pool.map(source.by_digest, origins)
    for origin, found in zip(origins.values(), fetched, strict=True):
        layer = _bundle_layer(found)
        if isinstance(layer, str):
            ignored[layer] += 1
        elif found is not None:
            yield _Wanted(origin, found.digest, layer)


def _bundle_layer(found: FetchedManifest | None) -> Descriptor | str:
    """Give the layer that holds a bundle, or why there is none; the manifest decides, not the listing."""
    if found is None:
        return MISSING
    manifest = _parse(found)
    if manifest is None:
        return MALFORMED
    kind = manifest.layers[0].media_type if manifest.layers else manifest.artifact_type or "empty"
    if not kind.startswith(BUNDLE_PREFIX) and kind != FAILED_VERDICT:
        return printable(kind, 80)
    return manifest.layers[0] if len(manifest.layers) == 1 else MALFORMED


def _legacy(source: AttachmentReader, digest: Digest, ignored: Counter[str]) -> Iterator[_Wanted]:
    for suffix, origin, media_type in _LEGACY:
        found = source.tagged(f"{fallback_tag(digest)}{suffix}")
        if found is None:
            continue
        manifest = _parse(found)
        if manifest is None:
            ignored[MALFORMED] += 1
            continue
        check_count(len(manifest.layers), str(digest))
        for layer in manifest.layers:
            if layer.media_type == media_type:
                yield _Wanted(origin, found.digest, layer)
            else:
                ignored[printable(layer.media_type, 80)] += 1


def _parse(found: FetchedManifest) -> ImageManifest | None:
    try:
        return parse_manifest(found.content, media_type=found.media_type, fault=_FAULT)
    except SignatureError:
        return None


def _check_sizes(wanted: list[_Wanted]) -> None:
    for item in wanted:
        if item.layer.size > MAX_ATTACHMENT_BYTES:
            raise ImageError(
                "an attachment is too large",
                code="LIMIT_BLOB",
                expected=f"at most {MAX_ATTACHMENT_BYTES} bytes",
                seen=f"{item.layer.size} bytes in {item.manifest}",
            )
    total = sum(item.layer.size for item in wanted)
    if total > MAX_TOTAL_BYTES:
        raise SignatureError(
            "the attachments are too large together",
            code="LIMIT_SIGNATURES",
            expected=f"at most {MAX_TOTAL_BYTES} bytes",
            seen=f"{total} bytes",
        )


def _read(source: AttachmentReader, wanted: _Wanted) -> Attachment | str:
    """Read one; a blob that is not there, or whose descriptor lies, is no attachment. Wrong bytes are an error."""
    try:
        content = b"".join(source.blob(wanted.layer))
    except ImageError as error:
        if error.code == "IMG_SIZE":
            return MALFORMED
        raise
    except GateError as error:
        if isinstance(error, RegistryError) and error.code == "REG_NOT_FOUND":
            return MISSING
        raise
    return Attachment(
        source=wanted.source,
        media_type=wanted.layer.media_type,
        content=content,
        manifest=wanted.manifest,
        annotations=wanted.layer.annotations,
    )
