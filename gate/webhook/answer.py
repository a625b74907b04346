"""What the API server reads: an AdmissionReview with one line for each image, short enough for `kubectl`.

Specification: Kubernetes, `admission.k8s.io/v1`; formats reference, section 15 (warnings up to 256 characters each and 4,096
together).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from gate.report.codes import next_step
from gate.report.escape import identifier, visible
from gate.webhook.review import API_VERSION, KIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.codec.strict_json import JsonValue
    from gate.errors import GateError
    from gate.webhook.judge import ImageAnswer
    from gate.webhook.review import Review

_MOST_LINES: Final = 10
_MOST_WARNING: Final = 250
_MOST_WARNINGS: Final = 12


def allowed(uid: str) -> bytes:
    """Return an admission of what starts no image."""
    return _written(uid, allowed=True)


def refusal(uid: str, error: GateError) -> bytes:
    """Return a refusal for the whole object."""
    return _written(uid, allowed=False, message=f"gate: {_line('', error)}", annotations={"code": error.code})


def answered(review: Review, answers: Sequence[ImageAnswer]) -> bytes:
    """Return the answer about every image of an object: refused where one of them refuses."""
    paths = {image.reference: image.path for image in reversed(review.images)}
    refusing = [item for item in answers if item.refuses]
    told = [item for item in answers if item.refusal is not None and not item.refuses]
    lines = [
        _line(f"{paths[item.reference]} {identifier(item.reference, 200)}: ", item.refusal)
        for item in refusing
        if item.refusal
    ]
    more = len(lines) - _MOST_LINES
    text = "\n".join([*lines[:_MOST_LINES], *([f"and {more} more"] if more > 0 else [])])
    annotations = {"images": str(len(answers))}
    verdicts = ",".join(dict.fromkeys(item.verdict for item in answers if item.verdict))
    annotations |= {"verdicts": verdicts} if verdicts else {}
    codes = ",".join(sorted({item.refusal.code for item in answers if item.refusal is not None}))
    annotations |= {"codes": codes} if codes else {}
    exempt = "; ".join(dict.fromkeys(visible(item.exempt) for item in answers if item.exempt))
    annotations |= {"exempt": exempt} if exempt else {}
    warnings = [
        f"gate ({item.mode.value}): {_line(f'{identifier(item.reference, 80)}: ', item.refusal)}"[:_MOST_WARNING]
        for item in told
        if item.refusal is not None and item.mode.value == "warn"
    ]
    return _written(
        review.uid,
        allowed=not refusing,
        message=f"gate: {text}" if refusing else "",
        warnings=warnings[:_MOST_WARNINGS],
        annotations=annotations,
    )


def _line(head: str, error: GateError) -> str:
    parts = [f"{head}{error.code} {visible(error.message)}"]
    parts += [f"expected {visible(error.expected, 200)}"] if error.expected else []
    parts += [f"saw {visible(error.seen, 200)}"] if error.seen else []
    step = next_step(error.code, error.next_step)
    parts += [f"next: {visible(step, 200)}"] if step else []
    return "; ".join(parts)


def _written(
    uid: str,
    *,
    allowed: bool,
    message: str = "",
    warnings: Sequence[str] = (),
    annotations: dict[str, str] | None = None,
) -> bytes:
    response: dict[str, JsonValue] = {"uid": uid, "allowed": allowed}
    if message:
        response["status"] = {"code": 403, "reason": "Forbidden", "message": message}
    if warnings:
        response["warnings"] = list(warnings)
    if annotations:
        response["auditAnnotations"] = dict(annotations)
    document: dict[str, JsonValue] = {"apiVersion": API_VERSION, "kind": KIND, "response": response}
    return json.dumps(document, ensure_ascii=True).encode()
