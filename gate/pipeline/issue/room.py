"""Room for another verdict on a digest, which is counted before anything is pushed.

A digest with more verdicts of one signer than are looked at can never be verified again, and the gate itself would bring it
there by checking every night. So publishing removes what is superseded once there is much of it. Where the registry removes
nothing, a PASSED verdict that would be one too many is not pushed; a FAILED one is, because it must not go unseen, and with one
too many the image is refused anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.attachments import MAX_ATTACHMENTS
from gate.codec.referrer_list import could_be_attached
from gate.errors import GateError, RegistryError
from gate.images.attachments import attachment_pages
from gate.images.registry_source import RegistrySource
from gate.model.attachment import FAILED_VERDICT, AttachmentSource
from gate.pipeline.issue.superseded import read_own
from gate.registry.options import MAX_LISTED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.images.image_source import AttachmentReader
    from gate.model.digest import Digest
    from gate.model.policy_signers import Signer
    from gate.pipeline.issue.statements import Publication
    from gate.pipeline.issue.superseded import OwnStatement, OwnStatements

# A hundred verdicts and their evidence: reading these to find what is superseded takes a second or two.
ROOM_FROM: Final = 200
_REMOVABLE: Final = frozenset({AttachmentSource.REFERRER, AttachmentSource.FALLBACK_TAG})


def make_room(
    source: AttachmentReader, publications: Sequence[Publication], signers: Sequence[Signer], now: datetime
) -> tuple[str, ...]:
    """Remove own superseded verdicts from each subject that has many attachments; return a line for each subject.

    Raises:
        RegistryError: `REG_FULL`, a PASSED verdict would be one more than are looked at.
    """
    if not isinstance(source, RegistrySource):
        return ()
    unlimited = source.unlimited()
    told = []
    for digest in dict.fromkeys(item.subject.digest for item in publications):
        manifests = {item.digest for item in publications if item.subject.digest == digest}
        listed = _listed(unlimited, digest)
        # What is there already is not pushed again: an earlier run was cut short, or another one was quicker.
        if len(listed) >= ROOM_FROM and not manifests <= listed:
            told.append(_make_room(unlimited, digest, listed, publications, signers, now))
    return tuple(line for line in told if line)


def _listed(source: RegistrySource, digest: Digest) -> set[Digest]:
    found = source.listed(digest)
    return {item.digest for item in (*found.referrers, *found.fallback) if could_be_attached(item.artifact_type)}


def _make_room(
    source: RegistrySource,
    digest: Digest,
    listed: set[Digest],
    publications: Sequence[Publication],
    signers: Sequence[Signer],
    now: datetime,
) -> str:
    own = read_own(attachment_pages(source, digest), digest, signers, now)
    removed, problem = _remove(source, digest, own)
    verdicts = len(own.verdicts) - sum(item.summary is not None for item in removed)
    if not _says_failed(publications) and (
        verdicts >= MAX_ATTACHMENTS or len(listed) - len(removed) + len(publications) > MAX_LISTED
    ):
        raise RegistryError(
            "this digest has as many verdicts as are looked at",
            code="REG_FULL",
            expected=f"fewer than {MAX_ATTACHMENTS} verdicts of one signer and {MAX_LISTED} attachments",
            seen=f"{verdicts} and {len(listed) - len(removed)}; {problem or 'none of them is superseded'}",
        )
    if problem:
        return f"{len(listed)} attachments are attached to {digest.short}, and none can be removed: {problem}"
    return f"removed {len(removed)} superseded attachments of {digest.short}" if removed else ""


def _remove(source: RegistrySource, digest: Digest, own: OwnStatements) -> tuple[list[OwnStatement], str]:
    """Return what was removed, and why the rest was not; the first that cannot be removed ends it."""
    removed: list[OwnStatement] = []
    for item in own.superseded():
        if item.source not in _REMOVABLE:
            continue
        try:
            source.writer.remove(digest, item.manifest)
        except GateError as error:
            return removed, f"{error.code}: {error}"
        removed.append(item)
    return removed, ""


def _says_failed(publications: Sequence[Publication]) -> bool:
    return any(FAILED_VERDICT.encode() in item.manifest for item in publications)
