"""Verdicts in a record with all that they were decided from, made without an image: for tests of what reads a record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gate.clock import Deadline
from gate.decide import decide
from gate.model.collected import Collected
from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet
from gate.model.verdict import Verdict
from gate.pipeline.derive import conditions_of, derive
from gate.pipeline.issue.kept_evidence import DecidedFrom
from gate.pipeline.issue.recording import record_verdict
from gate.pipeline.options import AdHoc
from gate.pipeline.policies import LoadedPolicy, load_policy, read_threat_data
from gate.store.record import Record, Row, open_record
from tests.support.evidence import FULL_SPEC, good_evidence
from tests.support.policies import FILES, as_bytes, policy_document
from tests.support.signing import NOW


def minute() -> Deadline:
    return Deadline.after(timedelta(minutes=1))


def written_policy(folder: Path, **spec: Any) -> LoadedPolicy:  # noqa: ANN401 - sections of a policy
    """Write a policy with the files that it names, and load it as a run does; without sections, one that asks for everything."""
    for name, content in FILES.content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    path = folder / "policy.yaml"
    path.write_bytes(as_bytes(policy_document(**(spec or FULL_SPEC))))
    return load_policy(path, AdHoc(), NOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Decides and records as `check` does, from evidence that is given."""

    record: Record

    def decided(
        self,
        loaded: LoadedPolicy,
        evidence: EvidenceSet | None = None,
        *,
        at: datetime = NOW,
        environments: tuple[str, ...] | None = None,
        objects: dict[Digest, bytes] | None = None,
    ) -> tuple[Row, Verdict]:
        """Append a verdict on this evidence, and return its row and itself."""
        given = replace(evidence or good_evidence(), threat_data=read_threat_data(loaded))
        given = replace(given, subjects=tuple(replace(subject, rules=None) for subject in given.subjects))
        conditions = conditions_of(loaded.policy, platforms=given.request.platforms)
        collected = Collected(evidence=given, conditions=conditions)
        derived = derive(collected, loaded.policy, at, minute())
        conditions = replace(
            conditions,
            policy=loaded.policy.digest,
            answered_at=at,
            overridden=loaded.overridden,
            environments=environments,
        )
        verdict = decide(derived, loaded.policy, at, environments)
        row, _ = record_verdict(
            self.record,
            verdict,
            loaded.content,
            inputs="",
            signed=None,
            target="",
            decided_from=DecidedFrom(
                collected=Collected(evidence=derived, conditions=conditions), files=loaded.read, objects=objects
            ),
        )
        return row, verdict


@contextmanager
def recorder(folder: Path) -> Iterator[Recorder]:
    """Provide a recorder over a new record in a folder."""
    record = open_record(str(folder / "record.db"), folder / "evidence")
    try:
        yield Recorder(record=record)
    finally:
        record.close()
