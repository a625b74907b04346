"""What a verdict leaves in the record: its row, its evidence by digest, and the intent to publish.

The record comes first: rows and bytes are written before anything is pushed, and a verdict that cannot be recorded is not
issued (DESIGN, sections 4 and 8). Bytes of secrets are in none of it: reports were blanked before they were kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault
from gate.codec.times import format_time, parse_time
from gate.codec.values import decode_value, encode_value
from gate.errors import StorageError
from gate.model.digest import Digest
from gate.model.evidence import FirstSeen
from gate.model.finding import FixState
from gate.model.image import Descriptor
from gate.model.verdict import Verdict
from gate.model.version import VERSION
from gate.pipeline.issue.kept_evidence import keep_evidence
from gate.pipeline.issue.statements import Publication
from gate.store import row_kinds
from gate.store.record import Entry, Record, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gate.codec.strict_json import JsonValue, ObjectView
    from gate.model.evidence import RequestFacts
    from gate.model.reference import Repository
    from gate.pipeline.issue.kept_evidence import DecidedFrom
    from gate.pipeline.issue.statements import SignedVerdict

_FAULT: Final = Fault(StorageError, "STORE_CORRUPT", "a row of the record")
_SINGLE: Final = frozenset({"verdict", "policy", "collected", "statement", "summary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is to be published where: `target` names the registry repository or layout, `number` is the row."""

    number: int
    target: str
    publications: tuple[Publication, ...]


def subject_of(request: RequestFacts, digest: Digest | None) -> str:
    """Return the key under which rows about one image are found; the reference as asked where there is no digest."""
    name = str(request.repository) if request.repository is not None else request.reference
    return f"{name}@{digest}" if digest is not None else request.reference[:300]


def record_verdict(
    record: Record,
    verdict: Verdict,
    policy: bytes,
    *,
    inputs: str,
    signed: SignedVerdict | None,
    target: str,
    decided_from: DecidedFrom | None = None,
    unsigned: str = "",
) -> tuple[Row, Intent | None]:
    """Append the verdict and, where it was signed and `target` names a place, the intent to publish it; both or neither.

    `decided_from` is kept with it, so that it can be decided again.
    `unsigned` is the code of what kept the verdict from being signed, where it was to be.

    Raises:
        StorageError: nothing was recorded, so nothing may be published.
    """
    subject = subject_of(verdict.request, verdict.digest)
    entries = [
        Entry(
            kind="verdict",
            content=_verdict_row(record, verdict, policy, signed, decided_from)
            | ({"unsigned": unsigned} if unsigned else {}),
            subject=subject,
            inputs=inputs,
        )
    ]
    if signed is None or not target:
        return record.append(*entries, *_seen_with(record, verdict, subject))[0], None
    content = _intent_row(record, signed.publications, target, verdict.evaluated_at)
    entries.append(Entry(kind="intent", content=content, subject=subject, refers_to_first=True))
    rows = record.append(*entries, *_seen_with(record, verdict, subject))
    return rows[0], Intent(number=rows[1].number, target=target, publications=signed.publications)


def _seen_with(record: Record, verdict: Verdict, subject: str) -> Iterator[Entry]:
    """Yield what a verdict brings into the record: each waiver that excused something, and a policy seen for the first time."""
    for used in verdict.waivers:
        if used.state == "used":
            at, policy = verdict.evaluated_at, verdict.policy.digest
            yield row_kinds.waiver_use(at=at, subject=subject, waiver=used.waiver, covers=used.covers, policy=policy)
    if not record.about("policy", str(verdict.policy.digest)):
        name, digest = verdict.policy.name, verdict.policy.digest
        yield row_kinds.policy_seen(at=verdict.evaluated_at, name=name, document="policy", digest=digest)


def record_given_again(record: Record, row: Row, verdict: Verdict, now: datetime) -> None:
    """Append that the verdict of a row was given again at another time."""
    if verdict.digest is None:
        return
    record.append(
        row_kinds.given_again(
            at=now,
            gate=VERSION,
            verdict=row.number,
            subject=row.subject,
            inputs=row.inputs,
            digest=verdict.digest,
            decision=verdict.decision.value,
            policy=verdict.policy.digest,
        )
    )


def record_published(record: Record, intent: Intent, subject: str, now: datetime) -> None:
    """Append that an intent's publications were read back as they were recorded."""
    content: dict[str, JsonValue] = {
        "at": format_time(now),
        "intent": intent.number,
        "manifests": [str(publication.digest) for publication in intent.publications],
    }
    record.append(Entry(kind="published", content=content, subject=subject, refers_to=intent.number))


