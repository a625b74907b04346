"""What is attached to a digest, as raw bytes: referrers, the list under the fallback tag, and Cosign's legacy tags.

Collects and counts, and judges nothing: listings, tags, annotations and media types are unsigned hints, which only
decide what is worth reading (attacks A04, R08). What cannot be a signature or attestation by its type is not fetched; it is
counted as ignored. What is listed and could be a FAILED verdict, and cannot be read, is an error: to withhold it must not
let an image in (DESIGN rule 14, attack Y04). How many may count is verification's limit; here only what is fetched is
bounded (attack S23).

Specification: formats reference, sections 3.4, 4 and 5; section 10.6 for the media type of FAILED verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from gate.codec.referrer_list import (
    UNREADABLE,
    AttachmentManifest,
    could_be_attached,
    could_be_failed,
    parse_attachment_manifest,
)
from gate.codec.strict_json import printable
from gate.errors import GateError, ImageError, RegistryError, SignatureError
from gate.images.image_source import AttachmentReader, FetchedManifest
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
from gate.model.image import Descriptor
from gate.model.string_map import StringMap
from gate.registry.referrers import fallback_tag, require_count

MAX_ATTACHMENT_BYTES: Final = 4 * 1024 * 1024
# Signatures are kilobytes; this bounds the memory that 500 of them could take.
MAX_TOTAL_BYTES: Final = 64 * 1024 * 1024
MALFORMED: Final = "malformed"
MISSING: Final = "missing"
_WORKERS: Final = 4
_PAGE: Final = 200
_ABSENT: Final = {"IMG_SIZE": MALFORMED, "REG_NOT_FOUND": MISSING}
_READ: Final = frozenset({FAILED_VERDICT, SIMPLE_SIGNING, DSSE_ENVELOPE})
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


@dataclass(slots=True)
class _Found:
    """What is to be read, and what was counted instead."""

    wanted: list[_Wanted] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def collect_everywhere(places: Sequence[AttachmentReader], digest: Digest, pool: Executor | None = None) -> Attachments:
    """Read what is attached to a digest in several places, each item once; raises as `collect_attachments`.

    Every place must answer: a FAILED verdict may stand in any of them.
    """
    once: dict[tuple[str, bytes, StringMap], Attachment] = {}
    ignored: Counter[str] = Counter()
    for place in places:
        found = collect_attachments(place, digest, pool)
        ignored.update(dict(found.ignored))
        for item in found.items:
            once.setdefault((item.media_type, item.content, item.annotations), item)
        require_count(len(once), str(digest))
    return Attachments(digest=digest, items=tuple(once.values()), ignored=tuple(sorted(ignored.items())))


def collect_attachments(source: AttachmentReader, digest: Digest, pool: Executor | None = None) -> Attachments:
    """Read all that is attached to a digest in one place; referrers first, then legacy layers in their order.

    `pool` runs the requests; None: a pool of four for this call alone.

    Raises:
        SignatureError: `LIMIT_SIGNATURES` for too many or too much.
        ImageError: `LIMIT_BLOB` for one of more than 4 MiB.
        RegistryError: `REG_WITHHELD` for what could be a FAILED verdict and cannot be read.
        GateError: what the source raises when it cannot answer.
    """
    if pool is None:
        with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="gate-attachments") as own:
            return collect_attachments(source, digest, own)
    found = _Found()
    origins, types = _listed(source, digest, found)
    require_count(len(origins), str(digest))
    _collect_referrers(source, origins, types, found, pool)
    listed, found.wanted = found.wanted, []
    legacy = _collect_tags(source, digest, found)
    # One that is listed too is read once, as what the tag says.
    found.wanted = [item for item in listed if item.manifest not in legacy] + found.wanted
    require_count(len(found.wanted), str(digest))
    return _read_all(source, digest, found, pool)


def attachment_pages(source: AttachmentReader, digest: Digest) -> Iterator[Attachments]:
    """Yield what is attached to a digest, some at a time, however much it is; raises as `collect_attachments`."""
    with ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="gate-attachments") as pool:
        found = _Found()
        legacy = _collect_tags(source, digest, found)
        yield _read_all(source, digest, found, pool)
        origins, types = _listed(source, digest, _Found())
        names = [name for name in origins if name not in legacy]
        for start in range(0, len(names), _PAGE):
            found = _Found()
            page = {name: origins[name] for name in names[start : start + _PAGE]}
            _collect_referrers(source, page, types, found, pool)
            yield _read_all(source, digest, found, pool)


def _collect_tags(source: AttachmentReader, digest: Digest, found: _Found) -> frozenset[Digest]:
    """Take the layers under Cosign's legacy tags; return what these tags name."""
    named: set[Digest] = set()
    for suffix, origin, media_type in _LEGACY:
        manifest = source.tagged(f"{fallback_tag(digest)}{suffix}")
        if manifest is not None:
            named.add(manifest.digest)
            _collect_legacy(manifest, origin, media_type, found)
    return frozenset(named)


