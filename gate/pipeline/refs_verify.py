"""`refs --verify`: each pinned image must also have a valid verdict under a requirement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gate.errors import EvidenceError, GateError
from gate.model.found_reference import FoundReference, ReferenceKind, ReferenceState
from gate.pipeline.verify import admit

if TYPE_CHECKING:
    from gate.pipeline.refs import FoundReferences
    from gate.pipeline.verify_options import VerifyOptions


def verify_references(found: FoundReferences, options: VerifyOptions) -> None:
    """Refuse in `found` each pinned image without a valid verdict; each digest is asked about once.

    What could not be judged is a fault.
    """
    answers: dict[str, GateError | None] = {}
    for number, item in enumerate(found.references):
        if item.kind is not ReferenceKind.IMAGE or item.state is not ReferenceState.PINNED or item.image is None:
            continue
        name = f"{item.image.repository}@{item.image.digest}"
        if name not in answers:
            answers[name] = refusal = _refusal(name, options)
            if isinstance(refusal, EvidenceError):
                found.faults.append(refusal)
        found.references[number] = _judged(item, answers[name])


def _refusal(name: str, options: VerifyOptions) -> GateError | None:
    try:
        return admit(name, options).refusal
    except GateError as error:
        return error


def _judged(found: FoundReference, refusal: GateError | None) -> FoundReference:
    if refusal is None:
        return replace(found, note="; ".join(filter(None, (found.note, "its verdict is valid"))))
    return replace(found, state=ReferenceState.INVALID, code=refusal.code, note=str(refusal))
