"""Which of several refusals is reported: that of the candidate that came furthest.

Only wording hangs on this order. Whether something is accepted is decided before anybody asks.

Source: the order of steps in formats 8.1 and of the table in 10.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gate.errors import GateError

_ORDER: Final = (
    "SIG_MISSING",
    "LIMIT_BUNDLE",
    "SIG_MALFORMED",
    "SIG_BUNDLE_VERSION",
    "SIG_NO_KEY_MATERIAL",
    "ATT_SIG_COUNT",
    "ID_MISMATCH",
    "SIG_ALG",
    "SIG_TSA_UNTRUSTED",
    "SIG_TLOG_KIND",
    "SIG_TLOG_INVALID",
    "SIG_INCLUSION",
    "SIG_TLOG_MISMATCH",
    "SIG_INVALID",
    "SIG_THRESHOLD",
    "SIG_UNTRUSTED_CHAIN",
    "SIG_EXPIRED",
    "SIG_CHAIN_TIME",
    "SIG_TIME_CONFLICT",
    "SIG_SCT",
    "ID_ENCODING",
    "ID_ISSUER",
    "ID_WORKFLOW",
    "ATT_PAYLOAD_TYPE",
    "ATT_MALFORMED",
    "ATT_TYPE",
    "ATT_SUBJECT",
    "SIG_SUBJECT_MISMATCH",
    "ATT_SUBJECT_MISMATCH",
    "ID_BUILDER",
    "PROV_MISMATCH",
    "SIG_NO_TRUSTED_TIME",
    "POL_TIME",
    "ATT_EXPIRED",
    "ATT_RESOURCE_MISMATCH",
    "ATT_POLICY_STALE",
    "ATT_VERDICT_FAIL",
    "ATT_ENVIRONMENT",
    "SIG_ANNOTATION",
    "SIG_NO_SINGLE_MATCH",
    # Not refusals: what could not be judged at all outweighs what others refuse.
    "LIMIT_DOCUMENT",
    "ROOT_EMPTY",
)
_STEP: Final = {code: step for step, code in enumerate(_ORDER)}


def furthest(errors: Iterable[GateError]) -> GateError | None:
    """Return the error of the latest step; of equals the first. None where there is no error."""
    return max(errors, key=lambda error: _STEP.get(error.code, -1), default=None)
