"""Validate the attested documents that a policy demands, as evidence; the check `attestation` reads the answers.

Only what somebody signed whom the policy names, about this image, comes here, each document once.
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from gate.checks.attestation import require_document
from gate.errors import GateError
from gate.model.attachment import Attachments
from gate.model.digest import Digest
from gate.model.evidence import DocumentAnswer, Unavailable
from gate.sandbox.cyclonedx import DEFAULT_TIME_LIMIT, validate_cyclonedx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gate.clock import Deadline
    from gate.model.policy import Policy
    from gate.verification.signature import VerifiedStatement


def validate_documents(
    attachments: Attachments | Unavailable | None,
    policy: Policy,
    now: datetime,
    deadline: Deadline,
    known: Mapping[Digest, DocumentAnswer] | None = None,
) -> tuple[DocumentAnswer, ...]:
    """Return an answer about each document on which the check will look, in the order in which it does.

    `known` maps the digest of a signed statement to the answer that was given before: whether a document is valid depends on its
    bytes alone. What could not be told then is tried again.

    All documents of an image share one span of time, which ends at the deadline of the run at the latest.
    """
    within = deadline.within(DEFAULT_TIME_LIMIT.total_seconds())
    answers: dict[Digest, DocumentAnswer] = {}

    def validated(verified: VerifiedStatement) -> DocumentAnswer:
        payload = Digest.of(verified.signature.payload)
        before = known.get(payload) if known is not None else None
        if before is not None and before.unavailable is None:
            answers[payload] = before
        if payload not in answers:
            answers[payload] = _answer(payload, verified, timedelta(seconds=within.remaining()))
        return answers[payload]

    if isinstance(attachments, Attachments):
        for rule in policy.attestations:
            # Why an entry is not met is the check's to say.
            with contextlib.suppress(GateError):
                require_document(attachments, rule, now, validated)
    return tuple(answers.values())


def _answer(payload: Digest, verified: VerifiedStatement, time_limit: timedelta) -> DocumentAnswer:
    found = validate_cyclonedx(verified.statement.view.object("predicate").fields, time_limit=time_limit)
    if isinstance(found, Unavailable):
        return DocumentAnswer(payload=payload, unavailable=found)
    return DocumentAnswer(payload=payload, violation=found)
