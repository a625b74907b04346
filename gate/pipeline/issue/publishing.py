"""Publish what was recorded: push, read back as `gate verify` would, and only then call it published.

Every step may be repeated and then changes nothing, because manifests and blobs are named by digest; so an intent that was
cut short is published again from the recorded bytes and never signed again (formats reference, section 12.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.verdict_manifest import EMPTY_CONFIG
from gate.errors import GateError, RegistryError, StorageError
from gate.images.attachments import collect_attachments
from gate.model.digest import Digest
from gate.pipeline.issue.recording import Intent, read_intent, record_published
from gate.pipeline.issue.room import make_room
from gate.pipeline.options import IssuedAttestation
from gate.registry.attach import Attachable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gate.images.image_source import AttachmentReader, AttachmentWriter
    from gate.model.policy_signers import Signer
    from gate.pipeline.issue.statements import Publication
    from gate.store.record import Record, Row


@dataclass(frozen=True, slots=True)
class Publisher:
    """Where attestations of one run go, and are read back; `target` names the place in the record, `subject` the image.

    `own` are the run's own signers, by whom superseded verdicts are known.
    """

    source: AttachmentReader
    writer: AttachmentWriter
    record: Record
    target: str
    subject: str
    own: tuple[Signer, ...] = ()

    def publish(self, intent: Intent, now: datetime) -> tuple[str, ...]:
        """Push all of an intent, read it back, and record that it was published; return what people should know of it.

        Raises:
            GateError: it is recorded and not, or not wholly, published; the next run goes on from the record.
        """
        room = make_room(self.source, intent.publications, self.own, now)
        notices = (*room, *self._push(intent.publications))
        record_published(self.record, intent, self.subject, now)
        return notices

    def repair(self, rows: Iterable[Row], now: datetime) -> tuple[str, ...]:
        """Publish again what earlier runs recorded for this place and did not finish; return a line for each.

        What cannot be finished now is reported and stops nothing: this run has judged and recorded already.
        """
        return tuple(line for line in (self._repair(row, now) for row in rows) if line)

    def _repair(self, row: Row, now: datetime) -> str:
        try:
            intent = read_intent(self.record, row)
            if intent.target != self.target:
                return ""
            self.publish(intent, now)
        except StorageError as error:
            return f"cannot finish what an earlier run left (row {row.number}): {error}; see `gate record repair`"
        except GateError as error:
            return f"cannot publish yet what an earlier run left (row {row.number}): {error.code}: {error}"
        return f"published again what an earlier run left unfinished (row {row.number})"

    def ensure(self, intent: Intent, now: datetime) -> tuple[str, ...]:
        """Publish from the recorded bytes what was never published or is gone now; return a line where that was needed."""
        if not self.record.answers(intent.number, "published"):
            told = self.publish(intent, now)
            return (f"published again what an earlier run left unfinished (row {intent.number})", *told)
        try:
            self._read_back(intent.publications)
        except RegistryError:
            told = self._push(intent.publications)
            return (f"published again what was no longer attached (row {intent.number})", *told)
        return ()

    def _push(self, publications: tuple[Publication, ...]) -> tuple[str, ...]:
        """Push all manifests, list them by one update, and read back; return what people should know of it."""
        notices = self.writer.attach_all(
            [
                Attachable(subject=item.subject, manifest=item.manifest, blobs=(EMPTY_CONFIG, item.bundle))
                for item in publications
            ]
        )
        self._read_back(publications)
        return notices

    def _read_back(self, publications: tuple[Publication, ...]) -> None:
        """See that a stage that asks for each subject would find these very bytes."""
        for digest in {publication.subject.digest: None for publication in publications}:
            try:
                found = {Digest.of(item.content) for item in collect_attachments(self.source, digest).items}
            except GateError as error:
                raise _not_there(digest, error.message) from error
            wanted = {Digest.of(item.bundle) for item in publications if item.subject.digest == digest}
            if not wanted <= found:
                raise _not_there(digest, f"{len(wanted - found)} of {len(wanted)} are missing")

    def issued(self, intent: Intent) -> tuple[IssuedAttestation, ...]:
        """Say where the publications of an intent are."""
        return tuple(
            IssuedAttestation(
                manifest=publication.digest,
                subject=publication.subject.digest,
                place=self.target,
                predicate_type=publication.predicate_type,
            )
            for publication in intent.publications
        )


def _not_there(digest: Digest, seen: str) -> RegistryError:
    return RegistryError(
        "issued and not published", code="REG_READ_BACK", expected=f"the attestations on {digest.short}", seen=seen
    )
