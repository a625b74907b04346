"""Pairs of documents that differ in one key of the threat data, each with the effect that it must turn."""

from __future__ import annotations

from typing import Final

from tests.support.policy_effects import MISSING
from tests.support.policy_pair import one, vulnerabilities

THREAT_PAIRS: Final = (
    vulnerabilities("kevData", MISSING, {"file": "kev.json"}, one("trivy", "CVE-2026-0666", "low")),
    vulnerabilities(
        "epss",
        MISSING,
        {"failAbove": 0.5, "data": {"file": "epss.csv"}},
        one("trivy", "CVE-2026-0666", "low"),
    ),
    vulnerabilities(
        "epss.failAbove",
        0.5,
        0.7,
        one("trivy", "CVE-2026-0666", "low"),
        epss={"data": {"file": "epss.csv"}},
    ),
    vulnerabilities(
        "epss.maxAge",
        "2d",
        "1h",
        {},
        epss={"failAbove": 0.5, "data": {"file": "epss.csv"}},
    ),
    vulnerabilities(
        "kevMaxAge",
        "2d",
        "1h",
        {},
        kevData={"file": "kev.json"},
    ),
    vulnerabilities(
        "epss.data",
        {"file": "epss.csv"},
        {"file": "unlikely.csv"},
        one("trivy", "CVE-2026-0666", "low"),
        epss={"failAbove": 0.5},
    ),
)
