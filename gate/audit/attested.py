"""Hold what a row says against what was signed: each verdict's attestation verifies under keys that an auditor gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.bundle import parse_bundle
from gate.codec.evidence_statement import result_of
from gate.codec.strict_json import Fault
from gate.codec.times import parse_time
from gate.codec.vsa import parse_summary
from gate.errors import GateError, SignatureError, StorageError
from gate.model.decision import Decision
from gate.model.policy_signers import KeySigner
from gate.model.requirement import DEFAULT_EXTENSION_PREFIX
from gate.verification.signature import verify_statement

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.signer import PublicKey
    from gate.store.record import EvidenceStore, Row
    from gate.verification.signature import VerifiedStatement

_FAULT: Final = Fault(StorageError, "STORE_CORRUPT", "a row of the record")


def attestation_fault(row: Row, evidence: EvidenceStore, keys: tuple[PublicKey, ...]) -> str:
    """Return what is wrong with the attestation of a verdict's row, in words; "" where nothing is, or none was signed."""
    if row.kind != "verdict" or row.legacy:
        return ""
    view = row.view()
    kept = view.object("evidence")
    if not kept.has("summary"):
        return ""
    try:
        at = parse_time(view.text("at"), _FAULT, "at")
        signed = _verified(evidence.get(kept.digest("summary")), keys, at)
        summary = parse_summary(signed.statement, extension_prefixes=(DEFAULT_EXTENSION_PREFIX,))
    except GateError as error:
        return f"its attestation does not verify ({error.code}: {error.message})"
    named = {str(subject.digest) for subject in summary.subjects}
    if summary.result is not result_of(Decision(view.text("decision"))) or not named <= {
        view.text("digest"), *view.texts("subjects"),
    }:  # fmt: skip
        return "its attestation says something else than the row"
    return ""


def _verified(bundle: bytes, keys: tuple[PublicKey, ...], at: datetime) -> VerifiedStatement:
    parsed = parse_bundle(bundle)
    refusal: GateError = SignatureError("no key was given", code="SIG_INVALID")
    for key in keys:
        try:
            return verify_statement(parsed, signer=KeySigner(key=key), now=at)
        except GateError as error:
            refusal = error
    raise refusal
