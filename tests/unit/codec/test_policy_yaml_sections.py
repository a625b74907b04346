"""The sections on vulnerabilities, the image and its secrets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gate.model.digest import Digest
from gate.model.policy import EpssRule
from gate.model.policy_signers import KeySigner
from tests.support.policies import (
    FILES,
    HEX_A,
    KEY_A,
    KEY_B,
    KEY_PEM,
    policy,
    policy_document,
    refusal,
)
from tests.support.signing import GATE, STRANGER

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"failOn": "HIGH"}, "POL_MALFORMED"),
        ({"failOn": "unknown"}, "POL_MALFORMED"),
        ({"failOn": "none"}, "POL_MALFORMED"),
        ({"unknownSeverity": "unknown"}, "POL_MALFORMED"),
        ({"ignoreUnfixed": "true"}, "POL_MALFORMED"),
        ({"ignoreUnfixed": None}, "POL_MALFORMED"),
        ({"grace": {"severe": "7d"}}, "POL_UNKNOWN_KEY"),
        ({"grace": {"unknown": "7d"}}, "POL_UNKNOWN_KEY"),
        ({"grace": {"high": "7"}}, "POL_MALFORMED"),
        ({"scanners": {"require": []}}, "POL_MALFORMED"),
        ({"scanners": {"require": ["gate"]}}, "POL_MALFORMED"),
        ({"scanners": {"require": ["trivy", "trivy"]}}, "POL_MALFORMED"),
        ({"scanners": {"require": ["trivy"], "quorum": "all"}}, "POL_MALFORMED"),
        ({"scanners": {"quorum": "both"}}, "POL_MALFORMED"),
        ({"kev": True}, "POL_MALFORMED"),
        ({"epss": {"failAbove": 0.5}}, "POL_MALFORMED"),
        ({"epss": {"failAbove": 1.5, "data": KEY_A}}, "POL_MALFORMED"),
        ({"emptyBase": ["scratch"]}, "POL_MALFORMED"),
        ({"emptyBase": ["sha256:abc"]}, "POL_MALFORMED"),
        ({"vex": [{}]}, "POL_MALFORMED"),
        ({"vex": [{"signers": [{"key": KEY_A}]}]}, "POL_MALFORMED"),
        ({"vex": [{"signers": [], "products": ["pkg:deb/debian/*"]}]}, "POL_EMPTY_IDENTITY"),
        ({"vex": [{"signers": [{"key": KEY_A}], "products": []}]}, "POL_EMPTY_IDENTITY"),
        ({"vex": [{"signers": [{"key": KEY_A}], "products": ["*"]}]}, "POL_MALFORMED"),
        ({"vex": [{"signers": [{"key": KEY_A}], "products": ["pkg:deb/debian/*"], "sha256": HEX_A}]}, "POL_MALFORMED"),
        ({"vex": [{"file": "keys/a.pub"}]}, "POL_FILE"),
    ],
)
def test_a_wrong_vulnerability_section_is_refusal(change: dict[str, object], code: str) -> None:
    error = refusal(policy_document(vulnerabilities=change))
    assert error.code == code
    assert "spec.vulnerabilities" in error.message


def test_threat_data_is_pinned_by_what_was_read() -> None:
    document = policy_document(
        vulnerabilities={
            "kevData": KEY_A,
            "epss": {"failAbove": 0.25, "data": KEY_B | {"sha256": Digest.of(FILES.content["keys/b.pub"]).hex}},
        }
    )
    parsed = policy(document)
    assert parsed.vulnerabilities is not None
    assert parsed.vulnerabilities.epss == EpssRule(fail_above=0.25)
    assert parsed.kev_file == ("keys/a.pub", Digest.of(KEY_PEM))
    assert parsed.epss_file == ("keys/b.pub", Digest.of(FILES.content["keys/b.pub"]))
    assert parsed.unpinned == ("keys/a.pub",)


def test_signers_of_vex_speak_for_their_products() -> None:
    entry = {"signers": [{"key": KEY_A}, {"key": KEY_B}], "products": ["pkg:deb/debian/*"]}
    parsed = policy(policy_document(vulnerabilities={"vex": [entry]}))
    assert parsed.vulnerabilities is not None
    assert [(author.signer, author.products) for author in parsed.vulnerabilities.vex_authors] == [
        (KeySigner(key=GATE.public_key), ("pkg:deb/debian/*",)),
        (KeySigner(key=STRANGER.public_key), ("pkg:deb/debian/*",)),
    ]


# The image and its secrets


@pytest.mark.parametrize(
    ("section", "change", "code"),
    [
        ("image", {"user": "nonroot"}, "POL_MALFORMED"),
        ("image", {"maxAge": "60"}, "POL_MALFORMED"),
        ("image", {"revision": "provenance"}, "POL_MALFORMED"),
        ("image", {"ports": {}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": [22]}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": ["0"]}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": ["65536/tcp"]}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": ["22/icmp"]}}, "POL_MALFORMED"),
        ("image", {"setuid": {"allow": ["usr/bin/su"]}}, "POL_MALFORMED"),
        ("image", {"setuid": {"allow": ["/usr/../bin/su"]}}, "POL_MALFORMED"),
        ("image", {"setuid": {"allow": ["/"]}}, "POL_MALFORMED"),
        ("image", {"labels": {"deny": ["a b"]}}, "POL_MALFORMED"),
        ("image", {"base": [{"name": "a", "diffIds": []}]}, "POL_MALFORMED"),
        ("image", {"base": [{"name": "a", "diffIds": ["sha256:0"]}]}, "POL_MALFORMED"),
        ("secrets", {"failOn": "all"}, "POL_MALFORMED"),
        ("secrets", {"allow": [{"fingerprint": "ab" * 8, "reason": "r", "owner": "o"}]}, "POL_WAIVER"),
        (
            "secrets",
            {"allow": [{"fingerprint": "*", "reason": "r", "owner": "o", "expires": "2027-01-01"}]},
            "POL_MALFORMED",
        ),
    ],
)
def test_a_wrong_image_or_secrets_section_is_refusal(section: str, change: dict[str, object], code: str) -> None:
    error = refusal(policy_document(**{section: change}))
    assert error.code == code
    assert f"spec.{section}" in error.message
