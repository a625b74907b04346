"""Pairs of documents that differ in one key of `spec.rules` or `spec.warn`, each with the effect that it must turn."""

from __future__ import annotations

from typing import Final

from tests.support.policy_effects import MISSING, outcome, words
from tests.support.policy_pair import RULE, VULN, Pair

RULE_PAIRS: Final = (
    Pair(
        key="spec.warn",
        place="spec.warn",
        spec={**VULN, "image": {"user": "non-root"}},
        left=MISSING,
        right=["image-user"],
        evidence={"subjects": {0: {"config": {"user": "root"}}}},
    ),
    *(
        Pair(key=f"spec.rules[].{key}", place=f"spec.rules.0.{key}", spec=RULE, left=left, right=right, effect=effect)
        for key, left, right, effect in (
            ("id", "rule", "other", words),
            ("cel", "size(image.config.entrypoint) > 0", "size(image.config.entrypoint) > 9", outcome),
            ("message", "one", "other", words),
            ("level", "fail", "warn", outcome),
            ("from", "2026-01-01", "2026-12-31", outcome),
        )
    ),
)
