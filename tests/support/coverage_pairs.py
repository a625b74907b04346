"""Pairs of documents that differ in one key of `spec.coverage`, each with the effect that it must turn."""

from __future__ import annotations

from typing import Final

from tests.support.policy_effects import MISSING, notes, outcome
from tests.support.policy_pair import VULN, Pair

CONDA: Final = {
    "subjects": {
        0: {"layers": {"package_forms": [{"form": "conda", "path": "opt/conda/conda-meta", "count": 2, "owner": ""}]}}
    }
}
ACCEPTED: Final = {
    "vulnerabilities": {},
    "coverage": {"accept": [{"path": "/opt/conda", "reason": "one", "owner": "one", "expires": "2026-03-01"}]},
}

COVERAGE_PAIRS: Final = (
    Pair(key="spec.coverage", place="spec.coverage", spec=VULN, left=MISSING, right={"unread": "warn"}, evidence=CONDA),
    Pair(
        key="spec.coverage.unread",
        place="spec.coverage.unread",
        spec=VULN,
        left="fail",
        right="warn",
        evidence=CONDA,
    ),
    Pair(
        key="spec.coverage.accept",
        place="spec.coverage.accept",
        spec=VULN,
        left=MISSING,
        right=ACCEPTED["coverage"]["accept"],
        evidence=CONDA,
    ),
    *(
        Pair(
            key=f"spec.coverage.accept[].{key}",
            place=f"spec.coverage.accept.0.{key}",
            spec=ACCEPTED,
            left=left,
            right=right,
            effect=effect,
            evidence=CONDA,
        )
        for key, left, right, effect in (
            ("path", "/opt/conda", "/opt/con", outcome),
            ("expires", "2026-03-01", "2026-02-28", outcome),
            ("reason", "one", "other", notes),
            ("owner", "one", "other", notes),
        )
    ),
)