def _read_all(source: AttachmentReader, digest: Digest, found: _Found, pool: Executor) -> Attachments:
    _check_sizes(found.wanted)
    read = list(pool.map(partial(_read, source), found.wanted))
    found.ignored.update(item for item in read if isinstance(item, str))
    items = tuple(item for item in read if isinstance(item, Attachment))
    return Attachments(digest=digest, items=items, ignored=tuple(sorted(found.ignored.items())))


def _listed(
    source: AttachmentReader, digest: Digest, found: _Found
) -> tuple[dict[Digest, AttachmentSource], dict[Digest, set[str]]]:
    """Return where each manifest that is worth fetching was listed, and as what types; count the others."""
    listed = source.listed(digest)
    if listed.unread:
        found.ignored[UNREADABLE] += listed.unread
    origins = dict.fromkeys((item.digest for item in listed.fallback), AttachmentSource.FALLBACK_TAG)
    origins |= dict.fromkeys((item.digest for item in listed.referrers), AttachmentSource.REFERRER)
    # One digest may be listed twice under two types: it is fetched if any of them could be worth it.
    types: dict[Digest, set[str]] = {}
    for item in (*listed.fallback, *listed.referrers):
        types.setdefault(item.digest, set()).add(item.artifact_type)
    fetched = [item for item in origins if any(map(could_be_attached, types[item]))]
    for skipped in origins.keys() - set(fetched):
        found.ignored[printable(min(types[skipped]), 80)] += 1
    return {name: origins[name] for name in fetched}, types


def _collect_referrers(
    source: AttachmentReader,
    origins: dict[Digest, AttachmentSource],
    types: dict[Digest, set[str]],
    found: _Found,
    pool: Executor,
) -> None:
    for name, manifest in zip(origins, pool.map(source.by_digest, origins), strict=True):
        _collect_layers(name, origins[name], types[name], manifest, found)


def _collect_layers(
    name: Digest, origin: AttachmentSource, listed_as: set[str], manifest: FetchedManifest | None, found: _Found
) -> None:
    """Take the layers that could be signatures or attestations; the manifest decides, not the listing."""
    if manifest is None:
        if any(map(could_be_failed, listed_as)):
            raise _withheld("its manifest is not there", name)
        found.ignored[MISSING] += 1
        return
    parsed = _parse(manifest)
    if parsed is None:
        found.ignored[MALFORMED] += 1
        return
    wanted = [layer for layer in parsed.layers if _is_read(layer.media_type)]
    found.wanted += [_Wanted(origin, manifest.digest, layer) for layer in wanted]
    if not wanted:
        kind = parsed.layers[0].media_type if parsed.layers else parsed.artifact_type
        found.ignored[printable(kind, 80) or MALFORMED] += 1


def _is_read(media_type: str) -> bool:
    return media_type in _READ or media_type.startswith(BUNDLE_PREFIX)


def _collect_legacy(manifest: FetchedManifest | None, origin: AttachmentSource, media_type: str, found: _Found) -> None:
    if manifest is None:
        return
    parsed = _parse(manifest)
    if parsed is None:
        found.ignored[MALFORMED] += 1
        return
    for layer in parsed.layers:
        if layer.media_type == media_type:
            found.wanted.append(_Wanted(origin, manifest.digest, layer))
        else:
            found.ignored[printable(layer.media_type, 80)] += 1


def _parse(manifest: FetchedManifest) -> AttachmentManifest | None:
    try:
        return parse_attachment_manifest(manifest.content)
    except GateError:
        return None


def _withheld(message: str, place: Digest, seen: str = "") -> RegistryError:
    return RegistryError(
        f"an attachment is listed that could be a FAILED verdict, and {message}",
        code="REG_WITHHELD",
        expected=str(place),
        seen=seen,
    )


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
    failed = wanted.layer.media_type == FAILED_VERDICT
    try:
        content = b"".join(source.blob(wanted.layer))
    except (ImageError, RegistryError) as error:
        reason = _ABSENT.get(error.code)
        if reason is None:
            raise
        if failed:
            raise _withheld("its content cannot be read", wanted.manifest, error.message) from error
        return reason
    return Attachment(
        source=wanted.source,
        media_type=wanted.layer.media_type,
        content=content,
        manifest=wanted.manifest,
        annotations=wanted.layer.annotations,
    )
