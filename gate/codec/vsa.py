"""The verification summary: how a verdict is written, and read strictly enough to admit an image by it.

Refuses a result that is not literally PASSED or FAILED, levels that contradict it, and fields of another type. Unknown
fields are ignored, as the specification demands. Nothing here knows which verdict is wanted:
`gate.verification.demand` does.

Specification: SLSA 1.2, `https://slsa.dev/verification_summary/v1`; formats reference, sections 10.2 and 10.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.dsse import IN_TOTO_PAYLOAD
from gate.codec.statement import own_subjects, render_statement
from gate.codec.times import format_time, parse_time
from gate.errors import UsageError
from gate.model.digest import Digest
from gate.model.requirement import DEFAULT_EXTENSION_PREFIX
from gate.model.statement import (
    FAILED_LEVEL,
    PASSED_LEVEL,
    SLSA_VERSION,
    VERIFICATION_SUMMARY,
    InputAttestation,
    VerificationResult,
    VerificationSummary,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gate.codec.statement import Statement
    from gate.codec.strict_json import JsonValue, ObjectView
    from gate.model.reference import Repository

MAX_INPUTS: Final = 1024
MAX_ENVIRONMENTS: Final = 64


def resource_uri(repository: Repository, digest: Digest) -> str:
    """Return the name of the image in a verdict; it binds the repository (attack S21, formats 10.3)."""
    return f"oci://{repository}@{digest}"


def render_summary(summary: VerificationSummary, *, extension_prefix: str = DEFAULT_EXTENSION_PREFIX) -> bytes:
    """Write the statement that is signed. Same summary, same bytes."""
    predicate: dict[str, JsonValue] = {
        "inputAttestations": [_render_input(item) for item in summary.inputs],
        "policy": {"digest": _render_digest(summary.policy_digest), "uri": summary.policy_uri},
        "resourceUri": summary.resource_uri,
        "slsaVersion": SLSA_VERSION,
        "timeVerified": format_time(summary.time_verified),
        "verificationResult": summary.result.value,
        "verifiedLevels": [*summary.levels],
        "verifier": {"id": summary.verifier_id, "version": dict(summary.verifier_versions)},
    }
    if summary.environments:
        predicate[f"{extension_prefix}environments"] = [*sorted(summary.environments)]
    if summary.expires is not None:
        predicate[f"{extension_prefix}expires"] = format_time(summary.expires)
    return render_statement(summary.subjects, VERIFICATION_SUMMARY, predicate)


def levels_for(result: VerificationResult, build_level: int = 0) -> tuple[str, ...]:
    """Return the levels of a verdict; `build_level` is what the provenance check proved, 0 for nothing.

    Never `SLSA_..._LEVEL_UNEVALUATED`: slsa-verifier 2.7.1 refuses the whole summary for it (formats 10.2).
    """
    if result is VerificationResult.FAILED:
        return (FAILED_LEVEL,)
    return (PASSED_LEVEL, f"SLSA_BUILD_LEVEL_{build_level}") if build_level else (PASSED_LEVEL,)


def _render_digest(digest: Digest | None) -> dict[str, JsonValue]:
    return {"sha256": digest.hex} if digest is not None else {}


def _render_input(item: InputAttestation) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {"digest": _render_digest(item.digest)}
    if item.media_type:
        fields["mediaType"] = item.media_type
    if item.uri:
        fields["uri"] = item.uri
    return fields


def evidence_input(payload: bytes) -> InputAttestation:
    """Name an evidence statement by its payload, as a verdict's first input."""
    return InputAttestation(digest=Digest.of(payload), media_type=IN_TOTO_PAYLOAD)


def parse_summary(statement: Statement, *, extension_prefixes: Sequence[str]) -> VerificationSummary:
    """Read a verdict of the gate from a statement whose signature was verified.

    Raises:
        AttestationError: `ATT_TYPE` for another predicate type; `ATT_SUBJECT`; `ATT_MALFORMED`.
    """
    if statement.predicate_type != VERIFICATION_SUMMARY:
        raise statement.view.refuse(
            "predicateType",
            "is of another type",
            code="ATT_TYPE",
            expected=VERIFICATION_SUMMARY,
            seen=statement.predicate_type,
        )
    subjects = own_subjects(statement)
    predicate = statement.view.object("predicate")
    verifier, policy = predicate.object("verifier"), predicate.object("policy")
    result = _result(predicate)
    return VerificationSummary(
        subjects=subjects,
        verifier_id=verifier.text("id"),
        verifier_versions=verifier.optional_text_map("version"),
        time_verified=_time(predicate, "timeVerified"),
        resource_uri=predicate.text("resourceUri"),
        policy_uri=policy.text("uri"),
        policy_digest=_optional_digest(policy),
        result=result,
        levels=_levels(predicate, result),
        inputs=_inputs(predicate),
        environments=_environments(predicate, extension_prefixes),
        expires=_expires(predicate, extension_prefixes),
    )


def _result(predicate: ObjectView) -> VerificationResult:
    word = predicate.text("verificationResult")
    # Compared by value, never by conversion: `passed`, `PASSED ` and true are no verdicts (attack A08).
    for result in VerificationResult:
        if word == result.value:
            return result
    raise predicate.refuse("verificationResult", "is no verdict", expected="PASSED or FAILED", seen=word)


def _levels(predicate: ObjectView, result: VerificationResult) -> tuple[str, ...]:
    levels = predicate.texts("verifiedLevels")
    if (FAILED_LEVEL in levels) is not (result is VerificationResult.FAILED):
        raise predicate.refuse("verifiedLevels", "contradicts the result", seen=", ".join(levels))
    return levels


def _inputs(predicate: ObjectView) -> tuple[InputAttestation, ...]:
    items = predicate.optional_objects("inputAttestations")
    if len(items) > MAX_INPUTS:
        raise predicate.refuse("inputAttestations", "has too many items", expected=f"at most {MAX_INPUTS}")
    return tuple(
        InputAttestation(
            digest=_digest(item.object("digest")),
            media_type=item.optional_text("mediaType"),
            uri=item.optional_text("uri"),
        )
        for item in items
    )


def _digest(view: ObjectView) -> Digest:
    try:
        return Digest.from_hex(view.text("sha256"))
    except UsageError as error:
        raise view.refuse("sha256", "is malformed", expected="64 lower-case hex digits") from error


def _optional_digest(policy: ObjectView) -> Digest | None:
    digest = policy.optional_object("digest")
    return _digest(digest) if digest is not None and digest.has("sha256") else None


def _time(view: ObjectView, field: str) -> datetime:
    return parse_time(view.text(field), view.fault, field)


def _environments(predicate: ObjectView, prefixes: Sequence[str]) -> tuple[str, ...]:
    given = [predicate.texts(name) for name in _given(predicate, prefixes, "environments")]
    if len(given) > 1 or any(len(names) > MAX_ENVIRONMENTS for names in given):
        raise predicate.refuse("environments", "is given twice or is too long", expected="one list")
    return tuple(sorted(given[0])) if given else ()


def _expires(predicate: ObjectView, prefixes: Sequence[str]) -> datetime | None:
    given = [_time(predicate, name) for name in _given(predicate, prefixes, "expires")]
    # Two prefixes may both be trusted while one is being replaced: the earlier end counts.
    return min(given, default=None)


def _given(predicate: ObjectView, prefixes: Sequence[str], name: str) -> list[str]:
    return [prefix + name for prefix in dict.fromkeys(prefixes) if predicate.has(prefix + name)]
