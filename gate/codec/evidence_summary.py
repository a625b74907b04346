"""The gate's own evidence, read back: only what tells whether a verdict rests on the same inputs.

Stands apart from the writing, so that a deploy stage that verifies a verdict loads no values of scanners and findings.

Specification: formats reference, section 10.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.times import parse_time
from gate.model.statement import EvidenceDatabase, EvidenceSummary, EvidenceTool, VerificationResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.codec.statement import Statement
    from gate.codec.strict_json import ObjectView

SCHEMA_VERSION: Final = "1.0"


def parse_evidence(statement: Statement, *, types: Sequence[str]) -> EvidenceSummary:
    """Read evidence of the gate from a statement whose signature was verified.

    Raises:
        AttestationError: `ATT_TYPE` for a predicate type that is not one of `types`; `ATT_MALFORMED`, also for another
            major version of the schema.
    """
    if statement.predicate_type not in types:
        raise statement.view.refuse(
            "predicateType",
            "is of another type",
            code="ATT_TYPE",
            expected=" or ".join(types),
            seen=statement.predicate_type,
        )
    predicate = statement.view.object("predicate")
    version = predicate.text("schemaVersion")
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise predicate.refuse("schemaVersion", "is of another major version", expected=SCHEMA_VERSION, seen=version)
    return EvidenceSummary(
        result=_result(predicate),
        evaluated_at=parse_time(predicate.text("evaluatedAt"), predicate.fault, "evaluatedAt"),
        policy_digest=predicate.object("policy").digest("digest"),
        environments=predicate.texts("environments"),
        outcomes=tuple((check.text("id"), check.text("outcome")) for check in predicate.objects("checks")),
        tools=tuple(_read_tool(tool) for tool in predicate.objects("tools")),
        reports=tuple(report.digest("digest") for report in predicate.objects("reports")),
        trusted_roots=tuple(root.digest("digest") for root in predicate.optional_objects("trustedRoots")),
    )


def _result(predicate: ObjectView) -> VerificationResult:
    word = predicate.text("verdict")
    for result in VerificationResult:
        if word == result.value:
            return result
    raise predicate.refuse("verdict", "is no verdict", expected="PASSED or FAILED", seen=word)


def _read_tool(view: ObjectView) -> EvidenceTool:
    return EvidenceTool(
        name=view.text("name"),
        version=view.text("version"),
        digest=view.digest("digest"),
        databases=tuple(_read_database(item) for item in view.objects("databases")),
    )


def _read_database(view: ObjectView) -> EvidenceDatabase:
    return EvidenceDatabase(
        name=view.text("name"),
        digest=view.digest("digest"),
        built_at=parse_time(view.text("builtAt"), view.fault, "builtAt"),
    )
