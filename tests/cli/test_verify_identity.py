"""`gate verify` by an identity: the deploy stage's demand from a file, offline, under a given trusted root."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gate.codec.vsa import render_summary
from tests.cli.conftest import Run
from tests.support.signing import IMAGE, POLICY, REPOSITORY, summary
from tests.support.virtual_sigstore import DAY, ISSUER, MINUTE, START, SUBJECT, VirtualSigstore, public_pem

SIGNED = START + DAY
REFERENCE = f"{REPOSITORY}@{IMAGE}"
WHO = ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", ISSUER)
ROOT = ("--trusted-root", "root.json")
# The verdict is of a fixed day, and the command reads the clock.
DEMAND = ("verify", REFERENCE, "--offline", "--policy", str(POLICY), "--max-age", "36000d", "--attestation")


@pytest.fixture(autouse=True)
def _files(run: Run) -> None:
    del run
    vs = VirtualSigstore()
    payload = render_summary(summary(at=SIGNED))
    by_identity = vs.sign_statement(payload, certificate=vs.issue(vs.leaf(at=SIGNED)))
    Path("identity.json").write_bytes(vs.log1(by_identity, at=SIGNED + MINUTE).bundle())
    by_key = vs.sign_statement(payload, by_key=True)
    Path("key.json").write_bytes(by_key.bundle())
    Path("logged.json").write_bytes(vs.log1(by_key, at=SIGNED + MINUTE).bundle())
    Path("root.json").write_bytes(vs.trusted_root())
    Path("key.pub").write_bytes(public_pem(vs.key))


def test_a_verdict_by_the_identity_lets_the_image_in(run: Run) -> None:
    result = run(*DEMAND, "identity.json", *WHO, *ROOT, "--require-timestamp", "-f", "json")
    assert result.exit_code == 0, result.stderr
    (image,) = json.loads(result.stdout)["images"]
    (attestation,) = image["attestations"]
    assert (attestation["identity"], attestation["issuer"]) == (SUBJECT, ISSUER)
    assert attestation["trustedTime"] == "2025-01-26T12:01:00Z"


def test_a_key_and_an_identity_may_both_sign(run: Run) -> None:
    for name in ("identity.json", "key.json", "logged.json"):
        result = run(*DEMAND, name, *WHO, *ROOT, "--key", "key.pub")
        assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (("identity.json", *WHO), "SIG_TLOG_INVALID", 1),
        (("identity.json", "--key", "key.pub"), "ID_MISMATCH", 1),
        (("key.json", *WHO, *ROOT), "ID_MISMATCH", 1),
        (("logged.json", "--key", "key.pub"), "SIG_TLOG_INVALID", 1),
        (("identity.json", *WHO[:3], "https://issuer.example", *ROOT), "ID_ISSUER", 1),
        (("identity.json", *WHO[:2], *ROOT), "USAGE", 2),
        (("identity.json", *WHO[2:], *ROOT), "USAGE", 2),
        (("identity.json", *WHO, "--trusted-root", "key.pub"), "ROOT_MALFORMED", 2),
        (("identity.json", *WHO, "--requirement", "requirement.yaml"), "USAGE", 2),
    ],
    ids=range(9),
)
def test_who_is_not_demanded_is_refused_with_its_code(
    run: Run, arguments: tuple[str, ...], code: str, exit_code: int
) -> None:
    result = run(*DEMAND, *arguments)
    assert (result.exit_code, result.stderr.count(code)) == (exit_code, 1), result.stderr


def test_a_verdict_under_a_private_instance_is_verified_by_flags(run: Run) -> None:
    vs = VirtualSigstore()
    payload = render_summary(summary(at=SIGNED))
    certificate = vs.issue(vs.leaf(at=SIGNED, logged=False))
    signing = vs.stamp(vs.sign_statement(payload, certificate=certificate), at=SIGNED + MINUTE)
    Path("private.json").write_bytes(signing.bundle())
    Path("private-root.json").write_bytes(vs.trusted_root(tlogs=[], ctlogs=[]))
    asked = (*DEMAND, "private.json", *WHO, "--trusted-root", "private-root.json")
    assert run(*asked).exit_code == 3
    result = run(*asked, "--log", "0", "--timestamps", "1", "--no-sct")
    assert result.exit_code == 0, result.stderr
