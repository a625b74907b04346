"""Publish what was recorded: push, read back as `gate verify` would, and only then call it published.

Every step may be repeated and then changes nothing, because manifests and blobs are named by digest; so an intent that was
cut short is published again from the recorded bytes and never signed again (formats reference, section 12.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.verdict_manifest import EMPTY_CONFIG
from gate.collectors.attachments import collect_attachments
from gate.errors import GateError, RegistryError
from gate.model.digest import Digest
from gate.pipeline.options import IssuedAttestation
from gate.pipeline.recording import Intent, read_intent, record_published

if TYPE_CHECKING:
    from datetime import datetime

    from gate.collectors.image_source import AttachmentWriter, ImageSource
    from gate.pipeline.statements import Publication
    from gate.store.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Where attestations of one run go; `target` names the place in the record, `subject` the image."""

    source: ImageSource
    writer: AttachmentWriter
    record: Record
    target: str
    subject: str

    def publish(self, intent: Intent, now: datetime) -> tuple[IssuedAttestation, ...]:
        """Push all of an intent, read it back, and record that it was published.

        Raises:
            GateError: it is recorded and not, or not wholly, published; the next run goes on from the record.
        """
        self._push(intent.publications)
        record_published(self.record, intent, self.subject, now)
        return self.issued(intent)

    def repair(self, now: datetime) -> tuple[Intent, ...]:
        """Publish again what an earlier run recorded for this place and did not finish."""
        rows = self.record.unpublished(self.subject)
        intents = tuple(
            intent for intent in (read_intent(self.record, row) for row in rows) if intent.target == self.target
        )
        for intent in intents:
            self.publish(intent, now)
        return intents

    def ensure(self, intent: Intent) -> bool:
        """Publish again what was published once and is gone now, from the recorded bytes; say whether that was needed."""
        try:
            self._read_back(intent.publications)
        except RegistryError:
            self._push(intent.publications)
            return True
        return False

    def _push(self, publications: tuple[Publication, ...]) -> None:
        for publication in publications:
            self.writer.attach(publication.subject, publication.manifest, (EMPTY_CONFIG, publication.bundle))
        for publication in publications:
            self.writer.confirm(publication.subject, publication.manifest)
        self._read_back(publications)

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
