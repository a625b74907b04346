"""Decide a recorded verdict again from the evidence that was kept with it: no network, no scanner, no file of the image.

    again = replay(record, row, deadline)                     # the same policy at the same time: equal, byte for byte
    again = replay(record, row, deadline, loaded=other)       # another policy, or other keys
    again = replay(record, row, deadline, at=now)             # what would be said now

What was not collected then is `EVIDENCE_NOT_COLLECTED`, and a row of before evidence was kept is `STORE_NO_EVIDENCE`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gate.codec.policy.document import parse_policy
from gate.codec.policy.files import ShippedRoot
from gate.codec.stored.evidence import decode_collected
from gate.codec.strict_json import Fault
from gate.codec.times import parse_time
from gate.codec.values import encode_value
from gate.decide import decide
from gate.errors import EvidenceError, GateError, PolicyError, StorageError
from gate.model.digest import Digest
from gate.model.reasons import REASONS
from gate.pipeline.derive import derive
from gate.pipeline.issue.recording import first_seen, read_verdict
from gate.pipeline.policies import read_threat_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from gate.clock import Deadline
    from gate.codec.strict_json import ObjectView
    from gate.model.collected import Collected
    from gate.model.policy import Policy
    from gate.model.verdict import Verdict
    from gate.pipeline.policies import LoadedPolicy
    from gate.store.record import EvidenceStore, Record, Row

_FAULT = Fault(StorageError, "STORE_CORRUPT", "a row of the record")
NO_EVIDENCE = "STORE_NO_EVIDENCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A verdict that was decided again: the row, the verdict that it holds, and the one of now.

    `identical` says whether the two have the same bytes, which a replay under the same policy at the same time must have.
    `same_question` says that it was one.
    """

    row: Row
    recorded: Verdict
    verdict: Verdict
    identical: bool
    same_question: bool

    @property
    def changed(self) -> bool:
        """Return whether another decision came out."""
        return self.recorded.decision is not self.verdict.decision


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReplayed:
    """A verdict that could not be decided again, and why."""

    row: Row
    error: GateError


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFiles:
    """The files of a policy as they were kept with a verdict; fits `gate.codec.policy.files.PolicyFiles`.

    `data` holds the digests of files of threat data, whose bytes are not kept: their entries are evidence.
    """

    store: EvidenceStore
    files: Mapping[str, Digest]
    data: Mapping[str, Digest]
    root: Digest | None
    package: str

    def read(self, path: str) -> bytes:
        """Return the bytes of a file; raises PolicyError `POL_FILE` where it was not read then, StorageError where it is gone."""
        return self.store.get(_named(self.files, path))

    def digest(self, path: str) -> Digest:
        """Return the digest of a file of data; raises PolicyError `POL_FILE` where it was not read then."""
        return _named(self.data, path)

    def public_root(self) -> ShippedRoot:
        """Return the public trusted root of then; raises EvidenceError `ROOT_MISSING` where none was used."""
        if self.root is None:
            raise EvidenceError("no public trusted root was used for this verdict", code="ROOT_MISSING")
        return ShippedRoot(content=self.store.get(self.root), package=self.package)


def _named(files: Mapping[str, Digest], path: str) -> Digest:
    if path not in files:
        raise PolicyError("this file was not kept with the verdict", code="POL_FILE", seen=ascii(path[:100]))
    return files[path]


def kept_files(store: EvidenceStore, kept: ObjectView) -> KeptFiles:
    """Return the policy's files that a row's `evidence` names."""
    root = kept.optional_object("publicRoot")
    return KeptFiles(
        store=store,
        files={file.text("path"): file.digest("digest") for file in kept.optional_objects("policyFiles")},
        data={file.text("path"): file.digest("digest") for file in kept.optional_objects("policyData")},
        root=root.digest("digest") if root is not None else None,
        package=root.text("package") if root is not None else "",
    )


