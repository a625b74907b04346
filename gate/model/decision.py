"""The words of a verdict: what one check answers, and what is done with the image."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What one check answers (rule 3)."""

    PASS = "pass"  # noqa: S105 - an outcome, no password
    FAIL = "fail"
    ERROR = "error"
    DISABLED = "disabled"


class Decision(StrEnum):
    """What is done with the image."""

    PASSED = "passed"
    REFUSED = "refused"
    ERROR = "error"
