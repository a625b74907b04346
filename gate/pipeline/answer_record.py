"""A row in the record for each answer of a deploy stage, where the operator names a record for it.

Loaded only then: a stage that keeps no record needs no database.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from gate.errors import GateError, RefusedError, UsageError
from gate.model.reference import RegistryReference, parse_reference
from gate.model.version import VERSION
from gate.pipeline.actor import actor_of
from gate.pipeline.demand import requirement_for
from gate.store.record import open_record
from gate.store.row_kinds import AdmissionRow

if TYPE_CHECKING:
    from datetime import datetime

    from gate.clock import Deadline
    from gate.model.reference import Repository
    from gate.pipeline.demand import Admission
    from gate.pipeline.verify_options import VerifyOptions

_VERIFY = "verify"


def record_answer(
    reference: str, answer: Admission | GateError, options: VerifyOptions, now: datetime, deadline: Deadline
) -> None:
    """Append what was answered about one image; an invalid request has no answer.

    Raises:
        StorageError: it could not be recorded.
    """
    if isinstance(answer, UsageError):
        return
    if isinstance(answer, GateError):
        row = _of_error(reference, answer, options, now)
    else:
        row = _of_admission(reference, answer, options, now)
    places = options.places
    actor = actor_of(os.environ)
    with closing(open_record(places.record, places.evidence, deadline=deadline, actor=actor)) as record:
        record.append(row.entry())


def _of_error(reference: str, error: GateError, options: VerifyOptions, now: datetime) -> AdmissionRow:
    parsed = parse_reference(reference)
    name = parsed.repository if isinstance(parsed, RegistryReference) else options.name
    return AdmissionRow(
        at=now,
        gate=VERSION,
        stage=_VERIFY,
        reference=reference,
        repository=str(name or ""),
        digest=parsed.digest,
        decision=_decision(error),
        mode="enforce",
        code=error.code,
        message=error.message,
        requirement=options.requirement.digest if options.requirement is not None else None,
        environment=options.environment or "",
    )


def _of_admission(reference: str, admission: Admission, options: VerifyOptions, now: datetime) -> AdmissionRow:
    refusal, verdict = admission.refusal, admission.verdict
    signatures = (verdict.signature,) if verdict is not None else admission.signatures
    return AdmissionRow(
        at=now,
        gate=VERSION,
        stage=_VERIFY,
        reference=reference,
        repository=str(admission.repository),
        digest=admission.digest,
        decision="admitted" if refusal is None else _decision(refusal),
        mode="enforce",
        code=admission.code,
        message=refusal.message if refusal is not None else "",
        requirement=options.requirement.digest if options.requirement is not None else None,
        environment=_environment(admission.repository, options),
        policy=verdict.summary.policy_digest if verdict is not None else None,
        attestation=signatures[0].digest if signatures else None,
        signers=tuple(str(item.identity or item.key.key_id) for item in signatures),
        set_aside=tuple(item.code for item in admission.set_aside),
    )


def _environment(repository: Repository, options: VerifyOptions) -> str:
    """Return the stage's environment, as it was demanded."""
    if options.requirement is None:
        return options.environment or ""
    rule = requirement_for(options.requirement, repository).verdict
    return rule.environment or "" if rule is not None else ""


def _decision(error: GateError) -> str:
    return "refused" if isinstance(error, RefusedError) else "error"