def _verdict_row(
    record: Record,
    verdict: Verdict,
    policy: bytes,
    signed: SignedVerdict | None,
    decided_from: DecidedFrom | None,
) -> dict[str, JsonValue]:
    evidence: dict[str, JsonValue] = {
        "verdict": str(record.evidence.put(encode_value(verdict))),
        "policy": str(record.evidence.put(policy)),
        "reports": [str(report.digest) for report in verdict.reports],
    }
    if decided_from is not None:
        evidence |= keep_evidence(record.evidence, decided_from, verdict)
    if signed is not None:
        evidence["statement"] = str(record.evidence.put(signed.evidence.bundle))
        evidence["summary"] = str(record.evidence.put(signed.summary.bundle))
    return {
        "at": format_time(verdict.evaluated_at),
        "gate": VERSION,
        "reference": verdict.request.reference,
        "repository": str(verdict.request.repository or ""),
        "digest": str(verdict.digest or ""),
        "decision": verdict.decision.value,
        "policy": {"name": verdict.policy.name, "digest": str(verdict.policy.digest)},
        "environments": [*sorted(verdict.environments)],
        "checks": [
            {"id": check.id, "outcome": check.outcome.value, "codes": [*check.codes], "warned": check.warned}
            for check in verdict.checks
        ],
        "findings": [*sorted({found.finding.fingerprint for found in verdict.findings})],
        "fixed": [
            *sorted(
                {found.finding.fingerprint for found in verdict.findings if found.finding.fix_state is FixState.FIXED}
            )
        ],
        "waivers": [*sorted(used.waiver.id for used in verdict.waivers if used.state == "used")],
        "subjects": [str(subject.digest) for subject in verdict.subjects],
        "demonstration": verdict.demonstration,
        "evidence": evidence,
    }


def _intent_row(
    record: Record, publications: Sequence[Publication], target: str, now: datetime
) -> dict[str, JsonValue]:
    return {
        "at": format_time(now),
        "target": target,
        "publications": [_publication_row(record, publication) for publication in publications],
    }


def _publication_row(record: Record, publication: Publication) -> dict[str, JsonValue]:
    subject = publication.subject
    return {
        "subject": {"mediaType": subject.media_type, "digest": str(subject.digest), "size": subject.size},
        "manifest": str(record.evidence.put(publication.manifest)),
        "bundle": str(record.evidence.put(publication.bundle)),
        "predicateType": publication.predicate_type,
    }


def read_intent(record: Record, row: Row) -> Intent:
    """Read an intent with the recorded bytes, to publish it again.

    Raises:
        StorageError: `STORE_CORRUPT`.
    """
    view = row.view()
    publications = tuple(_read_publication(record, item) for item in view.objects("publications"))
    return Intent(number=row.number, target=view.text("target"), publications=publications)


def _read_publication(record: Record, view: ObjectView) -> Publication:
    subject = view.object("subject")
    return Publication(
        subject=Descriptor(
            media_type=subject.text("mediaType"), digest=subject.digest("digest"), size=subject.integer("size")
        ),
        manifest=record.evidence.get(view.digest("manifest")),
        bundle=record.evidence.get(view.digest("bundle")),
        predicate_type=view.text("predicateType"),
    )


def evidence_of(row: Row) -> tuple[Digest, ...]:
    """Return the digests of all evidence that a row names, in its order; raises StorageError `STORE_CORRUPT`."""
    view = row.view()
    named: list[Digest] = []
    if view.has("evidence"):
        kept = view.object("evidence")
        named += [kept.digest(name) for name in sorted(kept.fields) if name in _SINGLE]
        named += [Digest(text) for name in ("reports", "pieces", "objects") for text in kept.optional_texts(name)]
        named += [file.digest("digest") for file in kept.optional_objects("policyFiles")]
        root = kept.optional_object("publicRoot")
        named += [root.digest("digest")] if root is not None else []
    for publication in view.optional_objects("publications"):
        named += [publication.digest("manifest"), publication.digest("bundle")]
    return tuple(named)


def record_superseded(record: Record, row: Row, reason: str, now: datetime) -> None:
    """Append that an intent cannot be finished, so that no run tries it again; `reason` is a code."""
    content: dict[str, JsonValue] = {"at": format_time(now), "intent": row.number, "reason": reason}
    record.append(Entry(kind="superseded", content=content, subject=row.subject, refers_to=row.number))


def read_verdict(record: Record, row: Row) -> Verdict:
    """Return the verdict of a row, whole; raises StorageError `STORE_CORRUPT`, or `CACHE_CORRUPT` from another release."""
    return decode_value(Verdict, record.evidence.get(row.view().object("evidence").digest("verdict")))


def read_summary(record: Record, row: Row) -> bytes | None:
    """Return the bundle of the summary that was signed for a verdict, None for an unsigned one; raises StorageError."""
    evidence = row.view().object("evidence")
    return record.evidence.get(evidence.digest("summary")) if "summary" in evidence else None


def first_seen(record: Record, repository: Repository, before: int | None = None) -> FirstSeen:
    """Return when a fix of each finding was first seen on any digest of a repository; rows of the first release say nothing.

    `before` is the number of a row: only what the record knew when it was appended counts.
    """
    since: dict[str, datetime] = {}
    kept = False
    for row in record.verdicts_of(str(repository)):
        if before is not None and row.number >= before:
            break
        if row.legacy:
            continue
        view, kept = row.view(), True
        at = parse_time(view.text("at"), _FAULT, "at")
        for fingerprint in view.optional_texts("fixed"):
            since.setdefault(fingerprint, at)
    return FirstSeen(since=tuple(sorted(since.items())), kept=kept)
