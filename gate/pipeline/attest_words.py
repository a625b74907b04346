"""What verdicts among attachments say, as they are written: for people, who are told beside it what verifies.

Decides nothing. The reasons of a verdict stand in its evidence, which it names by the digest of its payload, so that another
statement is never taken for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gate.codec.signed_claim import read_claim
from gate.codec.statement import Statement, parse_statement
from gate.codec.strict_json import printable
from gate.codec.vsa import parse_summary
from gate.errors import RefusedError
from gate.model.digest import Digest
from gate.model.statement import VERIFICATION_SUMMARY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gate.model.attachment import Attachment
    from gate.model.statement import VerificationSummary

_ENVIRONMENTS = "environments"
_MOST_REASONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVerdict:
    """What a verdict says, as it is written; `reasons` are the codes of the checks that failed, from the evidence it names.

    `has_evidence` says that this evidence is attached too: its bytes have the digest that the verdict names.
    """

    policy: str
    environments: tuple[str, ...]
    judged: datetime
    reasons: tuple[str, ...] = ()
    has_evidence: bool = False


def attached_reasons(items: Sequence[Attachment]) -> dict[Digest, tuple[str, ...]]:
    """Return the codes of failed checks by the digest of the evidence that names them, of every attached evidence."""
    found: dict[Digest, tuple[str, ...]] = {}
    for item in items:
        claim = read_claim(item)
        statement = _statement(claim.payload) if claim is not None else None
        if claim is not None and statement is not None and statement.predicate_type != VERIFICATION_SUMMARY:
            found[Digest.of(claim.payload)] = _reasons(statement)
    return found


def shown_verdict(item: Attachment, reasons: Mapping[Digest, tuple[str, ...]]) -> ShownVerdict | None:
    """Return what a verdict says, None for what is none."""
    claim = read_claim(item)
    summary = _summary(claim.payload) if claim is not None else None
    if summary is None:
        return None
    named = [entry.digest for entry in summary.inputs if entry.digest in reasons]
    return ShownVerdict(
        policy=str(summary.policy_digest or "without a digest"),
        environments=tuple(printable(name, 64) for name in summary.environments),
        judged=summary.time_verified,
        reasons=tuple(code for digest in named for code in reasons[digest])[:_MOST_REASONS],
        has_evidence=bool(named),
    )


def _summary(payload: bytes) -> VerificationSummary | None:
    statement = _statement(payload)
    if statement is None or statement.predicate_type != VERIFICATION_SUMMARY:
        return None
    try:
        return parse_summary(statement, extension_prefixes=environment_prefixes(statement))
    except RefusedError:
        return None


def environment_prefixes(statement: Statement) -> tuple[str, ...]:
    """Return whatever prefixes the verdict's own policy chose for the names of its environments."""
    names = (
        name for name in statement.view.object("predicate").fields if name.endswith(_ENVIRONMENTS) and "://" in name
    )
    return tuple(name.removesuffix(_ENVIRONMENTS) for name in names)


def _statement(payload: bytes) -> Statement | None:
    try:
        return parse_statement(payload)
    except RefusedError:
        return None


def _reasons(statement: Statement) -> tuple[str, ...]:
    try:
        checks = statement.view.object("predicate").optional_objects("checks")
        failed = (check for check in checks if check.optional_text("outcome") == "fail")
        return tuple(dict.fromkeys(printable(code, 64) for check in failed for code in check.optional_texts("codes")))
    except RefusedError:
        return ()
