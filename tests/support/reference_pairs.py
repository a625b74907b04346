"""Pairs of documents that differ in one key of `spec.references.exceptions`, each with the effect that it must turn."""

from __future__ import annotations

from typing import Final

from tests.support.policy_effects import MISSING, refused_references
from tests.support.policy_pair import VULN, Pair

EXCEPTION: Final = {
    "pattern": "docker.io/library/alpine",
    "path": "deploy/**",
    "reason": "test",
    "owner": "team",
    "expires": "2027-01-01",
}

REFERENCE_PAIRS: Final = (
    Pair(
        key="spec.references.exceptions",
        place="spec.references.exceptions",
        spec={**VULN, "references": {"registries": ["**"]}},
        left=[EXCEPTION],
        right=MISSING,
        effect=refused_references,
    ),
    *(
        Pair(
            key=f"spec.references.exceptions[].{key}",
            place=f"spec.references.exceptions.0.{key}",
            spec={**VULN, "references": {"exceptions": [EXCEPTION]}},
            left=EXCEPTION[key],
            right=right,
            effect=refused_references,
        )
        for key, right in {
            "pattern": "docker.io/library/debian",
            "path": "other/**",
            "reason": "another reason",
            "owner": "another team",
            "expires": "2026-02-28",
        }.items()
    ),
)
