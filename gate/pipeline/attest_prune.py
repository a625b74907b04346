"""Remove the gate's own superseded verdicts from a digest, where the registry can delete.

However many there are: a digest with more attachments than are looked at is judged again after this. What could not be removed
is said, and why.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.clock import Clock, Deadline
from gate.errors import GateError, ReferenceRefusedError, UsageError
from gate.images.attachments import attachment_pages
from gate.images.registry_source import RegistrySource
from gate.model.attachment import AttachmentSource
from gate.model.reference import RegistryReference, parse_reference
from gate.pipeline.issue.superseded import read_own
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions

if TYPE_CHECKING:
    from datetime import datetime

    from gate.images.registry_source import RegistryWriter
    from gate.model.digest import Digest
    from gate.model.policy_signers import Signer
    from gate.model.reference import Repository
    from gate.pipeline.issue.superseded import OwnStatement, OwnStatements

_IN_TAG: Final = "it stands under Cosign's .att tag, together with attestations of others"
_REFERRERS: Final = frozenset({AttachmentSource.REFERRER, AttachmentSource.FALLBACK_TAG})


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneOptions:
    """Whose verdicts are own, and whether they are removed or only named."""

    signers: tuple[Signer, ...]
    dry_run: bool = False
    registry: RegistryOptions = field(default_factory=RegistryOptions)
    timeout: timedelta = timedelta(minutes=2)

    def within(self, timeout: timedelta) -> PruneOptions:
        """Return the same with another time limit."""
        return replace(self, timeout=timeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedManifest:
    """One superseded manifest: `state` is `removed`, `superseded` (a dry run), or the code of why it is still there."""

    state: str
    subject: Digest
    manifest: Digest
    says: str
    time: datetime | None
    problem: str = ""


def prune_verdicts(reference: str, options: PruneOptions, *, clock: Clock | None = None) -> tuple[PrunedManifest, ...]:
    """Remove superseded verdicts from a digest, and from the other subjects that they name; newest first is what stays.

    Where the operator named another repository for attestations, that one is pruned too, each by what it holds itself.

    Raises:
        UsageError: the image is not in a registry; ReferenceRefusedError: a tag; RegistryError: it cannot be asked.
    """
    used = clock or Clock()
    parsed = parse_reference(reference)
    if not isinstance(parsed, RegistryReference):
        raise UsageError("verdicts are only pruned in registries", expected="registry/repository@sha256:...")
    if parsed.digest is None:
        raise ReferenceRefusedError("what hangs on a tag is not clear", expected=f"{parsed.repository}@sha256:...")
    with ExitStack() as opened:
        client = opened.enter_context(RegistryClient(options.registry, Deadline.after(options.timeout, used)))
        places = dict.fromkeys((parsed.repository, options.registry.attestations_of(parsed.repository)))
        return tuple(pruned for place in places for pruned in _prune(client, place, parsed.digest, options, used.now()))


def _prune(
    client: RegistryClient, repository: Repository, digest: Digest, options: PruneOptions, now: datetime
) -> list[PrunedManifest]:
    source = RegistrySource(client, repository, digest).unlimited()
    found = _own(source, digest, options, now).superseded()
    pruned = [_removed(source.writer, digest, item, options) for item in found]
    gone = {item.payload for item in found}
    for other in dict.fromkeys(subject for item in found for subject in item.others(digest)):
        same = [item for item in _own(source, other, options, now).superseded() if item.payload in gone]
        pruned += [_removed(source.writer, other, item, options) for item in same]
    return pruned


def _own(source: RegistrySource, digest: Digest, options: PruneOptions, now: datetime) -> OwnStatements:
    return read_own(attachment_pages(source, digest), digest, options.signers, now)


def _removed(writer: RegistryWriter, subject: Digest, found: OwnStatement, options: PruneOptions) -> PrunedManifest:
    state, problem = "superseded", ""
    if found.source not in _REFERRERS:
        state, problem = "kept", _IN_TAG
    elif not options.dry_run:
        state, problem = _delete(writer, subject, found.manifest)
    return PrunedManifest(
        state=state, subject=subject, manifest=found.manifest, says=found.says, time=found.at, problem=problem
    )


def _delete(writer: RegistryWriter, subject: Digest, manifest: Digest) -> tuple[str, str]:
    try:
        writer.remove(subject, manifest)
    except GateError as error:
        return error.code, error.message
    return "removed", ""
