"""Validate a CycloneDX document against the strict schema of its version, in a child process that can be killed.

A signature says who wrote a document and not how large or how odd it is, so time and memory are bounded
(`gate.sandbox.limited_task`). The library is `cyclonedx-python-lib`; its schemas decide and not its object model
(`docs/adr/0014-cyclonedx.md`). Nothing here judges: that is the check `attestation`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import Fault, parse_object
from gate.errors import EvidenceError, GateError
from gate.model.evidence import Unavailable
from gate.sandbox.limited_task import TaskLimits, run_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gate.codec.strict_json import JsonValue

# A document that fits into a bundle, of some 4,000 packages, takes 2 s of an idle core, and starting 0.1 s.
DEFAULT_TIME_LIMIT: Final = timedelta(seconds=60)
# Python, the library and such a document take 0.1 GiB.
_MEMORY_BYTES: Final = 512 << 20
_ANSWER_BYTES: Final = 64 * 1024
_TASK: Final = "cyclonedx_child.py"
_CODE: Final = "LIMIT_DOCUMENT"
_FAULT: Final = Fault(EvidenceError, _CODE, "the answer of the document's child")


def validate_cyclonedx(
    document: Mapping[str, JsonValue], *, time_limit: timedelta = DEFAULT_TIME_LIMIT
) -> str | Unavailable:
    """Return where the document breaks the schema and by which rule, or nothing where it does not.

    `document` names its version in `specVersion`, which is one that `gate.codec.attested_document` accepts. `Unavailable`
    (`LIMIT_DOCUMENT`) where the child ended without an answer, or could not be started.
    """
    request = json.dumps({"version": document.get("specVersion"), "document": dict(document)}).encode()
    limits = TaskLimits(time=time_limit, memory_bytes=_MEMORY_BYTES, output_bytes=_ANSWER_BYTES)
    try:
        ended = run_task(_TASK, request, limits)
    except OSError as error:
        return _unobtained(f"no process can be started for it: {error.strerror}")
    if ended.exit_code is None:
        return _unobtained(f"it took longer than {time_limit.total_seconds():g} s")
    try:
        view = parse_object(ended.output, _FAULT, limit_bytes=_ANSWER_BYTES)
        place, rule = view.text("place"), view.text("rule")
    except GateError:
        return _unobtained(f"the process that validates it ended with code {ended.exit_code}")
    return f"{place}: {rule}" if place else ""


def _unobtained(seen: str) -> Unavailable:
    return Unavailable(
        code=_CODE,
        reason="the attested document cannot be validated within its limits",
        expected="a document that is validated in time",
        seen=seen,
    )