def read_collected(record: Record, row: Row) -> Collected:
    """Return the evidence that was kept with a verdict.

    Raises:
        StorageError: `STORE_NO_EVIDENCE`, `STORE_CORRUPT`, `STORE_SCHEMA`.
    """
    kept = _evidence(row)
    if not kept.has("collected"):
        raise _no_evidence(row, "it was recorded by a release that did not keep evidence")
    return decode_collected(record.evidence.get(kept.digest("collected")), record.evidence.get)


def read_policy(record: Record, row: Row) -> Policy:
    """Return the policy of a verdict, from the bytes and files that were kept with it.

    Raises:
        StorageError: as `read_collected`; PolicyError: this release no longer takes the policy.
    """
    kept = _evidence(row)
    content = record.evidence.get(kept.digest("policy"))
    name = row.view().object("policy").text("name")
    return parse_policy(content, name=f"the policy {name} of row {row.number}", files=kept_files(record.evidence, kept))


def replay(
    record: Record, row: Row, deadline: Deadline, *, loaded: LoadedPolicy | None = None, at: datetime | None = None
) -> Replay:
    """Decide a recorded verdict again, under the same policy or another one, at the same time or another.

    Raises:
        StorageError: `STORE_NO_EVIDENCE`, its evidence was not kept; `STORE_CORRUPT`, `STORE_SCHEMA`.
        PolicyError: the recorded policy is not taken by this release.
    """
    collected = read_collected(record, row)
    recorded = record.evidence.get(_evidence(row).digest("verdict"))
    then = parse_time(row.view().text("at"), _FAULT, "at")
    if loaded is None and collected.conditions.overridden:
        raise _no_evidence(row, "settings on the command line were laid over its policy, and they are not kept")
    policy = loaded.policy if loaded is not None else read_policy(record, row)
    if policy.digest != collected.conditions.policy or at not in {None, then}:
        collected = _for_another_question(record, row, collected, loaded)
    moment = (at or then).replace(microsecond=0)
    environments = collected.conditions.environments if policy.digest == collected.conditions.policy else None
    verdict = decide(derive(collected, policy, moment, deadline), policy, moment, environments)
    return Replay(
        row=row,
        recorded=read_verdict(record, row),
        verdict=verdict,
        identical=encode_value(verdict) == recorded,
        same_question=policy.digest == collected.conditions.policy and moment == then,
    )


def replay_rows(
    record: Record,
    rows: Iterable[Row],
    deadline: Deadline,
    *,
    loaded: LoadedPolicy | None = None,
    at: datetime | None = None,
) -> Iterator[Replay | NotReplayed]:
    """Yield each verdict decided again, or why it could not be; raises StorageError when the time is over."""
    for row in rows:
        deadline.check("verdicts were decided again")
        try:
            yield replay(record, row, deadline, loaded=loaded, at=at)
        except GateError as error:
            yield NotReplayed(row=row, error=error)


def _for_another_question(record: Record, row: Row, collected: Collected, loaded: LoadedPolicy | None) -> Collected:
    """Return the evidence with what the other policy looks up: its own threat data, and what the record knew by then."""
    evidence = collected.evidence
    repository = evidence.request.repository
    if repository is not None:
        evidence = replace(evidence, first_seen=first_seen(record, repository, before=row.number))
    if loaded is not None:
        evidence = replace(evidence, threat_data=read_threat_data(loaded))
    return replace(collected, evidence=evidence)


def _evidence(row: Row) -> ObjectView:
    if row.kind != "verdict":
        raise _no_evidence(row, f"it is a row of kind {row.kind}")
    view = row.view()
    if row.legacy or not view.has("evidence"):
        raise _no_evidence(row, "it was recorded by a release that did not keep evidence")
    return view.object("evidence")


def _no_evidence(row: Row, seen: str) -> StorageError:
    return StorageError(
        f"row {row.number} cannot be decided again",
        code=NO_EVIDENCE,
        expected="a verdict whose evidence was kept",
        seen=seen,
        next_step=REASONS[NO_EVIDENCE].next_step,
    )
